//! A row as serde takes it. The JSON is parsed in one place for rows of all types: a parser compiled for each type would
//! be a tenth of the service.

use std::borrow::Cow;
use std::{fmt, mem, slice};

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::ports::DbError;

/// The value of a column, of one of the types that the schema has.
enum Cell<'de> {
    Null,
    Integer(i64),
    Text(Cow<'de, str>),
}

/// The names and values of a row's columns, in the order of the SELECT.
pub(super) struct Row<'de>(Vec<(Cell<'de>, Cell<'de>)>);

/// A row does not have the shape of its type. The details are left out, since they may quote a stored value.
#[derive(Debug, thiserror::Error)]
#[error("another shape")]
pub(super) struct Unfit;

impl Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Parses a JSON array of objects, and hands on its rows one by one: a long list is not twice in memory.
pub(super) fn each(json: &str, take: &mut dyn FnMut(&mut Row<'_>) -> Result<(), Unfit>) -> Result<(), DbError> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let parsed = parser.deserialize_seq(Each(take)).and_then(|()| parser.end());
    // The error's own text may quote a stored value; its kind and position are enough to find it.
    parsed.map_err(|error| {
        DbError::unreadable(format!("{:?} error in rows at column {}", error.classify(), error.column()))
    })
}

struct Each<'a>(&'a mut dyn FnMut(&mut Row<'_>) -> Result<(), Unfit>);

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(mut row) = rows.next_element()? {
            (self.0)(&mut row).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Row<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a row object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut columns = Vec::with_capacity(16);
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl<'de> Visitor<'de> for Value {
            type Value = Cell<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an integer, a text or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Cell<'de>, E> {
                Ok(Cell::Null)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Cell<'de>, E> {
                Ok(Cell::Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Cell<'de>, E> {
                i64::try_from(value).map(Cell::Integer).map_err(E::custom)
            }

            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Borrowed(value)))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Owned(value.to_owned())))
            }
        }

        deserializer.deserialize_any(Value)
    }
}

/// A struct takes its columns out of the row, so a row can be read as several structs.
impl<'de> Deserializer<'de> for &mut Row<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(Entries { columns: mem::take(&mut self.0).into_iter(), value: None })
    }

    /// The fields take their columns in the order of the struct: code that is compiled for each type neither compares
    /// names nor keeps fields that may still be absent.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Columns { row: self, fields: fields.iter() })
    }

    /// Each member of the tuple is a struct.
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Structs { row: self, left: len })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple_struct map enum identifier ignored_any
    }
}

impl<'de> Row<'de> {
    /// Takes the value of a column. That of an absent one is null, so only an optional field may lack its column.
    fn take(&mut self, field: &str) -> Cell<'de> {
        let is_named = |name: &Cell<'_>| matches!(name, Cell::Text(text) if text == field);
        let column = self.0.iter_mut().find(|(name, _)| is_named(name));
        column.map_or(Cell::Null, |(_, value)| mem::replace(value, Cell::Null))
    }
}

/// The columns of a struct's fields.
struct Columns<'row, 'de> {
    row: &'row mut Row<'de>,
    fields: slice::Iter<'static, &'static str>,
}

impl<'de> SeqAccess<'de> for Columns<'_, 'de> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        self.fields.next().map(|field| seed.deserialize(self.row.take(field))).transpose()
    }
}

/// The structs of a tuple. It serves rows with another row in them: `serde(flatten)` would keep all columns once more.
struct Structs<'row, 'de> {
    row: &'row mut Row<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Structs<'_, 'de> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.row).map(Some)
    }
}

/// The columns as a map, for a type that asks for their names.
struct Entries<'de> {
    columns: std::vec::IntoIter<(Cell<'de>, Cell<'de>)>,
    value: Option<Cell<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        let Some((name, value)) = self.columns.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        seed.deserialize(self.value.take().ok_or(Unfit)?)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.columns.len())
    }
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Integer(value) => visitor.visit_i64(value),
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let Self::Text(text) = self else {
            return Err(Unfit);
        };
        let variant: StrDeserializer<'_, Unfit> = text.as_ref().into_deserializer();
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;

//! A row as serde takes it. The JSON is parsed in one place for rows of all types: a parser compiled for each type would
//! be a tenth of the service.

use std::borrow::Cow;
use std::fmt;

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
pub(super) fn each(json: &str, take: &mut dyn FnMut(Row<'_>) -> Result<(), Unfit>) -> Result<(), DbError> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let parsed = parser.deserialize_seq(Each(take)).and_then(|()| parser.end());
    // The error's own text may quote a stored value; its kind and position are enough to find it.
    parsed.map_err(|error| {
        DbError::Unreadable(format!("{:?} error in rows at column {}", error.classify(), error.column()))
    })
}

struct Each<'a>(&'a mut dyn FnMut(Row<'_>) -> Result<(), Unfit>);

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.0)(row).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
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

        deserializer.deserialize_map(Columns)
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

impl<'de> Deserializer<'de> for Row<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(Entries { columns: self.0.into_iter(), value: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

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
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        NoSuchUser,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(i64);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        text: String,
        word: Option<Word>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        id: u32,
        #[serde(flatten)]
        inner: Inner,
        wrapped: Option<Wrapped>,
        absent: Option<String>,
    }

    fn read(json: &str) -> Result<Vec<Outer>, DbError> {
        let mut all = Vec::new();
        each(json, &mut |row| {
            all.push(Outer::deserialize(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn a_row_fits_a_type_by_the_names_of_its_columns() {
        let json = r#"[{"other":7,"word":"no_such_user","text":"a\n\"b\"","id":9,"wrapped":-1},
                       {"id":4294967295,"wrapped":null,"word":null,"text":"plain"}]"#;
        let inner = |text: &str, word| Inner { text: text.to_owned(), word };
        let first =
            Outer { id: 9, inner: inner("a\n\"b\"", Some(Word::NoSuchUser)), wrapped: Some(Wrapped(-1)), absent: None };
        let second = Outer { id: u32::MAX, inner: inner("plain", None), wrapped: None, absent: None };
        assert_eq!(read(json).unwrap(), [first, second]);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn every_other_row_is_unreadable() {
        for json in [
            r#"[{"id":1}]"#,
            r#"[{"id":-1,"text":""}]"#,
            r#"[{"id":4294967296,"text":""}]"#,
            r#"[{"id":18446744073709551615,"text":""}]"#,
            r#"[{"id":1.5,"text":""}]"#,
            r#"[{"id":"1","text":""}]"#,
            r#"[{"id":1,"text":2}]"#,
            r#"[{"id":1,"text":"","word":"other"}]"#,
            r#"[{"id":1,"text":"","word":3}]"#,
            r#"[{"id":1,"text":""}"#,
            r#"[{"id":1,"text":""}] [1]"#,
            r#"[[1,""]]"#,
            "{}",
        ] {
            assert!(matches!(read(json), Err(DbError::Unreadable(_))), "{json}");
        }
    }
}

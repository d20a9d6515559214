//! A JSON text, as far as a request body needs it: an object with its members, or something else.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A JSON text: an object whose members are kept, or anything else, which is not.
pub(super) enum JsonText {
    Object(Object),
    Other,
}

/// The members of an object, in order. Two of the same name are noted, not merged: parsers differ in
/// which one they believe, and a proxy in front may have checked the other (RFC 8259 §4).
#[derive(Default)]
pub(super) struct Object {
    members: Vec<(String, Value)>,
    pub(super) has_duplicates: bool,
}

impl Object {
    /// Takes a member out.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(position).1)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonTextVisitor)
    }
}

struct JsonTextVisitor;

impl<'de> Visitor<'de> for JsonTextVisitor {
    type Value = JsonText;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonText, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            object.has_duplicates |= object.members.iter().any(|(member, _)| *member == name);
            object.members.push((name, value));
        }
        Ok(JsonText::Object(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonText, A::Error> {
        while seq.next_element::<Value>()?.is_some() {}
        Ok(JsonText::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }

    fn visit_unit<E>(self) -> Result<JsonText, E> {
        Ok(JsonText::Other)
    }
}

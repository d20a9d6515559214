//! A parsed JSON text, in as much detail as request bodies need.
//!
//! Deliberately not `serde_json::Value`. With the `raw_value` feature that type gives one member name a special
//! meaning: it parses the member's text again, with a fresh depth limit. Untrusted input must not trigger that.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Up to this number a double represents every integer exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

pub(in crate::http) enum JsonText {
    Object(Object),
    Text(String),
    Null,
    Bool(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    Array(Vec<JsonText>),
    /// A number that is no such integer.
    Other,
}

/// The members of an object. Duplicate names are noted, not merged: parsers differ in which value they use, so a proxy
/// in front may have checked the other one (RFC 8259 §4).
#[derive(Default)]
pub(in crate::http) struct Object {
    members: BTreeMap<String, JsonText>,
    pub(in crate::http) has_duplicates: bool,
}

impl Object {
    pub(in crate::http) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Adds a member, and notes a duplicate.
    pub(in crate::http) fn add(&mut self, name: String, value: JsonText) {
        self.has_duplicates |= self.members.insert(name, value).is_some();
    }

    /// Removes a member and returns its value.
    pub(in crate::http) fn take(&mut self, name: &str) -> Option<JsonText> {
        self.members.remove(name)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = JsonText;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonText, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = map.next_entry::<String, JsonText>()? {
            object.add(name, value);
        }
        Ok(JsonText::Object(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonText, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(JsonText::Array(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonText, E> {
        Ok(JsonText::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<JsonText, E> {
        Ok(JsonText::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonText, E> {
        Ok(JsonText::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonText, E> {
        Ok(JsonText::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonText, E> {
        Ok(i64::try_from(value).map_or(JsonText::Other, JsonText::Integer))
    }

    /// `3.0` is the integer 3 (JSON Schema Core §6.3); some languages serialize all numbers that way.
    fn visit_f64<E>(self, value: f64) -> Result<JsonText, E> {
        let is_exact = value.fract() == 0.0 && value.abs() <= MAX_EXACT;
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within bounds")]
        Ok(if is_exact { JsonText::Integer(value as i64) } else { JsonText::Other })
    }
}

//! A parsed JSON text, in as much detail as request bodies and the documents of other parties need. One parser serves all of
//! them: one for each structure would be 20 kB of Wasm.
//!
//! Deliberately not `serde_json::Value`. With the `raw_value` feature that type gives one member name a special
//! meaning: it parses the member's text again, with a fresh depth limit. Untrusted input must not trigger that.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Up to this number a double represents every integer exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// A text, as it was parsed.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum JsonText {
    Object(Object),
    Text(String),
    Null,
    Bool(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    Array(Vec<JsonText>),
    /// A number that is no such integer.
    Other(f64),
}

/// The members of an object. Duplicate names are noted, not merged: parsers differ in which value they use, so a proxy
/// in front may have checked the other one (RFC 8259 §4).
#[derive(Debug, Default)]
pub struct Object {
    members: BTreeMap<String, JsonText>,
    /// A name occurs more than once.
    pub has_duplicates: bool,
}

impl Object {
    /// Is there a member with this name, even if it is null?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Adds a member, and notes a duplicate.
    pub fn add(&mut self, name: String, value: JsonText) {
        self.has_duplicates |= self.members.insert(name, value).is_some();
    }

    /// Removes a member and returns its value.
    pub fn take(&mut self, name: &str) -> Option<JsonText> {
        self.members.remove(name)
    }

    /// Reads a document of another party: `None` for anything but an object whose names are distinct.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<JsonText>(text).ok()?.object()
    }

    /// A member that is a text; `None` if it is absent or something else.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name)?.text()
    }

    /// A member that may be absent or null.
    ///
    /// # Errors
    /// [`WrongType`] if it is something that `read` refuses.
    pub fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(JsonText) -> Option<T>,
    ) -> Result<Option<T>, WrongType> {
        match self.take(name) {
            None | Some(JsonText::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or(WrongType),
        }
    }

    /// Are there members that were not taken?
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.members.is_empty()
    }
}

/// A member has another type than its readers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a member of another type")]
pub struct WrongType;

impl JsonText {
    /// An object whose names are distinct.
    #[must_use]
    pub fn object(self) -> Option<Object> {
        match self {
            Self::Object(object) if !object.has_duplicates => Some(object),
            _ => None,
        }
    }

    /// The value, if it is a text.
    #[must_use]
    pub fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The value, if it is an integer.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(value) } else { None }
    }

    /// The value, if it is a boolean.
    #[must_use]
    pub fn boolean(self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(value) } else { None }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn items(self) -> Option<Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The items of a list of texts.
    #[must_use]
    pub fn texts(self) -> Option<Vec<String>> {
        self.items()?.into_iter().map(Self::text).collect()
    }

    /// Reads a JSON list whose items are texts.
    #[must_use]
    pub fn parse_texts(text: &str) -> Option<Vec<String>> {
        serde_json::from_str::<Self>(text).ok()?.texts()
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
        #[expect(clippy::cast_precision_loss, reason = "a number beyond 64 bits is of no exact use")]
        Ok(i64::try_from(value).map_or(JsonText::Other(value as f64), JsonText::Integer))
    }

    /// `3.0` is the integer 3 (JSON Schema Core §6.3); some languages serialize all numbers that way.
    fn visit_f64<E>(self, value: f64) -> Result<JsonText, E> {
        let is_exact = value.fract() == 0.0 && value.abs() <= MAX_EXACT;
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within bounds")]
        Ok(if is_exact { JsonText::Integer(value as i64) } else { JsonText::Other(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_an_object_with_distinct_names_is_a_document() {
        for text in ["{}", r#" {"name": "a", "other": [1, {"b": 1}]}"#] {
            assert!(Object::parse(text).is_some(), "{text}");
        }
        for text in
            ["", "null", r#"["a", true]"#, r#"{"name": "a", "name": "b"}"#, r#"{"name": "a"} {}"#, r#"{"name"}"#]
        {
            assert!(Object::parse(text).is_none(), "{text}");
        }
        assert!(Object::parse(&"[".repeat(100_000)).is_none());
    }

    #[test]
    fn members_are_taken_by_name_and_type() {
        let mut object = Object::parse(r#"{"a": "x", "b": null, "c": 1, "d": ["x", "y"], "e": ["x", 1]}"#).unwrap();
        assert_eq!(object.text("c"), None);
        assert_eq!(object.text("a"), Some("x".to_owned()));
        assert_eq!(object.optional("a", JsonText::text), Ok(None), "it is taken");
        assert_eq!(object.optional("b", JsonText::text), Ok(None));
        assert_eq!(object.optional("e", JsonText::texts), Err(WrongType));
        assert!(object.has_more());
        assert_eq!(object.optional("d", JsonText::texts), Ok(Some(vec!["x".to_owned(), "y".to_owned()])));
        assert!(!object.has_more() && !object.has("d"));
        assert_eq!(JsonText::parse_texts(r#"["a"]"#), Some(vec!["a".to_owned()]));
        assert_eq!(JsonText::parse_texts(r#"{"a": 1}"#), None);
    }
}

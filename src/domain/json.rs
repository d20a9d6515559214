//! JSON of other parties: documents that are read into a structure of the members that the service knows.
//!
//! Such a structure refuses a known member that occurs twice. So no two readers of a document can disagree about it.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

/// Reads a JSON object. A structure alone would be read from an array, too.
pub(in crate::domain) fn object<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    text.trim_ascii_start().starts_with('{').then_some(())?;
    serde_json::from_str(text).ok()
}

/// True for a member with any value, `null` included.
pub(in crate::domain) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Sample {
        name: String,
        #[serde(default, deserialize_with = "present")]
        crit: bool,
    }

    #[test]
    fn only_an_object_is_read_and_no_known_member_twice() {
        fn read(text: &str) -> Option<bool> {
            object::<Sample>(text).map(|sample| sample.crit)
        }
        assert_eq!(read(r#" {"name": "a", "other": [1, 2], "other": 3}"#), Some(false));
        for value in ["null", "[]", "false", "\"\""] {
            assert_eq!(read(&format!(r#"{{"name": "a", "crit": {value}}}"#)), Some(true), "{value}");
        }
        for text in
            ["", "null", r#"["a", true]"#, r#"{"name": "a", "name": "b"}"#, r#"{"name": "a"} {}"#, r#"{"name"}"#]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

//! Lists of names in one column: permissions, scopes and transports, as a JSON list.

use crate::ports::DbError;

/// The text of a list. The names are words of the code, which need no escapes.
pub(in crate::store) fn text(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(","))
}

/// The names of a list.
pub(in crate::store) fn parse(text: &str) -> Result<Vec<String>, DbError> {
    serde_json::from_str(text).map_err(|_| DbError::unreadable("a list of names is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn format_unchanged() {
        assert_eq!(text(["users:read", "client-address"].into_iter()), r#"["users:read","client-address"]"#);
        assert_eq!(text([].into_iter()), "[]");
        assert_eq!(parse(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        assert!(parse("a,b").is_err());
    }
}

//! The edge's own id of a request (`CF-Ray`).
//!
//! A client can choose the request id, but not this one: the edge sets it, and Cloudflare's logs have it too. On a
//! developer's machine it comes from the client, so only its documented form is accepted.

/// The length of the hash, in hex digits.
const HASH: usize = 16;
/// The length with `-` and the code of the data center.
const MAX_LENGTH: usize = HASH + 4;

/// An id of the form `^[0-9a-f]{16}(-[A-Z]{3})?$`. It is stored inline, because every request has one in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ray {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

impl Ray {
    /// Accepts the value of the header if it has the documented form.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (hash, center) = value.split_at_checked(HASH)?;
        let is_hash = hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_center = matches!(center, [] | [b'-', b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z']);
        let mut bytes = [0; MAX_LENGTH];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        (is_hash && is_center).then_some(Self { bytes, length: value.len() })
    }

    /// The text, safe in logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII.
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_id_with_or_without_a_data_center_is_accepted() {
        for text in ["230b030023ae2822-SJC", "9ab9830f8f01234f"] {
            assert_eq!(Ray::parse(text.as_bytes()).as_ref().map(Ray::as_str), Some(text));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let refused = "230b030023ae282 230B030023AE2822-SJC 230b030023ae2822-sjc 230b030023ae2822- 230b030023ae2822-SJ
            230b030023ae2822-SJCX 230b030023ae2822SJC g30b030023ae2822-SJC 230b030023ae2822-SJ1 230b030023ae282222222
            230b030023ae2822-SJC,230b030023ae2822-SJC é30b030023ae282-SJC";
        for text in refused.split_whitespace().chain(["", " ", "230b030023ae2822\n", "230b030023ae2822-S\"C"]) {
            assert_eq!(Ray::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}

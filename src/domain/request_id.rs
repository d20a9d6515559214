//! The id that ties a response to its log lines.
//!
//! A client may send one in `X-Request-ID`. The id is logged and echoed, so only a harmless alphabet is accepted.
//! An id with any other character is replaced as a whole, never sanitised.

use crate::domain::ids::hex;
use crate::domain::ray::Ray;

/// Maximum length of an accepted id, in bytes.
const MAX_LENGTH: usize = 128;

/// An id of one request, `^[A-Za-z0-9._-]{1,128}$`, and the edge's id of the same request beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    text: String,
    ray: Option<Ray>,
}

impl RequestId {
    /// Accepts a client's id if it has the allowed form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| Self { text: text.to_owned(), ray: None })
    }

    /// A new id: a version 4 UUID (RFC 9562 §5.4) as 32 hex digits.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Self { text: hex(&bytes), ray: None }
    }

    /// Sets the edge's id of the request, if there is one.
    #[must_use]
    pub fn with_ray(self, ray: Option<Ray>) -> Self {
        Self { ray, ..self }
    }

    /// The edge's id of the request. The client cannot choose it.
    #[must_use]
    pub fn ray(&self) -> Option<&str> {
        self.ray.as_ref().map(Ray::as_str)
    }

    /// The text, safe in headers and logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn harmless_ids_are_kept() {
        for text in ["a", "0f.A_b-9", &"x".repeat(128)] {
            assert_eq!(RequestId::parse(text).as_ref().map(RequestId::as_str), Some(text));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", " ", "a b", "a\n", "a\"", "{}", "é", "a\0", &"x".repeat(129)] {
            assert_eq!(RequestId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn new_ids_are_version_4_uuids() {
        assert_eq!(RequestId::from_random([0xff; 16]).as_str(), "ffffffffffff4fffbfffffffffffffff");
        assert_eq!(RequestId::from_random([0; 16]).as_str(), "00000000000040008000000000000000");
    }
}

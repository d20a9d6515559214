//! Text that must never be shown: the wrapper redacts `Debug` and has no `Serialize`.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A secret text. `Debug` prints `[redacted]`; only [`Secret::expose`] returns the text.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Compares with a presented text in constant time. Both texts are hashed first, so the time reveals neither
    /// the position of a difference nor the length.
    #[must_use]
    pub fn equals(&self, presented: &str) -> bool {
        Sha256::digest(&self.0).ct_eq(&Sha256::digest(presented)).into()
    }

    /// The text itself, for hashing, signing or the response to its owner; never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
    }

    #[test]
    fn only_the_same_text_is_equal() {
        let secret = Secret::new("hunter2");
        assert!(secret.equals("hunter2"));
        for other in ["", "hunter", "hunter2 ", "Hunter2", "hunter22"] {
            assert!(!secret.equals(other), "{other:?}");
        }
    }
}

//! Passwords as users type them, and the policy for new ones.
//!
//! The policy follows NIST SP 800-63B §3.1.1. It counts the length in code points after normalisation, without
//! composition rules or truncation. `hash` owns hashing, and `common` the blocklist.

pub mod argon2id;
pub mod common;
pub mod equal_work;
pub mod hash;
pub mod imported;
pub mod memory;
pub mod pbkdf2;
pub mod queue;
pub mod stored;
pub mod verified;
pub mod work;

use crate::domain::secret::Secret;
use crate::domain::unicode::{NormalForm, Normalize, normalized};

/// Maximum length of a new password, in code points after NFKC.
pub const MAX_LENGTH: usize = 128;

/// A password, normalised with NFKC (RFC 8265 §4.2.2 allows it; NIST recommends it). The same characters typed on two
/// keyboards give the same password.
#[derive(Debug, Clone)]
pub struct Password {
    normalised: Secret,
    /// The text before NFKC, if that changed it. Other systems hash it so.
    typed: Option<Secret>,
}

/// Why a text cannot be chosen as a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// The text has fewer code points than the policy's minimum.
    TooShort,
    /// The text has more than [`MAX_LENGTH`] code points.
    TooLong,
    /// The text contains a control character (RFC 8265 §4.2.1: not in the `FreeformClass`).
    ControlCharacter,
}

impl Password {
    /// A password presented for verification. No policy applies: the rules may have changed since the password was
    /// chosen, and a refusal would reveal them to an attacker.
    #[must_use]
    pub fn presented(text: &str, normalize: Normalize) -> Self {
        let normalised = normalized(text, NormalForm::Nfkc, normalize);
        let typed = (normalised != text).then(|| Secret::new(text));
        Self { normalised: Secret::new(normalised), typed }
    }

    /// A new password, checked against the length policy. Control characters are refused: HMAC pads its key with zeros,
    /// so `password` and `password\0` would have the same hash, and the second one would pass the blocklist.
    ///
    /// # Errors
    /// [`PasswordFault`] names the rule that the text breaks.
    pub fn choose(text: &str, min_length: usize, normalize: Normalize) -> Result<Self, PasswordFault> {
        let password = Self::presented(text, normalize);
        match password.length() {
            _ if password.as_str().chars().any(char::is_control) => Err(PasswordFault::ControlCharacter),
            length if length < min_length => Err(PasswordFault::TooShort),
            length if length > MAX_LENGTH => Err(PasswordFault::TooLong),
            _ => Ok(password),
        }
    }

    /// Can this text be the password of an account? One with U+0000 never is, although its hash may equal that of the
    /// text without it. Other control characters are in some passwords that were chosen before they were refused.
    #[must_use]
    pub fn can_match(&self) -> bool {
        !self.as_str().contains('\0')
    }

    /// The bytes to hash: UTF-8 after NFKC.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    /// The bytes that an imported hash was made of: UTF-8 as it was typed.
    pub(in crate::domain) fn as_typed(&self) -> &[u8] {
        self.typed.as_ref().unwrap_or(&self.normalised).expose().as_bytes()
    }

    /// The length in code points after NFKC.
    #[must_use]
    pub fn length(&self) -> usize {
        self.as_str().chars().count()
    }

    /// The text, for the blocklist.
    pub(in crate::domain) fn as_str(&self) -> &str {
        self.normalised.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::unicode::for_tests::normalize;

    fn presented(text: &str) -> Password {
        Password::presented(text, normalize)
    }

    fn fault(text: &str) -> Option<PasswordFault> {
        Password::choose(text, 8, normalize).err()
    }

    #[test]
    fn length_is_counted_in_code_points_after_nfkc() {
        assert_eq!(fault("1234567"), Some(PasswordFault::TooShort));
        assert_eq!(fault("12345678"), None);
        assert_eq!(fault("éééééééé"), None);
        // NFKC expands four ligatures of two letters each to eight letters.
        assert_eq!(fault("ﬁﬁﬁﬁ"), None);
        // Seven combining pairs are seven code points, not fourteen.
        assert_eq!(fault(&"e\u{301}".repeat(7)), Some(PasswordFault::TooShort));
        assert_eq!(fault(&"x".repeat(128)), None);
        assert_eq!(fault(&"x".repeat(129)), Some(PasswordFault::TooLong));
    }

    #[test]
    fn control_characters_cannot_be_chosen() {
        for control in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}'] {
            for text in
                [format!("{control}twelve-chars"), format!("twelve{control}chars"), format!("twelve-chars{control}")]
            {
                assert_eq!(fault(&text), Some(PasswordFault::ControlCharacter), "{text:?}");
            }
        }
        assert_eq!(fault(&"\0".repeat(8)), Some(PasswordFault::ControlCharacter));
        assert_eq!(fault("spaces are allowed"), None);
        assert_eq!(fault("\u{200d}joiners are no controls"), None);
    }

    #[test]
    fn equivalent_spellings_are_the_same_password() {
        let composed = presented("Crème brûlée ①");
        let decomposed = presented("Cre\u{300}me bru\u{302}le\u{301}e 1");
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
    }

    #[test]
    fn the_typed_text_is_kept_for_imported_hashes() {
        for text in ["plain", "Cr\u{e8}me", "Cre\u{300}me", "①", "ﬁ"] {
            assert_eq!(presented(text).as_typed(), text.as_bytes());
        }
        assert_eq!(presented("①").as_bytes(), b"1");
    }

    #[test]
    fn blanks_and_case_are_part_of_a_password() {
        assert_ne!(presented(" a ").as_bytes(), presented("a").as_bytes());
        assert_ne!(presented("A").as_bytes(), presented("a").as_bytes());
    }

    #[test]
    fn a_password_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", presented("hunter2")).contains("hunter2"));
    }
}

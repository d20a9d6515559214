//! A user's full name: free text, bounded so that it can be displayed.

/// Maximum length of a full name, in code points.
pub const MAX_LENGTH: usize = 200;

/// A full name: trimmed, 1 to 200 code points, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

/// Why a text is not a valid full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullNameFault {
    /// More than [`MAX_LENGTH`] code points.
    TooLong,
    /// The text contains a control character such as a line break, a tab or a NUL.
    ControlCharacter,
}

impl FullName {
    /// Parses a name; blank text means no name.
    ///
    /// # Errors
    /// [`FullNameFault`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Option<Self>, FullNameFault> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(FullNameFault::ControlCharacter);
        }
        if text.chars().count() > MAX_LENGTH {
            return Err(FullNameFault::TooLong);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The trimmed text, for storage and display.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn names_are_trimmed_and_blank_means_none() {
        let name = FullName::parse("  Grace Hopper ").unwrap().unwrap();
        assert_eq!(name.as_str(), "Grace Hopper");
        assert_eq!(FullName::parse(" \t "), Ok(None));
        assert_eq!(FullName::parse(""), Ok(None));
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert!(FullName::parse(&"é".repeat(MAX_LENGTH)).is_ok());
        assert_eq!(FullName::parse(&"é".repeat(MAX_LENGTH + 1)), Err(FullNameFault::TooLong));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\nb", "a\0b", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(FullName::parse(text), Err(FullNameFault::ControlCharacter), "{text:?}");
        }
    }
}

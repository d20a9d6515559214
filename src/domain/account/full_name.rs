//! A user's full name: free text that can be displayed.

use crate::domain::display_name::{NameFault, parse_name};

/// Maximum length of a full name, in code points.
pub const MAX_LENGTH: usize = 200;

/// A full name: trimmed, 1 to 200 code points, without hidden characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// Parses a name. Empty text and white space mean no name; other text that looks empty is refused.
    ///
    /// # Errors
    /// [`NameFault`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Option<Self>, NameFault> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        parse_name(text, MAX_LENGTH).map(|name| Some(Self(name.to_owned())))
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
        assert_eq!(FullName::parse("\u{2800}"), Err(NameFault::Blank));
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert!(FullName::parse(&"é".repeat(MAX_LENGTH)).is_ok());
        assert_eq!(FullName::parse(&"é".repeat(MAX_LENGTH + 1)), Err(NameFault::TooLong));
    }
}

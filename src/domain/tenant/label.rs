//! Names of universities, departments and courses: labels for display, and slugs for URLs.

use crate::domain::display_name::{NameFault, parse_name};

/// Maximum length of a name or title, in code points.
pub const MAX_NAME: usize = 200;
/// Maximum length of a course code, in code points.
pub const MAX_CODE: usize = 32;
/// Maximum length of a slug, in characters: that of a DNS label.
pub const MAX_SLUG: usize = 63;

/// A display name: trimmed, not blank, of bounded length, without hidden characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Parses a label of at most `max_length` code points.
    ///
    /// # Errors
    /// [`NameFault`] names the rule that the text breaks.
    pub fn parse(text: &str, max_length: usize) -> Result<Self, NameFault> {
        parse_name(text, max_length).map(|name| Self(name.to_owned()))
    }

    /// The trimmed text, for storage and display.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A slug: words of lower-case ASCII letters and digits, separated by single hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// Parses a slug of 1 to [`MAX_SLUG`] characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        (text.len() <= MAX_SLUG && text.split('-').all(is_word)).then(|| Self(text.to_owned()))
    }

    /// The text, safe in URLs.
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
    fn labels_are_trimmed_and_bounded() {
        assert_eq!(Label::parse("  Physics ", MAX_NAME).unwrap().as_str(), "Physics");
        assert_eq!(Label::parse(" \t ", MAX_NAME), Err(NameFault::Blank));
        assert_eq!(Label::parse("a\u{85}b", MAX_NAME), Err(NameFault::HiddenCharacter));
        assert!(Label::parse(&"é".repeat(MAX_CODE), MAX_CODE).is_ok());
        assert_eq!(Label::parse(&"é".repeat(MAX_CODE + 1), MAX_CODE), Err(NameFault::TooLong));
    }

    #[test]
    fn a_slug_is_words_separated_by_single_hyphens() {
        for good in ["a", "tu-wien", "mit", "u2-3", &"a".repeat(63)] {
            assert!(Slug::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "ä", "a b", "a_b", "a/b", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_none(), "{bad}");
        }
    }
}

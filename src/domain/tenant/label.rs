//! Names of things: universities, departments, courses. Text that people read, and slugs that stand in URLs.

/// Longest name or title, in code points.
pub const MAX_NAME: usize = 200;
/// Longest course code, in code points.
pub const MAX_CODE: usize = 32;
/// Longest slug, in characters: what fits a label of a host name.
pub const MAX_SLUG: usize = 63;

/// A name: trimmed, not blank, within a length, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelFault {
    /// Nothing but blanks.
    Blank,
    /// More code points than allowed.
    TooLong,
    /// It has a control character: a line break, a tab, a NUL.
    ControlCharacter,
}

impl Label {
    /// Reads a name of at most so many code points.
    ///
    /// # Errors
    /// Says which rule of [`LabelFault`] the text breaks.
    pub fn parse(text: &str, max_length: usize) -> Result<Self, LabelFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LabelFault::Blank);
        }
        if text.chars().any(char::is_control) {
            return Err(LabelFault::ControlCharacter);
        }
        if text.chars().count() > max_length {
            return Err(LabelFault::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A slug: words of lower-case ASCII letters and digits with hyphens between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// Reads a slug of 1 to [`MAX_SLUG`] characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        (text.len() <= MAX_SLUG && text.split('-').all(is_word)).then(|| Self(text.to_owned()))
    }

    /// The text.
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
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Label::parse("  Physics ", MAX_NAME).unwrap().as_str(), "Physics");
        assert_eq!(Label::parse(" \t ", MAX_NAME), Err(LabelFault::Blank));
        assert_eq!(Label::parse("a\u{85}b", MAX_NAME), Err(LabelFault::ControlCharacter));
        assert!(Label::parse(&"é".repeat(MAX_CODE), MAX_CODE).is_ok());
        assert_eq!(Label::parse(&"é".repeat(MAX_CODE + 1), MAX_CODE), Err(LabelFault::TooLong));
    }

    #[test]
    fn a_slug_is_words_with_hyphens_between() {
        for good in ["a", "tu-wien", "mit", "u2-3", &"a".repeat(63)] {
            assert!(Slug::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "ä", "a b", "a_b", "a/b", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_none(), "{bad}");
        }
    }
}

//! E-mail addresses: normalised and lower-cased once, when they are parsed.
//!
//! The `email_address` crate owns the grammar (RFC 5321, 5322 and 6532). This file adds the rules of a sign-up form:
//! no display name, no address literal, a domain with a dot. It does not verify that the mailbox exists.

use email_address::{EmailAddress, Options};

use crate::domain::unicode::{NormalForm, Normalize, fold_case, is_invisible, normalized};

/// Maximum length of an address, in characters (RFC 5321 §4.5.3.1 with RFC 3696 erratum 1690).
pub const MAX_LENGTH: usize = 254;

/// An e-mail address: trimmed, NFC (RFC 6532 §3.1), lower-cased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is not a valid e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailFault {
    /// More than [`MAX_LENGTH`] characters.
    TooLong,
    /// The text does not match the grammar.
    Invalid,
}

impl Email {
    /// Parses, trims, normalises and lower-cases an address.
    ///
    /// # Errors
    /// [`EmailFault`] names the rule that the text breaks.
    pub fn parse(text: &str, normalize: Normalize) -> Result<Self, EmailFault> {
        let address = fold_case(&normalized(text.trim(), NormalForm::Nfc, normalize));
        // Checked last, because normalising and lower-casing can lengthen a text.
        if address.chars().count() > MAX_LENGTH {
            return Err(EmailFault::TooLong);
        }
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        // A quoted local part could contain anything, even a second `@`.
        let is_refused = |c: char| c.is_control() || c.is_whitespace() || c == '"' || is_invisible(c);
        if address.chars().any(is_refused) || EmailAddress::parse_with_options(&address, options).is_err() {
            return Err(EmailFault::Invalid);
        }
        Ok(Self(address))
    }

    /// The normalised address, in the form that is stored and compared.
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

    fn parsed(text: &str) -> Result<String, EmailFault> {
        Email::parse(text, crate::domain::unicode::for_tests::normalize).map(|email| email.as_str().to_owned())
    }

    #[test]
    fn addresses_are_trimmed_and_lower_cased() {
        assert_eq!(parsed("  Ada@Example.COM\n"), Ok("ada@example.com".to_owned()));
        assert_eq!(parsed("a+tag@sub.example.co.uk"), Ok("a+tag@sub.example.co.uk".to_owned()));
    }

    #[test]
    fn internationalised_addresses_are_allowed_and_normalised() {
        assert_eq!(parsed("Jörg@Bücher.example"), Ok("jörg@bücher.example".to_owned()));
        assert_eq!(parsed("jo\u{308}rg@example.com"), parsed("jörg@example.com"));
    }

    #[test]
    fn invalid_addresses_are_refused() {
        let wrong = [
            "",
            "@",
            "a",
            "a@",
            "@b.c",
            "a@b",
            "a@@b.c",
            "a@b@c.d",
            "a b@c.d",
            "a@b c.d",
            "a@.b.c",
            "a@b..c",
            "a@b.c.",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a@[127.0.0.1]",
            "Ada <a@b.c>",
            "a@b.c\0",
            "a\n@b.c",
            "a@-b.c",
            "a@b.c,d@e.f",
            "a\u{200b}@b.c",
            "a@b.c\u{202e}",
            "a\u{3164}@b.cd",
            "\"a@b\"@example.com",
            "\"a\"@example.com",
        ];
        for text in wrong {
            assert_eq!(parsed(text), Err(EmailFault::Invalid), "{text:?}");
        }
    }

    #[test]
    fn case_folding_does_not_depend_on_the_position_in_the_word() {
        assert_eq!(parsed("ΟΔΟΣ@example.gr"), parsed("οδος@example.gr"));
        assert_eq!(parsed("ΟΔΟΣ@example.gr"), parsed("οδοσ@example.gr"));
    }

    #[test]
    fn length_is_counted_after_normalising() {
        // NFC decomposes U+0F73 into two characters.
        let domain = format!("{}.{}.{}.{}.com", "d".repeat(58), "d".repeat(58), "d".repeat(58), "d".repeat(52));
        let text = format!("{}@{domain}", "\u{f73}".repeat(11));
        assert!(text.chars().count() <= MAX_LENGTH);
        assert_eq!(parsed(&text), Err(EmailFault::TooLong));
    }

    #[test]
    fn an_address_has_at_most_254_characters() {
        let domain = format!("{}.{}.{}.com", "d".repeat(60), "d".repeat(60), "d".repeat(60));
        let fits = format!("{}@{domain}", "a".repeat(64));
        assert!(parsed(&fits).is_ok());
        assert_eq!(parsed(&format!("{}@{domain}", "a".repeat(250))), Err(EmailFault::TooLong));
    }
}

//! E-mail addresses: brought into one spelling when they are parsed, so that a mailbox has one account.
//!
//! The grammar is that of RFC 6531 without quoted local parts and address literals, and with a dot in the domain. It does
//! not verify that the mailbox exists.

use crate::domain::unicode::{NormalForm, Normalize, fold_case, is_invisible, normalized};

/// Maximum length of an address, in bytes (RFC 5321 §4.5.3.1 with RFC 3696 erratum 1690).
pub const MAX_LENGTH: usize = 254;
/// Maximum length of a local part, in bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;
/// Maximum length of a part of a domain, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// An e-mail address: trimmed; the local part lower-cased, then NFC (RFC 8265 §3.3 has this order); the domain in its
/// ASCII form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is not a valid e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailFault {
    /// More than [`MAX_LENGTH`] bytes.
    TooLong,
    /// The text does not match the grammar.
    Invalid,
}

impl Email {
    /// Parses an address in any spelling.
    ///
    /// # Errors
    /// [`EmailFault`] names the rule that the text breaks.
    pub fn parse(text: &str, normalize: Normalize) -> Result<Self, EmailFault> {
        let text = text.trim();
        // The ASCII form of a domain may be shorter than the typed one, but not that much.
        if text.len() > 4 * MAX_LENGTH {
            return Err(EmailFault::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        let local = normalized(&fold_case(local, normalize), NormalForm::Nfc, normalize);
        let domain = ascii_domain(domain, normalize);
        // Checked last, because normalising and lower-casing can lengthen a text.
        if local.len() + 1 + domain.len() > MAX_LENGTH {
            return Err(EmailFault::TooLong);
        }
        if !is_local_part(&local) || !is_domain(&domain) {
            return Err(EmailFault::Invalid);
        }
        Ok(Self(format!("{local}@{domain}")))
    }

    /// An address that was parsed before, from the database.
    #[must_use]
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The normalised address, in the form that is stored and compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Atoms separated by dots (RFC 5322 §3.2.3, RFC 6531 §3.3). A quoted local part could contain anything, even a second
/// `@`.
fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| !atom.is_empty() && has_atom_characters(atom);
    text.len() <= MAX_LOCAL_PART && text.split('.').all(is_atom)
}

fn has_atom_characters(atom: &str) -> bool {
    let following = atom.chars().skip(1).map(Some).chain([None]);
    let preceding = [None].into_iter().chain(atom.chars().map(Some));
    atom.chars().zip(preceding).zip(following).all(|((c, previous), next)| match c {
        '\u{200c}' | '\u{200d}' => previous.is_some_and(has_joiners) && next.is_some_and(has_joiners),
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !c.is_control() && !c.is_whitespace() && !is_invisible(c),
    })
}

/// Characters of scripts that are not written correctly without joiners: Arabic and those of India.
const fn has_joiners(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{900}'..='\u{dff}')
}

/// The ASCII form of a domain; empty if there is none. Only a domain with other characters, or with an encoded part that
/// may be wrong, needs the tables.
fn ascii_domain(text: &str, normalize: Normalize) -> String {
    let lower = text.to_ascii_lowercase();
    if lower.is_ascii() && !lower.split('.').any(|label| label.starts_with("xn--")) {
        return lower;
    }
    let is_refused = |c: char| match c {
        '\u{200c}' | '\u{200d}' => false,
        c if c.is_ascii() => !is_domain_character(c) && c != '.',
        c => c.is_whitespace() || is_invisible(c),
    };
    if lower.chars().any(is_refused) {
        return String::new();
    }
    // UTS #46 maps U+0345 to a letter before it composes, so equivalent texts would have different forms.
    let ascii = normalize(&normalize(&lower, NormalForm::Nfc), NormalForm::Idna);
    // The runtime reads such a host as an IPv4 address (URL Standard, "ends in a number").
    if ascii.rsplit('.').next().is_some_and(is_number) { String::new() } else { ascii }
}

fn is_number(label: &str) -> bool {
    let hexadecimal =
        label.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}

/// At least two labels. An underscore is no character of host names, but some mail domains have one.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let has_ends = |c: char| c.is_ascii_alphanumeric();
        (1..=MAX_LABEL).contains(&label.len())
            && label.chars().all(is_domain_character)
            && label.starts_with(has_ends)
            && label.ends_with(has_ends)
    };
    text.contains('.') && text.split('.').all(is_label)
}

const fn is_domain_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
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
        assert_eq!(parsed("Jörg@Bücher.example"), Ok("jörg@xn--bcher-kva.example".to_owned()));
        assert_eq!(parsed("jo\u{308}rg@example.com"), parsed("jörg@example.com"));
    }

    #[test]
    fn all_spellings_of_a_domain_are_one() {
        for domain in [
            "bücher.example",
            "BÜCHER.example",
            "bu\u{308}cher.example",
            "xn--bcher-kva.example",
            "XN--Bcher-KVA.Example",
            "bücher。example",
        ] {
            assert_eq!(parsed(&format!("ada@{domain}")), Ok("ada@xn--bcher-kva.example".to_owned()), "{domain}");
        }
        // Canonically equivalent, but UTS #46 alone maps them to two names.
        assert_eq!(parsed("ada@\u{1ff2}\u{2de0}.example"), parsed("ada@ω\u{300}\u{2de0}\u{345}.example"));
        // Non-transitional: these are two domains.
        assert_ne!(parsed("ada@faß.example"), parsed("ada@fass.example"));
        assert_eq!(parsed("ada@ｅｘａｍｐｌｅ.com"), Ok("ada@example.com".to_owned()));
    }

    #[test]
    fn addresses_in_scripts_with_combining_marks_are_allowed() {
        assert_eq!(parsed("संपर्क@डाटामेल.भारत"), Ok("संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c".to_owned()));
        for local in ["ශ\u{dca}\u{200d}රී", "علی\u{200c}رضا", "用户", "χρήστης", "ส้ม", "o'brien", "{a|b}~", "ß"]
        {
            assert!(parsed(&format!("{local}@example.com")).is_ok(), "{local}");
        }
        assert_ne!(parsed("ß@example.com"), parsed("ss@example.com"), "two mailboxes");
    }

    #[test]
    fn folding_comes_before_composing() {
        // Lower-casing U+0130 gives two characters; the first composes with no other.
        for text in ["\u{130}x@example.com", "\u{1e9e}@example.com", "I\u{307}@example.com", "\u{212a}@example.com"] {
            let stored = parsed(text).unwrap();
            assert_eq!(parsed(&stored), Ok(stored.clone()), "{text:?}");
        }
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
            "a\u{200c}b@example.com",
            "\u{200d}@example.com",
            "a@xn--a.example",
            "a@xn--.example",
            "a@ex\u{ad}ample.com",
            "a@bücher",
            "a@bü cher.example",
            "a@bü%63her.example",
            "a@bücher.example:80",
            "a@bücher.example/x",
            "a@①.②.③.④",
            "a@bücher.0x1f",
            "a@_b.example",
            "a@b!c.example",
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
    fn an_address_has_at_most_254_bytes() {
        let domain = format!("{}.{}.{}.com", "d".repeat(60), "d".repeat(60), "d".repeat(60));
        let fits = format!("{}@{domain}", "a".repeat(64));
        assert!(parsed(&fits).is_ok());
        assert_eq!(parsed(&format!("{}@{domain}", "a".repeat(250))), Err(EmailFault::TooLong));
        let label = "d".repeat(62);
        let domain = |last: usize| format!("{label}.{label}.{label}.{}", "d".repeat(last));
        assert!(parsed(&format!("{}@{}", "é".repeat(5), domain(54))).is_ok(), "254");
        assert_eq!(parsed(&format!("{}@{}", "é".repeat(5), domain(55))), Err(EmailFault::TooLong));
        assert!(parsed(&format!("{}@example.com", "é".repeat(32))).is_ok());
        assert_eq!(parsed(&format!("{}@example.com", "é".repeat(33))), Err(EmailFault::Invalid));
        assert!(parsed(&format!("a@{}.com", "d".repeat(63))).is_ok());
        assert_eq!(parsed(&format!("a@{}.com", "d".repeat(64))), Err(EmailFault::Invalid));
    }
}

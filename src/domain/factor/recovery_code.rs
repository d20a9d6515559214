//! Recovery codes: the way in after the loss of a second factor. Each is valid once.
//!
//! A code has 120 random bits, so its hash needs no salt, no rounds, and no key that could be lost. Only the hash is stored.
//! Which code was used, and when, is the database's.
//!
//! People print codes or write them down, and type them under stress:
//! - Crockford's alphabet has no I, L, O and U. The first three are read as the digits that they resemble.
//! - Capitals are Crockford's canonical form, and block letters on paper. Lower case has look-alikes in pairs of letters:
//!   `rn` and `m`, `cl` and `d`, `vv` and `w`.
//! - Groups of 4 fit into short-term memory, and are known from payment cards. Hyphens, unlike blanks, survive line breaks.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::domain::factor::base32::{self, Alphabet};
use crate::domain::ids::hex;
use crate::domain::secret::Secret;
use crate::domain::unicode::ungrouped;

/// Codes that a user has at a time.
pub const COUNT: usize = 10;
/// Bytes of a code: 120 bits.
pub const CODE_BYTES: usize = 15;
const GROUP: usize = 4;
/// Separates hashes of codes from those of other secrets.
const PURPOSE: &[u8] = b"edge-auth recovery code\0";
/// The alphabet of Crockford's base32.
const ALPHABET: &Alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A well-formed recovery code. Only the database knows whether it exists.
#[derive(Clone)]
pub struct RecoveryCode([u8; CODE_BYTES]);

impl RecoveryCode {
    /// Makes a code from 120 random bits.
    #[must_use]
    pub const fn from_random(bytes: [u8; CODE_BYTES]) -> Self {
        Self(bytes)
    }

    /// Parses a typed code: in either case, with any blanks and hyphens, with I and L for 1 and O for 0.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let symbols = ungrouped(text).chars().map(|c| canonical(c.to_ascii_uppercase())).collect::<String>();
        base32::decode(&symbols, ALPHABET)?.try_into().ok().map(Self)
    }

    /// The text that its owner gets, once: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn text(&self) -> Secret {
        let mut text = String::with_capacity(2 * CODE_BYTES);
        for (at, symbol) in base32::encode(&self.0, ALPHABET).chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        Secret::new(text)
    }

    /// The hash that is stored, as 64 hex digits. It is of the bytes, so it does not depend on how a code is shown.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::new().chain_update(PURPOSE).chain_update(self.0).finalize())
    }
}

/// The symbol as which an upper-case letter is read.
const fn canonical(letter: char) -> char {
    match letter {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The first 24 symbols of the alphabet, in order.
    fn code() -> RecoveryCode {
        RecoveryCode::parse("0123-4567-89AB-CDEF-GHJK-MNPQ").unwrap()
    }

    #[test]
    fn format_unchanged() {
        let code = RecoveryCode::from_random(*b"fifteen bytes..");
        assert_eq!(code.text().expose(), "CSMP-CX35-CNQ2-0RKS-EHJQ-6BHE");
        assert_eq!(code.hash(), "5a5f99cc14dfa840e9ace191d4abce024d41804aa2dfd01502279acdbf4b915f");
        assert_eq!(RecoveryCode::from_random([0; 15]).text().expose(), "0000-0000-0000-0000-0000-0000");
        assert_eq!(RecoveryCode::from_random([0xff; 15]).text().expose(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    }

    #[test]
    fn a_code_parses_to_itself_however_it_is_typed() {
        for text in [
            code().text().expose(),
            "0123456789abcdefghjkmnpq",
            "oi23-4567-89ab-cdef-ghjk-mnpq",
            "OL23 4567 89AB CDEF GHJK MNPQ",
            " Ol23--4567 - 89Ab cDef-ghjkmnpq- ",
        ] {
            let parsed = RecoveryCode::parse(text).unwrap();
            assert_eq!(parsed.text().expose(), "0123-4567-89AB-CDEF-GHJK-MNPQ", "{text}");
            assert_eq!(parsed.hash(), code().hash());
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        let text = "0123-4567-89AB-CDEF-GHJK-MNPQ";
        for other in [
            "",
            "-",
            "0123-4567",
            &text[..text.len() - 1],
            &format!("{text}0"),
            &format!("{text}-0123-4567"),
            &text.replace('Q', "U"),
            &text.replace('Q', "*"),
            &text.replace('Q', "é"),
            &text.replace('0', "٠"),
            &text.replace('-', "_"),
            &text.replace('K', "\u{212a}"),
        ] {
            assert!(RecoveryCode::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn any_other_symbol_gives_another_hash() {
        let text = code().text().expose().replace('-', "");
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed.replace_range(at..=at, "Z");
            assert_ne!(RecoveryCode::parse(&changed).unwrap().hash(), code().hash(), "{changed}");
        }
    }

    #[test]
    fn debug_output_does_not_contain_the_code() {
        assert_eq!(format!("{:?} {:?}", code(), code().text()), "[redacted] [redacted]");
    }
}

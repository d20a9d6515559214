//! Passwords that an attacker tries first: common ones, and those derived from the account's own names.
//!
//! NIST SP 800-63B §3.1.1.2 requires comparing a whole new password with a blocklist. The list contains passwords from
//! earlier breaches and the names of the user and the service. The comparison ignores case. Other modules own the
//! minimum length.
//!
//! The deployment contains no list but a binary fuse filter (Graf and Lemire, 2022). It holds 32,110 passwords of at
//! least [`MIN_LENGTH`] code points in 77,844 bytes, which no compression shortens. It finds all of them; its
//! false-positive rate is one in 65,536. The `xorf` crate reads it: three reads per answer. A Golomb-coded set would be
//! 10 kB smaller, but needs its own codec. `examples/common_passwords.rs` generates the file and documents the source of
//! the list.
//!
//! The file is a module of the Worker beside the Wasm, so that an isolate which registers no user does not have it in
//! the memory of the Wasm, too. The first new password of an isolate reads it.

use sha2::{Digest as _, Sha256};
use xorf::{BinaryFuse16, Descriptor, Filter as _};

use crate::domain::password::Password;
use crate::domain::unicode::{NormalForm, Normalize, fold_case, normalized};

/// Minimum length of a password in the filter, in code points. It does not detect shorter passwords, which an operator
/// may allow.
pub const MIN_LENGTH: usize = 8;

/// The message to the user about a password in the filter.
pub const COMMON: &str = "value is one of the most common passwords";
/// The message to the user about a password derived from names.
pub const GUESSABLE: &str = "value must not be made of the e-mail address or of the name of this service";

/// A name plus at most this many digits or punctuation characters is still guessable.
const MAX_SUFFIX: usize = 4;

/// The filter of common passwords.
#[derive(Debug)]
pub struct CommonPasswords(BinaryFuse16);

/// Returns the filter of this deployment.
pub type FindCommonPasswords = fn() -> &'static CommonPasswords;

impl CommonPasswords {
    /// Reads the file: the descriptor (seed and sizes) and the fingerprints, all of them little-endian. `None` if it is cut
    /// off.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Self> {
        let (seed, rest) = file.split_first_chunk()?;
        let (segment_length, rest) = rest.split_first_chunk()?;
        let (segment_length_mask, rest) = rest.split_first_chunk()?;
        let (segment_count_length, rest) = rest.split_first_chunk()?;
        let (fingerprints, remainder) = rest.as_chunks();
        let descriptor = Descriptor {
            seed: u64::from_le_bytes(*seed),
            segment_length: u32::from_le_bytes(*segment_length),
            segment_length_mask: u32::from_le_bytes(*segment_length_mask),
            segment_count_length: u32::from_le_bytes(*segment_count_length),
        };
        // A look-up reads at positions below this sum, and panics beyond the end.
        let needed = u64::from(descriptor.segment_count_length) + 2 * u64::from(descriptor.segment_length);
        let is_whole = remainder.is_empty() && fingerprints.len() as u64 >= needed;
        let fingerprints = fingerprints.iter().copied().map(u16::from_le_bytes).collect();
        is_whole.then_some(Self(BinaryFuse16 { descriptor, fingerprints }))
    }

    /// Is this one of the most common passwords, ignoring case?
    #[must_use]
    pub fn contain(&self, password: &Password, normalize: Normalize) -> bool {
        self.0.contains(&key(password, normalize))
    }
}

/// The password's key in the filter: the first eight bytes of the SHA-256 of its lower-case text.
#[must_use]
pub fn key(password: &Password, normalize: Normalize) -> u64 {
    let hash = Sha256::digest(fold_case(password.as_str(), normalize));
    hash.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// Is this the e-mail address, its local part or the service's name? Up to four ASCII digits or punctuation characters
/// may follow.
#[must_use]
pub fn is_guessable_from(password: &Password, address: &str, app_name: &str, normalize: Normalize) -> bool {
    let password = fold_case(password.as_str(), normalize);
    let local_part = address.split_once('@').map_or(address, |(local_part, _)| local_part);
    [address, local_part, app_name].into_iter().any(|name| {
        // Addresses are in NFC, passwords in NFKC.
        let name = fold_case(&normalized(name, NormalForm::Nfkc, normalize), normalize);
        password.strip_prefix(&name).is_some_and(is_short_suffix)
    })
}

fn is_short_suffix(text: &str) -> bool {
    text.len() <= MAX_SUFFIX && text.chars().all(|c| c.is_ascii_digit() || c.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::account::email::Email;
    use crate::domain::ids::hex;
    use crate::domain::unicode::for_tests::normalize;

    const FILE: &[u8] = include_bytes!("common_passwords.bin");

    fn is_common(text: &str) -> bool {
        thread_local! {
            static COMMON: CommonPasswords = CommonPasswords::read(FILE).unwrap();
        }
        COMMON.with(|common| common.contain(&Password::presented(text, normalize), normalize))
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused() {
        for length in [0, 7, 19, 20, 21, FILE.len() - 2, FILE.len() - 1] {
            assert!(CommonPasswords::read(&FILE[..length]).is_none(), "{length}");
        }
    }

    /// Is this guessable for ada.l@example.com at the service "Edge Auth"?
    fn is_guessable(text: &str) -> bool {
        let email = Email::parse("Ada.L@Example.com", normalize).unwrap();
        is_guessable_from(&Password::presented(text, normalize), email.as_str(), "Edge Auth", normalize)
    }

    #[test]
    fn common_passwords_are_found() {
        let common = [
            "password",
            "12345678",
            "123456789",
            "1234567890",
            "password1",
            "password123",
            "passw0rd",
            "p@ssw0rd",
            "iloveyou",
            "iloveyou1",
            "qwertyuiop",
            "qwerty123",
            "1q2w3e4r",
            "1qaz2wsx",
            "zaq12wsx",
            "abcd1234",
            "11111111",
            "00000000",
            "87654321",
            "123123123",
            "sunshine",
            "princess",
            "football",
            "baseball",
            "superman",
            "starwars",
            "trustno1",
            "letmein1",
            "welcome1",
            "admin123",
            "computer",
            "changeme",
        ];
        for text in common {
            assert!(is_common(text), "{text}");
        }
    }

    #[test]
    fn neither_case_nor_width_hides_a_common_password() {
        for text in ["PASSWORD", "Password123", "iLoveYou1", "ＰＡＳＳＷＯＲＤ１", "１２３４５６７８", "ⓟⓐⓢⓢⓦⓞⓡⓓ"]
        {
            assert!(is_common(text), "{text}");
        }
    }

    #[test]
    fn other_passwords_are_not_common() {
        let uncommon = [
            "",
            "correct horse battery staple",
            "k7#Vw!p2Lq9z",
            "Tr0ub4dor&3 and more",
            "une phrase que personne ne choisit",
            "пароль, который никто не выбирает",
            "password and something else",
            "7f3c9a51e08b4d26",
        ];
        for text in uncommon {
            assert!(!is_common(text), "{text}");
        }
    }

    /// Native only: the result does not depend on the target, and a million hashes are slow on Wasm.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn fewer_than_one_other_password_in_ten_thousand_is_refused() {
        // An odd factor (2^64 divided by the golden ratio) makes a million distinct numbers that look random.
        let password = |number: u64| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let refused = (1..=1_000_000).filter(|number| is_common(&password(*number))).count();
        assert!(refused <= 100, "{refused} of a million");
    }

    #[test]
    fn filter_format_unchanged() {
        assert_eq!(FILE.len(), 77_844);
        assert_eq!(hex(&Sha256::digest(FILE)), "8b34713752f363d9e302281aff2b6c00e04b15904951fa1332a1b747b133f191");
        assert_eq!(key(&Password::presented("PassWord", normalize), normalize), 0x5e88_4898_da28_0471);
    }

    #[test]
    fn the_names_of_the_account_and_the_service_are_guessable() {
        for text in
            ["ada.l@example.com", "ADA.L@EXAMPLE.COM", "ada.l", "Ada.L", "edge auth", "Edge Auth", "ｅｄｇｅ　ａｕｔｈ"]
        {
            assert!(is_guessable(text), "{text}");
        }
    }

    #[test]
    fn a_name_with_up_to_four_digits_or_punctuation_characters_is_guessable() {
        for text in ["ada.l1", "Ada.L1815", "ada.l!?#~", "ada.l@example.com2026", "EDGE AUTH_1"] {
            assert!(is_guessable(text), "{text}");
        }
    }

    #[test]
    fn a_name_with_any_other_suffix_or_prefix_is_not_guessable() {
        for text in
            ["ada.l18150", "ada.l!!!!!", "ada.lx", "ada.l ", "ada.l١", "xada.l", "1ada.l", "edge authentic", "ada"]
        {
            assert!(!is_guessable(text), "{text}");
        }
    }

    #[test]
    fn compatibility_forms_do_not_hide_a_guessable_password() {
        let email = Email::parse("ﬁnnｂar@example.com", normalize).unwrap();
        for text in ["finnbar", "FINNBAR99", "ﬁnnｂar"] {
            assert!(
                is_guessable_from(&Password::presented(text, normalize), email.as_str(), "edge-auth", normalize),
                "{text}"
            );
        }
    }
}

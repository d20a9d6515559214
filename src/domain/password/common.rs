//! Passwords that an attacker tries first: common ones, and those derived from the account's own names.
//!
//! NIST SP 800-63B §3.1.1.2 requires comparing a whole new password with a blocklist. The list contains passwords from
//! earlier breaches and the names of the user and the service. The comparison ignores case. Other modules own the
//! minimum length.
//!
//! The Worker contains no list but a binary fuse filter (Graf and Lemire, 2022). It holds 32,110 passwords of at least
//! [`MIN_LENGTH`] code points in 77,844 bytes, 72 kB after gzip. It finds all of them; its false-positive rate is one
//! in 65,536. The `xorf` crate reads the filter in place in the Wasm: three reads per answer, nothing unpacked at
//! start. A Golomb-coded set would be 10 kB smaller, but needs its own codec. `examples/common_passwords.rs` generates
//! the file and documents the source of the list.

use sha2::{Digest as _, Sha256};
use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable as _, Filter as _, FilterRef as _};

use crate::domain::password::Password;
use crate::domain::unicode::{NormalForm, Normalize, fold_case, normalized};

/// Minimum length of a password in the filter, in code points. [`is_common`] does not detect shorter passwords, which
/// an operator may allow.
pub const MIN_LENGTH: usize = 8;

/// The message to the user about a password in the filter.
pub const COMMON: &str = "value is one of the most common passwords";
/// The message to the user about a password derived from names.
pub const GUESSABLE: &str = "value must not be made of the e-mail address or of the name of this service";

/// A name plus at most this many digits or punctuation characters is still guessable.
const MAX_SUFFIX: usize = 4;

/// The filter reads 16-bit numbers in place, so its address must be even.
#[repr(C, align(2))]
struct Aligned<Bytes: ?Sized>(Bytes);

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("common_passwords.bin"));
/// The filter's descriptor (seed and sizes) and its fingerprints. A file too short to split does not compile.
static FILTER: (&[u8], &[u8]) = FILE.0.split_at(BinaryFuse16::DESCRIPTOR_LEN);
/// The file's numbers are little-endian and are read in the machine's byte order.
const _: () = assert!(cfg!(target_endian = "little"));

/// Is this one of the most common passwords, ignoring case?
#[must_use]
pub fn is_common(password: &Password, normalize: Normalize) -> bool {
    let (descriptor, fingerprints) = FILTER;
    BinaryFuse16Ref::from_dma(descriptor, fingerprints).contains(&key(password, normalize))
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

    fn is_common(text: &str) -> bool {
        super::is_common(&Password::presented(text, normalize), normalize)
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
        assert_eq!(FILE.0.len(), 77_844);
        assert_eq!(hex(&Sha256::digest(&FILE.0)), "8b34713752f363d9e302281aff2b6c00e04b15904951fa1332a1b747b133f191");
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

//! Imported hashes: those of the original systems verify, and their costs.

use serde::Deserialize;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::domain::password::argon2id::Cost;
use crate::domain::password::work::HashWork;
use crate::domain::unicode::for_tests::normalize;

/// A hash that an original system made.
#[derive(Deserialize)]
pub(super) struct Vector {
    pub(super) made_by: String,
    pub(super) password: String,
    pub(super) hash: String,
}

/// Made by `make.py` and `make.mjs` in `tests/imported_hashes`, from fixed salts.
pub(super) fn vectors() -> Vec<Vector> {
    let files = [
        include_str!("../../../../tests/imported_hashes/python.json"),
        include_str!("../../../../tests/imported_hashes/node.json"),
    ];
    files.into_iter().flat_map(|text| serde_json::from_str::<Vec<Vector>>(text).unwrap()).collect()
}

fn password(text: &str) -> Password {
    Password::presented(text, normalize)
}

fn verifies(hash: &str, text: &str) -> bool {
    ImportedHash::parse(hash).unwrap().verify(&password(text)).unwrap()
}

/// The password with another first letter: bcrypt would ignore a change at the end of a long one.
fn another(text: &str) -> String {
    text.chars().take(1).map(|_| 'X').chain(text.chars().skip(1)).collect()
}

#[test]
fn hashes_of_the_original_systems_verify() {
    let vectors = vectors();
    assert!(vectors.len() > 90, "{}", vectors.len());
    for Vector { made_by, password, hash } in &vectors {
        assert!(verifies(hash, password), "{made_by}: {hash}");
    }
    for Vector { made_by, password, hash } in vectors.iter().filter(|vector| is_cheap(vector)) {
        assert!(!verifies(hash, &another(password)), "{made_by}: {hash}");
    }
}

/// The costly hashes take as long as all others.
fn is_cheap(vector: &Vector) -> bool {
    ImportedHash::parse(&vector.hash).unwrap().cost() < 5000
}

fn is_better_auth(hash: &str) -> bool {
    hash.find(':') == Some(32)
}

#[test]
fn the_typed_password_is_hashed_as_the_original_did() {
    for Vector { made_by, password, hash } in vectors().iter().filter(|vector| !vector.password.is_ascii()) {
        let normalised = normalize(password, crate::domain::unicode::NormalForm::Nfkc);
        assert_ne!(normalised, *password);
        assert_eq!(verifies(hash, &normalised), is_better_auth(hash), "{made_by}: {hash}");
    }
}

pub(super) const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUu";
/// Of 80 digits, by the `bcrypt` package of Python.
pub(super) const OF_LONG: &str = "oMGuR/E7iEi.2TlMr3SfsIzFagVGs32";

#[test]
fn bcrypt_hashes_72_bytes() {
    let digits = "0123456789".repeat(8);
    for letters in ["2a", "2b", "2y"] {
        let hash = format!("${letters}$04${LETTERS}{OF_LONG}");
        for (length, matches) in [(71, false), (72, true), (73, true), (80, true)] {
            assert_eq!(verifies(&hash, &digits[..length]), matches, "{letters} {length}");
        }
    }
    // Half of a letter may be cut off.
    let with_half = format!("{}é", &"x".repeat(71));
    let other_half = format!("{}è", &"x".repeat(71));
    let hash = |text: &str| {
        let mut hash = [0; bcrypt::HASH_LENGTH];
        bcrypt::derive(text.as_bytes(), &[1; 16], 4, bcrypt::Input::Password, &mut hash);
        hash
    };
    assert_eq!(hash(&with_half), hash(&other_half));
}

#[test]
fn a_password_with_a_zero_byte_never_matches() {
    // HMAC pads its key with zeros, so these two have one hash in PBKDF2 and scrypt.
    for Vector { made_by, password, hash } in vectors().iter().filter(|vector| is_cheap(vector)) {
        for text in [format!("{password}\0"), format!("{password}\0more")] {
            assert!(!verifies(hash, &text), "{made_by}: {hash}");
        }
    }
}

#[test]
fn costs_are_in_proportion() {
    let cost = |text: &str| ImportedHash::parse(text).unwrap().cost();
    assert_eq!(cost(&format!("$2b$12${LETTERS}{OF_LONG}")), 4 * cost(&format!("$2b$10${LETTERS}{OF_LONG}")));
    let hash = "c2l4dGVlbiBvZiBieXRlcw$8ycNiT5P9clvgGVeeVNDmYnxKg6Thix2F47VKRc9nyc";
    assert_eq!(cost(&format!("$pbkdf2-sha256$12345${hash}")), 12_345);
    let scrypt = |settings: &str| cost(&format!("$scrypt${settings}${hash}"));
    assert_eq!(scrypt("ln=15,r=8,p=1"), scrypt("ln=14,r=8,p=2"));
    assert_eq!(scrypt("ln=15,r=8,p=1"), scrypt("ln=14,r=16,p=1"));
    // The parameters that these systems have chosen in the last years cost less than twice the default of this service.
    for usual in [
        format!("$2b$12${LETTERS}{OF_LONG}"),
        format!("$scrypt$ln=16,r=8,p=1${hash}"),
        format!("$argon2id$v=19$m=65536,t=3,p=4${hash}"),
        format!("$pbkdf2-sha256$1000000${hash}"),
    ] {
        assert!(cost(&usual) < 1_200_000, "{usual}");
    }
    let argon2 = |settings: &str| cost(&format!("$argon2id$v=19${settings}${hash}"));
    assert_eq!(argon2("m=65536,t=2,p=4"), 2 * argon2("m=65536,t=1,p=1"));
    assert!(argon2("m=65536,t=1,p=1") > argon2("m=1024,t=64,p=1"), "distant memory is slower");
    let own = HashWork::Argon2id(Cost::RECOMMENDED).in_rounds();
    assert!(argon2("m=19456,t=2,p=1").abs_diff(own) < own / 100);
}

#[test]
fn debug_output_shows_neither_salt_nor_hash() {
    for Vector { hash, .. } in vectors() {
        let read = ImportedHash::parse(&hash).unwrap();
        let shown = format!("{read:?}");
        assert!(shown.starts_with("ImportedHash { function: ") && shown.ends_with(", .. }"), "{shown}");
        assert!(shown.len() < 400, "{shown}");
    }
}

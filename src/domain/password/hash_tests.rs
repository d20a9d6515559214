//! Stored hashes: their formats, the strings that are accepted or refused, and verification.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SALT: &[u8] = b"0123456789abcdef";
const PBKDF2: HashWork = HashWork::Pbkdf2Sha256 { rounds: 1000 };
const ARGON2ID: HashWork = HashWork::Argon2id(Cost::RECOMMENDED);

fn password(text: &str) -> Password {
    Password::presented(text, crate::domain::unicode::for_tests::normalize)
}

/// Any change of this format would lock out the users with such hashes.
fn assert_format(work: HashWork, stored: &str) {
    let written = PasswordHash::derive(&password("correct horse"), SALT, work).unwrap().to_phc();
    assert_eq!(written.as_deref(), Ok(stored));
    let read = PasswordHash::parse(stored).unwrap();
    assert_eq!(read.work(), work);
    assert_eq!(read.verify(&password("correct horse")), Ok(true));
    assert_eq!(read.verify(&password("correct horsf")), Ok(false));
}

#[test]
fn pbkdf2_format_unchanged() {
    assert_format(
        PBKDF2,
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
    );
}

#[test]
fn argon2id_format_unchanged() {
    assert_format(
        ARGON2ID,
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk",
    );
}

#[test]
fn hashes_of_the_reference_implementation_verify() {
    // github.com/P-H-C/phc-winner-argon2, src/test.c, "Test Argon2id", version 19: the encoded forms.
    let hashes = [
        ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
        ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
        ("password", "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"),
        ("differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"),
        ("password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"),
    ];
    for (text, stored) in hashes {
        let hash = PasswordHash::parse(stored).unwrap();
        assert_eq!(hash.verify(&password(text)), Ok(true), "{stored}");
        assert_eq!(hash.to_phc().as_deref(), Ok(stored));
    }
}

fn assert_refused(texts: &[String]) {
    for text in texts {
        assert_eq!(PasswordHash::parse(text), Err(MalformedHash), "{text}");
    }
}

#[test]
fn foreign_malformed_and_excessive_pbkdf2_hashes_are_refused() {
    let hash = "cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";
    let salt = "MDEyMzQ1Njc4OWFiY2RlZg";
    assert_refused(&[
        String::new(),
        "password".to_owned(),
        format!("$2b$12${salt}${hash}"),
        format!("$pbkdf2-sha512$i=1000,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=0,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=10000001,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=99999999999,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,i=1000,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,l=16${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,l=32,x=1${salt}${hash}"),
        format!("$pbkdf2-sha256$v=1$i=1000,l=32${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,l=32${salt}"),
        format!("$pbkdf2-sha256$i=1000,l=32${salt}$GrwBEV3oXqTC"),
        format!("$pbkdf2-sha256$i=1000,l=32${salt}${hash}$"),
    ]);
}

#[test]
fn foreign_malformed_and_excessive_argon2_hashes_are_refused() {
    let hash = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let salt = "c29tZXNhbHQ";
    let good = format!("$argon2id$v=19$m=256,t=2,p=1${salt}${hash}");
    assert!(PasswordHash::parse(&good).is_ok());
    let with = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        text
    };
    assert_refused(&[
        // Another function, another version, or none.
        with("argon2id", "argon2i"),
        with("argon2id", "argon2d"),
        with("argon2id", "argon2"),
        with("argon2id", "Argon2id"),
        with("v=19", "v=16"),
        with("v=19", "v=20"),
        with("v=19", "v=019"),
        with("$v=19", ""),
        // Out of bounds: 4 GiB, and numbers that overflow.
        with("m=256", "m=65537"),
        with("m=256", "m=4194304"),
        with("m=256", "m=4294967295"),
        with("m=256", "m=4294967296"),
        with("m=256", "m=99999999999999999999"),
        with("t=2", "t=11"),
        with("t=2", "t=4294967295"),
        with("p=1", "p=5"),
        with("p=1", "p=16777216"),
        with("p=1", "p=4294967295"),
        // Below the minimum of the function.
        with("m=256", "m=7"),
        with("m=256,t=2,p=1", "m=15,t=2,p=2"),
        with("m=256", "m=0"),
        with("t=2", "t=0"),
        with("p=1", "p=0"),
        // Parameters that are missing, extra, reordered, or spelled differently.
        with("m=256,", ""),
        with(",p=1", ""),
        with(",p=1", ",p=1,p=1"),
        with(",p=1", ",p=1,keyid=AAAA"),
        with(",p=1", ",p=1,data=AAAA"),
        with("m=256,t=2", "t=2,m=256"),
        with("m=256", "m=0256"),
        with("m=256", "m=+256"),
        with("m=256", "m=-256"),
        with("m=256", "m=0x100"),
        with("m=256", "m="),
        with("m=256", " m=256"),
        // A salt or a hash that is missing, short, long, padded, or in another alphabet.
        with("$c29tZXNhbHQ", "$c29tZXNhbA"),
        with("$c29tZXNhbHQ", "$c29tZXNhbHQ="),
        with("$c29tZXNhbHQ", ""),
        with("/uIP", "_uIP"),
        with("Gi/4", ""),
        with("Gi/4", "Gi/4AAAA"),
        with("Gi/4", "Gi/4="),
        // The last two bits of the last letter are padding, and must be zero: one hash has one text.
        with("Gi/4", "Gi/5"),
        format!("{good}$"),
        format!("{good} "),
        format!(" {good}"),
        format!("$argon2id$v=19$m=256,t=2,p=1${salt}"),
    ]);
}

#[test]
fn debug_output_shows_neither_salt_nor_hash() {
    let hash = PasswordHash::derive(&password("x"), SALT, HashWork::Pbkdf2Sha256 { rounds: 10 }).unwrap();
    assert_eq!(format!("{hash:?}"), "PasswordHash { work: Pbkdf2Sha256 { rounds: 10 }, .. }");
}

#[test]
fn a_short_salt_is_refused() {
    assert!(PasswordHash::derive(&password("x"), b"short", ARGON2ID).is_err());
    assert_eq!(PasswordHash::derive(&password("x"), b"short", PBKDF2).unwrap().to_phc(), Err(MalformedHash));
}

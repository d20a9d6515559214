//! Texts that are refused at an import: fast, costly, unknown, damaged and hostile ones.

use super::tests::{LETTERS, OF_LONG, Vector, vectors};
use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use HashRefusal::{Malformed, TooCostly, TooFast, Unknown};

#[test]
fn codes_unchanged() {
    let codes = [Malformed, Unknown, TooFast, TooCostly].map(HashRefusal::as_str);
    assert_eq!(codes, ["hash_malformed", "hash_unknown", "hash_too_fast", "hash_too_costly"]);
}

#[test]
fn fast_hashes_are_refused() {
    let digest = |letters: usize| "d0".repeat(letters / 2);
    let fast = [
        digest(32),
        digest(40).to_uppercase(),
        digest(56),
        digest(64),
        digest(96),
        digest(128),
        format!("*{}", digest(40).to_uppercase()),
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0".to_owned(),
        "$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.".to_owned(),
        "$P$BPlIiO5xdHmThnjjSyJ1jBICfPkpay1".to_owned(),
        "$H$9jKLdNZQxhMAZcXYE7.xqSOp3zBeKG0".to_owned(),
        format!("md5$salt${}", digest(32)),
        format!("sha1$salt${}", digest(40)),
        format!("sha256$salt${}", digest(64)),
        "{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTBzYWx0".to_owned(),
        // Below 10,000 rounds of PBKDF2, whatever the digest, and below their time.
        "$pbkdf2-sha512$9999$c2l4dGVlbiBvZiBieXRlcw$COzmrs.KuHaJ7yuNjijihfKtzvTm1rrBuFly9X/xKoMynDmfUY435WW6haT30IxqIf9zy2zLIvkUWGMKwOcPAQ".to_owned(),
        "pbkdf2_sha256$1$ABCDEFGHIJKLMNOPQRSTUu$KzRsX9yvfpHgMbcqSfyLxdRMi/8lYhRjk289bNeFclU=".to_owned(),
        format!("$2b$05${LETTERS}{OF_LONG}"),
        "$scrypt$ln=9,r=8,p=1$c2l4dGVlbiBvZiBieXRlcw$1b86YwTiJ7Ck1nxbKoaZLnrSsnTISFTwWZonxO0zBTo".to_owned(),
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
    ];
    for text in fast {
        assert_eq!(ImportedHash::admit(&text, u32::MAX), Err(TooFast), "{text}");
    }
    for text in
        ["$pbkdf2$10000$c2l4dGVlbiBvZiBieXRlcw$6Svgr9Afj8z1lr0lSIt4HYwy8IU", &format!("$2b$07${LETTERS}{OF_LONG}")]
    {
        assert!(ImportedHash::admit(text, u32::MAX).is_ok(), "{text}");
    }
}

#[test]
fn costly_hashes_are_refused() {
    let hash = "c2l4dGVlbiBvZiBieXRlcw$8ycNiT5P9clvgGVeeVNDmYnxKg6Thix2F47VKRc9nyc";
    let rounds = |rounds: &str| format!("$pbkdf2-sha256${rounds}${hash}");
    assert!(ImportedHash::admit(&rounds("20000"), 20_000).is_ok());
    assert_eq!(ImportedHash::admit(&rounds("20001"), 20_000), Err(TooCostly));
    // Whatever the settings.
    assert!(ImportedHash::parse(&rounds("10000000")).is_ok());
    let costly = [
        rounds("10000001"),
        rounds("4294967295"),
        rounds("4294967296"),
        rounds(&"9".repeat(300)),
        format!("$2b$31${LETTERS}{OF_LONG}"),
        format!("$2b$17${LETTERS}{OF_LONG}"),
        format!("$scrypt$ln=17,r=8,p=1${hash}"),
        format!("$scrypt$ln=64,r=8,p=1${hash}"),
        format!("$scrypt$ln=4294967297,r=8,p=1${hash}"),
        format!("$scrypt$ln=14,r=4294967295,p=4294967295${hash}"),
        format!("scrypt:131072:8:1$saltsalt${}", "00".repeat(64)),
        format!("scrypt:99999999999999999999:8:1$saltsalt${}", "00".repeat(64)),
        format!("$argon2id$v=19$m=65537,t=1,p=1${hash}"),
        format!("$argon2id$v=19$m=99999999999,t=1,p=1${hash}"),
        format!("$argon2id$v=19$m=65536,t=4294967295,p=1${hash}"),
        format!("$argon2id$v=19$m=65536,t=1,p=65${hash}"),
        // The default of Django.
        format!("argon2$argon2id$v=19$m=102400,t=2,p=8${hash}"),
        "$fbscrypt$v=1,n=40,r=8,p=1,ss=Bw==,sk=Bw==$42xEC+ixf3L2lw==$Bw==".to_owned(),
    ];
    for text in costly {
        assert_eq!(ImportedHash::parse(&text), Err(TooCostly), "{text}");
    }
}

#[test]
fn unknown_functions_and_versions_are_refused() {
    let unknown = [
        String::new(),
        "password".to_owned(),
        // Its digest of letters beyond ASCII is wrong, so two passwords may have one hash.
        format!("$2x$12${LETTERS}{OF_LONG}"),
        format!("$2$12${LETTERS}{OF_LONG}"),
        format!("$2c$12${LETTERS}{OF_LONG}"),
        "$5$rounds=5000$salt$hash".to_owned(),
        "$6$rounds=656000$salt$hash".to_owned(),
        "$7$C6..../....salt$hash".to_owned(),
        "$y$j9T$salt$hash".to_owned(),
        "$argon2id$v=20$m=65536,t=3,p=4$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
        format!("$bcrypt-sha256$v=2,t=2x,r=12${LETTERS}${OF_LONG}"),
        format!("bcrypt_sha256$$2x$12${LETTERS}{OF_LONG}"),
        "$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk=Bw==$42xEC+ixf3L2lw==$Bw==".to_owned(),
        format!("pbkdf2:md5:100000$saltsalt${}", "00".repeat(16)),
        format!("imported:$2b$12${LETTERS}{OF_LONG}"),
    ];
    for text in unknown {
        assert_eq!(ImportedHash::admit(&text, u32::MAX), Err(Unknown), "{text}");
    }
}

/// A text of these forms may be cut off within its hash, whose length is free, but not to less than 128 bits.
fn shortest(hash: &str) -> usize {
    let last = hash.rsplit('$').next().unwrap().len();
    let is_free = ["$scrypt$", "$argon2", "argon2$", "$pbkdf2-sha"].iter().any(|beginning| hash.starts_with(beginning));
    if is_free { hash.len() - last + 21 } else { hash.len() - 1 }
}

#[test]
fn damaged_hashes_are_refused() {
    for Vector { made_by, hash, .. } in vectors() {
        let mut damaged: Vec<String> = (0..=shortest(&hash)).map(|length| hash[..length].to_owned()).collect();
        damaged.extend(["=", "$", " ", "\n", "\0", "é", ":", ","].map(|end| format!("{hash}{end}")));
        damaged.extend([format!(" {hash}"), format!("{hash}{hash}"), hash.to_uppercase()]);
        for text in damaged {
            assert!(ImportedHash::parse(&text).is_err(), "{made_by}: {text}");
        }
    }
}

#[test]
fn texts_that_are_not_canonical_are_malformed() {
    let vectors = vectors();
    let mut changes = 0;
    for (from, to) in [
        // Numbers.
        ("$04$", "$4$"),
        ("$04$", "$004$"),
        ("$04$", "$+4$"),
        ("$04$", "$03$"),
        ("$04$", "$0$"),
        ("r=4$", "r=04$"),
        ("i=3,l=64", "i=03,l=64"),
        ("i=3,l=64", "i=3,l=32"),
        ("i=3,l=64", "i=3,l=064"),
        ("i=3,l=64", "i=3,l=64,l=64"),
        ("i=3,l=64", "l=64,i=3"),
        ("i=3,l=64", "i=-3,l=64"),
        ("i=3,l=64", "i=,l=64"),
        ("$i=3$", "$i=0$"),
        ("$3$", "$0$"),
        ("ln=4,r=2,p=3", "ln=0,r=2,p=3"),
        ("ln=4,r=2,p=3", "ln=4,r=0,p=3"),
        ("ln=4,r=2,p=3", "ln=4,r=2"),
        ("ln=4,r=2,p=3", "r=2,ln=4,p=3"),
        ("ln=4,r=2,p=3", "ln=4,r=2,p=3,x=1"),
        ("scrypt:16:", "scrypt:15:"),
        ("scrypt:16:", "scrypt:0x10:"),
        ("scrypt:16:2:3", "scrypt"),
        ("pbkdf2:sha256:3", "pbkdf2:sha256"),
        ("m=64,t=2", "t=2,m=64"),
        ("m=64,t=2", "m=7,t=2"),
        ("m=64,t=2", "m=64,t=0"),
        ("p=4$", "p=0$"),
        ("p=4$", "p=4,keyid=AAAA$"),
        ("p=4$", "p=4,data=AAAA$"),
        ("$v=19$", "$v=019$"),
        ("n=4,r=8", "n=0,r=8"),
        // Salts: short ones, and none.
        ("ABCDEFGHIJKLMNOPQRSTUu", "ABC"),
        ("ABCDEFGHIJKLMNOPQRSTUu", ""),
        ("c2l4dGVlbiBvZiBieXRlcw", "c2l4"),
        ("c2l4dGVlbiBvZiBieXRlcw", ""),
        ("saltSALTsaltSALT", "sal"),
        ("ss=Bw==", "ss=Bw"),
        ("42xEC+ixf3L2lw==", "Bw=="),
        // Bits behind the last byte of base64.
        ("RSTUu", "RSTUv"),
        ("c2l4dGVlbiBvZiBieXRlcw", "c2l4dGVlbiBvZiBieXRlcx"),
        ("ss=Bw==", "ss=Bx=="),
        // Another alphabet, padding where there is none, and letters in upper case.
        ("....////", "++++////"),
        ("c2l4dGVlbiBvZiBieXRlcw$", "c2l4dGVlbiBvZiBieXRlcw==$"),
        ("EC+ix", "EC+ix_"),
        ("000102030405060708090a0b0c0d0e0f:", "000102030405060708090A0B0C0D0E0F:"),
        ("000102030405060708090a0b0c0d0e0f:", "0102030405060708090a0b0c0d0e0f00:g"),
    ] {
        for Vector { hash, .. } in vectors.iter().filter(|vector| vector.hash.contains(from)) {
            let text = hash.replacen(from, to, 1);
            // A salt that is a text may have any letters.
            let is_text =
                ["pbkdf2_", "scrypt$"].iter().any(|beginning| hash.starts_with(beginning)) && to.ends_with('v');
            let refusal = ImportedHash::parse(&text).err();
            assert!(is_text || matches!(refusal, Some(Malformed | Unknown)), "{hash} {from} {to}: {refusal:?}");
            changes += 1;
        }
    }
    assert!(changes > 150, "{changes}");
}

#[test]
fn hostile_texts_are_refused_at_once() {
    let long = "A".repeat(10_000_000);
    for beginning in
        ["", "$2b$12$", "$pbkdf2-sha256$", "$scrypt$ln=", "$argon2id$v=19$m=", "$fbscrypt$v=1,", "pbkdf2:", "$", ":"]
    {
        assert_eq!(ImportedHash::admit(&format!("{beginning}{long}"), u32::MAX), Err(Malformed), "{beginning}");
    }
    for text in [
        "$".repeat(512),
        ":".repeat(161),
        ",".repeat(512),
        format!("$2b$12${}", "é".repeat(26)),
        "$2b$12$\0".to_owned(),
    ] {
        assert!(ImportedHash::admit(&text, u32::MAX).is_err(), "{text}");
    }
}

//! Key sets: usable keys are found, and one that cannot be used does not spoil the set.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The public keys of RFC 7515, appendices A.2 and A.3, and of RFC 8037, appendix A.2.
const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn rsa(more: &str) -> String {
    format!(r#"{{"kty": "RSA", "n": "{N}", "e": "AQAB"{more}}}"#)
}

fn ec(more: &str) -> String {
    format!(r#"{{"kty": "EC", "crv": "P-256", "x": "{EC_X}", "y": "{EC_Y}"{more}}}"#)
}

fn ed(more: &str) -> String {
    format!(r#"{{"kty": "OKP", "crv": "Ed25519", "x": "{ED_X}"{more}}}"#)
}

fn set(keys: &[String]) -> KeySet {
    KeySet::parse(&format!(r#"{{"keys": [{}]}}"#, keys.join(","))).unwrap()
}

/// Is this a key that the set accepts?
fn is_usable(key: &str) -> bool {
    set(&[key.to_owned()]).0.len() == 1
}

#[test]
fn keys_are_found_by_algorithm_and_name_with_the_members_of_their_type_only() {
    let more = |kid: &str, alg: &str| format!(r#", "kid": "{kid}", "use": "sig", "alg": "{alg}", "x5c": ["MIIC"]"#);
    let keys = set(&[rsa(&more("r", "RS256")), ec(&more("e", "ES256")), ed(&more("o", "EdDSA"))]);
    for (algorithm, kid, jwk) in [
        (SignatureAlgorithm::Rs256, "r", format!(r#"{{"e":"AQAB","kty":"RSA","n":"{N}"}}"#)),
        (SignatureAlgorithm::Es256, "e", format!(r#"{{"crv":"P-256","kty":"EC","x":"{EC_X}","y":"{EC_Y}"}}"#)),
        (SignatureAlgorithm::EdDsa, "o", format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{ED_X}"}}"#)),
    ] {
        let expected = PublicKey { algorithm, jwk };
        assert_eq!(keys.find(algorithm, Some(kid)), Some(&expected));
        assert_eq!(keys.find(algorithm, None), Some(&expected), "no other fits");
        assert!(keys.knows(kid));
        for other in SignatureAlgorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert_eq!(keys.find(other, Some(kid)), None, "a key is for one algorithm");
        }
    }
    assert!(!keys.knows("x") && keys.find(SignatureAlgorithm::Rs256, Some("x")).is_none());
    assert!(keys.find(SignatureAlgorithm::Rs256, Some("")).is_none());
}

#[test]
fn a_token_without_a_name_has_a_key_only_if_no_other_fits() {
    let keys = set(&[rsa(r#", "kid": "1""#), rsa(r#", "kid": "2""#), ec("")]);
    assert_eq!(keys.find(SignatureAlgorithm::Rs256, None), None);
    assert!(keys.find(SignatureAlgorithm::Rs256, Some("2")).is_some());
    assert!(keys.find(SignatureAlgorithm::Es256, None).is_some());
    assert_eq!(keys.find(SignatureAlgorithm::Es256, Some("1")), None);
    assert_eq!(set(&[]).find(SignatureAlgorithm::Es256, None), None);
}

/// RFC 7517 §4.5: keys with different `kty` may have one `kid`.
#[test]
fn of_two_keys_with_one_name_that_of_the_algorithm_is_found() {
    let keys = set(&[rsa(r#", "kid": "1""#), ec(r#", "kid": "1""#)]);
    for algorithm in [SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256] {
        assert_eq!(keys.find(algorithm, Some("1")).unwrap().algorithm, algorithm);
    }
}

#[test]
fn a_key_without_optional_members_is_usable() {
    for key in [rsa(""), ec(""), ed("")] {
        assert!(is_usable(&key), "{key}");
        let more = r#", "use": "sig", "key_ops": ["sign", "verify"], "kid": null, "alg": null, "other": {"a": 1}}"#;
        assert!(is_usable(&key.replace('}', more)), "{key}");
    }
}

#[test]
fn keys_of_another_use_algorithm_or_type_are_skipped() {
    for more in [
        r#", "use": "enc""#,
        r#", "use": """#,
        r#", "key_ops": ["encrypt"]"#,
        r#", "key_ops": []"#,
        r#", "key_ops": "verify""#,
        r#", "alg": "RS512""#,
        r#", "alg": "PS256""#,
        r#", "alg": "RSA-OAEP""#,
        r#", "alg": "HS256""#,
        r#", "alg": "none""#,
        r#", "alg": 1"#,
        r#", "kid": 1"#,
        r#", "d": "c2VjcmV0""#,
        r#", "d": null"#,
        r#", "kty": "RSA""#,
        r#", "kid": "1", "kid": "2""#,
    ] {
        for key in [rsa(more), ec(more), ed(more)] {
            assert!(!is_usable(&key), "{key}");
        }
    }
    for (kty, alg) in [("RSA", "ES256"), ("EC", "EdDSA"), ("OKP", "RS256")] {
        let keys = [rsa(""), ec(""), ed("")].map(|key| key.replace('}', &format!(r#", "alg": "{alg}"}}"#)));
        let key = keys.iter().find(|key| key.contains(&format!("\"{kty}\""))).unwrap();
        assert!(!is_usable(key), "{key}");
    }
    for key in [
        format!(r#"{{"kty": "oct", "k": "{ED_X}"}}"#),
        ec("").replace("P-256", "P-384"),
        ec("").replace("P-256", "secp256k1"),
        ec("").replace("\"EC\"", "\"ec\""),
        ed("").replace("Ed25519", "Ed448"),
        ed("").replace("Ed25519", "X25519"),
        ed("").replace("OKP", "EC"),
        ec("").replace("\"EC\"", "\"OKP\""),
        rsa("").replace("RSA", "AKP"),
        rsa("").replace("\"kty\": \"RSA\", ", ""),
        "null".to_owned(),
        "1".to_owned(),
        "[]".to_owned(),
        r#""x""#.to_owned(),
        format!(r#"["RSA", null, null, null, null, null, "{N}", "AQAB", null, null, false]"#),
    ] {
        assert!(!is_usable(&key), "{key}");
    }
}

#[test]
fn numbers_of_keys_are_canonical_and_in_bounds() {
    for (key, part) in [(rsa(""), "\"n\""), (rsa(""), "\"e\""), (ec(""), "\"x\""), (ec(""), "\"y\""), (ed(""), "\"x\"")]
    {
        assert!(!is_usable(&key.replace(part, "\"other\"")), "{part} is required");
    }
    for (text, other) in [
        (ED_X, format!("{ED_X}=")),
        (ED_X, format!("{ED_X}A")),
        (ED_X, ED_X.replace('_', "/")),
        (ED_X, ED_X.replacen("URo", "URp", 1)),
        (ED_X, String::new()),
        (ED_X, "AQAB".to_owned()),
    ] {
        assert!(!is_usable(&ed("").replace(text, &other)), "{other}");
    }
    let of = |n: &[u8], e: &[u8]| {
        let [n, e] = [n, e].map(Base64UrlUnpadded::encode_string);
        is_usable(&format!(r#"{{"kty": "RSA", "n": "{n}", "e": "{e}"}}"#))
    };
    let modulus = |length: usize, first: u8, last: u8| [vec![first], vec![0xff; length - 2], vec![last]].concat();
    for length in [256, 257, 384, 512, 1024] {
        assert!(of(&modulus(length, 0x80, 1), &[1, 0, 1]), "{length} bytes");
    }
    for n in
        [modulus(256, 0x7f, 1), modulus(128, 0xff, 1), modulus(1025, 1, 1), modulus(257, 0, 1), modulus(256, 0x80, 2)]
    {
        assert!(!of(&n, &[1, 0, 1]), "{} bytes", n.len());
    }
    for (e, fits) in
        [(&[3][..], true), (&[1, 0, 1], true), (&[1], false), (&[2], false), (&[], false), (&[1, 0, 0, 0, 1], false)]
    {
        assert_eq!(of(&modulus(256, 0x80, 1), e), fits, "{e:?}");
    }
}

#[test]
fn a_key_that_cannot_be_used_does_not_spoil_the_set() {
    let keys = set(&["1".to_owned(), ec("").replace("P-256", "P-521"), rsa(r#", "kid": "1""#), "{}".to_owned()]);
    assert!(keys.knows("1") && keys.0.len() == 1);
    let mut many = vec!["{}".to_owned(); MAX_KEYS - 1];
    many.extend([rsa(r#", "kid": "1""#), rsa(r#", "kid": "2""#)]);
    let keys = set(&many);
    assert!(keys.knows("1") && !keys.knows("2"), "further keys are not looked at");
}

#[test]
fn other_text_is_no_key_set() {
    for text in [
        "",
        "null",
        "{}",
        "[]",
        r#"{"keys": null}"#,
        r#"{"keys": {}}"#,
        r#"{"keys": [}"#,
        r#"{"keys": [], "keys": []}"#,
        "[[{}]]",
    ] {
        assert!(KeySet::parse(text).is_none(), "{text}");
    }
    assert!(KeySet::parse(r#"{"keys": [], "other": [1]}"#).is_some());
}

//! Tokens under attack: every alteration is refused. The wire format does not change.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::secret_keys::PreviousUse;
use crate::domain::session::methods::AuthMethods;
use crate::domain::session::token::CLOCK_SKEW_SECONDS;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn secret(text: &str) -> Secret {
    Secret::new(text.repeat(32))
}

fn with_keys(keys: &SecretKeys) -> TokenAuthority {
    TokenAuthority::new(keys, Issuers::only("issuer"), "audience")
}

fn authority() -> TokenAuthority {
    with_keys(&SecretKeys::only(secret("k")))
}

fn claims() -> TokenClaims {
    TokenClaims {
        id: TokenId::from_random([0xcd; 16]),
        user_id: UserId::new(7).unwrap(),
        session_id: SessionId::new(99).unwrap(),
        issued_at: NOW,
        expires_at: NOW.plus_seconds(900),
        auth_time: Some(NOW.plus_seconds(-86_400)),
        methods: AuthMethods::PASSWORD,
        bookmark: None,
    }
}

fn sign(authority: &TokenAuthority, kind: TokenKind) -> String {
    authority.sign(kind, &claims()).unwrap().expose().to_owned()
}

/// A token with arbitrary header and claims, signed with the right key, as a bug or a stolen key could produce.
fn forge(header: &serde_json::Value, body: &serde_json::Value) -> String {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(body.to_string().as_bytes()));
    let mac = hmac_sha256("k".repeat(32).as_bytes(), signed.as_bytes());
    format!("{signed}.{}", encode(&mac))
}

/// HMAC-SHA256 (RFC 2104) written out, so that the tests do not trust the library they test.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn good_header() -> serde_json::Value {
    serde_json::json!({"alg": "HS256", "typ": "at+jwt", "kid": authority().current.id})
}

fn good_body() -> serde_json::Value {
    serde_json::json!({
        "sub": "7", "jti": "cd".repeat(16), "sid": "99", "type": "access", "iss": "issuer", "aud": "audience",
        "iat": NOW.seconds(), "exp": NOW.seconds() + 900, "auth_time": NOW.seconds() - 86_400, "amr": ["pwd"],
    })
}

fn with(mut value: serde_json::Value, name: &str, member: serde_json::Value) -> serde_json::Value {
    value[name] = member;
    value
}

fn without(mut value: serde_json::Value, name: &str) -> serde_json::Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

fn is_invalid(text: &str) -> bool {
    authority().verify(TokenKind::Access, text, NOW) == Err(TokenFault::Invalid)
}

#[test]
fn a_signed_token_is_read_back_unchanged() {
    for kind in [TokenKind::Access, TokenKind::Refresh] {
        assert_eq!(authority().verify(kind, &sign(&authority(), kind), NOW), Ok(claims()));
    }
}

#[test]
fn wire_format_unchanged() {
    let text = sign(&authority(), TokenKind::Access);
    let again = sign(&authority(), TokenKind::Access);
    assert_eq!(text, again, "the same claims give the same token");
    let parts: Vec<serde_json::Value> = text
        .split('.')
        .take(2)
        .map(|part| {
            let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        })
        .collect();
    assert_eq!(parts, [good_header(), good_body()]);
    assert_eq!(authority().current.id, "8151fc7546495262");
}

#[test]
fn forge_makes_valid_tokens_from_valid_parts() {
    let text = forge(&good_header(), &good_body());
    assert_eq!(authority().verify(TokenKind::Access, &text, NOW), Ok(claims()));
}

/// Refresh tokens have none, and tokens of earlier versions neither: their claims are exactly those of before.
#[test]
fn a_token_without_the_time_of_the_sign_in_is_valid() {
    let old = TokenClaims { auth_time: None, ..claims() };
    let text = forge(&good_header(), &without(without(good_body(), "auth_time"), "amr"));
    assert_eq!(authority().verify(TokenKind::Access, &text, NOW), Ok(old.clone()));
    let text = authority().sign(TokenKind::Refresh, &old).unwrap().expose().to_owned();
    let claims = text.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let expected = with(without(without(good_body(), "auth_time"), "amr"), "type", "refresh".into());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&claims).unwrap(), expected);
    for wrong in [serde_json::json!("now"), serde_json::json!(1.5), serde_json::json!([])] {
        assert!(is_invalid(&forge(&good_header(), &with(good_body(), "auth_time", wrong))));
    }
}

#[test]
fn changing_any_character_invalidates_a_token() {
    let text = sign(&authority(), TokenKind::Access);
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        assert!(is_invalid(&altered), "altered at {position}");
        assert!(is_invalid(&text[..position]), "cut at {position}");
    }
    assert!(is_invalid(&format!("{text}A")));
    assert!(is_invalid(&format!("{text}.")));
    assert!(is_invalid(&format!(" {text}")));
    assert!(is_invalid(&"a".repeat(MAX_LENGTH + 1)));
}

#[test]
fn no_other_algorithm_is_accepted() {
    for algorithm in ["none", "None", "hs256", "HS384", "HS512", "RS256", "ES256", ""] {
        assert!(is_invalid(&forge(&with(good_header(), "alg", algorithm.into()), &good_body())), "{algorithm}");
    }
    assert!(is_invalid(&forge(&without(good_header(), "alg"), &good_body())));
    let unsigned = forge(&with(good_header(), "alg", "none".into()), &good_body());
    let (signed, _) = unsigned.rsplit_once('.').unwrap();
    assert!(is_invalid(&format!("{signed}.")));
}

#[test]
fn header_must_name_a_known_key_and_the_right_type() {
    assert!(is_invalid(&forge(&with(good_header(), "kid", "0000000000000000".into()), &good_body())));
    assert!(is_invalid(&forge(&without(good_header(), "kid"), &good_body())));
    for kind in ["rt+jwt", "JWT", "AT+JWT", ""] {
        assert!(is_invalid(&forge(&with(good_header(), "typ", kind.into()), &good_body())), "{kind}");
    }
    assert!(is_invalid(&forge(&without(good_header(), "typ"), &good_body())));
}

#[test]
fn every_claim_is_required_and_checked() {
    for name in ["sub", "jti", "sid", "type", "iss", "aud", "iat", "exp"] {
        assert!(is_invalid(&forge(&good_header(), &without(good_body(), name))), "without {name}");
    }
    let wrong = [
        ("type", "refresh"),
        ("type", "ACCESS"),
        ("iss", "other"),
        ("aud", "other"),
        ("sub", "0"),
        ("sub", "-7"),
        ("sub", "07"),
        ("sub", "seven"),
        ("sid", "0"),
        ("sid", "x"),
        ("jti", ""),
        ("jti", "cd"),
        ("exp", "soon"),
    ];
    for (name, value) in wrong {
        assert!(is_invalid(&forge(&good_header(), &with(good_body(), name, value.into()))), "{name} = {value}");
    }
    assert!(is_invalid(&forge(&good_header(), &with(good_body(), "sub", 7.into()))), "sub is a string");
    assert!(is_invalid(&forge(&good_header(), &with(good_body(), "aud", serde_json::json!(["audience"])))));
}

#[test]
fn neither_kind_of_token_is_accepted_as_the_other() {
    let access = sign(&authority(), TokenKind::Access);
    let refresh = sign(&authority(), TokenKind::Refresh);
    assert!(is_invalid(&refresh));
    assert_eq!(authority().verify(TokenKind::Refresh, &access, NOW), Err(TokenFault::Invalid));
}

#[test]
fn a_token_expires_at_its_exp_to_the_second() {
    let text = sign(&authority(), TokenKind::Access);
    let end = claims().expires_at;
    let last = Timestamp::from_millis(end.millis() - 1);
    assert_eq!(authority().verify(TokenKind::Access, &text, last), Ok(claims()));
    assert_eq!(authority().verify(TokenKind::Access, &text, end), Err(TokenFault::Expired(claims())));
}

#[test]
fn expiry_is_reported_only_for_own_tokens() {
    let late = NOW.plus_seconds(10_000);
    let stranger = with_keys(&SecretKeys::only(secret("x")));
    let text = sign(&stranger, TokenKind::Access);
    assert_eq!(authority().verify(TokenKind::Access, &text, late), Err(TokenFault::Invalid));
}

#[test]
fn a_token_issued_in_the_future_is_refused_beyond_the_clock_skew() {
    let text = sign(&authority(), TokenKind::Access);
    let early = NOW.plus_seconds(-CLOCK_SKEW_SECONDS);
    assert_eq!(authority().verify(TokenKind::Access, &text, early), Ok(claims()));
    assert!(authority().verify(TokenKind::Access, &text, early.plus_seconds(-1)).is_err());
}

#[test]
fn a_token_with_critical_extensions_is_refused() {
    for crit in [serde_json::json!(["exp"]), serde_json::json!([]), serde_json::json!("b64"), serde_json::Value::Null] {
        assert!(is_invalid(&forge(&with(good_header(), "crit", crit.clone()), &good_body())), "crit: {crit}");
    }
}

#[test]
fn a_token_is_refused_before_its_nbf() {
    let valid_from = |seconds: i64| forge(&good_header(), &with(good_body(), "nbf", (NOW.seconds() + seconds).into()));
    for seconds in [-1, 0] {
        assert_eq!(authority().verify(TokenKind::Access, &valid_from(seconds), NOW), Ok(claims()), "nbf {seconds}");
    }
    for seconds in [1, 60, 3600] {
        assert!(is_invalid(&valid_from(seconds)), "nbf {seconds}");
    }
    assert!(is_invalid(&forge(&good_header(), &with(good_body(), "nbf", "later".into()))));
}

#[test]
fn keys_named_in_the_token_header_are_ignored() {
    let stranger = "x".repeat(32);
    let header = with(good_header(), "jwk", serde_json::json!({"kty": "oct", "k": stranger}));
    let header = with(header, "jku", "https://attacker.example/keys".into());
    let header = with(header, "x5u", "https://attacker.example/cert".into());
    let good = forge(&header, &good_body());
    assert_eq!(authority().verify(TokenKind::Access, &good, NOW), Ok(claims()), "ignored, so still good");
    let (signed, _) = good.rsplit_once('.').unwrap();
    let mac = hmac_sha256(stranger.as_bytes(), signed.as_bytes());
    let bad = format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac));
    assert!(is_invalid(&bad));
}

/// One line for each configuration: the current, the next and the previous key, and the keys whose tokens are valid.
#[test]
fn only_the_current_key_signs_and_its_neighbours_verify() {
    let key = |letter: &str| (letter != "-").then(|| secret(letter));
    let matrix = [
        (["a", "-", "-"], PreviousUse::All, "a"),
        (["a", "b", "-"], PreviousUse::All, "ab"),
        (["b", "-", "a"], PreviousUse::All, "ab"),
        (["b", "c", "a"], PreviousUse::All, "abc"),
        (["b", "-", "-"], PreviousUse::All, "b"),
        (["b", "-", "a"], PreviousUse::Decrypt, "b"),
        (["b", "c", "a"], PreviousUse::Decrypt, "bc"),
    ];
    for ([current, next, previous], previous_use, accepted) in matrix {
        let keys = SecretKeys { current: secret(current), next: key(next), previous: key(previous), previous_use };
        let own = with_keys(&keys);
        let only_current = with_keys(&SecretKeys::only(secret(current)));
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            assert_eq!(sign(&own, kind), sign(&only_current, kind), "{current} signs");
            for letter in ["a", "b", "c", "d"] {
                let token = sign(&with_keys(&SecretKeys::only(secret(letter))), kind);
                let expected = if accepted.contains(letter) { Ok(claims()) } else { Err(TokenFault::Invalid) };
                assert_eq!(own.verify(kind, &token, NOW), expected, "{letter} with {keys:?}");
            }
        }
    }
}

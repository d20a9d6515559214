//! Attacks on asymmetric signatures (RFC 8725 §2), and unknown key ids.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edge_auth::domain::keys::Algorithm;
use serde_json::{Value, json};

use crate::signing_keys::{forged, key_set, kid_of, private_key};
use crate::support::crypto::generate;
use crate::support::{EMAIL, SECRET, Service};

const UNKNOWN: &str = "00000000000000000000000000000000";

fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    use jwt_compact::alg::Hs256Key;
    use jwt_compact::{Algorithm as _, AlgorithmSignature as _, alg::Hs256};
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = Hs256.sign(&Hs256Key::new(secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
}

#[tokio::test]
async fn a_token_cannot_choose_its_algorithm_or_its_key() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let other = if algorithm == Algorithm::EdDsa { Algorithm::Es256 } else { Algorithm::EdDsa };
        let service = Service::with(&[("ALGORITHM", algorithm.as_str())]);
        let token = service.register(EMAIL).await.access;
        let key = private_key(&service.db, &kid_of(&token), SECRET).await;
        service.me(&forged(&token, &key, |_, _| {})).await.expect(200);
        let set = key_set(&service).await;
        let public = set["keys"].as_array().unwrap().iter().find(|one| one["kid"] == kid_of(&token)).unwrap().clone();
        let (header, claims) = crate::key_rotation::decoded(&token);
        let with = |name: &str, value: Value| {
            let mut header = header.clone();
            header[name] = value;
            header
        };
        let own = generate(algorithm);
        let mut attacks = vec![
            ("alg none", forged(&token, &key, |header, _| header["alg"] = json!("none"))),
            ("the other algorithm", forged(&token, &key, |header, _| header["alg"] = json!(other.as_str()))),
            ("a key of the other curve", forged(&token, &generate(other), |_, _| {})),
            ("a key of the attacker", forged(&token, &own, |_, _| {})),
            ("an embedded key", forged(&token, &own, |header, _| header["jwk"] = own.clone())),
            (
                "an address of a key",
                forged(&token, &own, |header, _| header["jku"] = json!("https://attacker.example")),
            ),
            ("a critical extension", forged(&token, &key, |header, _| header["crit"] = json!(["exp"]))),
            ("no kid", forged(&token, &key, |header, _| drop(header.as_object_mut().unwrap().remove("kid")))),
            ("a refresh token's type", forged(&token, &key, |header, _| header["typ"] = json!("rt+jwt"))),
            ("another audience", forged(&token, &key, |_, claims| claims["aud"] = json!("other"))),
            ("another issuer", forged(&token, &key, |_, claims| claims["iss"] = json!("other"))),
            ("a future iat", forged(&token, &key, |_, claims| claims["iat"] = json!(2_000_000_000))),
        ];
        // The public key as the secret of an HMAC: its text, its point, and the whole key set.
        let point = URL_SAFE_NO_PAD.decode(public["x"].as_str().unwrap()).unwrap();
        for secret in [public.to_string().into_bytes(), point, set.to_string().into_bytes()] {
            attacks.push(("HS256 with the public key", hs256(&secret, &with("alg", json!("HS256")), &claims)));
        }
        for kid in ["../../etc/passwd", "' OR 1=1 --", "", "current", &kid_of(&token).to_uppercase()] {
            attacks.push(("another kid", forged(&token, &key, |header, _| header["kid"] = json!(kid))));
        }
        for (name, attack) in attacks {
            service.me(&attack).await.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(service.last_d1_calls(), 0, "{name}");
        }
    }
}

/// A signature has one text. Others would be further tokens with the same claims.
#[tokio::test]
async fn a_signature_that_was_altered_in_any_place_is_refused() {
    for algorithm in ["EdDSA", "ES256"] {
        let service = Service::with(&[("ALGORITHM", algorithm)]);
        let token = service.register(EMAIL).await.access;
        let (text, signature) = token.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(bytes.len(), 64);
        let mut altered = Vec::new();
        for index in 0..64 {
            let mut other = bytes.clone();
            other[index] ^= 1;
            altered.push(URL_SAFE_NO_PAD.encode(other));
        }
        altered.extend((0..64).map(|length| URL_SAFE_NO_PAD.encode(&bytes[..length])));
        altered.push(URL_SAFE_NO_PAD.encode([bytes.as_slice(), &[0]].concat()));
        altered.extend([[0; 64], [0xff; 64]].map(|bytes| URL_SAFE_NO_PAD.encode(bytes)));
        // The last character of 64 bytes has four bits that say nothing.
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let position = alphabet.find(last).unwrap();
        let twin = alphabet.chars().nth(position ^ 1).unwrap();
        altered.push(format!("{}{twin}", &signature[..signature.len() - 1]));
        altered.extend([
            format!("{signature}="),
            format!("{signature}=="),
            format!(" {signature}"),
            format!("{signature}\n"),
        ]);
        altered.push(signature.replace('-', "+").replace('_', "/") + "==");
        for signature in altered {
            let Ok(request) = axum::http::HeaderValue::try_from(format!("Bearer {text}.{signature}")) else { continue };
            let request = axum::http::Request::get("/users/me").header("Authorization", request);
            let reply = service.send(request.body(axum::body::Body::empty()).unwrap()).await;
            reply.expect_error(401, "AUTH_TOKEN_INVALID");
        }
        service.me(&token).await.expect(200);
    }
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_costs_one_call_in_ten_seconds_and_no_one_else_a_refusal() {
    let service = Service::with(&[("ALGORITHM", "EdDSA")]);
    let token = service.register(EMAIL).await.access;
    let own = generate(Algorithm::EdDsa);
    let mut calls = 0;
    for number in 0..100 {
        let stranger = forged(&token, &own, |header, _| header["kid"] = json!(format!("{number:032x}")));
        let reply = service.me(&stranger).await;
        if number == 0 {
            reply.expect_error(401, "AUTH_TOKEN_INVALID");
        } else {
            assert_eq!(reply.expect_error(503, "SERVICE_UNAVAILABLE").header("Retry-After"), Some("10"));
        }
        calls += service.last_d1_calls();
        service.me(&token).await.expect(200);
    }
    assert_eq!(calls, 1);
    // A key that was looked up and not found is refused without another call.
    service.advance(5);
    let known = forged(&token, &own, |header, _| header["kid"] = json!(UNKNOWN));
    service.me(&known).await.expect_error(401, "AUTH_TOKEN_INVALID");
    assert_eq!(service.last_d1_calls(), 0);
    service.advance(5);
    let stranger = forged(&token, &own, |header, _| header["kid"] = json!("f".repeat(32)));
    service.me(&stranger).await.expect_error(401, "AUTH_TOKEN_INVALID");
    assert_eq!(service.last_d1_calls(), 1);
}

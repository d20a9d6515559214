//! Sign-in with a passkey alone: the options, single use, and one answer for everything wrong.

use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::{Authenticator, BACKED_UP, BACKUP_ELIGIBLE, Twist, USER_PRESENT, USER_VERIFIED};
use crate::support::passkey::{
    ORIGIN, account, answer, claims, interleaving, parsed, register, service_with, sign_in, start,
};
use crate::support::{EMAIL, Service};

fn sessions(service: &Service) -> i64 {
    service.db.one("SELECT count(*) FROM sessions")
}

#[tokio::test]
async fn a_passkey_signs_in_without_an_address() {
    for (flags, method) in [(0, "hwk"), (BACKUP_ELIGIBLE, "swk"), (BACKUP_ELIGIBLE | BACKED_UP, "swk")] {
        let service = service_with(&[]);
        let tokens = service.register(EMAIL).await;
        let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
        passkey.flags |= flags;
        register(&service, &tokens.access, &mut passkey).await.expect(201);
        let reply = sign_in(&service, &mut passkey).await.expect(200);
        assert_eq!(service.last_d1_calls(), 2);
        let mut members: Vec<_> = reply.body.as_object().unwrap().keys().cloned().collect();
        members.sort();
        assert_eq!(members, ["access_token", "device_token", "expires_in", "refresh_token", "token_type"]);
        let signed_in = reply.tokens();
        assert_eq!(claims(&signed_in.access)["amr"], json!([method, "mfa"]));
        assert_eq!(claims(&signed_in.access)["sub"], claims(&tokens.access)["sub"]);
        let refreshed = service.refresh(&signed_in.refresh).await.expect(200).tokens();
        assert_eq!(claims(&refreshed.access)["amr"], json!([method, "mfa"]));
        let reason: String =
            service.db.one("SELECT reason FROM audit_events WHERE type = 'signed_in' ORDER BY id DESC LIMIT 1");
        assert_eq!(reason, "passkey");
    }
}

#[tokio::test]
async fn the_options_are_alike_for_every_caller_and_read_nothing() {
    let service = service_with(&[]);
    let before = start(&service).await;
    assert_eq!(service.last_d1_calls(), 0);
    account(&service).await;
    let after = start(&service).await;
    assert_eq!(service.last_d1_calls(), 0);
    let without_challenge = |started: &Value| {
        let mut options = started["options"].clone();
        options["challenge"] = Value::Null;
        options
    };
    assert_eq!(without_challenge(&before), without_challenge(&after));
    assert_ne!(before["flow"], after["flow"]);
    let expected = json!({
        "challenge": null, "timeout": 300_000, "rpId": "login.example.org", "allowCredentials": [],
        "userVerification": "required",
    });
    assert_eq!(without_challenge(&after), expected);
}

fn twists() -> Vec<Twist> {
    let with_flags = |flags| Twist { flags: Some(flags), ..Twist::default() };
    vec![
        Twist { ceremony_type: Some("webauthn.create"), ..Twist::default() },
        Twist { challenge: Some(vec![7; 33]), ..Twist::default() },
        Twist { origin: Some("https://evil.example"), ..Twist::default() },
        Twist { origin: Some("http://login.example.org"), ..Twist::default() },
        Twist { is_cross_origin: true, ..Twist::default() },
        Twist { top_origin: Some("https://login.example.org"), ..Twist::default() },
        Twist { rp_id: Some("example.org"), ..Twist::default() },
        with_flags(0),
        with_flags(USER_PRESENT),
        with_flags(USER_VERIFIED),
        with_flags(USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE),
        with_flags(USER_PRESENT | USER_VERIFIED | BACKED_UP),
        Twist { credential_id: Some(vec![7; 16]), ..Twist::default() },
        Twist { user_handle: Some(vec![7; 32]), ..Twist::default() },
        Twist { omits_user_handle: true, ..Twist::default() },
        Twist { breaks_signature: true, ..Twist::default() },
    ]
}

#[tokio::test]
async fn every_deviation_gets_the_same_answer_and_opens_nothing() {
    for algorithm in [SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256] {
        let service = service_with(&[]);
        let tokens = service.register(EMAIL).await;
        let mut passkey = Authenticator::new(algorithm);
        register(&service, &tokens.access, &mut passkey).await.expect(201);
        let mut bodies = Vec::new();
        let started = start(&service).await;
        for twist in twists() {
            passkey.twist = twist.clone();
            let credential = passkey.authenticate(&started["options"], ORIGIN);
            let refused = answer(&service, &started["flow"], &credential).await;
            assert_eq!(refused.status, 401, "{twist:?}");
            bodies.push(refused.expect_error(401, "AUTH_INVALID_CREDENTIALS").body["error"].clone());
            assert_eq!(sessions(&service), 1, "{twist:?}");
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1);
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM used_challenges WHERE used_at IS NOT NULL"), 1);
        passkey.twist = Twist::default();
        let credential = passkey.authenticate(&started["options"], ORIGIN);
        answer(&service, &started["flow"], &credential).await.expect(200);
    }
}

#[tokio::test]
async fn an_assertion_and_its_challenge_sign_in_once() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let started = start(&service).await;
    let credential = passkey.authenticate(&started["options"], ORIGIN);
    answer(&service, &started["flow"], &credential).await.expect(200);
    let other = passkey.authenticate(&started["options"], ORIGIN);
    for credential in [&credential, &other] {
        answer(&service, &started["flow"], credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    // The assertion answers no other flow.
    let next = start(&service).await;
    answer(&service, &next["flow"], &credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(sessions(&service), 2);
}

#[tokio::test]
async fn of_two_concurrent_answers_one_signs_in() {
    let service = interleaving(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let started = start(&service).await;
    let [one, other] = [0, 1].map(|_| passkey.authenticate(&started["options"], ORIGIN));
    for answers in [[&one, &one], [&one, &other]] {
        service.db.execute("DELETE FROM used_challenges; DELETE FROM sessions");
        let (first, second) = tokio::join!(
            answer(&service, &started["flow"], answers[0]),
            answer(&service, &started["flow"], answers[1])
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!((statuses, sessions(&service)), ([200, 401], 1));
    }
}

#[tokio::test]
async fn a_sign_in_is_valid_for_five_minutes() {
    for (seconds, status) in [(299, 200), (300, 401)] {
        let service = service_with(&[]);
        let (_, mut passkey, _) = account(&service).await;
        let started = start(&service).await;
        let credential = passkey.authenticate(&started["options"], ORIGIN);
        service.advance(seconds);
        answer(&service, &started["flow"], &credential).await.expect(status);
    }
}

#[tokio::test]
async fn an_unknown_credential_gets_the_answer_of_a_wrong_one() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let started = start(&service).await;
    let mut credential = parsed(&passkey.authenticate(&started["options"], ORIGIN));
    credential["id"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    credential["rawId"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    let unknown = answer(&service, &started["flow"], &credential.to_string()).await;
    let unknown = unknown.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    passkey.twist.breaks_signature = true;
    let wrong = answer(&service, &started["flow"], &passkey.authenticate(&started["options"], ORIGIN)).await;
    assert_eq!(unknown.body["error"], wrong.expect(401).body["error"]);
}

#[tokio::test]
async fn another_passkey_of_the_same_credential_id_does_not_sign_in() {
    let service = service_with(&[]);
    let (_, passkey, _) = account(&service).await;
    let eve = service.register("eve@example.com").await;
    let mut of_eve = Authenticator::new(SignatureAlgorithm::Es256);
    register(&service, &eve.access, &mut of_eve).await.expect(201);
    // The key of one account under the id of another one.
    of_eve.twist.credential_id = Some(passkey.credential_id.clone());
    sign_in(&service, &mut of_eve).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    of_eve.twist = Twist::default();
    let reply = sign_in(&service, &mut of_eve).await.expect(200);
    assert_eq!(service.me(&reply.tokens().access).await.body["email"], "eve@example.com");
}

#[tokio::test]
async fn only_a_right_assertion_learns_that_the_account_is_disabled() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    service.db.execute("UPDATE users SET is_active = 0");
    passkey.twist.breaks_signature = true;
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    passkey.twist = Twist::default();
    sign_in(&service, &mut passkey).await.expect_error(403, "AUTH_INACTIVE_USER");
    assert_eq!(sessions(&service), 1);
}

#[tokio::test]
async fn a_suspended_passkey_does_not_sign_in() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    service.db.execute("UPDATE passkeys SET suspended_at = 1");
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.db.execute("UPDATE passkeys SET suspended_at = NULL");
    sign_in(&service, &mut passkey).await.expect(200);
}

#[tokio::test]
async fn a_counter_that_goes_back_is_logged_and_signs_in() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let counter = || service.db.one::<i64>("SELECT sign_count FROM passkeys");
    passkey.twist.counter = Some(40);
    sign_in(&service, &mut passkey).await.expect(200);
    let message = "The counter of a passkey went back";
    assert_eq!((counter(), service.logs(message).len()), (40, 0));
    for (sent, lines) in [(40, 1), (7, 2), (41, 2)] {
        passkey.twist.counter = Some(sent);
        sign_in(&service, &mut passkey).await.expect(200);
        assert_eq!(service.logs(message).len(), lines, "{sent}");
    }
    assert_eq!(counter(), 41, "the stored counter never goes back");
    assert!(service.logs(message)[0]["passkey_id"].is_number());
}

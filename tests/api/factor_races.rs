//! Second factors under concurrent writes: each use asks for its conditions again in the statement that opens something.

use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::passkey::{
    ORIGIN, PASSKEYS, PATH, creation_options, interleaving, parsed, present, sign_in, start,
};
use crate::support::totp::{App, account, enrol, first_factor, second_factor};
use crate::support::world::{Person, World, address};
use crate::support::{PASSWORD, Reply, Service};

const PEOPLE: [Person; 2] = [("bob", ""), ("root", "PLATFORM_ADMIN")];
/// The beginning of the statement that uses a challenge.
const MARK: &str = "INSERT INTO used_challenges (id, user_id, failures, used_at";

fn sessions(service: &Service) -> i64 {
    service.db.one("SELECT count(*) FROM sessions")
}

fn sorted(replies: [Reply; 2]) -> [u16; 2] {
    let mut statuses = replies.map(|reply| reply.status);
    statuses.sort_unstable();
    statuses
}

/// Bob's session, app and recovery codes.
async fn with_app(world: &World) -> (String, App, Vec<String>) {
    let access = world.service.login(&address("bob"), PASSWORD).await.expect(200).tokens().access;
    let (app, codes) = enrol(&world.service, &access).await;
    (access, app, codes)
}

async fn pending(service: &Service, name: &str) -> Value {
    let reply = service.login(&address(name), PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    reply.body["error"]["details"].clone()
}

#[tokio::test]
async fn a_sign_in_is_not_completed_once_its_conditions_are_gone() {
    for (member, concurrent) in [
        ("code", "DELETE FROM totp_secrets"),
        ("code", "UPDATE totp_secrets SET suspended_at = 1"),
        ("code", "UPDATE totp_secrets SET used_step = 9007199254740991"),
        (
            "code",
            "INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/second-factor', 6, 9007199254740991)",
        ),
        ("recovery_code", "UPDATE recovery_codes SET hashes = ''"),
        ("recovery_code", "DELETE FROM recovery_codes"),
        ("code", "UPDATE users SET password_version = password_version + 1"),
        ("recovery_code", "UPDATE users SET password_version = password_version + 1"),
        ("code", "UPDATE users SET is_active = 0"),
        ("recovery_code", "UPDATE users SET erasure_cursor = 0, is_active = 0, email = 'erased:1' WHERE id = 1"),
    ] {
        let world = World::overtaken(&PEOPLE, MARK, concurrent);
        let (_, app, codes) = with_app(&world).await;
        let token = pending(&world.service, "bob").await["mfa_token"].as_str().unwrap().to_owned();
        let value = if member == "code" { app.code(0) } else { codes[0].clone() };
        let refused = second_factor(&world.service, &token, member, value).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(sessions(&world.service), 1, "{concurrent}");
        assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM used_challenges"), 0, "{concurrent}");
    }
}

#[tokio::test]
async fn a_step_up_is_refused_once_its_conditions_are_gone() {
    for concurrent in [
        "DELETE FROM sessions",
        "DELETE FROM totp_secrets",
        "UPDATE totp_secrets SET used_step = 9007199254740991",
        "UPDATE users SET is_active = 0",
    ] {
        let world = World::overtaken(&PEOPLE, MARK, concurrent);
        let (access, app, _) = with_app(&world).await;
        let request = format!(r#"POST /auth/step-up {{"code": "{}"}}"#, app.code(0));
        world.with_token(&access).ask(&request).await.expect(401);
    }
}

#[tokio::test]
async fn a_password_that_was_read_before_an_enrolment_opens_nothing() {
    let enrolled = "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
                    VALUES (1, 1, 1, 'sealed', 'key', 1)";
    let world = World::overtaken(&PEOPLE, "INSERT INTO sessions", enrolled);
    world.service.login(&address("bob"), PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    assert_eq!(sessions(&world.service), 0);
}

#[tokio::test]
async fn a_session_that_ended_concurrently_adds_no_app() {
    let world = World::overtaken(&PEOPLE, "SET is_confirmed = 1", "DELETE FROM sessions");
    let bob = world.sign_in("bob").await;
    let offer = bob.ask("POST /users/me/mfa/totp").await.expect(201).body;
    let app = App::of(offer["secret"].as_str().unwrap());
    let confirm = format!(r#"POST /users/me/mfa/totp/confirm {{"code": "{}"}}"#, app.code(0));
    bob.ask(&confirm).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM totp_secrets WHERE is_confirmed = 1"), 0);
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM recovery_codes"), 0);
}

#[tokio::test]
async fn a_session_that_ended_concurrently_adds_no_passkey() {
    let world = World::overtaken_with(&PEOPLE, PASSKEYS, "INSERT INTO passkeys", "DELETE FROM sessions");
    let access = world.service.login(&address("bob"), PASSWORD).await.expect(200).tokens().access;
    let options = creation_options(&world.service, &access).await;
    let credential = parsed(&Authenticator::new(SignatureAlgorithm::EdDsa).register(&options, ORIGIN));
    present(&world.service, &access, "Laptop", &credential).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    for table in ["passkeys", "used_challenges", "recovery_codes"] {
        assert_eq!(world.service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

/// The account is taken back from a thief while its owner removes the passkey.
#[tokio::test]
async fn a_passkey_that_became_the_last_way_in_concurrently_stays() {
    for (caller, statement) in
        [("bob", "DELETE FROM passkeys WHERE id"), ("root", "DELETE FROM passkeys WHERE user_id")]
    {
        let taken_back = "UPDATE users SET has_password = 0 WHERE id = 1";
        let world = World::overtaken_with(&PEOPLE, PASSKEYS, statement, taken_back);
        let service = &world.service;
        let access = service.login(&address("bob"), PASSWORD).await.expect(200).tokens().access;
        let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
        crate::support::passkey::register(service, &access, &mut passkey).await.expect(201);
        let own = sign_in(service, &mut passkey).await.expect(200).tokens().access;
        let id: i64 = service.db.one("SELECT id FROM passkeys");
        let reply = if caller == "bob" {
            service.call("DELETE", &format!("{PATH}/{id}"), &own, None).await
        } else {
            world.sign_in("root").await.ask("DELETE /admin/users/1/mfa").await
        };
        reply.expect_error(409, "CONFLICT");
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
        service.me(&own).await.expect(200);
        sign_in(service, &mut passkey).await.expect(200);
    }
}

#[tokio::test]
async fn an_administrator_that_lost_the_role_concurrently_removes_no_factors() {
    let lost = "DELETE FROM user_university_roles";
    let world = World::overtaken(&PEOPLE, "DELETE FROM passkeys WHERE user_id", lost);
    let (access, ..) = with_app(&world).await;
    world.sign_in("root").await.ask("DELETE /admin/users/1/mfa").await.expect_error(403, "FORBIDDEN");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM totp_secrets"), 1);
    world.service.me(&access).await.expect(200);
}

#[tokio::test]
async fn a_code_opens_one_of_two_concurrent_sign_ins() {
    for member in ["code", "recovery_code"] {
        let service = interleaving(&[]);
        let (_, app, codes) = account(&service).await;
        let value = if member == "code" { app.code(0) } else { codes[0].clone() };
        let (one, other) = (first_factor(&service).await, first_factor(&service).await);
        let (first, second) = tokio::join!(
            second_factor(&service, &one, member, value.as_str()),
            second_factor(&service, &other, member, value.as_str())
        );
        assert_eq!((sorted([first, second]), sessions(&service)), ([200, 401], 2));
    }
}

#[tokio::test]
async fn a_code_is_good_for_a_sign_in_or_a_step_up_and_not_for_both() {
    let service = interleaving(&[]);
    let (tokens, app, _) = account(&service).await;
    let pending = first_factor(&service).await;
    let body = json!({"code": app.code(0)});
    let (first, second) = tokio::join!(
        second_factor(&service, &pending, "code", app.code(0)),
        service.call("POST", "/auth/step-up", &tokens.access, Some(&body))
    );
    assert_eq!(sorted([first, second]), [200, 401]);
}

/// The sixth of six concurrent answers is refused, even if it is the right one.
#[tokio::test]
async fn concurrent_wrong_answers_are_all_counted() {
    let service = interleaving(&[]);
    let (_, app, codes) = account(&service).await;
    let token = first_factor(&service).await;
    let guess = async || second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
    tokio::join!(guess(), guess(), guess(), guess(), guess());
    second_factor(&service, &token, "recovery_code", codes[0].as_str()).await.expect(401);
    assert_eq!(service.db.one::<i64>("SELECT max(failures) FROM used_challenges"), 5);
    assert_eq!(service.db.one::<i64>("SELECT failures FROM throttles WHERE key = 'user/1/second-factor'"), 5);
}

#[tokio::test]
async fn one_of_two_concurrent_confirmations_of_an_app_gives_its_codes() {
    let service = interleaving(&[]);
    let tokens = service.register(crate::support::EMAIL).await;
    let offer = service.call("POST", "/users/me/mfa/totp", &tokens.access, None).await.expect(201).body;
    let body = json!({"code": App::of(offer["secret"].as_str().unwrap()).code(0)});
    let confirm = async || service.call("POST", "/users/me/mfa/totp/confirm", &tokens.access, Some(&body)).await;
    let (first, second) = tokio::join!(confirm(), confirm());
    assert_eq!(sorted([first, second])[0], 200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM totp_secrets"), 1);
    assert_eq!(service.db.one::<i64>("SELECT length(hashes) / 65 FROM recovery_codes"), 10);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'factor_added'"), 1);
}

/// A sign-in with a passkey whose owner removes it concurrently.
#[tokio::test]
async fn a_passkey_that_was_removed_concurrently_does_not_sign_in() {
    for concurrent in
        ["DELETE FROM passkeys", "UPDATE passkeys SET suspended_at = 1", "UPDATE users SET is_active = 0 WHERE id = 1"]
    {
        let world = World::overtaken_with(&PEOPLE, PASSKEYS, MARK, concurrent);
        let service = &world.service;
        let access = service.login(&address("bob"), PASSWORD).await.expect(200).tokens().access;
        let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
        crate::support::passkey::register(service, &access, &mut passkey).await.expect(201);
        let started = start(service).await;
        let credential = passkey.authenticate(&started["options"], ORIGIN);
        let refused = crate::support::passkey::answer(service, &started["flow"], &credential).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(sessions(service), 1, "{concurrent}");
    }
}

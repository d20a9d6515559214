//! Mailed codes beside a token, for a step-up and for a first second factor: they are used up in the batch that they open
//! something in. Round trips, concurrent writers, lost answers.

use std::sync::Arc;

use edge_auth::domain::mail::proof::Purpose;
use edge_auth::ports::Db;
use serde_json::json;

use crate::lost_answers::LostAnswers;
use crate::support::Reply;
use crate::support::mail::planted_code;
use crate::support::passkey::ORIGIN;
use crate::support::world::{Person, World, address};

const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("eve", "PLATFORM_ADMIN")];
const SETTINGS: &[(&str, &str)] = &[
    ("MAIL", "binding"),
    ("MAIL_FROM", "login@example.com"),
    ("PUBLIC_URL", ORIGIN),
    ("MFA_REQUIRED_ROLES", r#"["PLATFORM_ADMIN"]"#),
];
const CODES: &str = "email_proofs WHERE purpose IN ('step_up', 'enrol')";
const PROVEN: &str = "UPDATE users SET email_verified_at = 1";

/// A route, the purpose of its code, the status of its success, and a statement of its batch.
const ROUTES: [(&str, Purpose, u16, &str); 3] = [
    ("/auth/step-up", Purpose::StepUp, 200, "SELECT s.expires_at"),
    ("/users/me/mfa/totp", Purpose::Enrol, 201, "INSERT INTO totp_secrets"),
    ("/users/me/passkeys/options", Purpose::Enrol, 200, "SET passkey_handle"),
];

/// The request of root with a code of this user. For a step-up, the account has no password.
async fn send(world: &World, (path, purpose, ..): (&str, Purpose, u16, &str), of: &str) -> Reply {
    world.service.db.execute(PROVEN);
    let root = world.sign_in("root").await;
    if purpose == Purpose::StepUp {
        world.service.db.execute("UPDATE users SET has_password = 0");
    }
    let code = planted_code(&world.service.db, purpose, &address(of));
    root.ask(&format!("POST {path} {code}")).await
}

fn count(world: &World, of: &str) -> i64 {
    world.service.db.one(&format!("SELECT count(*) FROM {of}"))
}

#[tokio::test]
async fn a_mailed_code_takes_no_round_trip_of_its_own() {
    for route in ROUTES {
        let world = World::through(&PEOPLE, SETTINGS, |db| db);
        send(&world, route, "root").await.expect(route.2);
        assert_eq!((world.service.last_d1_calls(), count(&world, CODES)), (2, 0), "{}: used up", route.0);
    }
}

#[tokio::test]
async fn the_mailed_code_of_another_account_opens_nothing_and_is_kept() {
    for route in ROUTES {
        let world = World::through(&PEOPLE, SETTINGS, |db| db);
        send(&world, route, "eve").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(world.service.last_d1_calls(), 2, "{}", route.0);
        assert_eq!((count(&world, CODES), count(&world, "totp_secrets")), (1, 0), "{}", route.0);
    }
}

#[tokio::test]
async fn a_mailed_code_that_is_used_or_void_concurrently_opens_nothing() {
    for route in ROUTES {
        for concurrent in [
            "DELETE FROM email_proofs",
            "UPDATE email_proofs SET code_expires_at = 1",
            "UPDATE email_proofs SET failures = 5",
            "UPDATE users SET email = 'moved@example.com' WHERE id = 1",
        ] {
            let world = World::overtaken_with(&PEOPLE, SETTINGS, route.3, concurrent);
            let refused = send(&world, route, "root").await;
            refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            assert_eq!(count(&world, "totp_secrets"), 0, "{}, and {concurrent}", route.0);
        }
    }
}

#[tokio::test]
async fn a_session_that_ended_concurrently_gets_nothing_for_a_mailed_code() {
    for route in &ROUTES[..2] {
        let world = World::overtaken_with(&PEOPLE, SETTINGS, route.3, "DELETE FROM sessions");
        send(&world, *route, "root").await.expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(count(&world, "totp_secrets"), 0, "{}", route.0);
    }
}

#[tokio::test]
async fn an_enrolment_by_a_mailed_code_succeeds_though_its_answer_was_lost() {
    let world = World::through(&PEOPLE, SETTINGS, |db| Arc::new(LostAnswers(db)) as Arc<dyn Db>);
    let offered = send(&world, ROUTES[1], "root").await.expect(201);
    assert!(offered.body["secret"].is_string());
    assert_eq!((count(&world, CODES), count(&world, "totp_secrets")), (0, 1));
}

/// An account with a password has a stronger evidence than its mailbox.
#[tokio::test]
async fn a_mailed_code_is_kept_where_the_account_has_a_password() {
    let world = World::through(&PEOPLE, SETTINGS, |db| db);
    world.service.db.execute(PROVEN);
    let code = planted_code(&world.service.db, Purpose::StepUp, &address("root"));
    let refused = world.sign_in("root").await.ask(&format!("POST /auth/step-up {code}")).await;
    let refused = refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(refused.body["error"]["details"]["methods"], json!(["password"]));
    assert_eq!(count(&world, CODES), 1);
}

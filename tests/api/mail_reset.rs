//! A new password by mail: links and codes, single use, and the end of sessions and keys.

use serde_json::json;

use crate::support::mail::{MAIL, ask, forgot, reset, settle, with, wrong_code};
use crate::support::{EMAIL, PASSWORD, Service};

const NEW_PASSWORD: &str = "staple battery horse correct";
const FORGOT: &str = "/auth/password/forgot";

fn service() -> Service {
    with(MAIL, &[])
}

fn proven(service: &Service) {
    service.db.execute("UPDATE users SET email_verified_at = 1");
}

#[tokio::test]
async fn the_link_of_a_mail_sets_a_new_password_once() {
    let service = service();
    let tokens = service.register(EMAIL).await;
    let (letter, _) = forgot(&service).await;
    assert_eq!((letter.to(), letter.subject()), (EMAIL, "A new password for edge-auth"));
    assert!(letter.0["text"].as_str().unwrap().contains("https://login.example.com/reset#token="));
    let link = json!({"token": letter.token()});
    reset(&service, link.clone(), NEW_PASSWORD).await.expect(200);
    assert_eq!(service.mailbox.take_one().subject(), "Your password for edge-auth was changed");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let tokens = service.login(EMAIL, NEW_PASSWORD).await.expect(200).tokens();
    assert_eq!(service.me(&tokens.access).await.body["email_verified"], true);
    reset(&service, link, "another battery horse").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM mails"), 0, "the outbox is empty");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'password_reset'"), 1);
}

#[tokio::test]
async fn a_code_needs_its_flow_and_bears_five_wrong_guesses() {
    let service = service();
    service.register(EMAIL).await;
    let (letter, flow) = forgot(&service).await;
    let wrong = wrong_code(&letter.code());
    let other_flow = ask(&service, FORGOT, "other@example.com").await;
    let with = |flow: &str, code: &str| json!({"flow": flow, "code": code});
    reset(&service, with(&other_flow, &letter.code()), NEW_PASSWORD)
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for _ in 0..4 {
        reset(&service, with(&flow, wrong), NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let spaced = format!("{} {}", &letter.code()[..4], &letter.code()[4..]);
    reset(&service, with(&flow, &spaced), NEW_PASSWORD).await.expect(200);

    service.advance(60);
    service.mailbox.take();
    let (letter, flow) = forgot(&service).await;
    for _ in 0..5 {
        reset(&service, with(&flow, wrong), NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    reset(&service, with(&flow, &letter.code()), NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // A stranger with a flow cannot make the owner's link void.
    reset(&service, json!({"token": letter.token()}), "third battery horse").await.expect(200);
}

#[tokio::test]
async fn links_live_30_minutes_and_codes_10() {
    let service = service();
    service.register(EMAIL).await;
    let (letter, flow) = forgot(&service).await;
    service.advance(600);
    let code = json!({"flow": flow, "code": letter.code()});
    reset(&service, code, NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(1199);
    let (other, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    // A new mail does not void an earlier one, but a change of the password voids every other.
    reset(&service, json!({"token": other.token()}), PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.mailbox.take();
    let (letter, _) = {
        service.advance(60);
        forgot(&service).await
    };
    service.advance(1800);
    reset(&service, json!({"token": letter.token()}), PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// The stranger that registered the address first has nothing left, and the audit says so.
#[tokio::test]
async fn a_reset_of_an_unproven_address_empties_the_account() {
    let service = service();
    let thief = service.register(EMAIL).await;
    let name = json!({"full_name": "The Thief"});
    service.call("PATCH", "/users/me", &thief.access, Some(&name)).await.expect(200);
    let made = json!({"name": "Key", "permissions": ["universities:view"]});
    let key = service.call("POST", "/users/me/api-keys", &thief.access, Some(&made)).await.expect(201).body;
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)");
    service.db.execute(
        "INSERT INTO throttles (key, tag, failures, blocked_until, signed_in_at)
         VALUES ('user/1/known/00', 'device/0123456789abcdef0123456789abcdef', 3, 0, NULL)",
    );
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    assert_eq!(format!("{:?}", service.db.rows("SELECT * FROM throttles")), "[]", "the thief's device is unknown");
    service.me(key["key"].as_str().unwrap()).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&thief.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    let owner = service.login(EMAIL, NEW_PASSWORD).await.expect(200).tokens();
    let me = service.me(&owner.access).await.body;
    assert_eq!((&me["roles"], &me["email_verified"], &me["full_name"]), (&json!([]), &json!(true), &json!(null)));
    let reason: String = service.db.one("SELECT reason FROM audit_events WHERE type = 'password_reset'");
    assert_eq!(reason, "emptied");
    assert!(service.db.one::<bool>("SELECT registered_network IS NULL FROM users"), "the thief's network is unknown");
}

#[tokio::test]
async fn a_proven_account_keeps_its_roles() {
    let service = service();
    service.register(EMAIL).await;
    proven(&service);
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)");
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM user_university_roles"), 1);
    assert!(service.db.one::<bool>("SELECT reason IS NULL FROM audit_events WHERE type = 'password_reset'"));
}

/// Known, unknown, disabled and unproven addresses: the same answer, statements, rows and tasks.
#[tokio::test]
async fn asking_tells_nothing_about_the_address() {
    let service = service();
    for name in ["known", "unproven", "disabled"] {
        service.register(&format!("{name}@example.com")).await;
    }
    service.db.execute(
        "UPDATE users SET email_verified_at = 1 WHERE email = 'known@example.com';
         UPDATE users SET is_active = 0 WHERE email = 'disabled@example.com'",
    );
    let mut costs = Vec::new();
    for name in ["known", "unproven", "disabled", "unknown"] {
        let before = service.db.one::<i64>("SELECT total_changes()");
        let reply = service.post(FORGOT, &json!({"email": format!("{name}@example.com")})).await.expect(202);
        settle().await;
        let rows = service.db.one::<i64>("SELECT total_changes()") - before;
        let flow = reply.body["flow"].as_str().unwrap().split_once('.').unwrap().1.len();
        costs.push((reply.body["message"].clone(), reply.headers.len(), flow, service.last_d1_calls(), rows));
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
    let to: Vec<_> = service.mailbox.take().iter().map(|letter| letter.to().to_owned()).collect();
    assert_eq!(to, ["known@example.com", "unproven@example.com"]);
}

#[tokio::test]
async fn without_mail_the_operations_do_not_exist() {
    let service = Service::new();
    service.register(EMAIL).await;
    for (path, body) in [
        (FORGOT, json!({"email": EMAIL})),
        ("/auth/email/verification", json!({"email": EMAIL})),
        ("/auth/email/verify", json!({"token": "1.a"})),
    ] {
        service.post(path, &body).await.expect_error(404, "NOT_FOUND");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 0);
}

#[tokio::test]
async fn faults_of_a_body_are_reported() {
    let service = service();
    for (body, fields) in [
        (json!({}), vec!["new_password", "token"]),
        (json!({"token": "1.a"}), vec!["new_password"]),
        (json!({"flow": "1.a", "new_password": NEW_PASSWORD}), vec!["code"]),
        (json!({"code": "12345678", "new_password": NEW_PASSWORD}), vec!["flow"]),
        (json!({"token": 1, "new_password": "short"}), vec!["new_password", "token"]),
    ] {
        let reply = service.post("/auth/password/reset", &body).await.expect(422);
        let errors = reply.body["error"]["details"]["errors"].as_array().unwrap();
        let mut found: Vec<_> = errors.iter().map(|error| error["loc"][1].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, fields, "{body}");
    }
    // A text that this service did not write costs neither a hash nor a round trip.
    for text in ["", "1", "1.0123456789abcdef0123456789abcdef", "x.y"] {
        reset(&service, json!({"token": text}), NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(service.last_d1_calls(), 0, "{text}");
    }
}

/// An administrator hands a link over: with or without mail, it proves nothing about the address.
#[tokio::test]
async fn an_administrator_hands_a_link_over() {
    for settings in [MAIL, &[]] {
        let service = with(settings, &[]);
        let administrator = service.register("root@example.com").await;
        let user = service.register(EMAIL).await;
        service.db.execute(
            "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1);
             INSERT INTO universities (name, slug, created_at) VALUES ('Here', 'here', 1);
             INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (2, 1, 'TA', 1)",
        );
        let path = "/admin/users/2/password-reset";
        service.call("POST", path, &user.access, None).await.expect_error(403, "FORBIDDEN");
        let made = service.call("POST", path, &administrator.access, None).await.expect(201).body;
        assert_eq!(made["expires_at"], "2027-01-15T08:30:00.000Z");
        let link = json!({"token": made["token"]});
        service.advance(1799);
        reset(&service, link.clone(), NEW_PASSWORD).await.expect(200);
        assert_eq!(service.mailbox.take().len(), 0, "the address is not proven");
        let tokens = service.login(EMAIL, NEW_PASSWORD).await.expect(200).tokens();
        let me = service.me(&tokens.access).await.body;
        assert_eq!((me["roles"].as_array().unwrap().len(), &me["email_verified"]), (1, &json!(false)));
        reset(&service, link, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.db.execute("UPDATE users SET is_active = 0 WHERE id = 2");
        let administrator = service.login("root@example.com", PASSWORD).await.expect(200).tokens();
        service.call("POST", path, &administrator.access, None).await.expect_error(409, "CONFLICT");
        let events =
            service.db.rows("SELECT type, reason, actor_id FROM audit_events WHERE type LIKE 'password_reset%'");
        let events: Vec<_> = events.iter().map(|row| (row["type"].as_str(), row["reason"].as_str())).collect();
        let expected = [(Some("password_reset_handed_over"), None), (Some("password_reset"), Some("hand_over"))];
        assert_eq!(events, expected);
    }
}

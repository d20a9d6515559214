//! Administration that cannot be undone: the age of the sign-in, and the password that stands for a recent one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edge_auth::domain::ids::{SessionId, TokenId, UserId};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::domain::session::token::{TokenClaims, TokenKind};
use serde_json::{Value, json};

use crate::support::world::{Person, Visitor, World, address};
use crate::support::{PASSWORD, Reply, SECRET, clock};

pub const PEOPLE: [Person; 6] = [
    ("root", "PLATFORM_ADMIN"),
    ("second", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("vera", "UNIVERSITY_ADMIN@1"),
    ("bob", "STUDENT@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
];

/// Caller, status of the success, request without its password. `PUT` and the like take further members.
const IRREVERSIBLE: [(&str, u16, &str); 18] = [
    ("root", 201, "POST /admin/users/5/password-reset {}"),
    ("root", 204, "DELETE /admin/users/5 {}"),
    ("root", 204, "DELETE /admin/users/3 {}"),
    ("root", 200, "POST /admin/users/3/logout {}"),
    ("root", 200, "POST /admin/users/2/logout {}"),
    ("root", 200, r#"PATCH /admin/users/3 {"is_active": false}"#),
    ("root", 200, r#"PATCH /admin/users/2 {"full_name": "Gone", "is_active": false}"#),
    ("root", 200, r#"PATCH /admin/users/1 {"is_active": false}"#),
    ("root", 200, r#"PATCH /admin/users/5 {"email_verified": true}"#),
    ("root", 201, r#"POST /universities/1/roles {"user_id": 5, "role": "PLATFORM_ADMIN"}"#),
    ("root", 204, "DELETE /universities/1/roles/2 {}"),
    ("root", 204, "DELETE /universities/1/roles/3 {}"),
    ("ulla", 204, "DELETE /universities/1/roles/4 {}"),
    ("root", 201, r#"POST /admin/service-accounts {"name": "New", "scopes": []}"#),
    ("root", 200, r#"PATCH /admin/service-accounts/1 {"is_active": false}"#),
    ("root", 204, "DELETE /admin/service-accounts/1 {}"),
    ("root", 201, "POST /admin/service-accounts/1/keys {}"),
    ("root", 204, "DELETE /admin/service-accounts/1/keys/1 {}"),
];

/// The same for acts that a later one undoes, or that concern the caller.
const REVERSIBLE: [(&str, u16, &str); 11] = [
    ("root", 200, r#"PATCH /admin/users/3 {"full_name": "Ulla"}"#),
    ("root", 200, r#"PATCH /admin/users/3 {"is_active": true}"#),
    ("root", 200, r#"PATCH /admin/users/5 {"is_active": false}"#),
    ("root", 200, "POST /admin/users/5/logout"),
    ("root", 200, "POST /admin/users/6/logout"),
    ("root", 200, "POST /admin/users/1/logout"),
    ("root", 200, "POST /admin/users/3/unlock"),
    ("root", 201, r#"POST /universities/1/roles {"user_id": 5, "role": "UNIVERSITY_ADMIN"}"#),
    ("root", 204, "DELETE /universities/1/roles/5"),
    ("root", 204, "DELETE /universities/1/roles/1"),
    ("ulla", 204, "DELETE /universities/1/roles/3"),
];

pub const RIGHT: &str = PASSWORD;
pub const WRONG: &str = "not the password of anybody";

/// A caller that signed in more than ten minutes ago, and a user whose sessions can be ended.
pub async fn old<'a>(world: &'a World, name: &str) -> Visitor<'a> {
    let caller = world.sign_in(name).await;
    world.service.advance(601);
    for other in ["ulla", "second", "bob"] {
        world.sign_in(other).await;
    }
    caller
}

/// The request with this member, which may be the only one.
fn with(request: &str, password: &Value) -> String {
    let member = format!("{{\"password\": {password}, ");
    request.replacen('{', &member, 1).replace(", }", "}")
}

/// Everything that the acts could change.
fn state(world: &World) -> String {
    let sessions = world.service.db.rows("SELECT id FROM sessions ORDER BY id");
    format!("{} {sessions:?}", world.dump())
}

pub fn failures(world: &World, name: &str) -> i64 {
    let key = format!("user/{}/reauthentication", world.id(name));
    world.service.db.one(&format!("SELECT coalesce(max(failures), 0) FROM throttles WHERE key = '{key}'"))
}

pub fn refusals(world: &World) -> Vec<Value> {
    let sql = "SELECT reason, user_id, count FROM audit_events WHERE type = 'step_up_refused' ORDER BY last_at, id";
    let mut refusals = Vec::new();
    for row in world.service.db.rows(sql) {
        let count = usize::try_from(row["count"].as_u64().unwrap()).unwrap();
        refusals.extend(vec![json!([row["reason"], row["user_id"]]); count]);
    }
    refusals
}

#[track_caller]
fn assert_step_up(reply: Reply) {
    let reply = reply.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(reply.body["error"]["details"], json!({"max_age": 600, "methods": ["password"]}));
    let challenge = r#"Bearer realm="edge-auth", error="insufficient_user_authentication", max_age=600"#;
    assert_eq!(reply.header("www-authenticate"), Some(challenge));
}

#[tokio::test]
async fn irreversible_acts_need_a_recent_sign_in_or_the_right_password() {
    for (caller, status, request) in IRREVERSIBLE {
        let world = World::of(&PEOPLE);
        let visitor = old(&world, caller).await;
        let before = state(&world);
        for request in [request.trim_end_matches(" {}"), request, &with(request, &Value::Null)] {
            assert_step_up(visitor.ask(request).await);
            assert_eq!(world.service.last_d1_calls(), 1, "{request}");
        }
        assert_eq!((failures(&world, caller), refusals(&world).len()), (0, 0), "{request}: nothing was guessed");
        let refused = visitor.ask(&with(request, &json!(WRONG))).await;
        let refused = refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(refused.header("www-authenticate"), Some(r#"Bearer realm="edge-auth""#));
        assert_eq!(world.service.last_d1_calls(), 2);
        assert_eq!(failures(&world, caller), 1, "{request}: it counts");
        assert_eq!(refusals(&world), [json!(["wrong_password", world.id(caller)])]);
        assert_eq!(state(&world), before, "{request}: nothing changed");
        visitor.ask(&with(request, &json!(RIGHT))).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), 3);
        assert_eq!(failures(&world, caller), 0, "{request}: a success resets the count");
        assert_ne!(state(&world), before, "{request}");
    }
}

#[tokio::test]
async fn a_recent_sign_in_needs_no_password_and_checks_none() {
    for (caller, status, request) in IRREVERSIBLE {
        for request in [request.trim_end_matches(" {}").to_owned(), with(request, &json!(WRONG))] {
            let world = World::of(&PEOPLE);
            let visitor = world.sign_in(caller).await;
            world.service.advance(600);
            visitor.ask(&request).await.expect(status);
            assert_eq!(world.service.last_d1_calls(), 2, "{request}");
            assert_eq!(failures(&world, caller), 0);
        }
    }
}

#[tokio::test]
async fn other_acts_need_no_recent_sign_in() {
    for (caller, status, request) in REVERSIBLE {
        let world = World::of(&PEOPLE);
        let visitor = old(&world, caller).await;
        visitor.ask(request).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), 2, "{request}");
    }
}

/// Access comes first: a caller without the right is not asked for a password, and cannot guess one.
#[tokio::test]
async fn callers_without_the_right_are_refused_before_their_password_is_checked() {
    for (_, _, request) in IRREVERSIBLE {
        let world = World::of(&PEOPLE);
        for caller in ["bob", "dora"] {
            let visitor = old(&world, caller).await;
            let before = state(&world);
            for request in [request, &with(request, &json!(WRONG)), &with(request, &json!(RIGHT))] {
                let status = visitor.ask(request).await.status;
                assert!(matches!(status, 403 | 404), "{status} for {caller}: {request}");
            }
            assert_eq!((state(&world), failures(&world, caller)), (before, 0));
        }
    }
}

#[tokio::test]
async fn malformed_bodies_are_faults_and_an_absent_one_is_not() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    for body in [r#"{"password": 7}"#, r#"{"password": ["x"]}"#, "[]", "{", r#"{"password": "a", "password": "b"}"#] {
        for request in ["DELETE /admin/users/5", "POST /admin/users/5/logout", "DELETE /universities/1/roles/5"] {
            root.ask(&format!("{request} {body}")).await.expect_error(422, "VALIDATION_ERROR");
        }
    }
    let token = root.token();
    for (content_type, body, status) in [
        (None, r#"{"password": "x"}"#, 415),
        (Some("text/plain"), r#"{"password": "x"}"#, 415),
        (Some("text/plain"), "", 200),
        (Some("application/json"), "", 200),
        (None, "", 200),
    ] {
        let request = axum::http::Request::post("/admin/users/5/logout").header("Authorization", token);
        let request = content_type.into_iter().fold(request, |request, value| request.header("Content-Type", value));
        world.service.send(request.body(body.to_owned().into()).unwrap()).await.expect(status);
    }
}

fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn access_tokens_state_the_sign_in_and_a_refresh_does_not_change_it() {
    let world = World::of(&PEOPLE);
    let signed_in_at = clock().seconds();
    let mut tokens = world.service.login(&address("root"), PASSWORD).await.expect(200).tokens();
    for minutes in 0..12 {
        let access = claims(&tokens.access);
        assert_eq!((&access["auth_time"], &access["amr"]), (&json!(signed_in_at), &json!(["pwd"])));
        let refresh = claims(&tokens.refresh);
        assert!(refresh["auth_time"].is_null() && refresh["amr"].is_null());
        let reply = world.with_token(&tokens.access).ask("POST /admin/users/2/logout").await;
        if minutes <= 10 {
            reply.expect(200);
        } else {
            assert_step_up(reply);
        }
        world.service.advance(60);
        tokens = world.service.refresh(&tokens.refresh).await.expect(200).tokens();
        assert_eq!(world.service.last_d1_calls(), 1);
    }
    world.sign_in("root").await.ask("POST /admin/users/2/logout").await.expect(200);
    let registered = world.service.register("new@example.com").await;
    assert_eq!(claims(&registered.access)["auth_time"], json!(clock().seconds()));
}

#[tokio::test]
async fn a_token_of_a_version_before_counts_as_old() {
    let world = World::of(&PEOPLE);
    let tokens = world.service.login(&address("root"), PASSWORD).await.expect(200).tokens();
    let session_id = SessionId::parse(claims(&tokens.access)["sid"].as_str().unwrap()).unwrap();
    let old = TokenClaims {
        id: TokenId::from_random([7; 16]),
        user_id: UserId::new(1).unwrap(),
        session_id,
        issued_at: clock(),
        expires_at: clock().plus_seconds(900),
        auth_time: None,
        methods: AuthMethods::PASSWORD,
        bookmark: None,
    };
    let authority =
        TokenAuthority::new(&SecretKeys::only(Secret::new(SECRET)), Issuers::only("edge-auth"), "edge-auth");
    let token = authority.sign(TokenKind::Access, &old).unwrap().expose().to_owned();
    world.service.me(&token).await.expect(200);
    let visitor = world.with_token(&token);
    assert_step_up(visitor.ask("DELETE /admin/users/5").await);
    visitor.ask(&format!(r#"DELETE /admin/users/5 {{"password": "{RIGHT}"}}"#)).await.expect(204);
}

#[tokio::test]
async fn wrong_passwords_start_a_wait_during_which_the_right_one_is_refused() {
    let world = World::of(&PEOPLE);
    let root = old(&world, "root").await;
    let ask = async |password: &str| root.ask(&format!(r#"DELETE /admin/users/5 {{"password": "{password}"}}"#)).await;
    for _ in 0..6 {
        ask(WRONG).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(refusals(&world), vec![json!(["wrong_password", 1]); 6]);
    ask(RIGHT).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(refusals(&world).iter().filter(|event| **event == json!(["throttled", 1])).count(), 1);
    assert_eq!(failures(&world, "root"), 6, "a refusal by the wait is no guess");
    // The counter is that of the change of the password, so a thief has no further guesses there.
    let change =
        format!(r#"PUT /users/me/password {{"current_password": "{RIGHT}", "new_password": "another {RIGHT}"}}"#);
    root.ask(&change).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    world.service.advance(2);
    ask(RIGHT).await.expect(204);
}

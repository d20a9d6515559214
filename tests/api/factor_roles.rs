//! `MFA_REQUIRED_ROLES`: the rights of such a role count only in a session with more than one factor, and in keys that were
//! made in one.

use serde_json::{Value, json};

use crate::api_keys::make;
use crate::rbac_matrix;
use crate::rbac_requests::NEED_FACTORS;
use crate::service_accounts::add;
use crate::support::contract::is_built;
use crate::support::factors::has_words;
use crate::support::federation::FEDERATION;
use crate::support::federation::joined;
use crate::support::identities::with_identities_of;
use crate::support::passkey::claims;
use crate::support::totp::{App, enrol, sign_in_as};
use crate::support::world::{Person, Visitor, World, address};
use crate::support::{PASSWORD, Reply};

const SETTINGS: &[(&str, &str)] =
    &joined::<2, 12>([("MFA_REQUIRED_ROLES", r#"["PLATFORM_ADMIN", "UNIVERSITY_ADMIN"]"#), ("TOKEN_ROLES", "on")]);

const PEOPLE: [Person; 4] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1 TA@2"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("bob", "STUDENT@1"),
];

fn world(people: &[Person]) -> World {
    let settings: Vec<_> = SETTINGS.iter().chain(&FEDERATION).copied().collect();
    World::through(people, &settings, |db| db)
}

/// Gives a user an app, as if it were there before this session.
async fn enrolled(world: &World, name: &str) -> App {
    let tokens = world.service.login(&address(name), PASSWORD).await.expect(200).tokens();
    enrol(&world.service, &tokens.access).await.0
}

/// A session with two factors.
async fn with_code<'a>(world: &'a World, name: &str, app: &App) -> Visitor<'a> {
    world.with_token(&sign_in_as(&world.service, &address(name), app).await.access)
}

#[track_caller]
fn assert_needs_mfa(reply: Reply) {
    let reply = reply.expect_error(403, "FORBIDDEN");
    assert_eq!(reply.body["error"]["details"], json!({"required": "mfa"}));
}

/// Every line of the access matrix for an administrator: without a second factor all that the role adds is refused, and says
/// why. With one, the matrix holds.
async fn hold_matrix(caller: &'static str) {
    let column = |name: &str| rbac_matrix::callers().iter().position(|known| *known == name).unwrap();
    let (new, own) = (column("new"), column(caller));
    let mut refused = 0;
    // Operations on factors that are there plant them, so that the caller has one. Others of one's own need no role.
    let others = ["confirmTotp", "startPasskeyRegistration", "registerPasskey"];
    let is_of_factors =
        |line: &str| NEED_FACTORS.iter().chain(&others).any(|name| line.starts_with(name)) || has_words(line);
    let lines = rbac_matrix::parts().concat().into_iter();
    for (line, statuses) in lines.filter(|(line, _)| is_built(line) && !is_of_factors(line)) {
        let (new, own): (u16, u16) = (statuses[new].parse().unwrap(), statuses[own].parse().unwrap());
        for has_mfa in [false, true] {
            let world = world(&rbac_matrix::PEOPLE);
            world.enroll("own", 1);
            world.enroll("own", 3);
            world.add_key(caller, 7);
            let visitor = if has_mfa {
                let app = enrolled(&world, caller).await;
                with_code(&world, caller, &app).await
            } else {
                world.sign_in(caller).await
            };
            let request = with_identities_of(&world.service.db, caller, &rbac_matrix::request(&world, line));
            let before = world.dump();
            let reply = visitor.ask(&request).await;
            // Where sign-in is optional, the caller is one without the role.
            let is_of_role = own != new && !matches!(own, 403 | 404) && !line.starts_with("getCourse");
            if has_mfa {
                assert_eq!(reply.status, own, "{line}, with a second factor: {reply:?}");
            } else if !is_of_role {
                // Of the visible university, the answer says that a second factor is due.
                let expected = if new < 400 { own } else { new };
                // Of the visible university, the answer says that a second factor is due.
                let is_hinted = matches!(own, 403 | 404) && reply.body["error"]["details"]["required"] == "mfa";
                assert!(is_hinted || reply.status == expected, "{line}, without a second factor: {reply:?}");
            } else {
                assert_eq!(reply.status, 403, "{line}, without a second factor: {reply:?}");
                assert_needs_mfa(reply);
                assert_eq!(world.dump(), before, "{line}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10);
}

#[tokio::test]
async fn a_platform_administrator_without_a_second_factor_has_no_right_of_the_role() {
    hold_matrix("P").await;
}

#[tokio::test]
async fn a_university_administrator_without_a_second_factor_has_no_right_of_the_role() {
    hold_matrix("U").await;
}

#[tokio::test]
async fn lists_show_nothing_more_without_a_second_factor() {
    let world = world(&PEOPLE);
    let apps = [("root", enrolled(&world, "root").await), ("ulla", enrolled(&world, "ulla").await)];
    let count = |items: Vec<Value>| items.len();
    for (name, app) in &apps {
        let with_mfa = with_code(&world, name, app).await;
        let universities = count(with_mfa.all("/universities").await);
        assert_eq!(universities, 2);
        if cfg!(feature = "campus") {
            assert_eq!(count(with_mfa.all("/courses").await), 5);
        }
    }
    world.service.db.execute("DELETE FROM totp_secrets; DELETE FROM recovery_codes");
    for (name, universities, courses) in [("root", 0, 3), ("ulla", 1, 4)] {
        let visitor = world.sign_in(name).await;
        assert_eq!(count(visitor.all("/universities").await), universities, "{name}");
        if cfg!(feature = "campus") {
            assert_eq!(count(visitor.all("/courses").await), courses, "{name}");
        }
    }
}

#[tokio::test]
async fn roles_that_are_not_listed_need_no_second_factor() {
    let world = world(&PEOPLE);
    world.sign_in("dora").await.ask("GET /universities/1/roles").await.expect(200);
    let ulla = world.sign_in("ulla").await;
    ulla.ask("GET /universities/2").await.expect(200);
    assert_needs_mfa(ulla.ask("GET /universities/1").await);
    let bob = world.sign_in("bob").await.ask("GET /admin/users").await.expect_error(403, "FORBIDDEN");
    assert_eq!(bob.body["error"]["details"], json!({}));
}

#[tokio::test]
async fn the_user_sees_all_roles_and_tokens_list_those_that_count() {
    let world = world(&PEOPLE);
    let roles_of = |token: &str| {
        let claims = claims(token);
        let roles = claims["roles"].as_array().unwrap().iter();
        roles.map(|role| role["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = world.service.login(&address("ulla"), PASSWORD).await.expect(200).tokens();
    assert_eq!(roles_of(&first.access), ["TA"]);
    let me = world.service.me(&first.access).await.expect(200).body;
    assert_eq!(me["roles"].as_array().unwrap().len(), 2);
    assert_eq!(roles_of(&world.service.refresh(&first.refresh).await.expect(200).tokens().access), ["TA"]);
    let app = enrolled(&world, "ulla").await;
    let tokens = sign_in_as(&world.service, &address("ulla"), &app).await;
    assert_eq!(roles_of(&tokens.access), ["UNIVERSITY_ADMIN", "TA"]);
    let refreshed = world.service.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_eq!(roles_of(&refreshed.access), ["UNIVERSITY_ADMIN", "TA"]);
}

/// The session itself stays one of a single factor, and so does the token of its next refresh.
#[tokio::test]
async fn a_step_up_with_a_code_gives_the_rights_to_its_token_alone() {
    let world = world(&PEOPLE);
    let tokens = world.service.login(&address("ulla"), PASSWORD).await.expect(200).tokens();
    let (app, _) = enrol(&world.service, &tokens.access).await;
    let old = world.with_token(&tokens.access);
    assert_needs_mfa(old.ask("GET /universities/1/roles").await);
    let stepped = old.ask(&format!(r#"POST /auth/step-up {{"code": "{}"}}"#, app.code(0))).await.expect(200).body;
    let stepped = stepped["access_token"].as_str().unwrap();
    assert_eq!(claims(stepped)["roles"].as_array().unwrap().len(), 2);
    world.with_token(stepped).ask("GET /universities/1/roles").await.expect(200);
    assert_needs_mfa(old.ask("GET /universities/1/roles").await);
    let refreshed = world.service.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_needs_mfa(world.with_token(&refreshed.access).ask("GET /universities/1/roles").await);
}

#[tokio::test]
async fn a_key_has_the_rights_of_the_session_that_made_it() {
    let world = world(&PEOPLE);
    let permissions = ["universities:view", "departments:manage", "roles:view"];
    let (_, before) = make(&world.sign_in("ulla").await, &permissions).await;
    let app = enrolled(&world, "ulla").await;
    let with_mfa = with_code(&world, "ulla", &app).await;
    let (_, after) = make(&with_mfa, &permissions).await;
    for (key, is_powerful) in [(&before, false), (&after, true)] {
        let key = world.with_token(key);
        for (request, status) in [
            ("GET /universities/1", 200),
            ("GET /universities/1/roles", 200),
            (r#"POST /universities/1/departments {"name": "New"}"#, 201),
        ] {
            let reply = key.ask(request).await;
            if is_powerful { drop(reply.expect(status)) } else { assert_needs_mfa(reply) }
        }
        assert_eq!(key.all("/universities").await.len(), if is_powerful { 2 } else { 1 });
        let question = r#"POST /authz/check {"permission": "departments:manage", "university_id": 1}"#;
        assert_eq!(key.ask(question).await.expect(200).body["allowed"], is_powerful);
    }
}

#[tokio::test]
async fn checks_count_the_roles_that_count_in_the_session() {
    let world = world(&PEOPLE);
    let app = enrolled(&world, "root").await;
    let root = with_code(&world, "root", &app).await;
    let (_, key) = add(&root, &["authz:check"]).await;
    let machine = world.with_token(&key);
    let question = r#""permission": "departments:manage", "university_id": 1"#;
    let allowed = async |visitor: &Visitor<'_>, more: &str| {
        let request = format!("POST /authz/check {{{question}{more}}}");
        visitor.ask(&request).await.expect(200).body["allowed"].as_bool().unwrap()
    };
    let ulla = world.sign_in("ulla").await;
    assert!(!allowed(&ulla, "").await);
    let app = enrolled(&world, "ulla").await;
    assert!(allowed(&with_code(&world, "ulla", &app).await, "").await);
    // A service account does not know the session of the user.
    assert!(!allowed(&machine, r#", "user_id": 2"#).await);
    assert!(!allowed(&machine, r#", "user_id": 1"#).await);
}

/// The university of the role is not visible without it, so the role is not given up either.
#[tokio::test]
async fn giving_the_role_up_needs_the_second_factor_too() {
    let world = world(&PEOPLE);
    let second = "(4, 1, 'UNIVERSITY_ADMIN', 1)";
    let insert = "INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES";
    world.service.db.execute(&format!("{insert} {second}"));
    let request = format!("DELETE /universities/1/roles/{}", world.grant("ulla", "UNIVERSITY_ADMIN@1"));
    assert_needs_mfa(world.sign_in("ulla").await.ask(&request).await);
    let app = enrolled(&world, "ulla").await;
    with_code(&world, "ulla", &app).await.ask(&request).await.expect(204);
}

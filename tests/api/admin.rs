//! Platform administration: users, their sessions and the audit log.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::PASSWORD;
use crate::support::world::{Person, Visitor, World, address};

const PEOPLE: [Person; 5] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("bob", "STUDENT@1/1 TA@2"),
    ("second", "UNIVERSITY_ADMIN@1"),
    ("a+b", ""),
];

/// This member of every item of a list.
async fn column(visitor: &Visitor<'_>, path: &str, member: &str) -> Vec<Value> {
    visitor.all(path).await.into_iter().map(|mut item| item[member].take()).collect()
}

/// `(type, reason, actor, university)` of the events about a user, oldest first.
fn events(world: &World, name: &str) -> Vec<(String, Value, Value, Value)> {
    let sql = format!(
        "SELECT type, reason, actor_id, university_id FROM audit_events WHERE user_id = {} ORDER BY id",
        world.id(name)
    );
    let rows = world.service.db.rows(&sql).into_iter();
    rows.map(|row| {
        (
            row["type"].as_str().unwrap().to_owned(),
            row["reason"].clone(),
            row["actor_id"].clone(),
            row["university_id"].clone(),
        )
    })
    .collect()
}

#[tokio::test]
async fn users_are_listed_and_filtered_by_address_and_active_state() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    world.set_active("bob", false);
    let users = root.all("/admin/users").await;
    assert_eq!(world.service.last_d1_calls(), 1);
    let expected = json!({"id": world.id("bob"), "email": address("bob"), "email_verified": false, "full_name": null, "is_active": false,
                          "created_at": "1970-01-01T00:00:00.001Z"});
    assert_eq!(users[2], expected);
    let cases: [(&str, &[i64]); 10] = [
        ("", &[1, 2, 3, 4, 5]),
        ("?is_active=true", &[1, 2, 4, 5]),
        ("?is_active=false", &[3]),
        ("?email=bob@example.com", &[3]),
        ("?email=%20BOB%40Example.COM+", &[3]),
        ("?email=a%2Bb@example.com", &[5]),
        ("?email=bob@example.com&is_active=false", &[3]),
        ("?email=bob@example.com&is_active=true", &[]),
        ("?email=nobody@example.com", &[]),
        ("?email=bob@example.com&cursor=3", &[]),
    ];
    for (parameters, expected) in cases {
        let ids = column(&root, &format!("/admin/users{parameters}"), "id").await;
        assert_eq!(json!(ids), json!(expected), "{parameters}");
    }
    // In a query string a plus sign is a space, and an address has none.
    root.ask("GET /admin/users?email=a+b@example.com").await.expect_error(422, "VALIDATION_ERROR");
    let wrong = "GET /admin/users?cursor=0&limit=101&is_active=1&email=nobody";
    let faults = root.ask(wrong).await.expect_error(422, "VALIDATION_ERROR").faults();
    let expected = ["email", "is_active", "limit", "cursor"].map(|name| (name.to_owned(), "value_error".to_owned()));
    assert_eq!(faults, expected);
}

#[tokio::test]
async fn a_user_is_shown_with_roles_and_their_grant_ids() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let bob = root.ask("GET /admin/users/3").await.expect(200).body;
    assert_eq!(world.service.last_d1_calls(), 1);
    let student =
        json!({"id": world.grant("bob", "STUDENT@1/1"), "university_id": 1, "department_id": 1, "role": "STUDENT"});
    let ta = json!({"id": world.grant("bob", "TA@2"), "university_id": 2, "department_id": null, "role": "TA"});
    assert_eq!(bob["roles"], json!([student, ta]));
    assert_eq!((&bob["id"], &bob["email"]), (&json!(3), &json!(address("bob"))));
    assert!(!bob.to_string().contains("pbkdf2"));
}

#[tokio::test]
async fn an_unknown_or_erased_user_is_404_for_every_operation() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    root.ask("DELETE /admin/users/3").await.expect(204);
    let before = world.service.db.one::<i64>("SELECT count(*) FROM audit_events");
    for id in ["3", "99", "0", "x", "9007199254740992"] {
        for request in [
            "GET /admin/users/{}",
            r#"PATCH /admin/users/{} {"is_active": false}"#,
            r#"PATCH /admin/users/{} {"full_name": "Bob"}"#,
            "PATCH /admin/users/{} {}",
            "DELETE /admin/users/{}",
            "POST /admin/users/{}/logout",
            "POST /admin/users/{}/unlock",
            "GET /admin/users/{}/sessions",
        ] {
            root.ask(&request.replacen("{}", id, 1)).await.expect_error(404, "NOT_FOUND");
        }
    }
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM audit_events"), before);
}

#[tokio::test]
async fn disabling_a_user_ends_every_session_and_enabling_revives_none() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let first = world.service.login(&address("bob"), PASSWORD).await.tokens();
    let second = world.service.login(&address("bob"), PASSWORD).await.tokens();
    let reply = root.ask(r#"PATCH /admin/users/3 {"is_active": false}"#).await.expect(200);
    assert_eq!(world.service.last_d1_calls(), 2);
    assert_eq!((&reply.body["id"], &reply.body["is_active"]), (&json!(3), &json!(false)));
    for tokens in [&first, &second] {
        world.service.me(&tokens.access).await.expect_error(403, "AUTH_INACTIVE_USER");
        world.service.refresh(&tokens.refresh).await.expect_error(403, "AUTH_INACTIVE_USER");
    }
    world.service.login(&address("bob"), PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
    world.service.login(&address("bob"), "wrong").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(root.ask("GET /admin/users/3/sessions").await.expect(200).body["sessions"], json!([]));
    root.ask(r#"PATCH /admin/users/3 {"is_active": true}"#).await.expect(200);
    for tokens in [&first, &second] {
        world.service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        world.service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    world.sign_in("bob").await.ask("GET /universities/1").await.expect(200);
    // Repeating a change that is already in place writes no event.
    root.ask(r#"PATCH /admin/users/3 {"is_active": true}"#).await.expect(200);
    let done: Vec<_> = events(&world, "bob").into_iter().filter(|event| event.0.ends_with("abled")).collect();
    let by_root = |kind: &str| (kind.to_owned(), json!(null), json!(world.id("root")), json!(null));
    assert_eq!(done, [by_root("disabled"), by_root("enabled")]);
}

#[tokio::test]
async fn a_patch_changes_only_the_members_it_names() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let bob = world.sign_in("bob").await;
    let mut user = root.all("/admin/users?email=bob@example.com").await.remove(0);
    let steps = [
        (json!({}), json!({})),
        (json!({"full_name": " Bob "}), json!({"full_name": "Bob"})),
        (json!({"is_active": true}), json!({})),
        (json!({"id": 9, "email": "x@example.com", "roles": [], "password": "x"}), json!({})),
        (json!({"full_name": null}), json!({"full_name": null})),
        (json!({"full_name": "B", "is_active": false}), json!({"full_name": "B", "is_active": false})),
        (json!({"full_name": "C"}), json!({"full_name": "C"})),
        (json!({"email_verified": true}), json!({"email_verified": true})),
        (json!({"email_verified": true}), json!({})),
    ];
    for (change, difference) in steps {
        user.as_object_mut().unwrap().extend(difference.as_object().unwrap().clone());
        assert_eq!(root.ask(&format!("PATCH /admin/users/3 {change}")).await.expect(200).body, user, "{change}");
        let is_signed_in = bob.ask("GET /users/me").await.status == 200;
        assert_eq!(is_signed_in, user["is_active"] == true, "{change}");
    }
    let events = root.all("/admin/audit-events?user_id=3&type=email_verified").await;
    assert_eq!((events.len(), &events[0]["actor_id"]), (1, &json!(1)), "the second one changed nothing");
    let wrong = r#"PATCH /admin/users/3 {"is_active": null, "full_name": "a\u0000b", "email_verified": false}"#;
    let faults = root.ask(wrong).await.expect(422).faults();
    let expected = [("is_active", "type_error"), ("full_name", "value_error"), ("email_verified", "value_error")];
    assert_eq!(faults, expected.map(|(member, kind)| (member.to_owned(), kind.to_owned())));
}

#[tokio::test]
async fn a_user_signed_out_everywhere_by_an_administrator_may_sign_in_again() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (first, second) = (world.sign_in("bob").await, world.sign_in("bob").await);
    let listed = root.ask("GET /admin/users/3/sessions").await.expect(200).body;
    assert_eq!(world.service.last_d1_calls(), 1);
    let current: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|session| &session["current"]).collect();
    assert_eq!(current, [false, false]);
    let own = root.ask("GET /admin/users/1/sessions").await.expect(200).body;
    assert_eq!(own["sessions"][0]["current"], true);
    let reply = root.ask("POST /admin/users/3/logout").await.expect(200);
    assert_eq!(world.service.last_d1_calls(), 2);
    assert_eq!(reply.body["sessions_ended"], 2);
    for bob in [first, second] {
        bob.ask("GET /users/me").await.expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    assert_eq!(root.ask("GET /admin/users/3/sessions").await.expect(200).body["sessions"], json!([]));
    assert_eq!(root.ask("POST /admin/users/3/logout").await.expect(200).body["sessions_ended"], 0);
    world.sign_in("bob").await.ask("GET /users/me").await.expect(200);
    root.ask("GET /users/me").await.expect(200);
}

#[tokio::test]
async fn an_erased_user_leaves_only_an_id() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    world.enroll("bob", 1);
    let body = json!({"email": address("bob"), "password": PASSWORD});
    let tokens = world.service.post_from("192.0.2.77", "/auth/login", &body).await.expect(200).tokens();
    world.with_token(&tokens.access).ask(r#"PATCH /users/me {"full_name": "Robert Tables"}"#).await.expect(200);
    root.ask("DELETE /admin/users/3").await.expect(204);
    assert_eq!(world.service.last_d1_calls(), 2);
    let tables = world.service.db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let names: Vec<_> = tables.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.len() > 8, "{names:?}");
    for table in names {
        let text = serde_json::to_string(&world.service.db.rows(&format!("SELECT * FROM {table}"))).unwrap();
        for personal in [address("bob").as_str(), "bob", "192.0.2.77", "Robert Tables"] {
            assert!(!text.contains(personal), "{personal} is in {table}: {text}");
        }
        if table != "audit_events" && table != "sqlite_sequence" {
            assert!(!text.contains(r#""user_id":3"#), "{table}: {text}");
        }
    }
    let last = events(&world, "bob").pop().unwrap();
    assert_eq!(last, ("deleted".to_owned(), json!(null), json!(world.id("root")), json!(null)));
    world.service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    world.service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
    world.service.login(&address("bob"), PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_ne!(world.service.register(&address("bob")).await.access, tokens.access);
}

#[tokio::test]
async fn a_user_being_erased_is_no_longer_listed() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    world.service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO audit_events (created_at, type, user_id, request_id) SELECT 1, 'signed_out', 3, 'r' FROM n;",
    );
    root.ask("DELETE /admin/users/3").await.expect(204);
    let left = "SELECT count(*) FROM users WHERE id = 3 AND erasure_cursor IS NOT NULL";
    assert_eq!(world.service.db.one::<i64>(left), 1, "the erasure is not finished");
    for parameters in ["", "?is_active=false", "?is_active=true"] {
        let ids = column(&root, &format!("/admin/users{parameters}"), "id").await;
        assert!(!ids.contains(&json!(3)), "{parameters}");
    }
    for request in ["GET /admin/users/3", "GET /admin/users/3/sessions", "DELETE /admin/users/3"] {
        root.ask(request).await.expect_error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn expired_sessions_are_not_ended_again() {
    let world = World::of(&PEOPLE);
    world.sign_in("bob").await;
    world.service.advance(31 * 86_400);
    let root = world.sign_in("root").await;
    assert_eq!(root.ask("GET /admin/users/3/sessions").await.expect(200).body["sessions"], json!([]));
    let before = world.service.db.rows("SELECT * FROM sessions WHERE user_id = 3");
    assert_eq!(root.ask("POST /admin/users/3/logout").await.expect(200).body["sessions_ended"], 0);
    assert_eq!(world.service.db.rows("SELECT * FROM sessions WHERE user_id = 3"), before);
    let ended = events(&world, "bob").into_iter().filter(|event| event.0 == "sessions_ended");
    assert_eq!(ended.count(), 0);
}

/// Signs a user out everywhere, as an administrator with this client address.
async fn sign_out_from(world: &World, administrator: &str, user: &str, ip: &str) {
    let body = json!({"email": address(administrator), "password": PASSWORD});
    let tokens = world.service.post_from(ip, "/auth/login", &body).await.expect(200).tokens();
    let request = Request::post(format!("/admin/users/{}/logout", world.id(user)));
    let request = request.header("Authorization", format!("Bearer {}", tokens.access));
    let request = request.header("CF-Connecting-IP", ip).header("User-Agent", "the administrator's");
    world.sign_in(user).await;
    world.service.send(request.body(Body::empty()).unwrap()).await.expect(200);
}

#[tokio::test]
async fn an_erased_administrator_leaves_no_personal_data_in_events_about_others() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("other", "PLATFORM_ADMIN"), ("bob", "")]);
    sign_out_from(&world, "other", "bob", "192.0.2.66").await;
    let events = || serde_json::to_string(&world.service.db.rows("SELECT * FROM audit_events")).unwrap();
    assert!(events().contains("192.0.2.66") && events().contains("the administrator's"));
    world.sign_in("root").await.ask("DELETE /admin/users/2").await.expect(204);
    assert!(!events().contains("192.0.2.66") && !events().contains("the administrator's"), "{}", events());
    let acts = "SELECT count(*) FROM audit_events WHERE type = 'sessions_ended' AND user_id = 3 AND actor_id = 2";
    assert_eq!(world.service.db.one::<i64>(acts), 1, "the event itself is kept");
}

#[tokio::test]
async fn a_users_export_hides_the_administrators_address_and_user_agent() {
    let world = World::of(&PEOPLE);
    sign_out_from(&world, "root", "bob", "192.0.2.66").await;
    let export = world.sign_in("bob").await.ask("GET /users/me/export").await.expect(200);
    assert!(export.text.contains("sessions_ended"), "{}", export.text);
    for administrators in ["192.0.2.66", "the administrator's"] {
        assert!(!export.text.contains(administrators), "{}", export.text);
    }
}

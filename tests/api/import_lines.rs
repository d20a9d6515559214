//! Lines of an import: the accounts that they make, and the answers to them.

use serde_json::{Value, json};

use crate::service_accounts::add;
use crate::support::PASSWORD;
use crate::support::import::{
    ADMITTING, HASH, SCOPES, account, answers, body, created, events, foreseen_import, import, importer, word,
};
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const NOW: i64 = 1_800_000_000_000;

fn world() -> World {
    World::through(&PEOPLE, &ADMITTING, |db| db)
}

/// A line, the address of the account, and the columns that differ from those of a line with an address only.
fn lines() -> Vec<(Value, &'static str, Value)> {
    let full = json!({
        "external_id": "7", "email": "full@example.com", "email_verified": true, "full_name": "  Grace Hopper ",
        "password_hash": HASH, "created_at": "2020-02-29T12:00:00.5+01:00", "is_active": false,
        "roles": [
            {"role": "UNIVERSITY_ADMIN", "university_id": 2}, {"university_id": 1, "role": "TA", "department_id": 2},
            {"role": "STUDENT", "university_id": 2, "department_id": null},
        ],
    });
    let of_full = json!({
        "full_name": "Grace Hopper", "is_active": 0, "created_at": 1_582_974_000_500_i64, "email_verified_at": NOW,
        "has_password": 1, "external_id": "7", "roles": r#"["STUDENT@2","TA@1/2","UNIVERSITY_ADMIN@2"]"#,
    });
    let nulls = json!({
        "external_id": null, "email": "nulls@example.com", "email_verified": null, "full_name": null,
        "password_hash": null, "created_at": null, "is_active": null, "roles": null,
    });
    let external_id = "\u{1f600}".repeat(200);
    vec![
        (json!({"email": "plain@example.com"}), "plain@example.com", json!({})),
        (full, "full@example.com", of_full),
        (nulls, "nulls@example.com", json!({})),
        (json!({"email": " Upper@EXAMPLE.com\t"}), "upper@example.com", json!({})),
        (json!({"email": "e\u{301}@bu\u{308}cher.example"}), "\u{e9}@xn--bcher-kva.example", json!({})),
        (json!({"email": "blank@example.com", "full_name": " \t "}), "blank@example.com", json!({})),
        (json!({"email": "false@example.com", "email_verified": false, "roles": []}), "false@example.com", json!({})),
        (
            json!({"email": "first@example.com", "created_at": "1970-01-01T00:00:00Z"}),
            "first@example.com",
            json!({"created_at": 0}),
        ),
        (json!({"email": "now@example.com", "created_at": "2027-01-15T08:00:00Z"}), "now@example.com", json!({})),
        (
            json!({"email": "long@example.com", "external_id": external_id}),
            "long@example.com",
            json!({"external_id": external_id}),
        ),
        (
            json!({"email": "dora@example.com", "roles": [{"role": "DEPARTMENT_ADMIN", "university_id": 1, "department_id": 1}]}),
            "dora@example.com",
            json!({"roles": r#"["DEPARTMENT_ADMIN@1/1"]"#}),
        ),
    ]
}

#[tokio::test]
async fn an_account_has_the_members_of_its_line_and_nothing_else() {
    let world = world();
    let (service, caller) = importer(&world, &SCOPES).await;
    let lines = lines();
    let bodies: Vec<Value> = lines.iter().map(|(line, ..)| line.clone()).collect();
    assert_eq!(foreseen_import(&world, &caller, &bodies).await, vec!["created"; lines.len()]);
    for (line, email, differing) in lines {
        let mut expected = json!({
            "email": email, "full_name": null, "is_active": 1, "created_at": NOW, "email_verified_at": null,
            "has_password": 0, "imported_by": format!("service/{}", service["id"]), "external_id": null, "untouched": 1,
            "mail_refused_at": null, "registered_network": null, "roles": "[]",
        });
        expected.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
        assert_eq!(account(&world.service.db, email), expected, "{line}");
    }
}

#[tokio::test]
async fn an_imported_account_is_seen_as_any_other() {
    let world = world();
    let root = world.sign_in("root").await;
    let line = json!({"email": "ada@example.com", "email_verified": true, "full_name": "Ada", "password_hash": HASH,
                      "created_at": "2020-02-29T12:00:00Z", "roles": [{"role": "TA", "university_id": 1}]});
    let id = created(&world, &root, &line).await;
    let seen = root.ask(&format!("GET /admin/users/{id}")).await.expect(200).body;
    let members = ["email", "email_verified", "full_name", "is_active", "created_at"];
    let expected = json!(["ada@example.com", true, "Ada", true, "2020-02-29T12:00:00.000Z"]);
    assert_eq!(json!(members.map(|name| seen[name].clone())), expected);
    assert_eq!((&seen["roles"][0]["role"], seen["roles"].as_array().unwrap().len()), (&json!("TA"), 1));
    let tokens = world.service.login("ADA@example.com", PASSWORD).await.expect(200).tokens();
    let me = world.service.me(&tokens.access).await.expect(200).body;
    assert_eq!((&me["id"], &me["email"]), (&json!(id), &json!("ada@example.com")));
}

#[tokio::test]
async fn a_disabled_account_does_not_sign_in() {
    let world = world();
    let root = world.sign_in("root").await;
    let line = json!({"email": "ada@example.com", "password_hash": HASH, "is_active": false});
    let id = created(&world, &root, &line).await;
    world.service.login("ada@example.com", PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
    world.service.login("ada@example.com", "wrong").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    root.ask(&format!(r#"PATCH /admin/users/{id} {{"is_active": true}}"#)).await.expect(200);
    world.service.login("ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn without_a_hash_no_password_signs_in() {
    let world = world();
    let root = world.sign_in("root").await;
    created(&world, &root, &json!({"email": "ada@example.com"})).await;
    let stored: String = world.service.db.one("SELECT password_hash FROM users WHERE id = 2");
    for password in ["", "null", PASSWORD, "a wrong password", &stored] {
        let reply = world.service.login("ada@example.com", password).await;
        reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(account(&world.service.db, "ada@example.com")["has_password"], 0);
    created(&world, &root, &json!({"email": "bob@example.com"})).await;
    assert_eq!(world.service.db.one::<i64>("SELECT count(DISTINCT password_hash) FROM users"), 3, "each is drawn");
}

#[tokio::test]
async fn answers_come_in_order_with_the_numbers_and_ids_of_their_lines() {
    let world = world();
    let root = world.sign_in("root").await;
    let line = |name: &str| json!({"email": format!("{name}@example.com"), "external_id": name}).to_string();
    let (a, b, c, d) = (line("a"), line("b"), line("c"), line("d"));
    let no_email = r#"{"external_id": "no email"}"#;
    let text = format!("\n{a}\r\n\r\n \t \n{b}\n{{]\n{no_email}\n{{\"email\": \"e@example.com\"}}\n\n  {c}  \r\n{d}");
    let answers = answers(&root, &text).await;
    let shown: Vec<Value> =
        answers.iter().map(|answer| json!([answer["line"], answer["external_id"], word(answer)])).collect();
    let expected = [
        json!([2, "a", "created"]),
        json!([5, "b", "created"]),
        json!([6, null, "refused not_json"]),
        json!([7, "no email", "refused email_invalid"]),
        json!([8, null, "created"]),
        json!([10, "c", "created"]),
        json!([11, "d", "created"]),
    ];
    assert_eq!(shown, expected);
    assert_eq!(answers[4].as_object().unwrap().len(), 2, "absent members are left out");
}

#[tokio::test]
async fn a_body_without_lines_has_an_answer_without_lines() {
    let world = world();
    let root = world.sign_in("root").await;
    for text in ["\n", "\r\n\r\n", " ", "\t\n \n\n"] {
        assert!(answers(&root, text).await.is_empty(), "{text:?}");
        assert_eq!(world.service.last_d1_calls(), 1, "the caller is read, and nothing else");
    }
}

/// The account of an administrator is the actor, and a service account is named by its client id.
#[tokio::test]
async fn events_name_the_importer_and_the_roles() {
    let world = world();
    let root = world.sign_in("root").await;
    let (account, key) = add(&root, &SCOPES).await;
    let service = world.with_token(&key);
    let client = &account["client_id"];
    let roles = json!([{"role": "TA", "university_id": 1}, {"role": "STUDENT", "university_id": 2}]);
    created(&world, &root, &json!({"email": "a@example.com", "email_verified": true, "roles": roles})).await;
    created(&world, &service, &json!({"email": "b@example.com", "roles": roles, "external_id": "1"})).await;
    let expected = [
        json!(["role_granted", 2, 1, "STUDENT"]),
        json!(["role_granted", 2, 1, "TA"]),
        json!(["imported", 2, 1, null]),
        json!(["role_granted", 3, null, "STUDENT"]),
        json!(["role_granted", 3, null, "TA"]),
        json!(["imported", 3, null, client]),
    ];
    let mut found = events(&world.service.db);
    found.sort_by_key(Value::to_string);
    let mut expected = expected.to_vec();
    expected.sort_by_key(Value::to_string);
    assert_eq!(found, expected);
    let places = "SELECT university_id FROM audit_events WHERE type = 'role_granted' ORDER BY university_id";
    let places: Vec<Value> = world.service.db.rows(places).iter().map(|row| row["university_id"].clone()).collect();
    assert_eq!(places, [1, 1, 2, 2]);
}

#[tokio::test]
async fn the_log_counts_outcomes_and_shows_nothing_of_a_line() {
    let world = world();
    let root = world.sign_in("root").await;
    let lines = [
        json!({"email": "secretive@example.org", "external_id": "their-id", "full_name": "Their Name", "password_hash": HASH}),
        json!({"email": "secretive@example.org"}),
        json!({"email": "secretive@example.org", "their-member": 1}),
        json!({"email": "other@example.org", "password_hash": "their-hash"}),
    ];
    let text = body(&lines);
    let before = world.service.log_lines().len();
    assert_eq!(import(&root, &lines).await, ["created", "exists", "refused unknown_member", "refused hash_unknown"]);
    let line = world.service.logs("Users imported").pop().unwrap();
    let counts = ["created", "exists", "updated", "refused", "failed"].map(|name| line[name].clone());
    assert_eq!(json!([counts, line["is_dry_run"]]), json!([[1, 1, 0, 2, 0], false]));
    let logged = world.service.log_lines()[before..].join("\n");
    for word in ["secretive", "example.org", "their", "Their", "pbkdf2"] {
        assert!(text.contains(word) && !logged.contains(word), "{word}");
    }
}

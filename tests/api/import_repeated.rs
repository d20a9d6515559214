//! Lines that come again: in another request, in the same one, at the same time, by another importer.

use std::sync::Arc;

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::{Value, json};

use crate::support::PASSWORD;
use crate::support::import::{
    ADMITTING, HASH, SCOPES, account, answers, body, count, created, events, foreseen_import, import, importer, rows,
};
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("second", "PLATFORM_ADMIN")];

fn world() -> World {
    World::through(&PEOPLE, &ADMITTING, |db| db)
}

/// A line with these members, of which an empty one is left out.
fn line(external_id: &str, email: &str) -> Value {
    let mut line = json!({"email": email});
    if !external_id.is_empty() {
        line["external_id"] = json!(external_id);
    }
    line
}

#[tokio::test]
async fn a_file_that_is_sent_again_changes_nothing() {
    let world = world();
    let root = world.sign_in("root").await;
    let roles = json!([{"role": "TA", "university_id": 1}]);
    let lines = [
        json!({"external_id": "1", "email": "a@example.com", "email_verified": true, "full_name": "A", "password_hash": HASH}),
        json!({"external_id": "2", "email": "b@example.com", "roles": roles, "is_active": false}),
        json!({"email": "c@example.com", "email_verified": true, "created_at": "2020-01-01T00:00:00Z"}),
        json!({"email": "d@example.com"}),
        json!({"email": "e@example.com", "x": 1}),
    ];
    let first = import(&root, &lines).await;
    assert_eq!(first, ["created", "created", "created", "created", "refused unknown_member"]);
    let before = rows(&world.service.db);
    let again = foreseen_import(&world, &root, &lines).await;
    assert_eq!(again, ["exists", "exists", "exists", "exists", "refused unknown_member"]);
    assert_eq!(rows(&world.service.db), before);
    assert_eq!(world.service.last_d1_calls(), 1 + 1, "nothing is due");
}

/// Other members of a line that comes again are passed over.
#[tokio::test]
async fn nothing_but_a_name_is_ever_changed() {
    let world = world();
    let root = world.sign_in("root").await;
    let first = json!({"external_id": "1", "email": "a@example.com", "full_name": "A", "password_hash": HASH});
    created(&world, &root, &first).await;
    let before = rows(&world.service.db);
    for change in [
        json!({"email_verified": true}),
        json!({"is_active": false}),
        json!({"created_at": "2020-01-01T00:00:00Z"}),
        json!({"roles": [{"role": "TA", "university_id": 1}]}),
        json!({"roles": [{"role": "TA", "university_id": 99}]}),
        json!({"password_hash": null}),
        json!({"password_hash": "$2b$08$ABCDEFGHIJKLMNOPQRSTUugb4gIyOnK0plbkdC6meg6BcAKmy9B8q"}),
        json!({"email": "other@example.com"}),
        json!({"full_name": null}),
        json!({"full_name": " "}),
    ] {
        let mut line = first.clone();
        line.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(foreseen_import(&world, &root, std::slice::from_ref(&line)).await, ["exists"], "{line}");
        assert_eq!(rows(&world.service.db), before, "{line}");
    }
}

#[tokio::test]
async fn an_external_id_is_known_although_the_address_has_changed() {
    let world = world();
    let root = world.sign_in("root").await;
    let id = created(&world, &root, &line("1", "old@example.com")).await;
    world.service.db.execute(&format!("UPDATE users SET email = 'new@example.com' WHERE id = {id}"));
    for email in ["old@example.com", "new@example.com", "third@example.com"] {
        assert_eq!(foreseen_import(&world, &root, &[line("1", email)]).await, ["exists"], "{email}");
    }
    assert_eq!(foreseen_import(&world, &root, &[line("2", "new@example.com")]).await, ["exists"]);
    assert_eq!(foreseen_import(&world, &root, &[line("2", "old@example.com")]).await, ["created"]);
    assert_eq!(account(&world.service.db, "new@example.com")["external_id"], "1");
}

/// Each service account and each administrator has ids of its own. An address belongs to one account, independent of the importer.
#[tokio::test]
async fn importers_have_separate_external_ids() {
    let world = world();
    let (root, second) = (world.sign_in("root").await, world.sign_in("second").await);
    let (first_account, first) = importer(&world, &SCOPES).await;
    let (second_account, other) = importer(&world, &SCOPES).await;
    for (visitor, name) in [(&root, "a"), (&second, "b"), (&first, "c"), (&other, "d")] {
        let email = format!("{name}@example.com");
        assert_eq!(import(visitor, &[line("1", &email)]).await, ["created"], "{name}");
        assert_eq!(
            import(visitor, &[line("1", "e@example.com"), line("2", "a@example.com")]).await,
            ["exists", "exists"]
        );
    }
    let importers = ["a", "b", "c", "d"]
        .map(|name| account(&world.service.db, &format!("{name}@example.com"))["imported_by"].clone());
    let of_service = |account: &Value| json!(format!("service/{}", account["id"]));
    assert_eq!(importers, [json!("user/1"), json!("user/2"), of_service(&first_account), of_service(&second_account)]);
}

/// The lines, and the outcomes.
#[tokio::test]
async fn of_lines_with_the_same_id_or_address_in_a_request_the_first_counts() {
    let bad = |external_id: &str, email: &str, (member, value): (&str, Value)| {
        let mut line = line(external_id, email);
        line[member] = value;
        line
    };
    let role = |university: i64| ("roles", json!([{"role": "TA", "university_id": university}]));
    let table: [(Vec<Value>, &[&str]); 9] = [
        (vec![line("", "a@example.com"), line("", "A@Example.com ")], &["created", "exists"]),
        (vec![line("1", "a@example.com"), line("1", "b@example.com")], &["created", "exists"]),
        (vec![line("1", "a@example.com"), line("2", "a@example.com")], &["created", "exists"]),
        (
            vec![line("1", "a@example.com"), line("", "a@example.com"), line("2", "b@example.com")],
            &["created", "exists", "created"],
        ),
        (
            vec![bad("1", "a@example.com", ("x", json!(1))), line("1", "a@example.com")],
            &["refused unknown_member", "created"],
        ),
        (vec![bad("1", "a@example.com", role(99)), line("1", "a@example.com")], &["refused role_unknown", "created"]),
        (
            vec![bad("1", "a@example.com", ("password_hash", json!("x"))), bad("1", "a@example.com", role(1))],
            &["refused hash_unknown", "created"],
        ),
        (vec![line("a@example.com", "b@example.com"), line("", "a@example.com")], &["created", "created"]),
        (vec![line("1", "a@example.com"), bad("1", "a@example.com", role(99))], &["created", "exists"]),
    ];
    for (lines, expected) in table {
        let world = world();
        let root = world.sign_in("root").await;
        assert_eq!(foreseen_import(&world, &root, &lines).await, expected, "{lines:?}");
        let made = expected.iter().filter(|word| **word == "created").count();
        assert_eq!(count(&world.service.db, "users"), 2 + i64::try_from(made).unwrap(), "{lines:?}");
        let mut again = expected.to_vec();
        again.iter_mut().filter(|word| **word == "created").for_each(|word| *word = "exists");
        if !expected.contains(&"refused role_unknown") {
            assert_eq!(import(&root, &lines).await, again, "{lines:?}");
        }
    }
}

/// A line that makes no account keeps no other one from its id or address.
#[tokio::test]
async fn a_line_that_exists_takes_neither_its_id_nor_its_address() {
    let world = world();
    let root = world.sign_in("root").await;
    let lines = [line("1", "a@example.com"), line("2", "a@example.com"), line("2", "b@example.com")];
    assert_eq!(foreseen_import(&world, &root, &lines).await, ["created", "exists", "created"]);
    let lines = [line("4", "d@example.com"), line("4", "e@example.com"), line("", "e@example.com")];
    assert_eq!(foreseen_import(&world, &root, &lines).await, ["created", "exists", "created"]);
    let lines = [line("1", "moved@example.com"), line("3", "moved@example.com")];
    assert_eq!(foreseen_import(&world, &root, &lines).await, ["exists", "created"]);
    assert_eq!(count(&world.service.db, "users"), 2 + 5);
}

/// The importer still has the user, and means it.
#[tokio::test]
async fn an_erased_account_is_created_anew_by_its_line() {
    let world = world();
    let root = world.sign_in("root").await;
    let line = json!({"external_id": "1", "email": "a@example.com", "password_hash": HASH, "full_name": "A"});
    let id = created(&world, &root, &line).await;
    let tokens = world.service.login("a@example.com", PASSWORD).await.expect(200).tokens();
    world.service.delete_account(&tokens.access).await;
    let left = world
        .service
        .db
        .rows("SELECT * FROM users WHERE imported_by IS NOT NULL OR external_id IS NOT NULL OR import_id IS NOT NULL");
    assert!(left.is_empty(), "{left:?}");
    let newer = created(&world, &root, &line).await;
    assert!(newer > id, "the id is not used again");
    assert_eq!(import(&root, &[line]).await, ["exists"]);
    root.ask(&format!("DELETE /admin/users/{newer}")).await.expect(204);
    assert_eq!(count(&world.service.db, "users WHERE external_id IS NOT NULL"), 0);
}

/// The erasure of an account with more rows than one step removes: the row is still there.
#[tokio::test]
async fn an_account_whose_erasure_goes_on_has_no_external_id() {
    let world = world();
    let root = world.sign_in("root").await;
    let id = created(&world, &root, &line("1", "a@example.com")).await;
    world.service.db.execute(&format!(
        "WITH RECURSIVE n AS (SELECT 1000 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 9000)
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) SELECT id, {id}, 1, 1, 9007199254740991 FROM n"
    ));
    root.ask(&format!("DELETE /admin/users/{id}")).await.expect(204);
    let rest = world.service.db.rows(&format!("SELECT imported_by, external_id, import_id FROM users WHERE id = {id}"));
    assert_eq!(json!(rest), json!([{"imported_by": null, "external_id": null, "import_id": null}]));
    created(&world, &root, &line("1", "a@example.com")).await;
}

/// Each request reads before any of them writes.
struct Together(Arc<Sqlite>);

impl Db for Together {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            if statements.iter().any(|statement| statement.sql.contains("INSERT INTO users")) {
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
            }
            self.0.batch(statements).await
        })
    }
}

#[tokio::test]
async fn requests_at_the_same_time_create_each_account_once() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| Arc::new(Together(db)));
    let (root, second) = (world.sign_in("root").await, world.sign_in("second").await);
    let lines: Vec<Value> =
        (1..=120).map(|number| line(&number.to_string(), &format!("user-{number}@example.com"))).collect();
    let (text, reversed) = (body(&lines), body(&lines.iter().rev().cloned().collect::<Vec<_>>()));
    let answers =
        tokio::join!(answers(&root, &text), answers(&root, &reversed), answers(&second, &text), answers(&root, &text));
    let answers = [answers.0, answers.1, answers.2, answers.3].concat();
    let with = |word: &str| answers.iter().filter(|answer| crate::support::import::word(answer) == word).count();
    assert_eq!(with("created"), 120);
    assert_eq!(with("created") + with("failed overtaken") + with("exists"), 480);
    assert!(with("failed overtaken") > 100, "they were concurrent");
    assert_eq!(count(&world.service.db, "users"), 122);
    assert_eq!(events(&world.service.db).len(), 120, "each has one event");
    assert_eq!(import(&root, &lines).await, vec!["exists"; 120]);
}

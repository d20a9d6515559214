//! Concurrent writes between the read of an import and a batch: the batch asks for each condition again. A line that is overtaken
//! changes nothing, its neighbours are written, and sent again it has the outcome of the new facts.

use serde_json::{Value, json};

use crate::federation_accounts::add;
use crate::support::clock;
use crate::support::import::importer;
use crate::support::import::{ADMITTING, Before, HASH, SCOPES, account, count, events, foreseen_import, import, rows};
use crate::support::mail::{VERIFYING, settle};
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@example.com";
const MET: i64 = 7;

const REGISTERED: &str =
    "INSERT INTO users (id, email, password_hash, created_at) VALUES (9, 'ada@example.com', 'a hash', 1)";
const REGISTERED_AND_PROVEN: &str = "INSERT INTO users (id, email, password_hash, created_at, email_verified_at)
                                     VALUES (9, 'ada@example.com', 'a hash', 1, 1)";
const RESERVED: &str = "INSERT INTO email_proofs
                            (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
                        VALUES (1, 'undo', 1, 'ada@example.com', 1, 0, 1, 9007199254740991, 1)";
const IMPORTED: &str = "INSERT INTO users (id, email, password_hash, created_at, imported_by, external_id)
                        VALUES (9, 'other@example.com', 'a hash', 1, 'user/1', '1')";
const UNIVERSITY_GONE: &str =
    "DELETE FROM user_university_roles WHERE university_id = 2; DELETE FROM courses WHERE university_id = 2;
                               DELETE FROM departments WHERE university_id = 2; DELETE FROM universities WHERE id = 2";
const DEPARTMENT_GONE: &str = "DELETE FROM courses WHERE department_id = 4; DELETE FROM departments WHERE id = 4";
const PROVEN: &str = "UPDATE users SET email_verified_at = 1 WHERE id = 7";
const PROMOTED: &str =
    "INSERT INTO user_university_roles (user_id, role, university_id, created_at) VALUES (7, 'UNIVERSITY_ADMIN', 1, 2)";
const PROMOTED_IN_A_DEPARTMENT: &str =
    "INSERT INTO user_university_roles (user_id, role, university_id, department_id, created_at)
                                        VALUES (7, 'DEPARTMENT_ADMIN', 1, 1, 2)";
const PROMOTED_FOR_ALL: &str =
    "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (7, 'PLATFORM_ADMIN', 2)";
const ERASED: &str = "UPDATE users SET email = 'erased:7', is_active = 0, erasure_cursor = 0, imported_by = NULL, external_id = NULL WHERE id = 7";
const MOVED: &str = "UPDATE users SET email = 'moved@example.com' WHERE id = 7";
const DISABLED: &str = "UPDATE users SET is_active = 0 WHERE id = 7";
const STUDENT: &str =
    "INSERT INTO user_university_roles (user_id, role, university_id, created_at) VALUES (7, 'STUDENT', 1, 2)";
const REPLACED: &str = "UPDATE users SET email = 'moved@example.com', email_verified_at = 1 WHERE id = 7;
                        INSERT INTO users (id, email, password_hash, created_at, email_verified_at)
                        VALUES (9, 'ada@example.com', 'a hash', 1, 1)";

/// The account that the read finds, the concurrent write, the roles of the line, and its outcome when it is sent again.
const TABLE: [(&str, &str, &str, &str); 16] = [
    ("none", REGISTERED, "[]", "created"),
    ("none", REGISTERED_AND_PROVEN, "[]", "exists"),
    ("none", RESERVED, "[]", "exists"),
    ("none", IMPORTED, "[]", "exists"),
    ("none", UNIVERSITY_GONE, r#"[{"role": "TA", "university_id": 2}]"#, "refused role_unknown"),
    (
        "none",
        UNIVERSITY_GONE,
        r#"[{"role": "TA", "university_id": 1}, {"role": "TA", "university_id": 2}]"#,
        "refused role_unknown",
    ),
    ("none", DEPARTMENT_GONE, r#"[{"role": "TA", "university_id": 2, "department_id": 4}]"#, "refused role_unknown"),
    ("unverified factor", PROVEN, "[]", "exists"),
    ("unverified factor", PROMOTED, "[]", "exists"),
    ("unverified factor", PROMOTED_IN_A_DEPARTMENT, "[]", "exists"),
    ("unverified factor", PROMOTED_FOR_ALL, "[]", "exists"),
    ("unverified factor", IMPORTED, "[]", "exists"),
    ("unverified factor", DISABLED, "[]", "exists"),
    ("unverified factor", STUDENT, "[]", "exists"),
    ("unverified factor", REPLACED, "[]", "exists"),
    ("unverified factor", UNIVERSITY_GONE, r#"[{"role": "TA", "university_id": 2}]"#, "refused role_unknown"),
];

/// The account that the line meets, without a role, and another one.
fn fill(db: &Sqlite, state: &str) {
    if state != "none" {
        add(db, MET, state, EMAIL);
        add(db, 8, "unverified", "bob@example.com");
        db.execute("DELETE FROM user_university_roles WHERE user_id = 7");
    }
}

#[tokio::test]
async fn an_overtaken_line_changes_nothing_and_is_decided_anew() {
    for (state, sql, roles, again) in TABLE {
        let world = Before::world(&PEOPLE, VERIFYING, move |db, number| {
            if number == 1 {
                db.execute(sql);
            }
            Ok(())
        });
        let root = world.sign_in("root").await;
        settle().await;
        let db = &world.service.db;
        fill(db, state);
        let roles: Value = serde_json::from_str(roles).unwrap();
        let line =
            json!({"external_id": "1", "email": EMAIL, "email_verified": true, "password_hash": HASH, "roles": roles});
        let alone = World::through(&PEOPLE, &ADMITTING, |db| db);
        let of_other = alone.sign_in("root").await;
        fill(&alone.service.db, state);
        alone.service.db.execute(sql);
        let neighbours = ["first", "last"].map(|name| json!({"email": format!("{name}@example.com")}));
        let lines = [neighbours[0].clone(), line.clone(), neighbours[1].clone()];
        assert_eq!(import(&root, &lines).await, ["created", "failed overtaken", "created"], "{state}: {sql}");
        assert_eq!(import(&of_other, &neighbours).await, ["created", "created"]);
        let columns = "SELECT id, email, password_hash, has_password, full_name, is_active, email_verified_at, external_id, password_version
                       FROM users WHERE id > 1 AND email NOT IN ('first@example.com', 'last@example.com')";
        assert_eq!(db.rows(columns), alone.service.db.rows(columns), "{state}: {sql}");
        for table in ["user_university_roles", "api_keys", "email_proofs", "identities", "passkeys", "totp_secrets"] {
            let select = format!("SELECT * FROM {table}");
            assert_eq!(db.rows(&select), alone.service.db.rows(&select), "{state}: {sql}");
        }
        assert_eq!(events(db).len(), 2, "{state}: {sql}");
        assert_eq!(foreseen_import(&world, &root, &[line]).await, [again], "{state}: {sql}");
    }
}

/// The guards are the importer's: a role of its own is no obstacle, and neither is a change of another account.
#[tokio::test]
async fn concurrent_writes_beside_the_account_do_not_matter() {
    for sql in [
        "UPDATE users SET email_verified_at = 1, is_active = 0 WHERE id = 8",
        "UPDATE users SET email = 'moved@example.com' WHERE id = 8",
        "UPDATE users SET password_hash = 'another', password_version = 9, full_name = 'Else' WHERE id = 7",
        "DELETE FROM sessions; DELETE FROM api_keys WHERE user_id IS NOT NULL; DELETE FROM identities",
        "INSERT INTO users (id, email, password_hash, created_at, imported_by, external_id) VALUES (9, 'x@example.com', '', 1, 'user/2', '1')",
        ERASED,
        MOVED,
        "DELETE FROM courses; DELETE FROM departments WHERE university_id = 2",
    ] {
        let world = Before::world(&PEOPLE, VERIFYING, move |db, number| {
            if number == 1 {
                db.execute(sql);
            }
            Ok(())
        });
        let root = world.sign_in("root").await;
        fill(&world.service.db, "unverified");
        let line = json!({"external_id": "1", "email": EMAIL, "email_verified": true, "roles": [{"role": "TA", "university_id": 2}]});
        assert_eq!(import(&root, &[line]).await, ["created"], "{sql}");
        let account = account(&world.service.db, EMAIL);
        assert_eq!(
            (&account["full_name"], &account["is_active"], &account["roles"]),
            (&Value::Null, &json!(1), &json!(r#"["TA@2"]"#))
        );
    }
}

/// Another request of the same importer has concurrently written the first of two batches.
#[tokio::test]
async fn lines_that_another_request_has_written_are_overtaken_and_then_exist() {
    let insert = "WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 30)
                  INSERT INTO users (email, password_hash, created_at, imported_by, external_id, import_id)
                  SELECT 'user-' || n || '@example.com', 'a hash', 1, 'user/1', n, n FROM n";
    let world = World::overtaken_with(&PEOPLE, &ADMITTING, "imported_by, external_id, import_id)", insert);
    let root = world.sign_in("root").await;
    let lines = crate::support::import::numbered(60);
    let expected = crate::support::import::times(&[(30, "failed overtaken"), (30, "created")]);
    assert_eq!(import(&root, &lines).await, expected);
    let before = rows(&world.service.db);
    assert_eq!(import(&root, &lines).await, vec!["exists"; 60]);
    assert_eq!(rows(&world.service.db), before);
    assert_eq!(count(&world.service.db, "users"), 61);
}

/// The read found no reservation, and the batch is a minute later: the time of the batch counts.
#[tokio::test]
async fn a_reservation_that_ends_meanwhile_is_none() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let (_, service) = importer(&world, &SCOPES).await;
    let ends_at = clock().plus_seconds(1).millis();
    world.service.db.execute(&RESERVED.replace("9007199254740991", &ends_at.to_string()));
    let line = json!({"email": EMAIL});
    assert_eq!(import(&service, std::slice::from_ref(&line)).await, ["exists"]);
    world.service.advance(1);
    assert_eq!(import(&service, &[line]).await, ["created"]);
}

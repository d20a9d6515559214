//! The schema: the constraints of the tables, and the effect of migrations on existing rows.

use edge_auth::store::account::user_data::OWNED;

use crate::support::sqlite::{Sqlite, migrations};

const USER: &str = "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);";
const SESSION: &str =
    "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (7, 1, 1, 1, 9);";

/// Whether a constraint of the tables refuses the statement, as opposed to a mistake in it.
pub fn refuses(setup: &str, sql: &str) -> bool {
    let db = Sqlite::migrated();
    db.execute(setup);
    let refusal = db.try_execute(sql).err();
    refusal.is_some_and(|text| text.contains("constraint failed") || text.contains("cannot store"))
}

#[test]
fn migrations_are_numbered_without_gaps() {
    for (index, (name, _)) in migrations().iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)), "{name}");
    }
}

#[test]
fn tables_are_strict() {
    let db = Sqlite::migrated();
    let loose = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0";
    assert_eq!(db.one::<i64>(loose), 0);
}

#[test]
fn the_tables_refuse_invalid_users_sessions_and_tokens() {
    assert!(refuses(USER, USER), "one address twice");
    assert!(refuses("", "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 'soon')"));
    assert!(refuses(USER, "UPDATE users SET is_active = 2"));
    assert!(refuses("", SESSION), "a session without a user");
    assert!(refuses(
        USER,
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (0, 1, 1, 1, 9)"
    ));
    assert!(refuses(
        USER,
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (1, 1, 9, 9, 9)"
    ));
    let session = format!("{USER}{SESSION}");
    for token in ["refresh_id = 'short', refresh_expires_at = 9", "refresh_id = hex(zeroblob(16))"] {
        assert!(refuses(&session, &format!("UPDATE sessions SET {token}")), "{token}");
    }
    assert!(refuses(&session, "UPDATE sessions SET refresh_expires_at = 9"), "an expiry without a token");
    assert!(refuses(&session, "UPDATE sessions SET previous_refresh_id = 'short'"));
}

#[test]
fn users_with_sessions_cannot_be_deleted() {
    assert!(refuses(&format!("{USER}{SESSION}"), "DELETE FROM users"));
}

/// Rows in the schema of the first migration: live sessions, one ended for reuse, and their tokens.
const BEFORE_SECURITY: &str = "
    INSERT INTO users (email, password_hash, full_name, is_active, created_at)
    VALUES ('a@b.cd', 'x', 'Ada', 1, 1), ('e@f.gh', 'y', NULL, 0, 2);
    INSERT INTO sessions (id, user_id, created_at, expires_at, ended_at, end_reason)
    VALUES (7, 1, 10, 99, NULL, NULL), (8, 2, 20, 98, 30, 'reuse'), (9, 2, 25, 97, NULL, NULL);
    INSERT INTO refresh_tokens (jti, session_id, user_id, created_at, expires_at, revoked_at, successor_jti)
    VALUES (replace(hex(zeroblob(16)), '0', 'a'), 7, 1, 10, 50, 15, replace(hex(zeroblob(16)), '0', 'b')),
           (replace(hex(zeroblob(16)), '0', 'b'), 7, 1, 15, 55, NULL, NULL),
           (replace(hex(zeroblob(16)), '0', 'c'), 8, 2, 20, 60, NULL, NULL);";

#[test]
fn the_second_migration_keeps_every_row_of_the_first() {
    let db = Sqlite::empty();
    let migrations = migrations();
    db.execute(&migrations[0].1);
    db.execute(BEFORE_SECURITY);
    let users = db.rows("SELECT id, email, password_hash, full_name, is_active, created_at FROM users");
    let sessions = "SELECT id, user_id, created_at, expires_at, ended_at, end_reason FROM sessions ORDER BY id";
    let tokens = "SELECT jti, session_id, created_at, expires_at, revoked_at, successor_jti FROM refresh_tokens";
    let before = [db.rows(sessions), db.rows(tokens)];
    db.execute(&migrations[1].1);
    assert_eq!(db.rows("SELECT id, email, password_hash, full_name, is_active, created_at FROM users"), users);
    assert_eq!([db.rows(sessions), db.rows(tokens)], before);
    assert_eq!(before.map(|rows| rows.len()), [3, 3]);
    let used: Vec<i64> = db
        .rows("SELECT last_used_at FROM sessions ORDER BY id")
        .iter()
        .map(|row| row["last_used_at"].as_i64().unwrap())
        .collect();
    assert_eq!(used, [15, 20, 25], "the newest token says when a session was used last");
    assert!(db.rows("PRAGMA foreign_key_check").is_empty());
    assert!(db.try_execute("DELETE FROM sessions WHERE id = 7").is_err(), "tokens still point to their session");
    let next = "INSERT INTO users (email, password_hash, created_at) VALUES ('i@j.kl', 'z', 3)";
    db.execute(next);
    assert_eq!(db.one::<i64>("SELECT max(id) FROM users"), 3);
}

/// Rows in the schema of the second migration, at least one in every table.
const BEFORE_ROLES: &str = "
    INSERT INTO users (email, password_hash, full_name, is_active, created_at, failed_sign_ins, erasure_cursor)
    VALUES ('a@b.cd', 'x', 'Ada', 1, 1, 2, NULL), ('erased:2', '', NULL, 0, 2, 0, 5);
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (7, 1, 10, 11, 99);
    INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
    VALUES (replace(hex(zeroblob(16)), '0', 'a'), 7, 10, 50);
    INSERT INTO registration_counts (network, window_started_at, attempts) VALUES ('192.0.2.7', 1, 3);
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    VALUES (1, 'signed_in', NULL, 1, 7, '192.0.2.7', 'curl', 'r'), (2, 'refreshed', 'retry', 1, 7, NULL, NULL, 's');";

#[test]
fn the_third_migration_keeps_every_row_of_the_second() {
    let db = Sqlite::empty();
    let migrations = migrations();
    db.execute(&migrations[0].1);
    db.execute(&migrations[1].1);
    db.execute(BEFORE_ROLES);
    let text = |row: &serde_json::Map<String, serde_json::Value>| row["name"].as_str().unwrap().to_owned();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let reads: Vec<String> = db
        .rows(tables)
        .iter()
        .map(text)
        .map(|table| {
            let columns = db.rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
            let columns: Vec<String> = columns.iter().map(text).collect();
            format!("SELECT {} FROM {table} ORDER BY 1", columns.join(", "))
        })
        .collect();
    let before: Vec<_> = reads.iter().map(|sql| db.rows(sql)).collect();
    assert!(before.len() >= 7 && before.iter().all(|rows| !rows.is_empty()), "{reads:?}");
    db.execute(&migrations[2].1);
    let after: Vec<_> = reads.iter().map(|sql| db.rows(sql)).collect();
    assert_eq!(after, before);
    assert!(db.rows("PRAGMA foreign_key_check").is_empty());
    assert_eq!(db.one::<String>("PRAGMA integrity_check"), "ok");
    let no_actor = "SELECT count(*) FROM audit_events WHERE actor_id IS NULL AND university_id IS NULL";
    assert_eq!(db.one::<i64>(no_actor), 2, "earlier events have no actor but the user");
    db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 3)");
}

/// The previous version of the Worker writes and reads events without the new columns.
#[test]
fn the_migration_for_acts_keeps_events_and_suits_the_previous_version() {
    let db = Sqlite::empty();
    let migrations = migrations();
    let (before, after): (Vec<_>, Vec<_>) = migrations.iter().partition(|(name, _)| name.as_str() < "0010");
    for (_, sql) in before {
        db.execute(sql);
    }
    db.execute(USER);
    let insert = "
        INSERT INTO audit_events (created_at, type, reason, user_id, session_id, actor_id, university_id, request_id, ip, user_agent)
        SELECT 1, 'signed_in', NULL, 1, 7, NULL, NULL, 'r', '192.0.2.7', 'curl'";
    db.execute(insert);
    let rows = "SELECT id, created_at, type, user_id, session_id, request_id, ip, user_agent FROM audit_events";
    let events = db.rows(rows);
    for (_, sql) in after {
        db.execute(sql);
    }
    assert_eq!(db.rows(rows), events);
    db.execute(insert);
    assert_eq!(db.rows("SELECT id FROM audit_events WHERE ray IS NULL AND object_id IS NULL").len(), 2);
    db.execute("UPDATE users SET erasure_cursor = 0");
    db.execute(insert);
    assert_eq!(db.one::<String>("SELECT request_id FROM audit_events ORDER BY id DESC"), "");
}

/// Neither the subject's erasure nor the actor's leaves anything personal, whichever statement writes the event.
#[test]
fn an_event_of_an_erased_account_loses_its_personal_data() {
    let db = Sqlite::migrated();
    db.execute(
        "INSERT INTO users (email, password_hash, created_at, erasure_cursor)
         VALUES ('a@b.cd', 'x', 1, NULL), ('erased:2', '', 1, 0)",
    );
    let kept = |user: &str, actor: &str| {
        db.execute(&format!(
            "INSERT INTO audit_events (created_at, type, user_id, actor_id, ip, user_agent, request_id, ray)
             VALUES (1, 'disabled', {user}, {actor}, '192.0.2.7', 'curl', 'r', '230b030023ae2822')"
        ));
        let sql = "SELECT request_id || coalesce(ip, '') || coalesce(user_agent, '') || coalesce(ray, '')
             FROM audit_events ORDER BY id DESC";
        !db.one::<String>(sql).is_empty()
    };
    let cases = [("1", "NULL"), ("NULL", "1"), ("NULL", "NULL"), ("1", "1")];
    assert!(cases.into_iter().all(|(user, actor)| kept(user, actor)));
    // User 2 is being erased; a user 3 is gone.
    let cases = [("2", "NULL"), ("NULL", "2"), ("1", "2"), ("2", "1"), ("3", "NULL"), ("1", "3")];
    assert!(!cases.into_iter().any(|(user, actor)| kept(user, actor)));
}

/// A table with rows of a user is erased, exported and cleaned up by its entry.
#[test]
fn every_table_that_refers_to_users_is_in_the_register_of_user_data() {
    let db = Sqlite::migrated();
    let sql = "SELECT DISTINCT t.name FROM sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) AS k
               WHERE t.type = 'table' AND k.\"table\" IN ('users', 'sessions')";
    let rows = db.rows(sql);
    let referring: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(referring.len() >= 3, "{referring:?}");
    // Rows of `throttles` belong to a user by their key, without a reference.
    for table in referring.into_iter().chain(["throttles"]) {
        assert!(OWNED.iter().any(|owned| owned.table == table), "{table} is not registered");
    }
}

/// Two universities, the first with two departments, the second with one, a course and an enrolment.
const PLACES: &str = "
    INSERT INTO universities (name, slug, created_at) VALUES ('A', 'a', 1), ('B', 'b', 1);
    INSERT INTO departments (university_id, name, created_at) VALUES (1, 'X', 1), (1, 'Y', 1), (2, 'X', 1);
    INSERT INTO courses (university_id, department_id, title, code, is_public, created_at) VALUES (1, 1, 'T', 'C', 1, 1);
    INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, 1, 1);";

fn grant(role: &str, university: &str, department: &str) -> String {
    format!(
        "INSERT INTO user_university_roles (user_id, role, university_id, department_id, created_at)
         VALUES (1, '{role}', {university}, {department}, 1);"
    )
}

#[test]
fn the_tables_refuse_invalid_roles() {
    let setup = format!("{USER}{PLACES}");
    let roles = [
        ("STUDENT", "1", "NULL"),
        ("STUDENT", "1", "1"),
        ("STUDENT", "1", "2"),
        ("STUDENT", "2", "NULL"),
        ("TA", "1", "NULL"),
        ("DEPARTMENT_ADMIN", "1", "1"),
        ("UNIVERSITY_ADMIN", "1", "NULL"),
        ("PLATFORM_ADMIN", "NULL", "NULL"),
    ];
    let all: String = roles.map(|(role, university, department)| grant(role, university, department)).concat();
    let given = format!("{setup}{all}");
    for (role, university, department) in roles {
        assert!(refuses(&given, &grant(role, university, department)), "{role} twice");
    }
    for (role, university, department, why) in [
        ("DEPARTMENT_ADMIN", "1", "NULL", "of no department"),
        ("STUDENT", "1", "3", "in a department of another university"),
        ("STUDENT", "1", "9", "in a missing department"),
        ("STUDENT", "9", "NULL", "in a missing university"),
        ("STUDENT", "NULL", "NULL", "in no university"),
        ("UNIVERSITY_ADMIN", "NULL", "NULL", "in no university"),
        ("UNIVERSITY_ADMIN", "1", "1", "narrowed to a department"),
        ("PLATFORM_ADMIN", "1", "NULL", "in a university"),
        ("PLATFORM_ADMIN", "NULL", "1", "in a department"),
        ("OWNER", "1", "NULL", "unknown"),
    ] {
        assert!(refuses(&setup, &grant(role, university, department)), "{role} {why}");
    }
    let without_user = grant("STUDENT", "1", "NULL").replace("(1, ", "(9, ");
    assert!(refuses(&setup, &without_user), "a role without a user");
}

#[test]
fn the_tables_refuse_invalid_places_and_courses() {
    let setup = format!("{USER}{PLACES}{}", grant("STUDENT", "1", "2"));
    for sql in [
        "INSERT INTO universities (name, slug, created_at) VALUES ('C', 'a', 1)",
        "INSERT INTO universities (name, slug, created_at) VALUES ('', 'c', 1)",
        "INSERT INTO departments (university_id, name, created_at) VALUES (1, 'X', 1)",
        "INSERT INTO departments (university_id, name, created_at) VALUES (9, 'X', 1)",
        "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (1, 'T', 'C', 1, 1)",
        "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (1, 'T', 'D', 2, 1)",
        "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (1, '', 'D', 1, 1)",
        "UPDATE courses SET department_id = 3",
        "UPDATE courses SET university_id = 2",
        "INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, 1, 2)",
        "INSERT INTO enrollments (course_id, user_id, created_at) VALUES (9, 1, 2)",
        "INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, 9, 2)",
        // Referenced rows cannot be deleted.
        "DELETE FROM users",
        "DELETE FROM universities WHERE id = 2",
        "DELETE FROM departments WHERE id = 1",
        "DELETE FROM departments WHERE id = 2",
        "DELETE FROM courses",
    ] {
        assert!(refuses(&setup, sql), "{sql}");
    }
    let db = Sqlite::migrated();
    db.execute(&setup);
    db.execute("INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (2, 'T', 'C', 1, 1)");
    db.execute("DELETE FROM enrollments; DELETE FROM courses WHERE id = 1; DELETE FROM departments WHERE id IN (1, 3)");
    db.execute("INSERT INTO departments (university_id, name, created_at) VALUES (1, 'X', 1)");
    assert_eq!(db.one::<i64>("SELECT max(id) FROM departments"), 4, "ids are never reused");
}

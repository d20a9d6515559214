//! The schema: what the tables themselves refuse, and that every look-up has an index.

use edge_auth::store::{sessions, users};

use crate::support::sqlite::{Sqlite, migrations};

const USER: &str = "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);";
const SESSION: &str = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (7, 1, 1, 9);";

fn token(jti: char, revoked_at: &str, successor: &str) -> String {
    format!(
        "INSERT INTO refresh_tokens (jti, session_id, user_id, created_at, expires_at, revoked_at, successor_jti)
         VALUES ('{}', 7, 1, 1, 9, {revoked_at}, {successor});",
        jti.to_string().repeat(32)
    )
}

/// Is it a rule of the tables that refuses, and not a mistake in the statement?
fn refuses(setup: &str, sql: &str) -> bool {
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
    let loose =
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0";
    assert_eq!(db.one::<i64>(loose), 0);
}

#[test]
fn the_tables_refuse_what_must_not_be() {
    assert!(refuses(USER, USER), "one address twice");
    assert!(refuses("", "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 'soon')"));
    assert!(refuses(USER, "UPDATE users SET is_active = 2"));
    assert!(refuses("", SESSION), "a session of nobody");
    assert!(refuses(USER, "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (0, 1, 1, 9)"));
    assert!(refuses(USER, "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (1, 1, 9, 9)"));
    let session = format!("{USER}{SESSION}");
    assert!(refuses(&session, "UPDATE sessions SET ended_at = 5"), "ended without a reason");
    assert!(refuses(&session, "UPDATE sessions SET ended_at = 5, end_reason = 'whim'"));
    let live = format!("{session}{}", token('a', "NULL", "NULL"));
    assert!(refuses(&live, &token('b', "NULL", "NULL")), "two tokens of one session that can be exchanged");
    assert!(refuses(&session, &token('a', "5", "NULL")), "exchanged for nothing");
    let exchanged = format!("{session}{}", token('a', "5", "'c'"));
    assert!(refuses(&exchanged, &token('b', "5", "'c'")), "one successor of two tokens");
}

#[test]
fn erasing_a_user_erases_their_sessions_and_tokens() {
    let db = Sqlite::migrated();
    db.execute(&format!("{USER}{SESSION}{}DELETE FROM users;", token('a', "NULL", "NULL")));
    for table in ["sessions", "refresh_tokens"] {
        assert_eq!(db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0);
    }
}

#[test]
fn every_statement_of_the_store_is_listed() {
    let text = ["users", "sessions"]
        .map(|name| std::fs::read_to_string(format!("{}/src/store/{name}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap());
    let constants = text.concat().matches(": &str =").count();
    assert_eq!(constants, users::STATEMENTS.len() + sessions::STATEMENTS.len());
}

#[test]
fn no_statement_reads_a_whole_table() {
    let db = Sqlite::migrated();
    for sql in users::STATEMENTS.iter().chain(sessions::STATEMENTS) {
        for detail in db.plan(sql) {
            let is_constant_row = detail == "SCAN CONSTANT ROW";
            assert!(is_constant_row || !detail.starts_with("SCAN"), "{detail}: {sql}");
        }
    }
}

//! Counters of failed attempts across the migrations of their table.

use crate::support::sqlite::{Sqlite, migrations};

/// Counters and waits as the third migration knew them: of two users, of each kind, and of an unknown address.
const BEFORE_THROTTLES: &str = "
    INSERT INTO users (email, password_hash, created_at, failed_sign_ins, blocked_until, failed_proofs, proofs_blocked_until)
    VALUES ('a@b.cd', 'x', 1, 7, 2000, 0, 0), ('e@f.gh', 'y', 1, 3, 0, 6, 3000), ('i@j.kl', 'z', 1, 0, 0, 0, 0),
           ('erased:4', '', 1, 0, 0, 2, 5000);
    UPDATE users SET erasure_cursor = 0 WHERE id = 4;
    UPDATE unknown_sign_ins SET failed_sign_ins = 9, blocked_until = 4000 WHERE slot = 17;";

#[test]
fn the_fourth_migration_keeps_counted_failures_and_waits_under_way() {
    let db = Sqlite::empty();
    let migrations = migrations();
    for (_, sql) in &migrations[..3] {
        db.execute(sql);
    }
    db.execute(BEFORE_THROTTLES);
    db.execute(&migrations[3].1);
    let rows = db.rows("SELECT key || ' ' || failures || ' ' || blocked_until AS row FROM throttles ORDER BY key");
    let rows: Vec<_> = rows.iter().map(|row| row["row"].as_str().unwrap()).collect();
    assert_eq!(
        rows,
        ["unknown/17 9 4000", "user/1/password 7 2000", "user/2/password 3 0", "user/2/reauthentication 6 3000"]
    );
}

/// The previous version of the Worker goes on with its own rows, and counts by the same statements.
#[test]
fn the_seventh_migration_keeps_counters_for_both_versions() {
    let db = Sqlite::empty();
    let migrations = migrations();
    for (_, sql) in &migrations[..6] {
        db.execute(sql);
    }
    db.execute(
        "INSERT INTO throttles (key, failures, blocked_until)
         VALUES ('unknown/17', 9, 4000), ('user/1/password', 7, 2000), ('user/2/reauthentication', 6, 3000);
         INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);",
    );
    db.execute(&migrations[6].1);
    db.execute(
        "INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/password', 1, 0)
         ON CONFLICT (key) DO UPDATE SET failures = failures + 1;
         INSERT INTO users (email, password_hash, created_at) VALUES ('e@f.gh', 'y', 1);",
    );
    let rows = db.rows(
        "SELECT key || ' ' || failures || ' ' || recent_failures || ' ' || blocked_until || ' ' || failed_at AS row
         FROM throttles ORDER BY key",
    );
    let rows: Vec<_> = rows.iter().map(|row| row["row"].as_str().unwrap()).collect();
    assert_eq!(rows, ["unknown/17 9 0 4000 0", "user/1/password 8 0 2000 0", "user/2/reauthentication 6 6 3000 3000"]);
    let known = db.rows("SELECT count(*) AS known FROM users WHERE registered_network IS NOT NULL");
    assert_eq!(known[0]["known"], 0);
}

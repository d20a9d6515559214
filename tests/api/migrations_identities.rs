//! Identities: the constraints of their tables, and accounts from before the migration.

use crate::support::sqlite::{Sqlite, migrations};

const USERS: &str = "
    INSERT INTO users (email, password_hash, created_at, email_verified_at) VALUES ('a@b.cd', 'x', 1, 1), ('e@f.gh', 'y', 1, NULL);";

/// An identity of each user, and a flow.
const IDENTITIES: &str = "
    INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
    VALUES (1, 1, 'acme', 'https://id.acme.example', 'a', 'a@b.cd', 1), (2, 2, 'acme', 'https://id.acme.example', 'b', NULL, 1);
    INSERT INTO used_flows (id, returned_by, expires_at) VALUES (1, 1, 9);";

fn filled() -> Sqlite {
    let db = Sqlite::migrated();
    db.execute(USERS);
    db.execute(IDENTITIES);
    db
}

/// The users that have an identity.
fn owners(db: &Sqlite) -> String {
    db.one("SELECT coalesce(group_concat(user_id, ' '), '') FROM (SELECT user_id FROM identities ORDER BY user_id)")
}

#[test]
fn the_migration_keeps_every_row_and_suits_the_previous_version() {
    let db = Sqlite::empty();
    let migrations = migrations();
    let (before, after): (Vec<_>, Vec<_>) = migrations.iter().partition(|(name, _)| name.as_str() < "0020");
    for (_, sql) in before {
        db.execute(sql);
    }
    db.execute(USERS);
    db.execute(
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (7, 1, 1, 1, 9);
         INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
                               is_backup_eligible, is_backed_up, created_at)
         VALUES (1, 2, 'a', 'n', 'EdDSA', '{}', 0, '[]', 0, 0, 1);",
    );
    let rows = |db: &Sqlite| {
        let tables = ["users", "sessions", "passkeys", "clean_up_positions"];
        tables.map(|table| db.rows(&format!("SELECT * FROM {table} ORDER BY 1")))
    };
    let kept = rows(&db);
    for (_, sql) in after {
        db.execute(sql);
    }
    let [users, sessions, passkeys, walks] = rows(&db);
    assert_eq!([&users, &sessions, &passkeys], [&kept[0], &kept[1], &kept[2]]);
    assert_eq!(walks.len(), kept[3].len() + 1, "one more walk of the clean-up");
    assert!(db.rows("PRAGMA foreign_key_check").is_empty());
    // The previous version erases a user without a word of identities, and empties accounts.
    db.execute(IDENTITIES);
    db.execute("UPDATE users SET password_version = password_version + 1, email_verified_at = 4 WHERE id = 2");
    assert_eq!(owners(&db), "1");
    db.execute("DELETE FROM sessions; DELETE FROM users");
    assert_eq!(owners(&db), "");
}

#[test]
fn the_tables_refuse_invalid_identities_and_flows() {
    let db = filled();
    for sql in [
        "UPDATE identities SET subject = 'a'",
        "UPDATE identities SET user_id = 9",
        "UPDATE identities SET issuer = NULL",
        "INSERT INTO used_flows (id, expires_at) VALUES (1, 9)",
        "INSERT INTO used_flows (id) VALUES (2)",
    ] {
        let refusal = db.try_execute(sql).unwrap_err();
        assert!(refusal.contains("constraint failed"), "{sql}: {refusal}");
    }
    // The subject of another issuer is another person.
    db.execute("UPDATE identities SET issuer = 'https://github.com', subject = 'a' WHERE id = 2");
}

#[test]
fn identities_go_with_their_user() {
    let db = filled();
    db.execute("DELETE FROM users WHERE id = 1");
    assert_eq!(owners(&db), "2");
}

/// A stranger that registered the address of another person keeps no way in.
#[test]
fn an_account_that_is_emptied_loses_its_identities_and_no_other_change_of_a_password_does_that() {
    let db = filled();
    for kept in [
        "UPDATE users SET password_version = password_version + 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = email_verified_at",
        "UPDATE users SET email_verified_at = 2 WHERE id = 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = 3 WHERE id = 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = NULL WHERE id = 1",
    ] {
        db.execute(kept);
        assert_eq!(owners(&db), "1 2", "{kept}");
    }
    db.execute("UPDATE users SET password_version = password_version + 1, email_verified_at = 4 WHERE id = 2");
    assert_eq!(owners(&db), "1");
    // The address of the other one is proven by its owner, whose password stays.
    db.execute("UPDATE users SET email_verified_at = 5 WHERE id = 1");
    assert_eq!(owners(&db), "1");
}

//! Second factors: the constraints of their tables, and accounts from before the migration.

use crate::support::sqlite::{Sqlite, migrations};

const USERS: &str = "
    INSERT INTO users (email, password_hash, created_at, email_verified_at) VALUES ('a@b.cd', 'x', 1, 1), ('e@f.gh', 'y', 1, NULL);";

/// An app, codes and a passkey of each user.
const FACTORS: &str = "
    INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
    VALUES (1, 1, 1, 's', 'k', 1), (2, 2, 1, 's', 'k', 1);
    INSERT INTO recovery_codes (user_id, hashes, created_at) VALUES (1, '', 1), (2, '', 1);
    INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
                          is_backup_eligible, is_backed_up, created_at)
    VALUES (1, 1, 'a', 'n', 'EdDSA', '{}', 0, '[]', 0, 0, 1), (2, 2, 'b', 'n', 'ES256', '{}', 0, '[]', 1, 0, 1);
    INSERT INTO used_challenges (id, user_id, expires_at) VALUES (1, 1, 9), (2, 2, 9);";

fn filled() -> Sqlite {
    let db = Sqlite::migrated();
    db.execute(USERS);
    db.execute(FACTORS);
    db
}

/// The numbers of apps, rows of codes and passkeys of a user.
fn factors(db: &Sqlite, user: i64) -> [i64; 3] {
    ["totp_secrets", "recovery_codes", "passkeys"]
        .map(|table| db.one(&format!("SELECT count(*) FROM {table} WHERE user_id = {user}")))
}

#[test]
fn accounts_from_before_the_migration_have_a_password_and_their_keys_one_factor() {
    let db = Sqlite::empty();
    let migrations = migrations();
    let (before, after): (Vec<_>, Vec<_>) = migrations.iter().partition(|(name, _)| name.as_str() < "0019");
    for (_, sql) in before {
        db.execute(sql);
    }
    let key = |id: i64| {
        db.execute(&format!(
            "INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
             VALUES ({id}, 1, 'Key', '[]', printf('%064d', 0), 1)"
        ));
    };
    db.execute(USERS);
    key(1);
    let users = "SELECT id, email, password_hash, created_at FROM users ORDER BY id";
    let kept = db.rows(users);
    for (_, sql) in after {
        db.execute(sql);
    }
    assert_eq!(db.rows(users), kept);
    // The previous version of the Worker writes without the new columns.
    db.execute("INSERT INTO users (email, password_hash, created_at) VALUES ('i@j.kl', 'z', 1)");
    key(2);
    assert_eq!(db.one::<i64>("SELECT count(*) FROM users WHERE has_password = 1 AND passkey_handle IS NULL"), 3);
    assert_eq!(db.one::<i64>("SELECT count(*) FROM api_keys WHERE has_mfa = 0"), 2);
}

#[test]
fn the_tables_refuse_invalid_factors() {
    let db = filled();
    for sql in [
        "INSERT INTO totp_secrets (user_id, is_confirmed, secret, encrypted_by, created_at) VALUES (1, 1, 's', 'k', 1)",
        "INSERT INTO totp_secrets (user_id, is_confirmed, secret, encrypted_by, created_at) VALUES (9, 0, 's', 'k', 1)",
        "UPDATE totp_secrets SET is_confirmed = 2",
        "INSERT INTO recovery_codes (user_id, hashes, created_at) VALUES (1, '', 1)",
        "INSERT INTO recovery_codes (user_id, hashes, created_at) VALUES (9, '', 1)",
        "UPDATE passkeys SET credential_id = 'a'",
        "UPDATE passkeys SET user_id = 9",
        "UPDATE passkeys SET algorithm = 'HS256'",
        "UPDATE passkeys SET is_backup_eligible = 2",
        "UPDATE passkeys SET is_backed_up = 2",
        "INSERT INTO used_challenges (id, user_id, expires_at) VALUES (1, 1, 9)",
        "INSERT INTO used_challenges (id, user_id, expires_at) VALUES (3, 9, 9)",
        "UPDATE users SET has_password = 2",
    ] {
        let refusal = db.try_execute(sql).unwrap_err();
        assert!(refusal.contains("constraint failed"), "{sql}: {refusal}");
    }
    // One that waits for its first code, beside the confirmed one.
    db.execute(
        "INSERT INTO totp_secrets (user_id, is_confirmed, secret, encrypted_by, created_at) VALUES (1, 0, 's', 'k', 1)",
    );
}

#[test]
fn factors_go_with_their_user() {
    let db = filled();
    db.execute("DELETE FROM users WHERE id = 1");
    assert_eq!((factors(&db, 1), factors(&db, 2)), ([0; 3], [1; 3]));
    assert_eq!(db.one::<i64>("SELECT count(*) FROM used_challenges"), 1);
}

/// A stranger that registered the address of another person keeps no way in.
#[test]
fn an_account_that_is_emptied_loses_its_factors_and_no_other_change_of_a_password_does_that() {
    let db = filled();
    for kept in [
        "UPDATE users SET password_version = password_version + 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = email_verified_at",
        "UPDATE users SET email_verified_at = 2 WHERE id = 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = 3 WHERE id = 1",
        "UPDATE users SET password_version = password_version + 1, email_verified_at = NULL WHERE id = 1",
    ] {
        db.execute(kept);
        assert_eq!((factors(&db, 1), factors(&db, 2)), ([1; 3], [1; 3]), "{kept}");
    }
    db.execute("UPDATE users SET password_version = password_version + 1, email_verified_at = 4 WHERE id = 2");
    assert_eq!((factors(&db, 1), factors(&db, 2)), ([1; 3], [0; 3]));
    // The address of the other one is proven by its owner, whose password stays.
    db.execute("UPDATE users SET email_verified_at = 5 WHERE id = 1");
    assert_eq!(factors(&db, 1), [1; 3]);
}

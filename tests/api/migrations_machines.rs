//! The schema of service accounts and API keys.

use crate::support::sqlite::Sqlite;

const OWNERS: &str = "
    INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);
    INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at) VALUES (5, 'sa_1', 'N', '[]', 1, 1);";

fn key(id: i64, owner: &str) -> String {
    format!(
        "INSERT INTO api_keys (id, secret_hash, created_at, user_id, service_account_id, name, permissions)
         VALUES ({id}, printf('%064d', {id}), 1, {owner})"
    )
}

#[test]
fn a_key_has_one_owner_and_permissions_if_that_is_a_user() {
    let db = Sqlite::migrated();
    db.execute(OWNERS);
    for owner in
        ["NULL, NULL, 'N', NULL", "1, 5, 'N', '[]'", "1, NULL, 'N', NULL", "1, NULL, NULL, '[]'", "NULL, 5, 'N', '[]'"]
    {
        assert!(db.try_execute(&key(7, owner)).unwrap_err().contains("CHECK constraint failed"), "{owner}");
    }
    for owner in ["9, NULL, 'N', '[]'", "NULL, 9, 'N', NULL"] {
        assert!(db.try_execute(&key(7, owner)).unwrap_err().contains("FOREIGN KEY constraint failed"), "{owner}");
    }
    db.execute(&key(7, "1, NULL, 'N', '[]'"));
    db.execute(&key(8, "NULL, 5, NULL, NULL"));
    assert!(db.try_execute(&key(8, "NULL, 5, NULL, NULL")).is_err(), "one id twice");
    assert!(db.try_execute("UPDATE api_keys SET secret_hash = 'short'").is_err());
    assert!(db.try_execute("UPDATE service_accounts SET is_active = 2").is_err());
}

#[test]
fn keys_go_with_their_owners() {
    let db = Sqlite::migrated();
    db.execute(OWNERS);
    db.execute(&key(7, "1, NULL, 'N', '[]'"));
    db.execute(&key(8, "NULL, 5, NULL, NULL"));
    db.execute("DELETE FROM service_accounts");
    assert_eq!(db.one::<i64>("SELECT group_concat(id) = '7' FROM api_keys"), 1);
    db.execute("DELETE FROM users");
    assert_eq!(db.one::<i64>("SELECT count(*) FROM api_keys"), 0);
}

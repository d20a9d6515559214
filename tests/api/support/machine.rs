//! A service account of a test, written straight into the database.

use edge_auth::domain::ids::ApiKeyId;
use edge_auth::domain::machine::api_key::ApiKey;

use super::sqlite::Sqlite;

/// The name of the account.
pub const CLIENT_ID: &str = "sa_00112233445566778899aabbccddeeff";
/// The scopes of the account, as they are stored.
pub const SCOPES: &str = r#"["introspect","authz:check","users:read"]"#;
/// The id of the account and of its key: smaller than those that the service draws.
pub const ID: i64 = 77;

/// The text of the account's key.
pub fn key() -> String {
    ApiKey::mint(ApiKeyId::new(ID).unwrap(), [7; 32]).text().expose().to_owned()
}

/// Adds the account with its key, unless it is there.
pub fn add(db: &Sqlite) {
    let hash = ApiKey::mint(ApiKeyId::new(ID).unwrap(), [7; 32]).hash();
    db.execute(&format!(
        "INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
         VALUES ({ID}, '{CLIENT_ID}', 'Gateway', '{SCOPES}', 1, 1) ON CONFLICT DO NOTHING;
         INSERT INTO api_keys (id, service_account_id, secret_hash, created_at)
         VALUES ({ID}, {ID}, '{}', 1) ON CONFLICT DO NOTHING",
        hash.as_str()
    ));
}

/// The media type of the body of a request to this path.
pub fn media_type(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("/oauth/") => "application/x-www-form-urlencoded",
        _ if path.starts_with("/admin/users/import") => "application/x-ndjson",
        _ => "application/json",
    }
}

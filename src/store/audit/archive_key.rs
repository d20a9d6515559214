//! The key of the audit archive: one row, made once, however many isolates try at once.

use serde::Deserialize;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;

const SELECT: &str = "SELECT kid, public_key, private_key, master_key, encrypted_by FROM audit_keys WHERE id = 1";

const INSERT: &str = "
    INSERT INTO audit_keys (id, kid, public_key, private_key, master_key, encrypted_by, created_at)
    VALUES (1, :kid, :public_key, :private_key, :master_key, :encrypted_by, :now)
    ON CONFLICT (id) DO NOTHING";

/// Unless another run did it concurrently.
const ENCRYPT_ANEW: &str = "
    UPDATE audit_keys SET private_key = :private_key, master_key = :master_key, encrypted_by = :encrypted_by
    WHERE id = 1 AND private_key = :former";

const COUNT_OUTDATED: &str = "SELECT count(*) AS count FROM audit_keys WHERE id = 1 AND encrypted_by <> :encrypted_by";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT, INSERT, ENCRYPT_ANEW, COUNT_OUTDATED];

/// The key as it is stored: the private parts are encrypted.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct SealedAuditKey {
    pub kid: String,
    pub public_key: String,
    pub private_key: String,
    pub master_key: String,
    pub encrypted_by: String,
}

/// Reads the key.
///
/// # Errors
/// [`DbError`].
pub async fn load(store: &Store) -> Result<Option<SealedAuditKey>, DbError> {
    let [rows] = store.batch([query(SELECT)]).await?;
    rows.first()
}

/// Stores this key unless there is one, and returns the stored one.
///
/// # Errors
/// [`DbError`].
pub async fn add(store: &Store, key: &SealedAuditKey, now: Timestamp) -> Result<SealedAuditKey, DbError> {
    let insert = bind_sealed(query(INSERT), key)
        .bind("kid", key.kid.as_str())
        .bind("public_key", key.public_key.as_str())
        .bind("now", now);
    let [_, rows] = store.batch([insert, query(SELECT)]).await?;
    rows.first()?.ok_or_else(|| DbError::unreadable("the key of the audit archive is not stored"))
}

/// Replaces the encrypted parts, unless they changed concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn encrypt_anew(store: &Store, former: &SealedAuditKey, key: &SealedAuditKey) -> Result<(), DbError> {
    let replace = bind_sealed(query(ENCRYPT_ANEW), key).bind("former", former.private_key.as_str());
    store.batch([replace]).await.map(|[_]| ())
}

/// Counts the key if another `SECRET_KEY` than this one encrypted it.
pub(in crate::store) fn count_outdated(key_id: &str) -> Statement {
    query(COUNT_OUTDATED).bind("encrypted_by", key_id)
}

fn bind_sealed(statement: Statement, key: &SealedAuditKey) -> Statement {
    statement
        .bind("private_key", key.private_key.as_str())
        .bind("master_key", key.master_key.as_str())
        .bind("encrypted_by", key.encrypted_by.as_str())
}

//! The key ring in the database. `domain::keys::ring` decides its changes; the guards of these statements let one isolate
//! make each of them.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::keys::ring::{Change, NewKey, Ring, Sealed, SigningKey};
use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event};

/// The version of the ring, or 0 without one. Each read behind a token selects it, and each batch whose answer is a token.
macro_rules! ring_version {
    () => {
        "coalesce((SELECT version FROM key_ring WHERE id = 1), 0)"
    };
}
pub(in crate::store) use ring_version;

const SELECT_RING: &str = "SELECT version, nonce, algorithm, hs256_ended_at FROM key_ring WHERE id = 1";

/// A ring has two keys in use, and those that were retired within hours.
const SELECT_KEYS: &str = "
    SELECT kid, algorithm, state, public_key, private_key, encrypted_by, created_at, activated_at, ended_at
    FROM signing_keys";

/// Does nothing if another change was made since `:from_version`. The following statements look for its id, so
/// they do nothing then either. HS256 ends once, when another algorithm takes its place.
///
/// Versions follow the time, so that none is used twice, even after a database was restored to an earlier time.
const BEGIN_CHANGE: &str = "
    INSERT INTO key_ring (id, version, nonce, algorithm, hs256_ended_at)
    SELECT 1, :now, :change_id, :algorithm, :now WHERE :from_version = 0 OR EXISTS (SELECT 1 FROM key_ring WHERE id = 1)
    ON CONFLICT (id) DO UPDATE SET
        version = max(version + 1, excluded.version),
        nonce = excluded.nonce,
        algorithm = excluded.algorithm,
        hs256_ended_at =
            CASE WHEN excluded.algorithm = 'HS256' THEN NULL
                 WHEN algorithm = 'HS256' THEN excluded.hs256_ended_at
                 ELSE hs256_ended_at END
    WHERE version = :from_version";

macro_rules! is_begun {
    () => {
        "EXISTS (SELECT 1 FROM key_ring WHERE id = 1 AND nonce = :change_id)"
    };
}

const DROP_KEY: &str = concat!("DELETE FROM signing_keys WHERE kid = :kid AND state = 'next' AND ", is_begun!());

const RETIRE_KEY: &str = concat!(
    "UPDATE signing_keys SET state = 'retired', private_key = NULL, encrypted_by = NULL, ended_at = :now
     WHERE kid = :kid AND state = 'current' AND ",
    is_begun!()
);

const REVOKE_KEY: &str = concat!(
    "UPDATE signing_keys
     SET state = 'revoked', public_key = '', private_key = NULL, encrypted_by = NULL, ended_at = :now
     WHERE kid = :kid AND state <> 'revoked' AND ",
    is_begun!()
);

const PROMOTE_KEY: &str = concat!(
    "UPDATE signing_keys SET state = 'current', activated_at = :now WHERE kid = :kid AND state = 'next' AND ",
    is_begun!()
);

const INSERT_KEY: &str = concat!(
    "INSERT INTO signing_keys
         (kid, algorithm, state, public_key, private_key, encrypted_by, created_at, activated_at)
     SELECT :kid, :algorithm, :state, :public_key, :private_key, :encrypted_by, :now,
            CASE :state WHEN 'current' THEN :now END
     WHERE ",
    is_begun!(),
    " ON CONFLICT (kid) DO NOTHING"
);

const RECORD_CHANGE: &str = insert_event! {
    type: ":type", reason: ":subject", user_id: "NULL", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("WHERE ", is_begun!()),
};

const DELETE_EXPIRED: &str = "DELETE FROM signing_keys WHERE kid = :kid AND state IN ('retired', 'revoked')";

/// The version stays: the key is the same.
const ENCRYPT_ANEW: &str = "
    UPDATE signing_keys SET private_key = :private_key, encrypted_by = :encrypted_by
    WHERE kid = :kid AND private_key = :former";

const COUNT_OUTDATED: &str = "
    SELECT count(*) AS count FROM signing_keys WHERE state IN ('next', 'current') AND encrypted_by <> :encrypted_by";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_RING,
    SELECT_KEYS,
    BEGIN_CHANGE,
    DROP_KEY,
    RETIRE_KEY,
    REVOKE_KEY,
    PROMOTE_KEY,
    INSERT_KEY,
    RECORD_CHANGE,
    DELETE_EXPIRED,
    ENCRYPT_ANEW,
    COUNT_OUTDATED,
];

#[derive(Deserialize)]
struct RingRow {
    version: i64,
    nonce: i64,
    algorithm: String,
    hs256_ended_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct KeyRow {
    kid: String,
    algorithm: String,
    state: String,
    public_key: String,
    private_key: Option<String>,
    encrypted_by: Option<String>,
    created_at: Timestamp,
    activated_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl KeyRow {
    fn key(self) -> Option<SigningKey> {
        Some(SigningKey {
            id: KeyId::parse(&self.kid)?,
            algorithm: Algorithm::named(&self.algorithm)?,
            state: KeyState::named(&self.state)?,
            public_key: self.public_key,
            sealed: self.private_key.zip(self.encrypted_by).map(|(text, key_id)| Sealed { text, key_id }),
            created_at: self.created_at,
            activated_at: self.activated_at,
            ended_at: self.ended_at,
        })
    }
}

/// Reads the ring.
///
/// # Errors
/// [`DbError`].
pub async fn load(store: &Store) -> Result<Ring, DbError> {
    let [ring, keys] = store.batch([query(SELECT_RING), query(SELECT_KEYS)]).await?;
    read(&ring, &keys)
}

fn read(ring: &Rows, keys: &Rows) -> Result<Ring, DbError> {
    let Some(row) = ring.first::<RingRow>()? else { return Ok(Ring::default()) };
    let unknown = || DbError::unreadable("a signing key of a later version");
    let keys = keys.all::<KeyRow>()?.into_iter().map(KeyRow::key).collect::<Option<Vec<_>>>();
    Ok(Ring {
        version: row.version,
        algorithm: Algorithm::named(&row.algorithm).ok_or_else(unknown)?,
        hs256_ended_at: row.hs256_ended_at,
        keys: keys.ok_or_else(unknown)?,
    })
}

/// The new keys of a change.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct NewKeys {
    pub current: Option<NewKey>,
    pub next: Option<NewKey>,
}

/// The ring after an attempt to change it.
pub struct Attempt {
    /// The ring as it is now.
    pub ring: Ring,
    /// This attempt changed it. Otherwise another isolate was faster.
    pub is_made: bool,
}

/// Makes a change, unless another isolate was faster.
///
/// # Errors
/// [`DbError`].
pub async fn apply(
    store: &Store,
    change: &Change,
    keys: &NewKeys,
    event_type: EventType,
    change_id: i64,
    request: RequestInfo<'_>,
) -> Result<Attempt, DbError> {
    let now = request.now;
    let of_key = |sql, id: Option<KeyId>| query(sql).bind("kid", id.map(KeyId::text)).bind("change_id", change_id);
    let begin = query(BEGIN_CHANGE)
        .bind("change_id", change_id)
        .bind("algorithm", change.algorithm.as_str())
        .bind("now", now)
        .bind("from_version", change.from_version);
    let subject = change.revoked.map_or_else(|| change.algorithm.as_str().to_owned(), KeyId::text);
    let record =
        audit::insert(RECORD_CHANGE, request, event_type).bind("subject", subject).bind("change_id", change_id);
    let mut statements = vec![
        begin,
        of_key(DROP_KEY, change.dropped),
        of_key(RETIRE_KEY, change.retired).bind("now", now),
        of_key(REVOKE_KEY, change.revoked).bind("now", now),
        of_key(PROMOTE_KEY, change.promoted).bind("now", now),
        record,
    ];
    let new = [(KeyState::Current, &keys.current), (KeyState::Next, &keys.next)];
    let new = new.into_iter().filter_map(|(state, key)| key.as_ref().map(|key| (state, key)));
    statements.extend(new.map(|(state, key)| insert(state, key, change.algorithm, change_id, now)));
    statements.extend([query(SELECT_RING), query(SELECT_KEYS)]);
    let results = store.batch_of(statements).await?;
    match results.as_slice() {
        [.., rows, keys] => {
            let is_made = rows.first::<RingRow>()?.is_some_and(|row| row.nonce == change_id);
            Ok(Attempt { ring: read(rows, keys)?, is_made })
        }
        _ => Err(DbError::lost_results()),
    }
}

fn insert(state: KeyState, key: &NewKey, algorithm: Algorithm, change_id: i64, now: Timestamp) -> Statement {
    query(INSERT_KEY)
        .bind("kid", key.id.text())
        .bind("algorithm", algorithm.as_str())
        .bind("state", state.as_str())
        .bind("public_key", key.public_key.as_str())
        .bind("private_key", key.sealed.text.as_str())
        .bind("encrypted_by", key.sealed.key_id.as_str())
        .bind("now", now)
        .bind("change_id", change_id)
}

/// Counts the private halves that another `SECRET_KEY` than this one encrypted.
pub(in crate::store) fn count_outdated(key_id: &str) -> Statement {
    query(COUNT_OUTDATED).bind("encrypted_by", key_id)
}

/// Deletes a key whose last token has expired.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(store: &Store, id: KeyId) -> Result<(), DbError> {
    let [_] = store.batch([query(DELETE_EXPIRED).bind("kid", id.text())]).await?;
    Ok(())
}

/// Replaces the encrypted text of a private half, unless it changed concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn encrypt_anew(store: &Store, id: KeyId, former: &Sealed, sealed: &Sealed) -> Result<(), DbError> {
    let replace = query(ENCRYPT_ANEW)
        .bind("private_key", sealed.text.as_str())
        .bind("encrypted_by", sealed.key_id.as_str())
        .bind("kid", id.text())
        .bind("former", former.text.as_str());
    let [_] = store.batch([replace]).await?;
    Ok(())
}

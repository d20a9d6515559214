//! Passkeys of users: adding, listing and renaming them, and the entry in the register of user data.

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::factor::challenge::Challenge;
use crate::domain::ids::{PasskeyId, UserId};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::factor::changes::{FactorOwner, end_others_if, owner_is_present};
use crate::store::factor::recovery_codes;
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::names;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store, boolean};

/// Maximum number of passkeys of a user.
pub const MAX_PASSKEYS: i64 = 25;

macro_rules! columns {
    () => {
        "id, name, created_at, last_used_at, suspended_at IS NOT NULL AS is_suspended"
    };
}

/// The challenge was not answered before.
const INSERT: &str = concat!(
    "INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
                           is_backup_eligible, is_backed_up, created_at)
     SELECT :passkey_id, :user_id, :credential_id, :name, :algorithm, :public_key, :sign_count, :transports,
            :is_backup_eligible, :is_backed_up, :now
     WHERE (SELECT count(*) FROM passkeys WHERE user_id = :user_id) < :max_passkeys
       AND NOT EXISTS (SELECT 1 FROM used_challenges WHERE id = :challenge_id) AND ",
    owner_is_present!(),
    " ON CONFLICT DO NOTHING"
);

macro_rules! is_added {
    () => {
        "EXISTS (SELECT 1 FROM passkeys WHERE id = :passkey_id AND user_id = :user_id)"
    };
}

const USE_CHALLENGE: &str = concat!(
    "INSERT INTO used_challenges (id, user_id, used_at, expires_at)
     SELECT :challenge_id, :user_id, :now, :challenge_ends_at WHERE ",
    is_added!(),
    " ON CONFLICT (id) DO NOTHING"
);

const END_OTHERS: &str = end_others_if!(is_added!());

const SELECT_NEW: &str = concat!("SELECT ", columns!(), " FROM passkeys WHERE id = :passkey_id AND user_id = :user_id");

/// Why nothing was added.
const SELECT_CAUSE: &str = concat!(
    "SELECT ",
    owner_is_present!(),
    " AS is_present, EXISTS (SELECT 1 FROM passkeys WHERE credential_id = :credential_id) AS is_known,
     EXISTS (SELECT 1 FROM used_challenges WHERE id = :challenge_id) AS is_answered"
);

const SELECT_ALL: &str =
    concat!("SELECT ", columns!(), " FROM passkeys WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :limit");

const RENAME: &str = "UPDATE passkeys SET name = :name WHERE id = :passkey_id AND user_id = :user_id AND name <> :name";

const EXPORT: &str = concat!(
    "SELECT id, name, algorithm, transports, created_at, last_used_at, suspended_at
     FROM passkeys WHERE user_id = :user_id ORDER BY id LIMIT :limit * ",
    session_is_live!()
);

const ERASE: &str = "
    DELETE FROM passkeys
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step >= 25";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[INSERT, USE_CHALLENGE, END_OTHERS, SELECT_NEW, SELECT_CAUSE, SELECT_ALL, RENAME, EXPORT, ERASE];

/// The passkeys of a user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "passkeys",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM passkeys AS p WHERE p.user_id = users.id"],
    export: Some(Section { member: "passkeys", select: EXPORT, paging: Paging::FirstPage { limit: MAX_PASSKEYS } }),
    walk: None,
};

/// A passkey, without its key.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct PasskeyRow {
    pub id: PasskeyId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    #[serde(deserialize_with = "boolean")]
    pub is_suspended: bool,
}

/// A passkey to be added.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct AddedPasskey<'a> {
    pub id: PasskeyId,
    pub name: &'a Label,
    /// The id in base64url.
    pub credential_id: &'a str,
    pub algorithm: &'static str,
    pub public_key: &'a str,
    pub sign_count: u32,
    /// The names as a JSON list.
    pub transports: &'a [&'static str],
    pub is_backup_eligible: bool,
    pub is_backed_up: bool,
    pub challenge: Challenge,
}

/// The outcome of adding a passkey.
pub enum AdditionOutcome {
    /// It was added. Whether the recovery codes were given, and perhaps the notice.
    Added {
        /// The passkey as stored.
        row: PasskeyRow,
        /// The user had no recovery codes, and has the new ones.
        gives_codes: bool,
        /// The mail that tells the owner.
        notice: Option<QueuedMail>,
    },
    /// The credential is known.
    Known,
    /// The challenge was answered before.
    Answered,
    /// The user has the maximum.
    TooMany,
    /// The owner may not add it any more.
    NoOwner,
}

#[derive(Deserialize)]
struct CauseRow {
    #[serde(deserialize_with = "boolean")]
    is_present: bool,
    #[serde(deserialize_with = "boolean")]
    is_known: bool,
    #[serde(deserialize_with = "boolean")]
    is_answered: bool,
}

/// Adds a passkey, gives recovery codes to a user without any, and ends all other sessions.
///
/// # Errors
/// [`DbError`].
pub async fn add(
    store: &Store,
    owner: FactorOwner,
    new: &AddedPasskey<'_>,
    code_hashes: &str,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<AdditionOutcome, DbError> {
    let user_id = owner.user_id;
    let of_passkey = |sql| query(sql).bind("user_id", user_id).bind("passkey_id", new.id);
    let event = Event::of(EventType::FactorAdded, user_id).because(Reason::Passkey).within(owner.session_id);
    let [give, given] = recovery_codes::give_with_passkey(user_id, new.id, code_hashes, request.now);
    let cause = owner.bind(query(SELECT_CAUSE), request.now).bind("credential_id", new.credential_id);
    let mut statements = vec![
        insert(owner, new, request),
        record_if_changed(request, event.about(new.id.get())),
        of_passkey(USE_CHALLENGE)
            .bind("challenge_id", new.challenge.id)
            .bind("challenge_ends_at", new.challenge.kept_until())
            .bind("now", request.now),
        give,
        of_passkey(END_OTHERS).bind("kept_id", owner.session_id),
        of_passkey(SELECT_NEW),
        given,
        cause.bind("challenge_id", new.challenge.id),
    ];
    statements.extend(event_notice(notice, user_id, EventType::FactorAdded, request));
    let results = store.batch_of(statements).await?;
    let [_, _, _, _, _, rows, given, causes, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let notice = queued(notice, &results)?;
    let cause: Option<CauseRow> = causes.first()?;
    Ok(match (rows.first()?, cause) {
        (Some(row), _) => AdditionOutcome::Added { row, gives_codes: !given.all::<IdRow>()?.is_empty(), notice },
        (None, Some(cause)) if !cause.is_present => AdditionOutcome::NoOwner,
        (None, Some(cause)) if cause.is_answered => AdditionOutcome::Answered,
        (None, Some(cause)) if cause.is_known => AdditionOutcome::Known,
        (None, _) => AdditionOutcome::TooMany,
    })
}

fn insert(owner: FactorOwner, new: &AddedPasskey<'_>, request: RequestInfo<'_>) -> Statement {
    owner
        .bind(query(INSERT), request.now)
        .bind("passkey_id", new.id)
        .bind("credential_id", new.credential_id)
        .bind("name", new.name)
        .bind("algorithm", new.algorithm)
        .bind("public_key", new.public_key)
        .bind("sign_count", i64::from(new.sign_count))
        .bind("transports", names::text(new.transports.iter().copied()))
        .bind("is_backup_eligible", new.is_backup_eligible)
        .bind("is_backed_up", new.is_backed_up)
        .bind("max_passkeys", MAX_PASSKEYS)
        .bind("challenge_id", new.challenge.id)
}

/// Lists the passkeys of a user.
#[must_use]
pub fn list(user_id: UserId, page: PageRequest) -> Read<Page<PasskeyRow>> {
    let select = page.query(SELECT_ALL).bind("user_id", user_id);
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &PasskeyRow| row.id.get())))
}

/// Gives a passkey another name, and returns it; `None` if the user has no such passkey.
///
/// # Errors
/// [`DbError`].
pub async fn rename(
    store: &Store,
    user_id: UserId,
    id: PasskeyId,
    name: &Label,
    request: RequestInfo<'_>,
) -> Result<Option<PasskeyRow>, DbError> {
    let of_passkey = |sql| query(sql).bind("user_id", user_id).bind("passkey_id", id);
    let event = Event::of(EventType::FactorRenamed, user_id).about(id.get());
    let rename = of_passkey(RENAME).bind("name", name);
    let [_, _, rows] = store.batch([rename, record_if_changed(request, event), of_passkey(SELECT_NEW)]).await?;
    rows.first()
}

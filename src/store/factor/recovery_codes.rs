//! Recovery codes: the hashes of those that are unused, in one row of the user.

use crate::domain::audit::EventType;
use crate::domain::ids::{PasskeyId, TotpId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::factor::changes::{FactorOwner, is_confirmed, owner_is_present, select_present_owner};
use crate::store::factor::due::has_factor;
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// Sets the codes of a user under a condition.
macro_rules! set_codes {
    ($condition:expr) => {
        concat!(
            "INSERT INTO recovery_codes (user_id, hashes, created_at) SELECT :user_id, :hashes, :now WHERE ",
            $condition,
            " ON CONFLICT (user_id) DO UPDATE SET hashes = excluded.hashes, created_at = excluded.created_at"
        )
    };
}

/// If the secret was confirmed in the same batch. A second execution sets the same codes.
const GIVE_WITH_TOTP: &str = set_codes!(is_confirmed!());

/// If the passkey was added in the same batch, and the user has no codes, or those of suspended factors: a thief may have them.
const GIVE_WITH_PASSKEY: &str = "
    INSERT INTO recovery_codes (user_id, hashes, created_at)
    SELECT :user_id, :hashes, :now WHERE EXISTS (SELECT 1 FROM passkeys WHERE id = :passkey_id AND user_id = :user_id)
    ON CONFLICT (user_id) DO UPDATE SET hashes = excluded.hashes, created_at = excluded.created_at
    WHERE hashes = '' OR NOT EXISTS (
        SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 AND suspended_at IS NULL
        UNION ALL SELECT 1 FROM passkeys WHERE user_id = :user_id AND id <> :passkey_id AND suspended_at IS NULL
    )";

const REPLACE: &str = set_codes!(concat!(has_factor!(), " AND ", owner_is_present!()));

/// These codes are the user's.
const SELECT_GIVEN: &str = "SELECT user_id AS id FROM recovery_codes WHERE user_id = :user_id AND hashes = :hashes";

const EXPORT: &str = concat!(
    "SELECT created_at, length(hashes) / 65 AS unused FROM recovery_codes WHERE user_id = :user_id LIMIT :limit * ",
    session_is_live!()
);

const ERASE: &str = "
    DELETE FROM recovery_codes
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step > 0";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[GIVE_WITH_TOTP, GIVE_WITH_PASSKEY, REPLACE, SELECT_GIVEN, EXPORT, ERASE];

/// The codes of a user: one row.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "recovery_codes",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM recovery_codes AS r WHERE r.user_id = users.id"],
    export: Some(Section { member: "recovery_codes", select: EXPORT, paging: Paging::FirstPage { limit: 1 } }),
    walk: None,
};

/// The outcome of a replacement.
pub enum ReplacementOutcome {
    /// The codes are in force. Perhaps the notice.
    Replaced(Option<QueuedMail>),
    /// The user has no second factor.
    NoFactor,
    /// The session has ended.
    NoOwner,
}

fn set(sql: &'static str, user_id: UserId, hashes: &str, now: Timestamp) -> Statement {
    query(sql).bind("user_id", user_id).bind("hashes", hashes).bind("now", now)
}

pub(super) fn give_with_totp(
    user_id: UserId,
    (id, confirmed_by): (TotpId, i64),
    hashes: &str,
    now: Timestamp,
) -> Statement {
    set(GIVE_WITH_TOTP, user_id, hashes, now).bind("totp_id", id).bind("confirmed_by", confirmed_by)
}

/// The second statement has a row if the codes were given.
pub(super) fn give_with_passkey(user_id: UserId, id: PasskeyId, hashes: &str, now: Timestamp) -> [Statement; 2] {
    let given = query(SELECT_GIVEN).bind("user_id", user_id).bind("hashes", hashes);
    [set(GIVE_WITH_PASSKEY, user_id, hashes, now).bind("passkey_id", id), given]
}

/// Replaces all codes of a user that has a second factor.
///
/// # Errors
/// [`DbError`].
pub async fn replace(
    store: &Store,
    owner: FactorOwner,
    hashes: &str,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<ReplacementOutcome, DbError> {
    let event = Event::of(EventType::RecoveryCodesReplaced, owner.user_id).within(owner.session_id);
    let mut statements = vec![
        owner.bind(query(REPLACE), request.now).bind("hashes", hashes),
        record_if_changed(request, event),
        query(SELECT_GIVEN).bind("user_id", owner.user_id).bind("hashes", hashes),
        select_present_owner(owner, request.now),
    ];
    statements.extend(event_notice(notice, owner.user_id, EventType::RecoveryCodesReplaced, request));
    let results = store.batch_of(statements).await?;
    let [_, _, given, owner, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(match (given.all::<IdRow>()?.is_empty(), owner.all::<IdRow>()?.is_empty()) {
        (false, _) => ReplacementOutcome::Replaced(mail),
        (true, false) => ReplacementOutcome::NoFactor,
        (true, true) => ReplacementOutcome::NoOwner,
    })
}

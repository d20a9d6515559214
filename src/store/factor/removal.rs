//! Removing second factors, by their owner or by an administrator. The last way in stays: a passkey is not removed while it
//! is the only way to sign in.
//!
//! Other sessions end first, under the condition of the removal, so that a second execution of the batch finds nothing to do.

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{IdentityId, PasskeyId, SessionId, UserId};
use crate::ports::{DbError, Statement, query};
use crate::store::audit::{self, Event, RequestInfo, insert_event, is_done, record_if_changed, recorded};
use crate::store::authz::grants::{actor_is_platform_admin, select_actor};
use crate::store::factor::changes::{FactorOwner, delete_useless_codes, end_others_if, select_present_owner};
use crate::store::factor::due::codes_hold;
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::outcome::ActOutcome;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// The recovery codes that a thief may have seen go with the thief's factor. It precedes the removal, under this condition.
macro_rules! delete_seen_codes {
    ($condition:expr) => {
        concat!(
            "DELETE FROM recovery_codes AS r WHERE r.user_id = :user_id AND NOT (",
            codes_hold!(),
            ") AND ",
            $condition
        )
    };
}

const DELETE_CODES_WITH_TOTP: &str = delete_seen_codes!(concat!(
    "EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 AND suspended_at IS NOT NULL) AND ",
    session_is_live!()
));

/// A session that has ended concurrently removes nothing: a new factor may have ended it.
const END_OTHERS_WITH_TOTP: &str = end_others_if!(concat!(
    "EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1) AND ",
    session_is_live!()
));

const DELETE_TOTP: &str = concat!(
    "DELETE FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 AND ",
    session_is_live!(),
    " RETURNING id"
);

/// A secret that waits for its first code goes, too.
const DELETE_PENDING: &str = concat!("DELETE FROM totp_secrets WHERE user_id = :user_id AND ", session_is_live!());

/// The user can sign in without the passkey `:passkey_id` and the identity `:identity_id`; without any passkey, if the former
/// is NULL. Ids are positive, so 0 is none.
macro_rules! has_other_way {
    () => {
        "EXISTS (
             SELECT 1 FROM users AS u
             WHERE u.id = :user_id AND (
                 u.has_password = 1 OR (:signs_in_by_code = 1 AND u.email_verified_at IS NOT NULL) OR EXISTS (
                     SELECT 1 FROM passkeys AS o
                     WHERE o.user_id = u.id AND o.id <> :passkey_id AND o.suspended_at IS NULL
                 ) OR EXISTS (
                     SELECT 1 FROM identities AS o
                     WHERE o.user_id = u.id AND o.id <> :identity_id AND o.suspended_at IS NULL
                       AND o.issuer IN (SELECT value FROM json_each(:issuers))
                 )
             )
         )"
    };
}
pub(in crate::store) use has_other_way;

/// The ways to sign in besides passwords and passkeys, as the settings have them.
#[derive(Debug, Clone, Copy)]
pub struct OtherWays<'a> {
    /// A mailed code signs in.
    pub signs_in_by_code: bool,
    /// The issuers of the configured providers, as a JSON list.
    pub issuers: &'a str,
}

impl OtherWays<'_> {
    fn bind(self, statement: Statement) -> Statement {
        statement.bind("signs_in_by_code", self.signs_in_by_code).bind("issuers", self.issuers)
    }

    /// Binds the values of [`has_other_way`] for the removal of a passkey, or of all.
    fn without_passkey(self, statement: Statement, id: Option<PasskeyId>) -> Statement {
        self.bind(statement).bind("passkey_id", id).bind("identity_id", 0)
    }

    /// The same for the removal of an identity.
    pub(in crate::store) fn without_identity(self, statement: Statement, id: IdentityId) -> Statement {
        self.bind(statement).bind("passkey_id", 0).bind("identity_id", id)
    }
}

/// The passkey is the user's, and not the last way in.
macro_rules! is_removable {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM passkeys WHERE id = :passkey_id AND user_id = :user_id) AND ",
            has_other_way!(),
            " AND ",
            $crate::store::session::liveness::session_is_live!()
        )
    };
}

const DELETE_CODES_WITH_PASSKEY: &str = delete_seen_codes!(concat!(
    "EXISTS (SELECT 1 FROM passkeys WHERE id = :passkey_id AND suspended_at IS NOT NULL) AND ",
    is_removable!()
));

const END_OTHERS_WITH_PASSKEY: &str = end_others_if!(is_removable!());

const DELETE_PASSKEY: &str = concat!(
    "DELETE FROM passkeys WHERE id = :passkey_id AND user_id = :user_id AND ",
    is_removable!(),
    " RETURNING id"
);

const SELECT_PASSKEY: &str = "SELECT id FROM passkeys WHERE id = :passkey_id AND user_id = :user_id";

/// An administrator removes every factor, under this condition.
macro_rules! may_reset {
    () => {
        concat!(has_other_way!(), " AND ", actor_is_platform_admin!())
    };
}

/// There is a factor to be removed.
macro_rules! has_any_factor {
    () => {
        "(EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id)
          OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id))"
    };
}

const RESET_SESSIONS: &str =
    concat!("DELETE FROM sessions WHERE user_id = :user_id AND ", has_any_factor!(), " AND ", may_reset!());
const RESET_TOTP: &str =
    concat!("DELETE FROM totp_secrets WHERE user_id = :user_id AND ", may_reset!(), " RETURNING id");
const RESET_CODES: &str = concat!("DELETE FROM recovery_codes WHERE user_id = :user_id AND ", may_reset!());
const RESET_PASSKEYS: &str =
    concat!("DELETE FROM passkeys WHERE user_id = :user_id AND ", may_reset!(), " RETURNING id");

/// Precedes the deletions: has a row if there is something to remove.
const RECORD_RESET: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: concat!("WHERE ", has_any_factor!(), " AND ", may_reset!()),
};

const SELECT_USER: &str = "SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NULL";

const SELECT_OTHER_WAY: &str = concat!("SELECT :user_id AS id WHERE ", has_other_way!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    DELETE_CODES_WITH_TOTP,
    DELETE_CODES_WITH_PASSKEY,
    END_OTHERS_WITH_TOTP,
    DELETE_TOTP,
    DELETE_PENDING,
    END_OTHERS_WITH_PASSKEY,
    DELETE_PASSKEY,
    SELECT_PASSKEY,
    RESET_SESSIONS,
    RESET_TOTP,
    RESET_CODES,
    RESET_PASSKEYS,
    RECORD_RESET,
    SELECT_USER,
    SELECT_OTHER_WAY,
];

/// The outcome of a removal.
pub enum RemovalOutcome {
    /// The factor is gone. Perhaps the notice.
    Removed(Option<QueuedMail>),
    /// The user has no such factor.
    Missing,
    /// The user could not sign in any more.
    LastWayIn,
    /// The session ended concurrently.
    NoOwner,
}

/// Removes the authenticator app of a user, and ends all other sessions.
///
/// # Errors
/// [`DbError`].
pub async fn remove_totp(
    store: &Store,
    user_id: UserId,
    kept: Option<SessionId>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<RemovalOutcome, DbError> {
    let of_session = |sql| query(sql).bind("user_id", user_id).bind("session_id", kept).bind("now", request.now);
    let event = Event::of(EventType::FactorRemoved, user_id).because(Reason::Totp).within(kept);
    let mut statements = vec![
        of_session(DELETE_CODES_WITH_TOTP),
        of_session(END_OTHERS_WITH_TOTP).bind("kept_id", kept),
        of_session(DELETE_TOTP),
        record_if_changed(request, event),
        recorded(request, EventType::FactorRemoved),
        of_session(DELETE_PENDING),
        delete_useless_codes(user_id),
        select_present_owner(owner_of(user_id, kept), request.now),
    ];
    statements.extend(event_notice(notice, user_id, EventType::FactorRemoved, request));
    let results = store.batch_of(statements).await?;
    let [_, _, deleted, _, recorded, _, _, owner, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(match (is_done(deleted, recorded)?, owner.all::<IdRow>()?.is_empty()) {
        (true, _) => RemovalOutcome::Removed(mail),
        (false, true) => RemovalOutcome::NoOwner,
        (false, false) => RemovalOutcome::Missing,
    })
}

/// The owner with this session. A removal needs no proven address.
const fn owner_of(user_id: UserId, session_id: Option<SessionId>) -> FactorOwner {
    FactorOwner { user_id, session_id, needs_proof: false }
}

/// Removes a passkey of a user, and ends all other sessions.
///
/// # Errors
/// [`DbError`].
pub async fn remove_passkey(
    store: &Store,
    (user_id, kept): (UserId, Option<SessionId>),
    id: PasskeyId,
    ways: OtherWays<'_>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<RemovalOutcome, DbError> {
    let of_passkey = |sql| query(sql).bind("user_id", user_id).bind("passkey_id", id);
    let guarded = |sql| {
        let of_session = query(sql).bind("user_id", user_id).bind("session_id", kept).bind("now", request.now);
        ways.without_passkey(of_session, Some(id))
    };
    let event = Event::of(EventType::FactorRemoved, user_id).because(Reason::Passkey).within(kept).about(id.get());
    let mut statements = vec![
        guarded(DELETE_CODES_WITH_PASSKEY),
        guarded(END_OTHERS_WITH_PASSKEY).bind("kept_id", kept),
        guarded(DELETE_PASSKEY),
        record_if_changed(request, event),
        recorded(request, EventType::FactorRemoved),
        of_passkey(SELECT_PASSKEY),
        delete_useless_codes(user_id),
        select_present_owner(owner_of(user_id, kept), request.now),
    ];
    statements.extend(event_notice(notice, user_id, EventType::FactorRemoved, request));
    let results = store.batch_of(statements).await?;
    let [_, _, deleted, _, recorded, left, _, owner, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    let is_owner = !owner.all::<IdRow>()?.is_empty();
    Ok(match (is_done(deleted, recorded)?, left.all::<IdRow>()?.is_empty()) {
        (true, _) => RemovalOutcome::Removed(mail),
        (false, _) if !is_owner => RemovalOutcome::NoOwner,
        (false, true) => RemovalOutcome::Missing,
        (false, false) => RemovalOutcome::LastWayIn,
    })
}

/// Removes every second factor of a user for an administrator, and ends all sessions.
///
/// # Errors
/// [`DbError`].
pub async fn reset(
    store: &Store,
    user_id: UserId,
    actor: UserId,
    ways: OtherWays<'_>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<ActOutcome<RemovalOutcome>, DbError> {
    let of_user = |statement: Statement| ways.without_passkey(statement.bind("user_id", user_id), None);
    let of_actor = |statement| of_user(statement).bind("actor_id", actor);
    let mut statements = vec![
        select_actor(actor),
        query(SELECT_USER).bind("user_id", user_id),
        of_user(query(SELECT_OTHER_WAY)),
        of_actor(audit::insert(RECORD_RESET, request, EventType::FactorsReset)),
        of_actor(query(RESET_SESSIONS)),
        of_actor(query(RESET_TOTP)),
        of_actor(query(RESET_CODES)),
        of_actor(query(RESET_PASSKEYS)),
        recorded(request, EventType::FactorsReset),
    ];
    statements.extend(event_notice(notice, user_id, EventType::FactorsReset, request));
    let results = store.batch_of(statements).await?;
    let [actors, users, other_ways, _, _, totp, _, passkeys, recorded, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    let is_removed = is_done(totp, recorded)? || !passkeys.all::<IdRow>()?.is_empty();
    let done = match (is_removed, !other_ways.all::<IdRow>()?.is_empty()) {
        (true, _) => RemovalOutcome::Removed(mail),
        (false, true) => RemovalOutcome::Missing,
        (false, false) => RemovalOutcome::LastWayIn,
    };
    ActOutcome::read(actors, users, done)
}

//! Linking an identity to the account of a session, and unlinking one. The last way in stays.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{IdentityId, SessionId, UserId};
use crate::ports::{DbError, query};
use crate::store::audit::{self, Event, RequestInfo, insert_event, is_done, record_if_changed, recorded};
use crate::store::factor::changes::{FactorOwner, end_others_if, owner_is_present, select_present_owner};
use crate::store::factor::removal::{OtherWays, RemovalOutcome, has_other_way};
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::federation::identities::{IdentityRow, NewIdentity, columns, insert_identity};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store, boolean};

const INSERT: &str = insert_identity!(concat!("id = :user_id AND ", owner_is_present!(), " AND ", is_redeemed!()));

const RECORD: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: ":session_id", actor_id: "NULL", university_id: "NULL",
    object_id: ":identity_id",
    from: "WHERE EXISTS (SELECT 1 FROM identities WHERE id = :identity_id AND user_id = :user_id)",
};

/// The identity, which the same user may have had before: also of an earlier request with this flow, whose answer was lost.
const SELECT_OWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM identities WHERE issuer = :issuer AND subject = :subject AND user_id = :user_id"
);

/// Why nothing was linked.
const SELECT_CAUSE: &str = concat!(
    "SELECT ",
    owner_is_present!(),
    " AS is_present, EXISTS (SELECT 1 FROM identities WHERE issuer = :issuer AND subject = :subject) AS has_owner, ",
    is_redeemed!(),
    " AS is_redeemed"
);

macro_rules! is_removable {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM identities WHERE id = :identity_id AND user_id = :user_id) AND ",
            has_other_way!(),
            " AND ",
            session_is_live!()
        )
    };
}

const END_OTHERS: &str = end_others_if!(is_removable!());

const DELETE: &str = concat!(
    "DELETE FROM identities WHERE id = :identity_id AND user_id = :user_id AND ",
    is_removable!(),
    " RETURNING id"
);

const SELECT_LEFT: &str = "SELECT id FROM identities WHERE id = :identity_id AND user_id = :user_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, RECORD, SELECT_OWN, SELECT_CAUSE, END_OTHERS, DELETE, SELECT_LEFT];

/// The outcome of linking.
pub enum LinkOutcome {
    /// The identity is the user's. Perhaps the notice.
    Linked(Box<IdentityRow>, Option<QueuedMail>),
    /// Another user has the identity.
    OfOther,
    /// The user has the maximum.
    TooMany,
    /// The session ended concurrently.
    NoOwner,
    /// The flow was used before.
    Used,
}

#[derive(Deserialize)]
struct CauseRow {
    #[serde(deserialize_with = "boolean")]
    is_present: bool,
    #[serde(deserialize_with = "boolean")]
    has_owner: bool,
    #[serde(deserialize_with = "boolean")]
    is_redeemed: bool,
}

/// Uses the flow up, and adds the identity to the account of the session.
///
/// # Errors
/// [`DbError`].
pub async fn link(
    store: &Store,
    owner: FactorOwner,
    identity: NewIdentity<'_>,
    evidence: Evidence,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<LinkOutcome, DbError> {
    let of_owner = |sql| identity.bind_subject(evidence.bind(owner.bind(query(sql), request.now), request));
    let record = audit::insert(RECORD, request, EventType::IdentityLinked)
        .bind("user_id", owner.user_id)
        .bind("session_id", owner.session_id)
        .bind("identity_id", identity.id);
    let select = identity.bind_subject(query(SELECT_OWN)).bind("user_id", owner.user_id);
    let insert = identity.bind_new(of_owner(INSERT));
    let mut statements = vec![evidence.redeem(request), insert, record, select, of_owner(SELECT_CAUSE)];
    statements.extend(event_notice(notice, owner.user_id, EventType::IdentityLinked, request));
    let results = store.batch_of(statements).await?;
    let Some([_, _, _, own, causes]) = results.first_chunk() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    let cause: Option<CauseRow> = causes.first()?;
    Ok(match (own.first()?, cause) {
        (Some(row), _) => LinkOutcome::Linked(Box::new(row), mail),
        (None, Some(cause)) if !cause.is_redeemed => LinkOutcome::Used,
        (None, Some(cause)) if !cause.is_present => LinkOutcome::NoOwner,
        (None, Some(cause)) if cause.has_owner => LinkOutcome::OfOther,
        (None, _) => LinkOutcome::TooMany,
    })
}

/// Unlinks an identity of a user, and ends all other sessions: one that it opened may be a stranger's.
///
/// # Errors
/// [`DbError`].
pub async fn unlink(
    store: &Store,
    (user_id, kept): (UserId, Option<SessionId>),
    id: IdentityId,
    ways: OtherWays<'_>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<RemovalOutcome, DbError> {
    let guarded = |sql| {
        let of_session = ways.without_identity(query(sql).bind("user_id", user_id), id);
        of_session.bind("session_id", kept).bind("now", request.now)
    };
    let owner = FactorOwner { user_id, session_id: kept, needs_proof: false };
    let event = Event::of(EventType::IdentityUnlinked, user_id).within(kept).about(id.get());
    let mut statements = vec![
        guarded(END_OTHERS).bind("kept_id", kept),
        guarded(DELETE),
        record_if_changed(request, event),
        recorded(request, EventType::IdentityUnlinked),
        query(SELECT_LEFT).bind("identity_id", id).bind("user_id", user_id),
        select_present_owner(owner, request.now),
    ];
    statements.extend(event_notice(notice, user_id, EventType::IdentityUnlinked, request));
    let results = store.batch_of(statements).await?;
    let Some([_, deleted, _, recorded, left, present]) = results.first_chunk() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    let is_owner = !present.all::<IdRow>()?.is_empty();
    Ok(match (is_done(deleted, recorded)?, left.all::<IdRow>()?.is_empty()) {
        (true, _) => RemovalOutcome::Removed(mail),
        (false, _) if !is_owner => RemovalOutcome::NoOwner,
        (false, true) => RemovalOutcome::Missing,
        (false, false) => RemovalOutcome::LastWayIn,
    })
}

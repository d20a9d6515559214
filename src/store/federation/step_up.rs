//! Step-up by an identity, of an account without password and second factor.

use crate::domain::ids::{SessionId, UserId};
use crate::ports::{DbError, Rows, query};
use crate::store::Store;
use crate::store::audit::RequestInfo;
use crate::store::factor::due::has_factor;
use crate::store::factor::step_up::{LiveSession, read_session, select_session};
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::federation::identities::NewIdentity;
use crate::store::federation::sign_in::owns_identity;
use crate::store::names;
use crate::store::read::Read;

/// The account has nothing stronger to step up with.
macro_rules! has_nothing_stronger {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM users AS u WHERE u.id = :user_id AND u.is_active = 1 AND u.has_password = 0) AND NOT ",
            has_factor!()
        )
    };
}

const SELECT_SESSION: &str =
    select_session!(concat!(has_nothing_stronger!(), " AND ", owns_identity!(), " AND ", is_redeemed!()));

const SELECT_PROVIDERS: &str = "
    SELECT json_group_array(DISTINCT provider) AS providers FROM identities
    WHERE user_id = :user_id AND suspended_at IS NULL";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_SESSION, SELECT_PROVIDERS];

/// Uses the flow up, and reads the session. `None` if the flow was used before, the session has ended, the identity is not the
/// user's, or the account has a password or a second factor.
///
/// # Errors
/// [`DbError`].
pub async fn use_identity(
    store: &Store,
    (user_id, session_id): (UserId, SessionId),
    identity: NewIdentity<'_>,
    evidence: Evidence,
    max_roles: i64,
    request: RequestInfo<'_>,
) -> Result<Option<LiveSession>, DbError> {
    let select = identity.bind_subject(evidence.bind(query(SELECT_SESSION), request));
    let select = select.bind("user_id", user_id).bind("session_id", session_id).bind("max_roles", max_roles);
    let [_, rows] = store.batch([evidence.redeem(request), select.bind("now", request.now)]).await?;
    read_session(&rows)
}

#[derive(serde::Deserialize)]
struct ProvidersRow {
    providers: String,
}

/// Reads the ids of the providers at which the user has identities.
#[must_use]
pub fn providers(user_id: UserId) -> Read<Vec<String>> {
    Read::of(query(SELECT_PROVIDERS).bind("user_id", user_id), |rows: &Rows| {
        let row: Option<ProvidersRow> = rows.first()?;
        row.map_or_else(|| Ok(Vec::new()), |row| names::parse(&row.providers))
    })
}

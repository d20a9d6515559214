//! Removes role grants. Like `granting`, it checks again that the remover's right still exists.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::authz::Role;
use crate::ports::{DbError, query};
use crate::store::audit::{Event, RequestInfo, is_done, record_if_changed, recorded};
use crate::store::authz::granting::{Grantor, is_allowed};
use crate::store::authz::grants::{GrantRow, is_sole_administrator};
use crate::store::{Store, boolean};

/// The outcome of removing a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleRemovalOutcome {
    /// The grant is removed.
    Removed,
    /// No other active user administers the university, or the platform.
    LastAdministrator,
    /// The grant was removed already.
    Missing,
    /// The remover's right was revoked concurrently.
    NotAllowed,
}

/// Keeps the grant of the last active administrator. A user may remove their own grant while they are active.
const DELETE_GRANT: &str = concat!(
    "DELETE FROM user_university_roles WHERE id = (
         SELECT g.id FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
         WHERE g.id = :grant_id AND ",
    is_allowed!("coalesce(:allowed_by, :grant_id)"),
    " AND NOT (g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') AND u.is_active = 1 AND ",
    is_sole_administrator!(),
    "))
     RETURNING id"
);

const SELECT_REMAINDER: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM user_university_roles WHERE id = :grant_id) AS is_there, ",
    is_allowed!("coalesce(:allowed_by, :grant_id)"),
    " AS is_allowed"
);

/// A pending invitation to the role goes with it, or it would give the role back.
const DELETE_INVITATIONS: &str = "
    DELETE FROM invitations
    WHERE email = :email AND role = :role AND coalesce(department_id, 0) = coalesce(:department_id, 0)
      AND (:university_id IS NULL OR university_id = :university_id)
      AND NOT EXISTS (SELECT 1 FROM user_university_roles WHERE id = :grant_id)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[DELETE_GRANT, SELECT_REMAINDER, DELETE_INVITATIONS];

#[derive(Deserialize)]
struct RemainderRow {
    #[serde(deserialize_with = "boolean")]
    is_there: bool,
    #[serde(deserialize_with = "boolean")]
    is_allowed: bool,
}

/// Removes a grant, unless it is that of the last active administrator.
///
/// # Errors
/// [`DbError`].
pub async fn remove(
    store: &Store,
    row: &GrantRow,
    role: Role,
    remover: Grantor,
    request: RequestInfo<'_>,
) -> Result<RoleRemovalOutcome, DbError> {
    let of_grant = |sql| query(sql).bind("grant_id", row.id).bind("allowed_by", remover.allowed_by);
    let event = Event::of(EventType::RoleRemoved, row.user_id).concerning(role, row.university_id);
    let event = if remover.id == row.user_id { event } else { event.by(remover.id) };
    let [record, recorded] = [record_if_changed(request, event), recorded(request, EventType::RoleRemoved)];
    let invitations = query(DELETE_INVITATIONS)
        .bind("email", row.email.as_str())
        .bind("role", role)
        .bind("department_id", row.department_id)
        .bind("university_id", row.university_id)
        .bind("grant_id", row.id);
    let statements = [of_grant(DELETE_GRANT), record, recorded, of_grant(SELECT_REMAINDER), invitations];
    let [deleted, _, recorded, remainder, _] = store.batch(statements).await?;
    let remainder: Option<RemainderRow> = remainder.first()?;
    let remainder = remainder.ok_or_else(|| DbError::unreadable("no remainder"))?;
    Ok(match (is_done(&deleted, &recorded)?, remainder) {
        (true, _) => RoleRemovalOutcome::Removed,
        (false, RemainderRow { is_there: false, .. }) => RoleRemovalOutcome::Missing,
        (false, RemainderRow { is_allowed: false, .. }) => RoleRemovalOutcome::NotAllowed,
        (false, RemainderRow { .. }) => RoleRemovalOutcome::LastAdministrator,
    })
}

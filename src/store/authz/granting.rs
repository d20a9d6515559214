//! Giving and taking roles. What the caller may do was decided a moment ago, by a grant of theirs: each statement asks
//! once more whether they still have it and are active, so that who was stopped meanwhile gives and takes nothing.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::EventType;
use crate::domain::authz::Role;
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
use crate::ports::{DbError, Statement, Value};
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::authz::grants::{GrantRow, nobody_else_administers};
use crate::store::{IdRow, Store, boolean, statement};

/// Grants of one user: every request reads them.
pub const MAX_GRANTS: i64 = 200;
/// Grants of one user in one university: no university uses up what others may give.
pub const MAX_GRANTS_HERE: i64 = 20;

/// Who gives or takes.
#[derive(Debug, Clone, Copy)]
pub struct Giver {
    /// The user.
    pub id: UserId,
    /// The grant that allows it; none for what is theirs.
    pub allowed_by: Option<GrantId>,
    /// May they address anybody by id? Others reach strangers by e-mail address only: ids are consecutive, and would
    /// tell everybody's address.
    pub knows_everybody: bool,
}

/// To whom a role is given.
pub enum Grantee {
    /// By id.
    Id(UserId),
    /// By address.
    Email(Email),
}

/// A role to be given.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant {
    /// Which.
    pub role: Role,
    /// Where.
    pub university_id: Option<UniversityId>,
    /// Narrowed to this department.
    pub department_id: Option<DepartmentId>,
}

/// How a grant ended.
pub enum GrantOutcome {
    /// It was given.
    Granted(GrantRow),
    /// There is no such user.
    NoSuchUser,
    /// The university is gone.
    NoSuchUniversity,
    /// The university has no such department.
    NoSuchDepartment,
    /// They have it already.
    Exists,
    /// They have [`MAX_GRANTS`] already, or [`MAX_GRANTS_HERE`].
    TooMany,
    /// The giver may not any more.
    NotAllowed,
}

/// How the removal of a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleRemovalOutcome {
    /// It is gone.
    Removed,
    /// Nobody else who is active administers this.
    LastAdministrator,
    /// It was gone already.
    Missing,
    /// The taker may not any more.
    NotAllowed,
}

/// The giver may still: the grant that allows it is there, and its holder active.
macro_rules! allowed_by {
    ($grant:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM user_university_roles AS a JOIN users AS au ON au.id = a.user_id
             WHERE a.id = ",
            $grant,
            " AND au.is_active = 1)"
        )
    };
}

// `coalesce`, as the index by user and university is written: otherwise all roles of the university would be read.

/// The user meant by an id (?1) or an address (?2): by id only those who have a role in the university (?3) already,
/// unless the giver knows everybody (?4).
macro_rules! grantee {
    () => {
        "SELECT id FROM users
         WHERE id = ?1
           AND (?4 = 1 OR EXISTS (
               SELECT 1 FROM user_university_roles
               WHERE user_id = ?1 AND coalesce(university_id, 0) = coalesce(?3, 0)
           ))
         UNION ALL SELECT id FROM users WHERE email = ?2"
    };
}

const INSERT_GRANT: &str = concat!(
    "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
     SELECT u.id, ?3, ?5, ?6, ?7 FROM users AS u
     WHERE u.id = (",
    grantee!(),
    ") AND u.erasure_cursor IS NULL AND ",
    allowed_by!("?8"),
    " AND (SELECT count(*) FROM user_university_roles WHERE user_id = u.id) < ?9
       AND (
           SELECT count(*) FROM user_university_roles
           WHERE user_id = u.id AND coalesce(university_id, 0) = coalesce(?3, 0)
       ) < ?10
       AND (?3 IS NULL OR EXISTS (SELECT 1 FROM universities WHERE id = ?3))
       AND (?6 IS NULL OR EXISTS (SELECT 1 FROM departments WHERE university_id = ?3 AND id = ?6))
     ON CONFLICT DO NOTHING
     RETURNING id"
);

const RECORD_GRANT: &str = concat!(
    "INSERT INTO audit_events
         (created_at, type, reason, user_id, university_id, actor_id, ip, user_agent, request_id)
     SELECT ?6, 'role_granted', ?5, (",
    grantee!(),
    "), ?3, ?7,
            CASE WHEN is_kept THEN ?8 END, CASE WHEN is_kept THEN ?9 END, CASE WHEN is_kept THEN ?10 ELSE '' END
     FROM (SELECT EXISTS (SELECT 1 FROM users WHERE id = ?7 AND erasure_cursor IS NULL) AS is_kept)
     WHERE changes() > 0"
);

const SELECT_GRANTED: &str = concat!(
    "SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
     FROM users AS u
     JOIN user_university_roles AS g ON g.user_id = u.id AND coalesce(g.university_id, 0) = coalesce(?3, 0)
       AND g.role = ?5 AND coalesce(g.department_id, 0) = coalesce(?6, 0)
     WHERE u.id = (",
    grantee!(),
    ")"
);

/// Why nothing was given, if nothing was.
const SELECT_WHY_NOT: &str = concat!(
    "SELECT CASE WHEN NOT ",
    allowed_by!("?5"),
    " THEN 'not_allowed'
         WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = (",
    grantee!(),
    ") AND erasure_cursor IS NULL) THEN 'no_user'
         WHEN ?3 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM universities WHERE id = ?3) THEN 'no_university'
         WHEN ?6 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = ?3 AND id = ?6)
             THEN 'no_department'
         ELSE 'exists_or_too_many'
     END AS not_granted"
);

/// The grant of a last active administrator stays. Who lays down their own is allowed by being active.
const DELETE_GRANT: &str = concat!(
    "DELETE FROM user_university_roles WHERE id = (
         SELECT g.id FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
         WHERE g.id = ?1 AND ",
    allowed_by!("coalesce(?2, ?1)"),
    " AND NOT (g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') AND u.is_active = 1 AND ",
    nobody_else_administers!(),
    "))
     RETURNING id"
);

const SELECT_REMAINDER: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM user_university_roles WHERE id = ?1) AS is_there, ",
    allowed_by!("coalesce(?2, ?1)"),
    " AS is_allowed"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[INSERT_GRANT, RECORD_GRANT, SELECT_GRANTED, SELECT_WHY_NOT, DELETE_GRANT, SELECT_REMAINDER];

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NotGranted {
    NotAllowed,
    NoUser,
    NoUniversity,
    NoDepartment,
    ExistsOrTooMany,
}

#[derive(Deserialize)]
struct NotGrantedRow {
    not_granted: NotGranted,
}

/// Gives somebody a role.
///
/// # Errors
/// [`DbError`].
pub async fn grant(
    store: &Store,
    grantee: &Grantee,
    new: NewGrant,
    giver: Giver,
    request: RequestInfo<'_>,
) -> Result<GrantOutcome, DbError> {
    let department = || Value::from(new.department_id.map(DepartmentId::get));
    let role = || Value::from(new.role.as_str());
    let now = || Value::from(request.now.millis());
    let allowed_by = || Value::from(giver.allowed_by.map(GrantId::get));
    let (ip, agent) = (request.peer.ip().as_deref().into(), request.peer.user_agent().into());
    let request_id = request.request_id.as_str().into();
    let to = |sql, values: &[Value]| {
        const POSITIONS: [&str; 13] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"];
        let values = [&grantee_values(grantee, new, giver), values].concat();
        Statement { sql, values: POSITIONS.into_iter().zip(values).collect() }
    };
    let [inserted, _, found, not_granted] = store
        .batch([
            to(INSERT_GRANT, &[role(), department(), now(), allowed_by(), MAX_GRANTS.into(), MAX_GRANTS_HERE.into()]),
            to(RECORD_GRANT, &[role(), now(), giver.id.get().into(), ip, agent, request_id]),
            to(SELECT_GRANTED, &[role(), department()]),
            to(SELECT_WHY_NOT, &[allowed_by(), department()]),
        ])
        .await?;
    let row: Option<GrantRow> = found.first()?;
    if let (Some(row), false) = (&row, inserted.all::<IdRow>()?.is_empty()) {
        return Ok(GrantOutcome::Granted(row.clone()));
    }
    let not_granted: Option<NotGrantedRow> = not_granted.first()?;
    let not_granted = not_granted.ok_or_else(|| DbError::Unreadable("no reason".to_owned()))?.not_granted;
    Ok(match not_granted {
        NotGranted::NotAllowed => GrantOutcome::NotAllowed,
        NotGranted::NoUser => GrantOutcome::NoSuchUser,
        NotGranted::NoUniversity => GrantOutcome::NoSuchUniversity,
        NotGranted::NoDepartment => GrantOutcome::NoSuchDepartment,
        NotGranted::ExistsOrTooMany if row.is_some() => GrantOutcome::Exists,
        NotGranted::ExistsOrTooMany => GrantOutcome::TooMany,
    })
}

/// What [`grantee!`] asks for.
fn grantee_values(grantee: &Grantee, new: NewGrant, giver: Giver) -> [Value; 4] {
    let (id, email) = match grantee {
        Grantee::Id(id) => (Value::from(id.get()), Value::Null),
        Grantee::Email(email) => (Value::Null, Value::from(email.as_str())),
    };
    let university_id = new.university_id.map(UniversityId::get).into();
    [id, email, university_id, i64::from(giver.knows_everybody).into()]
}

#[derive(Deserialize)]
struct RemainderRow {
    #[serde(deserialize_with = "boolean")]
    is_there: bool,
    #[serde(deserialize_with = "boolean")]
    is_allowed: bool,
}

/// Removes a grant, unless it is the last administrator's.
///
/// # Errors
/// [`DbError`].
pub async fn remove(
    store: &Store,
    row: &GrantRow,
    role: Role,
    taker: Giver,
    request: RequestInfo<'_>,
) -> Result<RoleRemovalOutcome, DbError> {
    let values = || [row.id.get().into(), Value::from(taker.allowed_by.map(GrantId::get))];
    let event = Event::of(EventType::RoleRemoved, row.user_id).concerning(role, row.university_id);
    let event = if taker.id == row.user_id { event } else { event.by(taker.id) };
    let [removed, _, remainder] = store
        .batch([
            statement(DELETE_GRANT, values()),
            record_if_changed(request, event),
            statement(SELECT_REMAINDER, values()),
        ])
        .await?;
    let remainder: Option<RemainderRow> = remainder.first()?;
    let remainder = remainder.ok_or_else(|| DbError::Unreadable("no remainder".to_owned()))?;
    Ok(match (removed.all::<IdRow>()?.is_empty(), remainder) {
        (false, _) => RoleRemovalOutcome::Removed,
        (true, RemainderRow { is_there: false, .. }) => RoleRemovalOutcome::Missing,
        (true, RemainderRow { is_allowed: false, .. }) => RoleRemovalOutcome::NotAllowed,
        (true, RemainderRow { .. }) => RoleRemovalOutcome::LastAdministrator,
    })
}

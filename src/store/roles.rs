//! Grants: who has which role where.

use serde::Deserialize;

use super::audit::{Event, Origin, record_if_changed};
use super::page::{Page, PageRequest};
use super::{IdRow, Store, statement};
use crate::domain::audit::EventType;
use crate::domain::email::Email;
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
use crate::domain::rbac::{Grant, Role};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, Value};

/// Grants of one user: every request reads them.
pub const MAX_GRANTS: i64 = 100;

/// A grant, as those see it who manage it.
#[derive(Debug, Clone, Deserialize)]
pub struct GrantRow {
    /// Identifies it.
    pub id: GrantId,
    /// Whose.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// Their name, if they gave one.
    pub full_name: Option<String>,
    role: String,
    university_id: Option<UniversityId>,
    department_id: Option<DepartmentId>,
    /// Since when.
    pub created_at: Timestamp,
}

impl GrantRow {
    /// What was granted.
    ///
    /// # Errors
    /// [`DbError::Unreadable`] for a role that only a later version knows.
    pub fn grant(&self) -> Result<Grant, DbError> {
        let role = read_role(&self.role)?;
        Ok(Grant { id: self.id, role, university_id: self.university_id, department_id: self.department_id })
    }
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
pub enum Granting {
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
    /// They have [`MAX_GRANTS`] already.
    TooMany,
}

/// How the removal of a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// Nobody else who is active administers this.
    LastAdministrator,
    /// It was gone already.
    Missing,
}

const SELECT_OF_USER: &str = "
    SELECT id, role, university_id, department_id FROM user_university_roles WHERE user_id = ?1 ORDER BY id";

const INSERT_GRANT: &str = "
    INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
    SELECT u.id, ?3, ?4, ?5, ?6 FROM users AS u
    WHERE u.id = (SELECT id FROM users WHERE id = ?1 UNION ALL SELECT id FROM users WHERE email = ?2)
      AND u.erasure_cursor IS NULL
      AND (SELECT count(*) FROM user_university_roles WHERE user_id = u.id) < ?7
      AND (?3 IS NULL OR EXISTS (SELECT 1 FROM universities WHERE id = ?3))
      AND (?5 IS NULL OR EXISTS (SELECT 1 FROM departments WHERE university_id = ?3 AND id = ?5))
    ON CONFLICT DO NOTHING
    RETURNING id";

const RECORD_GRANT: &str = "
    INSERT INTO audit_events
        (created_at, type, reason, user_id, university_id, actor_id, ip, user_agent, request_id)
    SELECT ?5, 'role_granted', ?4,
           (SELECT id FROM users WHERE id = ?1 UNION ALL SELECT id FROM users WHERE email = ?2), ?3, ?6,
           CASE WHEN is_kept THEN ?7 END, CASE WHEN is_kept THEN ?8 END, CASE WHEN is_kept THEN ?9 ELSE '' END
    FROM (SELECT EXISTS (SELECT 1 FROM users WHERE id = ?6 AND erasure_cursor IS NULL) AS is_kept)
    WHERE changes() > 0";

const SELECT_GRANTED: &str = "
    SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
    FROM users AS u
    JOIN user_university_roles AS g ON g.user_id = u.id AND coalesce(g.university_id, 0) = coalesce(?3, 0)
      AND g.role = ?4 AND coalesce(g.department_id, 0) = coalesce(?5, 0)
    WHERE u.id = (SELECT id FROM users WHERE id = ?1 UNION ALL SELECT id FROM users WHERE email = ?2)";

const SELECT_CIRCUMSTANCES: &str = "
    SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND erasure_cursor IS NULL)
               OR EXISTS (SELECT 1 FROM users WHERE email = ?2) AS known_user,
           ?3 IS NULL OR EXISTS (SELECT 1 FROM universities WHERE id = ?3) AS university,
           ?4 IS NULL OR EXISTS (SELECT 1 FROM departments WHERE university_id = ?3 AND id = ?4) AS with_department";

const SELECT_ONE: &str = "
    SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
    FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
    WHERE g.id = ?1 AND (g.university_id = ?2 OR g.university_id IS NULL)";

/// Another one, active, has the same role in the same place: asked of the grant that is about to go.
const DELETE_GRANT: &str = "
    DELETE FROM user_university_roles
    WHERE id = ?1
      AND (role NOT IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') OR EXISTS (
          SELECT 1 FROM user_university_roles AS o JOIN users AS u ON u.id = o.user_id
          WHERE o.role = user_university_roles.role AND o.university_id IS user_university_roles.university_id
            AND o.user_id <> user_university_roles.user_id AND u.is_active = 1
      ))
    RETURNING id";

const SELECT_PRESENT: &str = "SELECT id FROM user_university_roles WHERE id = ?1";

const SELECT_OF_UNIVERSITY: &str = "
    SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
    FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
    WHERE g.university_id = ?1 AND g.id > ?2
    ORDER BY g.id LIMIT ?3";

/// The roles of the departments are merged, one after the other the next of them all: to sort them would read all of
/// them.
const SELECT_OF_DEPARTMENTS: &str = "
    WITH RECURSIVE merged (id, place) AS (
        SELECT ?2, 0
        UNION ALL
        SELECT (
            SELECT min((
                SELECT id FROM user_university_roles
                WHERE university_id = ?1 AND department_id = d.value AND id > merged.id ORDER BY id LIMIT 1
            ))
            FROM json_each(?4) AS d
        ), place + 1
        FROM merged WHERE id IS NOT NULL AND place < ?3
    )
    SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
    FROM merged AS m JOIN user_university_roles AS g ON g.id = m.id JOIN users AS u ON u.id = g.user_id
    WHERE m.place > 0
    ORDER BY m.place";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_OF_USER,
    INSERT_GRANT,
    RECORD_GRANT,
    SELECT_GRANTED,
    SELECT_CIRCUMSTANCES,
    SELECT_ONE,
    DELETE_GRANT,
    SELECT_PRESENT,
    SELECT_OF_UNIVERSITY,
    SELECT_OF_DEPARTMENTS,
];

#[derive(Deserialize)]
struct OwnGrantRow {
    id: GrantId,
    role: String,
    university_id: Option<UniversityId>,
    department_id: Option<DepartmentId>,
}

/// What every request of a signed-in user reads beside the user.
pub(super) fn of_user(user_id: UserId) -> Statement {
    statement(SELECT_OF_USER, [user_id.get().into()])
}

/// The rows of [`of_user`].
pub(super) fn read(rows: &Rows) -> Result<Vec<Grant>, DbError> {
    let rows: Vec<OwnGrantRow> = rows.all()?;
    let grant = |row: OwnGrantRow| {
        let OwnGrantRow { id, role, university_id, department_id } = row;
        Ok(Grant { id, role: read_role(&role)?, university_id, department_id })
    };
    rows.into_iter().map(grant).collect()
}

fn read_role(text: &str) -> Result<Role, DbError> {
    Role::parse(text).ok_or_else(|| DbError::Unreadable("unknown role".to_owned()))
}

#[derive(Deserialize)]
struct CircumstancesRow {
    known_user: i64,
    university: i64,
    with_department: i64,
}

/// Gives somebody a role.
///
/// # Errors
/// [`DbError`].
pub async fn grant(
    store: &Store,
    grantee: &Grantee,
    new: NewGrant,
    actor: UserId,
    origin: Origin<'_>,
) -> Result<Granting, DbError> {
    let (id, email) = match grantee {
        Grantee::Id(id) => (Value::from(id.get()), Value::Null),
        Grantee::Email(email) => (Value::Null, Value::from(email.as_str())),
    };
    let who = || [id.clone(), email.clone()];
    let university = || Value::from(new.university_id.map(UniversityId::get));
    let department = || Value::from(new.department_id.map(DepartmentId::get));
    let role = || Value::from(new.role.as_str());
    let now = || Value::from(origin.now.millis());
    let [a, b] = who();
    let insert = statement(INSERT_GRANT, [a, b, university(), role(), department(), now(), MAX_GRANTS.into()]);
    let [a, b] = who();
    let (ip, agent) = (origin.client.ip().as_deref().into(), origin.client.user_agent().into());
    let request_id = origin.request_id.as_str().into();
    let record = [a, b, university(), role(), now(), actor.get().into(), ip, agent, request_id];
    let [a, b] = who();
    let select = statement(SELECT_GRANTED, [a, b, university(), role(), department()]);
    let [a, b] = who();
    let circumstances = statement(SELECT_CIRCUMSTANCES, [a, b, university(), department()]);
    let [inserted, _, found, circumstances] =
        store.batch([insert, statement(RECORD_GRANT, record), select, circumstances]).await?;
    let row: Option<GrantRow> = found.first()?;
    let circumstances: Option<CircumstancesRow> = circumstances.first()?;
    let circumstances = circumstances.ok_or_else(|| DbError::Unreadable("no circumstances".to_owned()))?;
    Ok(match (row, inserted.all::<IdRow>()?.is_empty()) {
        (Some(row), false) => Granting::Granted(row),
        (Some(_), true) => Granting::Exists,
        (None, _) if circumstances.known_user == 0 => Granting::NoSuchUser,
        (None, _) if circumstances.university == 0 => Granting::NoSuchUniversity,
        (None, _) if circumstances.with_department == 0 => Granting::NoSuchDepartment,
        (None, _) => Granting::TooMany,
    })
}

/// One grant of a university, or one that belongs to none.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, university_id: UniversityId, id: GrantId) -> Result<Option<GrantRow>, DbError> {
    let values = [id.get().into(), university_id.get().into()];
    let [rows] = store.batch([statement(SELECT_ONE, values)]).await?;
    rows.first()
}

/// Removes a grant, unless it is the last administrator's.
///
/// # Errors
/// [`DbError`].
pub async fn remove(
    store: &Store,
    row: &GrantRow,
    role: Role,
    actor: UserId,
    origin: Origin<'_>,
) -> Result<Removal, DbError> {
    let id = || Value::from(row.id.get());
    let event = Event::of(EventType::RoleRemoved, row.user_id).by(actor).concerning(role, row.university_id);
    let [removed, _, present] = store
        .batch([statement(DELETE_GRANT, [id()]), record_if_changed(origin, event), statement(SELECT_PRESENT, [id()])])
        .await?;
    Ok(match (removed.all::<IdRow>()?.is_empty(), present.all::<IdRow>()?.is_empty()) {
        (false, _) => Removal::Removed,
        (true, false) => Removal::LastAdministrator,
        (true, true) => Removal::Missing,
    })
}

/// Who has which role in a university; with departments, only those narrowed to them.
///
/// # Errors
/// [`DbError`].
pub async fn of_university(
    store: &Store,
    university_id: UniversityId,
    departments: Option<&[DepartmentId]>,
    page: PageRequest,
) -> Result<Page<GrantRow>, DbError> {
    let (university, after) = (university_id.get().into(), page.after.unwrap_or(0).into());
    let query = match departments {
        None => statement(SELECT_OF_UNIVERSITY, [university, after, page.rows().into()]),
        Some(departments) => {
            let ids: Vec<String> = departments.iter().map(ToString::to_string).collect();
            let ids = Value::Text(format!("[{}]", ids.join(",")));
            statement(SELECT_OF_DEPARTMENTS, [university, after, page.rows().into(), ids])
        }
    };
    let [rows] = store.batch([query]).await?;
    Ok(Page::new(rows.all()?, page, |row: &GrantRow| row.id.get()))
}

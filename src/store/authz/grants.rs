//! Reads role grants. `granting` writes them.

use serde::Deserialize;

use crate::domain::authz::role::names_text;
use crate::domain::authz::{Role, RoleGrant};
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::IdRow;
use crate::store::authz::viewer::{Viewer, caller_id, role_counts};
use crate::store::owned::Owned;
use crate::store::page::{Page, PageRequest, merged};
use crate::store::read::Read;

/// A grant with the address and name of its user, for administrators.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are the tables' columns")]
pub struct GrantRow {
    pub id: GrantId,
    pub user_id: UserId,
    pub email: String,
    pub full_name: Option<String>,
    role: String,
    pub(in crate::store) university_id: Option<UniversityId>,
    pub(in crate::store) department_id: Option<DepartmentId>,
    pub created_at: Timestamp,
}

impl GrantRow {
    /// The grant itself.
    ///
    /// # Errors
    /// [`DbError`] for a role that only a later version knows.
    pub fn grant(&self) -> Result<RoleGrant, DbError> {
        let role = read_role(&self.role)?;
        Ok(RoleGrant { id: self.id, role, university_id: self.university_id, department_id: self.department_id })
    }
}

/// The user of the grant `g` is the only active one with this role in the university, or on the platform: no other active
/// user has it. A disabled administrator does not count.
macro_rules! is_sole_administrator {
    () => {
        "NOT EXISTS (
            SELECT 1 FROM user_university_roles AS o JOIN users AS ou ON ou.id = o.user_id
            WHERE o.role = g.role AND o.university_id IS g.university_id AND o.user_id <> g.user_id AND ou.is_active = 1
        )"
    };
}
pub(in crate::store) use is_sole_administrator;

/// 1 if the caller administers the platform, otherwise 0. A read for administrators multiplies its limit by it: the
/// rows are read before access is decided, and a caller that will be refused must not cost rows.
macro_rules! caller_is_platform_admin {
    () => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM user_university_roles AS own
                 WHERE own.user_id = ",
            $crate::store::authz::viewer::caller_id!(),
            " AND coalesce(own.university_id, 0) = 0 AND own.role = 'PLATFORM_ADMIN' AND ",
            $crate::store::authz::viewer::role_counts!("own.role"),
            ")"
        )
    };
}
pub(in crate::store) use caller_is_platform_admin;

/// 1 if the caller administers the platform, or is a service account with this scope, otherwise 0. Used like the above.
macro_rules! caller_administers_or_has {
    ($scope:literal) => {
        concat!(
            "(",
            $crate::store::authz::grants::caller_is_platform_admin!(),
            " OR ",
            $crate::store::authz::viewer::caller_is_service_with!($scope),
            ")"
        )
    };
}
pub(in crate::store) use caller_administers_or_has;

/// 1 if the caller may see the university `:university_id`, otherwise 0: any role in it suffices, and the platform's
/// administrators, which have a role without a university, see all. The limit of a list is multiplied by it, as above.
macro_rules! caller_sees_university {
    () => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM user_university_roles AS own
                 WHERE own.user_id = ",
            $crate::store::authz::viewer::caller_id!(),
            " AND coalesce(own.university_id, 0) IN (0, :university_id) AND ",
            $crate::store::authz::viewer::role_counts!("own.role"),
            ")"
        )
    };
}
pub(in crate::store) use caller_sees_university;

/// `:actor_id` is still an active administrator of the platform. Every write of an administrator repeats this condition,
/// because its access was decided in an earlier batch.
macro_rules! actor_is_platform_admin {
    () => {
        "EXISTS (
             SELECT 1 FROM users AS actor JOIN user_university_roles AS held ON held.user_id = actor.id
             WHERE actor.id = :actor_id AND actor.is_active = 1
               AND coalesce(held.university_id, 0) = 0 AND held.role = 'PLATFORM_ADMIN'
         )"
    };
}
pub(in crate::store) use actor_is_platform_admin;

/// The columns of a [`GrantRow`], from the grant `g` and its user `u`.
macro_rules! grant_columns {
    () => {
        "g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at"
    };
}
pub(in crate::store) use grant_columns;

const SELECT_OF_USER: &str = "
    SELECT id, role, university_id, department_id FROM user_university_roles WHERE user_id = :user_id ORDER BY id";

const SELECT_OF_VIEWER: &str = concat!(
    "SELECT id, role, university_id, department_id FROM user_university_roles WHERE user_id = ",
    caller_id!(),
    " ORDER BY id"
);

/// A negative limit is none.
const SELECT_OF_USER_FOR_ADMIN: &str = concat!(
    "SELECT id, role, university_id, department_id FROM user_university_roles WHERE user_id = :user_id
     ORDER BY id LIMIT -1 * ",
    caller_administers_or_has!("users:read")
);

const SELECT_ONE: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
     WHERE g.id = :grant_id AND (g.university_id = :university_id OR g.university_id IS NULL)"
);

/// Nothing is listed for a caller without a fitting role: the limit is zero then.
const SELECT_OF_UNIVERSITY: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
     WHERE g.university_id = :university_id AND g.id > :after
     ORDER BY g.id LIMIT :limit * EXISTS (
         SELECT 1 FROM user_university_roles AS own
         WHERE own.user_id = ",
    caller_id!(),
    " AND coalesce(own.university_id, 0) IN (0, :university_id)
           AND instr(:roles, '\"' || own.role || '\"') > 0 AND coalesce(own.department_id, 0) = 0 AND ",
    role_counts!("own.role"),
    ")"
);

/// Has a row if the user administers a university or the platform.
const SELECT_ADMINISTRATOR: &str = "
    SELECT id FROM user_university_roles
    WHERE user_id = :user_id AND role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') LIMIT 1";

/// Has a row if the guards of an administrator's writes hold.
const SELECT_ACTOR: &str = concat!("SELECT :actor_id AS id WHERE ", actor_is_platform_admin!());

/// The grants of the caller's departments.
const SELECT_OF_DEPARTMENTS: &str = concat!(
    merged!(
        rows: "user_university_roles WHERE university_id = :university_id AND department_id",
        places: concat!(
            "SELECT DISTINCT department_id AS place FROM user_university_roles
             WHERE user_id = ",
            caller_id!(),
            " AND coalesce(university_id, 0) = :university_id
               AND instr(:roles, '\"' || role || '\"') > 0 AND coalesce(department_id, 0) > 0 AND ",
            role_counts!("role")
        )
    ),
    "SELECT ",
    grant_columns!(),
    " FROM merged AS m JOIN user_university_roles AS g ON g.id = m.id JOIN users AS u ON u.id = g.user_id
     ORDER BY m.id"
);

/// All at once: a user has at most 200 grants, fewer than a step. To select them first would read each of them twice.
const ERASE: &str = "
    DELETE FROM user_university_roles
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step >= 200";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_OF_USER,
    SELECT_OF_VIEWER,
    SELECT_OF_USER_FOR_ADMIN,
    SELECT_ONE,
    SELECT_OF_UNIVERSITY,
    SELECT_ADMINISTRATOR,
    SELECT_ACTOR,
    SELECT_OF_DEPARTMENTS,
    ERASE,
];

/// Roles of a user. The export shows them with the user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "user_university_roles",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM user_university_roles AS g WHERE g.user_id = users.id"],
    export: None,
    walk: None,
};

/// Reads whether the guards of this administrator's writes hold, before the first of them.
pub(in crate::store) fn select_actor(actor: UserId) -> Statement {
    query(SELECT_ACTOR).bind("actor_id", actor)
}

#[derive(Deserialize)]
struct OwnGrantRow {
    id: GrantId,
    role: String,
    university_id: Option<UniversityId>,
    department_id: Option<DepartmentId>,
}

/// Reads the grants of a user: every authenticated request does.
pub(in crate::store) fn of_user(user_id: UserId) -> Read<Vec<RoleGrant>> {
    Read::of(query(SELECT_OF_USER).bind("user_id", user_id), decode)
}

/// Reads the grants of the user that presents a key; none if the key is no user's.
pub(in crate::store) fn of_viewer(viewer: &Viewer) -> Read<Vec<RoleGrant>> {
    Read::of(viewer.bind_id(query(SELECT_OF_VIEWER)), decode)
}

/// Reads whether a user administers a university or the platform.
#[must_use]
pub fn is_administrator(user_id: UserId) -> Read<bool> {
    Read::of(query(SELECT_ADMINISTRATOR).bind("user_id", user_id), |rows| Ok(!rows.all::<IdRow>()?.is_empty()))
}

/// Reads the grants of any user for an administrator of the platform; none for other callers.
pub(in crate::store) fn of_user_for(user_id: UserId, viewer: &Viewer) -> Read<Vec<RoleGrant>> {
    let select = viewer.bind(query(SELECT_OF_USER_FOR_ADMIN).bind("user_id", user_id));
    Read::of(select, decode)
}

pub(in crate::store) fn decode(rows: &Rows) -> Result<Vec<RoleGrant>, DbError> {
    read_own(rows.all()?)
}

/// Reads grants from a JSON list of the same columns.
pub(in crate::store) fn decode_text(text: &str) -> Result<Vec<RoleGrant>, DbError> {
    read_own(serde_json::from_str(text).map_err(|error| DbError::unreadable(error.to_string()))?)
}

fn read_own(rows: Vec<OwnGrantRow>) -> Result<Vec<RoleGrant>, DbError> {
    let grant = |row: OwnGrantRow| {
        let OwnGrantRow { id, role, university_id, department_id } = row;
        Ok(RoleGrant { id, role: read_role(&role)?, university_id, department_id })
    };
    rows.into_iter().map(grant).collect()
}

pub(in crate::store) fn read_role(text: &str) -> Result<Role, DbError> {
    Role::parse(text).ok_or_else(|| DbError::unreadable("unknown role"))
}

/// Finds a grant of a university, or one of the platform.
#[must_use]
pub fn find(university_id: UniversityId, id: GrantId) -> Read<Option<GrantRow>> {
    Read::of(query(SELECT_ONE).bind("grant_id", id).bind("university_id", university_id), Rows::first)
}

/// Two lists of grants. The caller's roles decide which of them the caller may see.
pub struct GrantPages {
    /// All grants of the university. Empty unless a role of the caller covers the university.
    pub of_university: Page<GrantRow>,
    /// The grants that are narrowed to the same departments as roles of the caller.
    pub of_departments: Page<GrantRow>,
}

/// Lists the grants of a university that a caller with one of these roles may see.
#[must_use]
pub fn of_university(
    university_id: UniversityId,
    viewer: &Viewer,
    roles: &[Role],
    page: PageRequest,
) -> Read<GrantPages> {
    let names = names_text(roles);
    let list = |sql| {
        let select = page.query(sql).bind("university_id", university_id);
        let select = viewer.bind(select).bind("roles", names.as_str());
        Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &GrantRow| row.id.get())))
    };
    let pages = list(SELECT_OF_UNIVERSITY).and(list(SELECT_OF_DEPARTMENTS));
    pages.map(|(of_university, of_departments)| GrantPages { of_university, of_departments })
}

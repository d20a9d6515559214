//! Grants: who has which role where. Giving and taking them is the matter of `granting`.

use serde::Deserialize;

use crate::domain::authz::{Role, RoleGrant};
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, Value};
use crate::store::owned::Owned;
use crate::store::page::{Page, PageRequest};
use crate::store::{Store, statement};

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
    pub(in crate::store) university_id: Option<UniversityId>,
    department_id: Option<DepartmentId>,
    /// Since when.
    pub created_at: Timestamp,
}

impl GrantRow {
    /// What was granted.
    ///
    /// # Errors
    /// [`DbError::Unreadable`] for a role that only a later version knows.
    pub fn grant(&self) -> Result<RoleGrant, DbError> {
        let role = read_role(&self.role)?;
        Ok(RoleGrant { id: self.id, role, university_id: self.university_id, department_id: self.department_id })
    }
}

/// Nobody else who is active has the role of the grant `g` in the same place. A disabled administrator is none.
macro_rules! nobody_else_administers {
    () => {
        "NOT EXISTS (
            SELECT 1 FROM user_university_roles AS o JOIN users AS ou ON ou.id = o.user_id
            WHERE o.role = g.role AND o.university_id IS g.university_id AND o.user_id <> g.user_id AND ou.is_active = 1
        )"
    };
}
pub(in crate::store) use nobody_else_administers;

const SELECT_OF_USER: &str = "
    SELECT id, role, university_id, department_id FROM user_university_roles WHERE user_id = ?1 ORDER BY id";

const SELECT_ONE: &str = "
    SELECT g.id, g.user_id, u.email, u.full_name, g.role, g.university_id, g.department_id, g.created_at
    FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
    WHERE g.id = ?1 AND (g.university_id = ?2 OR g.university_id IS NULL)";

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

/// At most as many as one user may have.
const ERASE: &str = "
    DELETE FROM user_university_roles WHERE id IN (
        SELECT g.id FROM users AS u JOIN user_university_roles AS g ON g.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_OF_USER, SELECT_ONE, SELECT_OF_UNIVERSITY, SELECT_OF_DEPARTMENTS, ERASE];

/// Roles of a user. The export shows them with the user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "user_university_roles",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM user_university_roles AS g WHERE g.user_id = users.id"],
    export: None,
    walk: None,
};

#[derive(Deserialize)]
struct OwnGrantRow {
    id: GrantId,
    role: String,
    university_id: Option<UniversityId>,
    department_id: Option<DepartmentId>,
}

/// What every request of a signed-in user reads beside the user.
pub(in crate::store) fn of_user(user_id: UserId) -> Statement {
    statement(SELECT_OF_USER, [user_id.get().into()])
}

/// The rows of [`of_user`].
pub(in crate::store) fn read(rows: &Rows) -> Result<Vec<RoleGrant>, DbError> {
    let rows: Vec<OwnGrantRow> = rows.all()?;
    let grant = |row: OwnGrantRow| {
        let OwnGrantRow { id, role, university_id, department_id } = row;
        Ok(RoleGrant { id, role: read_role(&role)?, university_id, department_id })
    };
    rows.into_iter().map(grant).collect()
}

fn read_role(text: &str) -> Result<Role, DbError> {
    Role::parse(text).ok_or_else(|| DbError::Unreadable("unknown role".to_owned()))
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

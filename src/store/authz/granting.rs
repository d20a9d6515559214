//! Grants roles; `removal` removes them.
//!
//! The service decides whether the caller may do so from a grant of the caller's. Each statement checks again that this
//! grant exists and its holder is active: a caller whose right was revoked concurrently changes nothing.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::EventType;
use crate::domain::authz::Role;
use crate::domain::ids::{DepartmentId, GrantId, InvitationId, UniversityId, UserId};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit;
use crate::store::audit::{RequestInfo, insert_event};
use crate::store::authz::grants::{GrantRow, grant_columns};

/// Grants per user. Every request of the user reads all of them.
pub const MAX_GRANTS: i64 = 200;
/// Grants per user and university. One university cannot exhaust [`MAX_GRANTS`].
pub const MAX_GRANTS_HERE: i64 = 20;

/// The user who grants or removes a role.
#[derive(Debug, Clone, Copy)]
pub struct Grantor {
    /// The user who acts.
    pub id: UserId,
    /// The grant that allows it. `None` if a user removes a role of their own.
    pub allowed_by: Option<GrantId>,
    /// Whether an id may name any user as the grantee. Otherwise an id names only users with a role in the university,
    /// and other users are named by e-mail address: ids are consecutive, and the reply contains the address.
    pub may_name_any_user: bool,
}

/// The user to whom a role is granted.
pub enum Grantee {
    /// The id of a user.
    Id(UserId),
    /// The e-mail address of an account. An unproven address names none, and one without a role in the university only if
    /// the grantor may name any user.
    Email(Email),
    /// The account that the same batch adds: the salt makes the hash unique.
    New {
        /// The e-mail address of the account.
        email: Email,
        /// The hash of the password.
        password_hash: String,
    },
}

/// A request to grant a role.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Granting<'a> {
    pub grantee: &'a Grantee,
    pub new: NewGrant,
    pub grantor: Grantor,
    /// The invitation that the grantee accepts.
    pub invitation: Option<InvitationId>,
}

/// A role to be granted.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct NewGrant {
    pub role: Role,
    pub university_id: Option<UniversityId>,
    pub department_id: Option<DepartmentId>,
}

/// The outcome of granting a role.
pub enum GrantOutcome {
    /// The grant was added.
    Granted(GrantRow),
    /// There is no such user, or the grantor may not name the user by id, or the address names none.
    NoSuchUser,
    /// The university was deleted concurrently.
    NoSuchUniversity,
    /// The university has no such department.
    NoSuchDepartment,
    /// The user has the role already.
    Exists,
    /// The user has [`MAX_GRANTS`] already, or [`MAX_GRANTS_HERE`].
    TooMany,
    /// The grantor's right was revoked concurrently, or the invitation is no longer valid.
    NotAllowed,
}

/// The grant that allows the operation exists, and its holder is active.
macro_rules! is_allowed {
    ($grant_id:literal) => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM user_university_roles AS a JOIN users AS au ON au.id = a.user_id
                 WHERE a.id = ",
            $grant_id,
            " AND au.is_active = 1
             )"
        )
    };
}
pub(in crate::store) use is_allowed;

/// A grant to a user in the university of the request. `coalesce` matches the index `roles_once`; without it the
/// statement would read all roles of the university.
macro_rules! roles_here {
    ($user_id:literal) => {
        concat!(
            "user_university_roles
             WHERE user_id = ",
            $user_id,
            " AND coalesce(university_id, 0) = coalesce(:university_id, 0)"
        )
    };
}
pub(in crate::store) use roles_here;

/// The user `u` is the grantee. An id and a proven address match only a user with a role in the university already, unless
/// the grantor may name any user. An unproven address matches none: a stranger may have registered it.
macro_rules! is_grantee {
    () => {
        concat!(
            "u.erasure_cursor IS NULL AND (
                 u.email = :email AND (
                     u.password_hash = :password_hash
                     OR :password_hash IS NULL AND u.email_verified_at IS NOT NULL
                         AND (:may_name_any_user = 1 OR EXISTS (SELECT 1 FROM ",
            $crate::store::authz::granting::roles_here!("u.id"),
            "))
                 )
                 OR u.id = :user_id AND (:may_name_any_user = 1 OR EXISTS (SELECT 1 FROM ",
            $crate::store::authz::granting::roles_here!(":user_id"),
            "))
             )"
        )
    };
}
pub(in crate::store) use is_grantee;

macro_rules! university_exists {
    () => {
        "(:university_id IS NULL OR EXISTS (SELECT 1 FROM universities WHERE id = :university_id))"
    };
}

macro_rules! department_exists {
    () => {
        "(:department_id IS NULL
          OR EXISTS (SELECT 1 FROM departments WHERE university_id = :university_id AND id = :department_id))"
    };
}
pub(in crate::store) use department_exists;

/// The invitation is valid, for the address of the user `u`, if there is one.
macro_rules! invitation_holds {
    () => {
        "(:invitation_id IS NULL OR EXISTS (
             SELECT 1 FROM invitations AS i WHERE i.id = :invitation_id AND i.expires_at > :now AND i.email = u.email
         ))"
    };
}

/// An insert that conflicts would use up an id, so a second execution of the batch does not try. The same holds for every table with
/// consecutive ids.
const INSERT_GRANT: &str = concat!(
    "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at, nonce)
     SELECT u.id, :university_id, :role, :department_id, :now, :nonce FROM users AS u
     WHERE ",
    is_grantee!(),
    " AND ",
    is_allowed!(":allowed_by"),
    " AND ",
    invitation_holds!(),
    " AND (SELECT count(*) FROM user_university_roles WHERE user_id = u.id) < :max_grants
       AND (SELECT count(*) FROM ",
    roles_here!("u.id"),
    ") < :max_grants_here AND ",
    university_exists!(),
    " AND ",
    department_exists!(),
    " AND NOT EXISTS (
         SELECT 1 FROM user_university_roles AS own
         WHERE own.user_id = u.id AND coalesce(own.university_id, 0) = coalesce(:university_id, 0)
           AND own.role = :role AND coalesce(own.department_id, 0) = coalesce(:department_id, 0)
     )
     ON CONFLICT DO NOTHING"
);

/// The grant `g` that this request added, and its user `u`.
macro_rules! new_grant {
    () => {
        concat!(
            "users AS u JOIN user_university_roles AS g
                 ON g.user_id = u.id AND coalesce(g.university_id, 0) = coalesce(:university_id, 0) AND g.role = :role
                 AND coalesce(g.department_id, 0) = coalesce(:department_id, 0)
             WHERE g.nonce = :grant_nonce AND ",
            $crate::store::authz::granting::is_grantee!()
        )
    };
}
pub(in crate::store) use new_grant;

const SELECT_GRANT: &str = concat!("SELECT ", grant_columns!(), " FROM ", new_grant!());

const RECORD_GRANT: &str = insert_event! {
    type: ":type", reason: "g.role", user_id: "g.user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "g.university_id", from: concat!("FROM ", new_grant!()),
};

/// The reason if [`INSERT_GRANT`] inserted nothing.
const SELECT_REFUSAL: &str = concat!(
    "SELECT CASE WHEN NOT ",
    is_allowed!(":allowed_by"),
    " OR :invitation_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM invitations WHERE id = :invitation_id AND expires_at > :now)
         THEN 'not_allowed'
         WHEN grantee_id IS NULL AND :email IS NULL THEN 'no_user'
         WHEN NOT ",
    university_exists!(),
    " THEN 'no_university'
         WHEN NOT ",
    department_exists!(),
    " THEN 'no_department'
         WHEN grantee_id IS NULL THEN 'no_user'
         WHEN EXISTS (SELECT 1 FROM ",
    roles_here!("grantee_id"),
    "    AND role = :role AND coalesce(department_id, 0) = coalesce(:department_id, 0)) THEN 'exists'
         ELSE 'too_many'
     END AS refusal
     FROM (SELECT (SELECT u.id FROM users AS u WHERE ",
    is_grantee!(),
    ") AS grantee_id)"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT_GRANT, SELECT_GRANT, RECORD_GRANT, SELECT_REFUSAL];

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    NotAllowed,
    NoUser,
    NoUniversity,
    NoDepartment,
    Exists,
    TooMany,
}

#[derive(Deserialize)]
struct RefusalRow {
    refusal: Refusal,
}

/// Binds the values of [`new_grant!`], apart from its nonce.
pub(in crate::store) fn bind_grant(statement: Statement, granting: Granting<'_>) -> Statement {
    let (user_id, email, password_hash) = match granting.grantee {
        Grantee::Id(id) => (Some(*id), None, None),
        Grantee::Email(email) => (None, Some(email), None),
        Grantee::New { email, password_hash } => (None, Some(email), Some(password_hash.as_str())),
    };
    statement
        .bind("user_id", user_id)
        .bind("email", email)
        .bind("password_hash", password_hash)
        .bind("may_name_any_user", granting.grantor.may_name_any_user)
        .bind("role", granting.new.role)
        .bind("university_id", granting.new.university_id)
        .bind("department_id", granting.new.department_id)
}

/// The statements that grant a role. The second and the last return the rows for [`outcome`].
pub(in crate::store) fn statements(granting: Granting<'_>, request: RequestInfo<'_>) -> [Statement; 4] {
    let guarded = |sql| {
        let statement = bind_grant(query(sql), granting).bind("allowed_by", granting.grantor.allowed_by);
        statement.bind("invitation_id", granting.invitation).bind("now", request.now)
    };
    let nonce = request.stamp.nonce();
    let insert = guarded(INSERT_GRANT).bind("nonce", nonce);
    let insert = insert.bind("max_grants", MAX_GRANTS).bind("max_grants_here", MAX_GRANTS_HERE);
    let select = bind_grant(query(SELECT_GRANT), granting).bind("grant_nonce", nonce);
    let record = bind_grant(audit::insert(RECORD_GRANT, request, EventType::RoleGranted), granting);
    let record = record.bind("grant_nonce", nonce).bind("actor_id", granting.grantor.id);
    [insert, select, record, guarded(SELECT_REFUSAL)]
}

/// Reads the outcome of granting from the rows of the new grant and of the refusal.
pub(in crate::store) fn outcome(granted: &Rows, refusal: &Rows) -> Result<GrantOutcome, DbError> {
    if let Some(row) = granted.first()? {
        return Ok(GrantOutcome::Granted(row));
    }
    let refusal: Option<RefusalRow> = refusal.first()?;
    let refusal = refusal.ok_or_else(|| DbError::unreadable("no reason"))?.refusal;
    Ok(match refusal {
        Refusal::NotAllowed => GrantOutcome::NotAllowed,
        Refusal::NoUser => GrantOutcome::NoSuchUser,
        Refusal::NoUniversity => GrantOutcome::NoSuchUniversity,
        Refusal::NoDepartment => GrantOutcome::NoSuchDepartment,
        Refusal::Exists => GrantOutcome::Exists,
        Refusal::TooMany => GrantOutcome::TooMany,
    })
}

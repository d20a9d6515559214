//! Invitations: roles that the owner of an address accepts with a link. `inviting` makes them.
//!
//! An invitation belongs to the university. It says nothing about an account with its address, and outlives one.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::authz::role::names_text;
use crate::domain::authz::{Role, RoleGrant};
use crate::domain::ids::{DepartmentId, InvitationId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, Event, RequestInfo, insert_event, is_done, record_if_changed, recorded};
use crate::store::authz::granting::{
    self, GrantOutcome, Granting, Grantor, bind_grant, is_allowed, is_grantee, new_grant, roles_here,
};
use crate::store::authz::grants;
use crate::store::authz::viewer::Viewer;
use crate::store::page::{Page, PageRequest};
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::read::Read;

/// Maximum number of invitations that are read with the caller. Another one is read by its id.
const MAX_OFFERED: i64 = 10;

/// An invitation, as administrators see it.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct InvitationRow {
    pub id: InvitationId,
    pub university_id: UniversityId,
    pub email: String,
    pub role: String,
    pub department_id: Option<DepartmentId>,
    pub invited_by: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl InvitationRow {
    /// The role that is offered.
    ///
    /// # Errors
    /// [`DbError`] for a role that only a later version knows.
    pub fn offered_role(&self) -> Result<Role, DbError> {
        grants::read_role(&self.role)
    }
}

macro_rules! columns {
    () => {
        "i.id, i.university_id, i.email, i.role, i.department_id, i.invited_by, i.created_at, i.expires_at"
    };
}
pub(in crate::store::tenant) use columns;

/// The roles of the caller that show invitations of the university.
macro_rules! own_roles {
    () => {
        concat!(
            "user_university_roles AS own WHERE own.user_id = ",
            $crate::store::authz::viewer::caller_id!(),
            " AND coalesce(own.university_id, 0) IN (0, :university_id)
              AND instr(:roles, '\"' || own.role || '\"') > 0 AND ",
            $crate::store::authz::viewer::role_counts!("own.role")
        )
    };
}

/// A caller without a fitting role sees none; one whose role is narrowed to a department sees those of the department. Only
/// administrators of the platform see invitations to be one. No
/// subquery depends on the invitation, so each is evaluated once; the first one ends the search for a caller without a role.
const SELECT_PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM invitations AS i
     WHERE i.university_id = (SELECT :university_id WHERE EXISTS (SELECT 1 FROM ",
    own_roles!(),
    ")) AND i.id > :after AND i.expires_at > :now AND (
         i.department_id IN (SELECT own.department_id FROM ",
    own_roles!(),
    ") OR EXISTS (SELECT 1 FROM ",
    own_roles!(),
    " AND own.department_id IS NULL)
     ) AND (i.role <> 'PLATFORM_ADMIN' OR EXISTS (SELECT 1 FROM ",
    own_roles!(),
    " AND own.role = 'PLATFORM_ADMIN'))
     ORDER BY i.id LIMIT :limit"
);

const SELECT_ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM invitations AS i WHERE i.id = :invitation_id AND i.university_id = :university_id AND i.expires_at > :now"
);

const SELECT_PENDING: &str =
    concat!("SELECT ", columns!(), " FROM invitations AS i WHERE i.id = :invitation_id AND i.expires_at > :now");

/// The grants of the inviter, unless disabled or erased: they decide whether the role may still be given.
const SELECT_INVITER: &str = "
    SELECT g.id, g.role, g.university_id, g.department_id
    FROM invitations AS i JOIN users AS u ON u.id = i.invited_by JOIN user_university_roles AS g ON g.user_id = u.id
    WHERE i.id = :invitation_id AND u.is_active = 1 ORDER BY g.id";

/// The pending invitations of the address of a user. The grants of an inviter are a JSON list.
const SELECT_OFFERED: &str = concat!(
    "SELECT ",
    columns!(),
    ", (
         SELECT json_group_array(json_object(
             'id', g.id, 'role', g.role, 'university_id', g.university_id, 'department_id', g.department_id
         ))
         FROM users AS u JOIN user_university_roles AS g ON g.user_id = u.id
         WHERE u.id = i.invited_by AND u.is_active = 1
     ) AS inviter_grants
     FROM users AS own JOIN invitations AS i ON i.email = own.email
     WHERE own.id = :user_id AND i.expires_at > :now LIMIT :limit"
);

const DELETE: &str =
    concat!("DELETE FROM invitations WHERE id = :invitation_id AND ", is_allowed!(":allowed_by"), " RETURNING id");

const DELETE_EXPIRED: &str = "
    DELETE FROM invitations WHERE id IN (
        SELECT id FROM invitations WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'invitations' AND nonce = :nonce)";

/// A mailed link proves the address.
const SET_VERIFIED: &str = concat!(
    "UPDATE users SET email_verified_at = :now, mail_refused_at = NULL
     WHERE id = (SELECT u.id FROM ",
    new_grant!(),
    ") AND email_verified_at IS NULL AND :proves_address = 1"
);

const RECORD_VERIFIED: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "u.id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("FROM ", new_grant!(), " AND changes() > 0"),
};

/// An invitation to a role that the grantee has now is fulfilled: kept, it would give a removed role back.
const DELETE_FULFILLED: &str = concat!(
    "DELETE FROM invitations
     WHERE role = :role AND coalesce(department_id, 0) = coalesce(:department_id, 0)
       AND (:university_id IS NULL OR university_id = :university_id)
       AND email = (
           SELECT u.email FROM users AS u
           WHERE ",
    is_grantee!(),
    " AND EXISTS (SELECT 1 FROM ",
    roles_here!("u.id"),
    " AND role = :role AND coalesce(department_id, 0) = coalesce(:department_id, 0))
       )"
);

const DELETE_ACCEPTED: &str =
    concat!("DELETE FROM invitations WHERE id = :invitation_id AND EXISTS (SELECT 1 FROM ", new_grant!(), ")");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_PAGE,
    SELECT_ONE,
    SELECT_PENDING,
    SELECT_INVITER,
    SELECT_OFFERED,
    DELETE,
    DELETE_EXPIRED,
    SET_VERIFIED,
    RECORD_VERIFIED,
    DELETE_ACCEPTED,
    DELETE_FULFILLED,
];

/// An invitation belongs to a university, and its address need not have an account.
pub static INVITATIONS: Walk = Walk {
    table: "invitations",
    cutoff: Cutoff::Now,
    order: Order::OldestFirst { delete: DELETE_EXPIRED },
    max_steps: 1,
};

/// Lists the pending invitations of a university that a caller with one of these roles may see.
#[must_use]
pub fn of_university(
    university_id: UniversityId,
    viewer: &Viewer,
    roles: &[Role],
    page: PageRequest,
    now: Timestamp,
) -> Read<Page<InvitationRow>> {
    let select = page.query(SELECT_PAGE).bind("university_id", university_id).bind("now", now);
    let select = viewer.bind(select).bind("roles", names_text(roles));
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &InvitationRow| row.id.get())))
}

/// Finds a pending invitation of a university.
#[must_use]
pub fn find(university_id: UniversityId, id: InvitationId, now: Timestamp) -> Read<Option<InvitationRow>> {
    let select = query(SELECT_ONE).bind("invitation_id", id).bind("university_id", university_id);
    Read::of(select.bind("now", now), Rows::first)
}

/// Finds a pending invitation, and the grants that its inviter has now.
#[must_use]
pub fn pending(id: InvitationId, now: Timestamp) -> Read<(Option<InvitationRow>, Vec<RoleGrant>)> {
    let select = query(SELECT_PENDING).bind("invitation_id", id).bind("now", now);
    Read::of(select, Rows::first).and(Read::of(query(SELECT_INVITER).bind("invitation_id", id), grants::decode))
}

/// A pending invitation, with the grants that its inviter has.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The invitation as it is stored.
    pub row: InvitationRow,
    inviter_grants: String,
}

impl Offered {
    /// The grants of the inviter; none of a disabled or erased one.
    ///
    /// # Errors
    /// [`DbError`] for a role that only a later version knows.
    pub fn inviter_grants(&self) -> Result<Vec<RoleGrant>, DbError> {
        grants::decode_text(&self.inviter_grants)
    }
}

#[derive(Deserialize)]
struct InviterRow {
    inviter_grants: String,
}

/// Reads pending invitations of the address of a user.
#[must_use]
pub fn offered(user_id: UserId, now: Timestamp) -> Read<Vec<Offered>> {
    let select = query(SELECT_OFFERED).bind("user_id", user_id).bind("now", now).bind("limit", MAX_OFFERED);
    Read::of(select, |rows| {
        let rows: Vec<(InvitationRow, InviterRow)> = rows.all()?;
        Ok(rows.into_iter().map(|(row, InviterRow { inviter_grants })| Offered { row, inviter_grants }).collect())
    })
}

/// Withdraws an invitation. Returns false if it was accepted or withdrawn concurrently, or the right of the caller was
/// revoked.
///
/// # Errors
/// [`DbError`].
pub async fn withdraw(
    store: &Store,
    row: &InvitationRow,
    grantor: Grantor,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let delete = query(DELETE).bind("invitation_id", row.id).bind("allowed_by", grantor.allowed_by);
    let event =
        Event::of(EventType::InvitationWithdrawn, None).by(grantor.id).at(row.university_id).about(row.id.get());
    let recorded = recorded(request, EventType::InvitationWithdrawn);
    let [deleted, _, recorded] = store.batch([delete, record_if_changed(request, event), recorded]).await?;
    is_done(&deleted, &recorded)
}

/// The statement that deletes invitations to the role that the grantee has by now.
pub(in crate::store::tenant) fn delete_fulfilled(granting: Granting<'_>) -> Statement {
    bind_grant(query(DELETE_FULFILLED), granting)
}

/// The acceptance of an invitation.
#[derive(Clone, Copy)]
pub struct Invited<'a> {
    /// The role, and the invitation.
    pub granting: Granting<'a>,
    /// The token was mailed, so it proves the address.
    pub proves_address: bool,
}

/// The statements by which a grantee accepts an invitation: the second and the fourth return the rows for
/// [`granting::outcome`].
pub(in crate::store) fn acceptance(
    Invited { granting, proves_address }: Invited<'_>,
    request: RequestInfo<'_>,
) -> [Statement; 8] {
    let of_grant = |statement| bind_grant(statement, granting).bind("grant_nonce", request.stamp.nonce());
    let verify = of_grant(query(SET_VERIFIED)).bind("proves_address", proves_address).bind("now", request.now);
    let record = of_grant(audit::insert(RECORD_VERIFIED, request, EventType::EmailVerified));
    let delete = of_grant(query(DELETE_ACCEPTED)).bind("invitation_id", granting.invitation);
    let [insert, select, record_grant, refusal] = granting::statements(granting, request);
    [insert, select, record_grant, refusal, verify, record, delete, delete_fulfilled(granting)]
}

/// Grants the role of an invitation to a user.
///
/// # Errors
/// [`DbError`].
pub async fn accept(store: &Store, invited: Invited<'_>, request: RequestInfo<'_>) -> Result<GrantOutcome, DbError> {
    let [_, granted, _, refusal, ..] = store.batch(acceptance(invited, request)).await?;
    granting::outcome(&granted, &refusal)
}

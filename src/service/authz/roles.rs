//! Role grants of a university: listing, granting, removing. Database round trips after the caller's: 1;
//! listing none.

use crate::domain::account::email::Email;
use crate::domain::authz::step_up::Act;
use crate::domain::authz::{AllowedBy, Permission, Reach, Resource, Role, is_narrowed};
use crate::domain::ids::{DepartmentId, GrantId, InvitationId, MailId, ProofId, UniversityId, UserId};
use crate::domain::limits::storage::Growth;
use crate::domain::mail::limits;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::domain::secret::Secret;
use crate::domain::time::HOUR;
use crate::service::account::delete::SOLE_ADMINISTRATOR;
use crate::service::authz::admission::{Reading, demand_permission};
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Proof, SignInAge, demand, read_age};
use crate::service::mail::outbox::send_behind_response;
use crate::service::{Context, Error};
use crate::store::Store;
use crate::store::authz::granting::{GrantOutcome, Grantee, Granting, Grantor, NewGrant};
use crate::store::authz::grants;
use crate::store::authz::grants::GrantRow;
use crate::store::authz::removal::{self, RoleRemovalOutcome};
use crate::store::authz::viewer::Viewer;
use crate::store::page::{Page, PageRequest};
use crate::store::tenant::invitations::InvitationRow;
use crate::store::tenant::inviting;
use crate::store::tenant::inviting::{InvitationOutcome, NewInvitation};

/// A role to be granted.
pub struct GrantRole {
    /// The user who gets the role.
    pub grantee: Grantee,
    /// The role to grant.
    pub role: Role,
    /// Narrows the role to this department.
    pub department_id: Option<DepartmentId>,
}

/// Lists the grants of a university. An administrator of departments sees the grants of these departments only.
///
/// # Errors
/// `FORBIDDEN`; [`Error`] otherwise.
#[must_use]
pub fn list(viewer: &Viewer, university_id: UniversityId, page: PageRequest) -> Reading<Page<GrantRow>> {
    let read = grants::of_university(university_id, viewer, Permission::ViewRoles.roles(), page);
    Reading::for_caller(read, move |caller, pages| {
        caller.demand_of_key(Permission::ViewRoles)?;
        match caller.may(Permission::ViewRoles, &Resource::university(university_id)) {
            Ok(_) => Ok(pages.of_university),
            Err(_) if is_narrowed(&caller.grants, Permission::ViewRoles, university_id) => Ok(pages.of_departments),
            Err(refused) => Err(refused),
        }
    })
}

/// The result of granting a role.
pub enum Granted {
    /// The role is granted.
    Role(Box<GrantRow>),
    /// The owner of the address is invited.
    Invitation {
        /// The invitation, new or made again.
        row: Box<InvitationRow>,
        /// The text of its link, in a deployment that sends no mail.
        token: Option<Secret>,
    },
}

/// Grants a role, or invites the owner of an address to it. The table of permissions says which roles the caller may grant,
/// and where. `PLATFORM_ADMIN` needs a recent sign-in.
///
/// # Errors
/// `FORBIDDEN`; `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `VALIDATION_ERROR` for a department that the university does not have; `NOT_FOUND` for an unknown
/// id; `CONFLICT` when the user has the role already, or too many roles, or the university too many invitations;
/// `RATE_LIMITED` after too many mails; [`Error`] otherwise.
pub async fn grant(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    command: &GrantRole,
    proof: Proof<'_>,
) -> Result<Granted, Error> {
    let role = command.role;
    let resource = Resource::within(university_id, command.department_id);
    let allowed = demand_permission(ctx, caller, Permission::GrantRole(role), &resource).await?;
    let grantor = grantor(caller, allowed);
    if matches!(command.grantee, Grantee::Email(_)) {
        ctx.admit_growth(Growth::Mail)?;
    }
    let demanded = demand(ctx, caller, Act::GrantRole(role), proof).await?;
    let place = (role.reach() != Reach::Platform).then_some(university_id);
    let new = NewGrant { role, university_id: place, department_id: command.department_id };
    let granting = Granting { grantee: &command.grantee, new, grantor, invitation: None };
    let Grantee::Email(email) = &command.grantee else {
        let outcome = inviting::grant(demanded.store(), granting, ctx.request).await?;
        return granted(outcome, caller.user.id).map(|row| Granted::Role(Box::new(row)));
    };
    invite(ctx, demanded.store(), granting, university_id, email).await
}

/// Grants a role by address, or invites its owner.
async fn invite(
    ctx: &Context<'_>,
    store: &Store,
    granting: Granting<'_>,
    university_id: UniversityId,
    email: &Email,
) -> Result<Granted, Error> {
    let purpose = if ctx.settings.mail.is_some() { Purpose::Invite } else { Purpose::InviteHandOver };
    let counts = limits::invitation_counts(ctx.request.key, email, university_id);
    let mail_id = MailId::from_random(ctx.random()?);
    let new = NewInvitation {
        id: InvitationId::draw(ctx.now(), ctx.random()?),
        university_id,
        email,
        expires_at: ctx.now().plus_seconds(purpose.link_seconds()),
        mail: (purpose == Purpose::Invite).then_some((mail_id, &counts)),
    };
    match inviting::grant_or_invite(store, granting, new, ctx.request).await? {
        InvitationOutcome::Direct(outcome) => {
            granted(outcome, granting.grantor.id).map(|row| Granted::Role(Box::new(row)))
        }
        InvitationOutcome::Invited(row, mail) => {
            tracing::info!(target: "app.authz", actor_id = granting.grantor.id.get(), invitation_id = row.id.get(), "Invited");
            send_behind_response(ctx, mail);
            let is_handed_over = purpose == Purpose::InviteHandOver;
            let id = ProofId::new(row.id.get()).filter(|_| is_handed_over);
            let token = id.map(|id| ProofKeys::derive(&ctx.settings.secret_keys).link(purpose, id));
            Ok(Granted::Invitation { row, token })
        }
        InvitationOutcome::TooManyPending => Err(Problem::conflict("Too many pending invitations").into()),
        InvitationOutcome::TooManyMails => Err(Problem::rate_limited(HOUR * 1000).into()),
    }
}

/// The new grant, or the refusal.
pub(in crate::service) fn granted(outcome: GrantOutcome, actor: UserId) -> Result<GrantRow, Error> {
    let row = match outcome {
        GrantOutcome::Granted(row) => row,
        GrantOutcome::NoSuchUser | GrantOutcome::NoSuchUniversity => return Err(Code::NotFound.into()),
        GrantOutcome::NoSuchDepartment => return Err(no_such_department()),
        GrantOutcome::Exists => return Err(Problem::conflict("User has this role already").into()),
        GrantOutcome::TooMany => return Err(Problem::conflict("User has too many roles").into()),
        GrantOutcome::NotAllowed => return Err(Code::Forbidden.into()),
    };
    let (user_id, actor_id, role) = (row.user_id.get(), actor.get(), row.grant()?.role);
    tracing::info!(target: "app.authz", user_id, actor_id, role = role.as_str(), grant_id = row.id.get(), "Role granted");
    Ok(row)
}

pub(in crate::service) fn grantor(caller: &Caller, allowed: AllowedBy) -> Grantor {
    let may_name_any_user = caller.may(Permission::Administer, &Resource::default()).is_ok();
    Grantor { id: caller.user.id, allowed_by: allowed.grant_id(), may_name_any_user }
}

/// The refusal of a department that the university does not have.
pub(in crate::service) fn no_such_department() -> Error {
    let message = "the university has no such department";
    Problem::validation(vec![Fault::of("department_id", FaultKind::ValueError, message)]).into()
}

/// Finds the grant that is to be removed. Its role decides which callers may remove it, and how recent their sign-in must
/// be.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn find(
    ctx: &Context<'_>,
    subject: Subject,
    university_id: UniversityId,
    id: GrantId,
) -> Reading<(GrantRow, SignInAge)> {
    let read = grants::find(university_id, id).and(read_age(ctx, subject, None));
    Reading::then(read, |(row, age)| Ok((row.ok_or(Code::NotFound)?, age)))
}

/// Removes a role that the caller could have granted, or one of the caller's own. The role of another administrator needs
/// a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `FORBIDDEN`; `NOT_FOUND`; `CONFLICT` for the last administrator; [`Error`] otherwise.
pub async fn remove(ctx: &Context<'_>, caller: &Caller, row: &GrantRow, proof: Proof<'_>) -> Result<(), Error> {
    let grant = row.grant()?;
    let owned = Resource { owner: Some(row.user_id), ..Resource::default() };
    let resource = Resource { university_id: grant.university_id, department_id: grant.department_id, ..owned };
    let allowed = demand_permission(ctx, caller, Permission::RemoveRole(grant.role), &resource).await;
    let allowed = allowed.map_err(|error| match grant.university_id {
        Some(_) => error,
        // A grant of the platform is visible only to callers who may remove it.
        None => Code::NotFound.into(),
    })?;
    let act = Act::RemoveRole { role: grant.role, is_own: row.user_id == caller.user.id };
    let demanded = demand(ctx, caller, act, proof).await?;
    match removal::remove(demanded.store(), row, grant.role, grantor(caller, allowed), ctx.request).await? {
        RoleRemovalOutcome::Removed => {}
        RoleRemovalOutcome::LastAdministrator => return Err(Problem::conflict(SOLE_ADMINISTRATOR).into()),
        RoleRemovalOutcome::NotAllowed => return Err(Code::Forbidden.into()),
        RoleRemovalOutcome::Missing => return Err(Code::NotFound.into()),
    }
    let (user_id, actor_id) = (row.user_id.get(), caller.user.id.get());
    tracing::info!(target: "app.authz", user_id, actor_id, role = grant.role.as_str(), grant_id = row.id.get(), "Role removed");
    Ok(())
}

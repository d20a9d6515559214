//! Invitations of a university: listing, withdrawing, accepting. `service/authz/roles.rs` makes them. Database round trips
//! after the caller's: accepting and withdrawing 1, listing none.

use crate::domain::authz::{self, AllowedBy, Permission, Reach, Resource, RoleGrant, is_narrowed};
use crate::domain::ids::{InvitationId, UniversityId};
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::service::authz::admission::{Reading, demand_permission};
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::roles::{granted, grantor};
use crate::service::{Context, Error};
use crate::store::authz::granting::{GrantOutcome, Grantee, Granting, Grantor, NewGrant};
use crate::store::authz::grants::GrantRow;
use crate::store::authz::viewer::Viewer;
use crate::store::page::{Page, PageRequest};
use crate::store::tenant::invitations;
use crate::store::tenant::invitations::{InvitationRow, Invited, Offered};

/// Lists the pending invitations of a university. An administrator of departments sees those of these departments only.
///
/// # Errors
/// `FORBIDDEN`; [`Error`] otherwise.
#[must_use]
pub fn list(
    ctx: &Context<'_>,
    viewer: &Viewer,
    university_id: UniversityId,
    page: PageRequest,
) -> Reading<Page<InvitationRow>> {
    let roles = Permission::ViewRoles.roles();
    let read = invitations::of_university(university_id, viewer, roles, page, ctx.now());
    Reading::for_caller(read, move |caller, page| {
        let may = caller.may(Permission::ViewRoles, &Resource::university(university_id));
        let sees_some = is_narrowed(&caller.grants, Permission::ViewRoles, university_id);
        if sees_some { Ok(page) } else { may.map(|_| page) }
    })
}

/// Finds the invitation that is to be withdrawn: its role decides which callers may do so.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn find(ctx: &Context<'_>, university_id: UniversityId, id: InvitationId) -> Reading<InvitationRow> {
    Reading::then(invitations::find(university_id, id, ctx.now()), |row| row.ok_or_else(|| Code::NotFound.into()))
}

/// Withdraws an invitation to a role that the caller could grant.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` if it was accepted or withdrawn concurrently; [`Error`] otherwise.
pub async fn withdraw(ctx: &Context<'_>, caller: &Caller, row: &InvitationRow) -> Result<(), Error> {
    let resource = Resource::within(row.university_id, row.department_id);
    let allowed = demand_permission(ctx, caller, Permission::GrantRole(row.offered_role()?), &resource).await?;
    if !invitations::withdraw(ctx.store, row, grantor(caller, allowed), ctx.request).await? {
        return Err(Code::NotFound.into());
    }
    tracing::info!(target: "app.authz", actor_id = caller.user.id.get(), invitation_id = row.id.get(), "Invitation withdrawn");
    Ok(())
}

/// An invitation whose token a client has presented, and the right of its inviter.
pub(in crate::service) struct Offer {
    row: InvitationRow,
    grantor: Grantor,
    new: NewGrant,
    /// The token came by mail, so it proves the address.
    pub(in crate::service) proves_address: bool,
}

impl Offer {
    /// Checks that the invitation is for this address.
    pub(in crate::service) fn demand_address(&self, email: &str) -> Result<(), Error> {
        if self.row.email == email {
            Ok(())
        } else {
            Err(Problem::forbidden("Invitation is for another address").into())
        }
    }

    /// The grant of the offered role.
    pub(in crate::service) const fn granting<'a>(&self, grantee: &'a Grantee) -> Granting<'a> {
        Granting { grantee, new: self.new, grantor: self.grantor, invitation: Some(self.row.id) }
    }
}

/// Finds the invitation of a token. The right of the inviter is decided from the roles that the inviter has now, and is
/// checked again by the statement that grants the role.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS` if it was accepted, withdrawn, has expired, or the inviter may not give the role any more;
/// [`Error`] otherwise.
pub(in crate::service) async fn find_offer(ctx: &Context<'_>, token: &Secret) -> Result<Offer, Error> {
    let (purpose, id) = identify(ctx, token)?;
    read_offer(ctx, purpose, id).await
}

async fn read_offer(ctx: &Context<'_>, purpose: Purpose, id: InvitationId) -> Result<Offer, Error> {
    let (row, grants) = ctx.store.run(invitations::pending(id, ctx.now())).await?;
    offer(purpose, row.ok_or(Code::InvalidCredentials)?, &grants)
}

/// The purpose and the invitation of a token.
fn identify(ctx: &Context<'_>, token: &Secret) -> Result<(Purpose, InvitationId), Error> {
    let keys = ProofKeys::derive(&ctx.settings.secret_keys);
    let of_purpose = |purpose| Some((purpose, keys.of_link(purpose, token.expose())?));
    let found = [Purpose::Invite, Purpose::InviteHandOver].into_iter().find_map(of_purpose);
    let (purpose, id) = found.ok_or(Code::InvalidCredentials)?;
    let id = InvitationId::new(id.get()).ok_or(Code::InvalidCredentials)?;
    Ok((purpose, id))
}

fn offer(purpose: Purpose, row: InvitationRow, grants: &[RoleGrant]) -> Result<Offer, Error> {
    let role = row.offered_role()?;
    let resource = Resource::within(row.university_id, row.department_id);
    let allowed = authz::decide(row.invited_by, grants, Permission::GrantRole(role), &resource);
    let allowed_by = allowed.ok().and_then(|allowed: AllowedBy| allowed.grant_id()).ok_or(Code::InvalidCredentials)?;
    let place = (role.reach() != Reach::Platform).then_some(row.university_id);
    Ok(Offer {
        grantor: Grantor { id: row.invited_by, allowed_by: Some(allowed_by), may_name_any_user: true },
        new: NewGrant { role, university_id: place, department_id: row.department_id },
        proves_address: purpose == Purpose::Invite,
        row,
    })
}

/// Reads the invitations of the caller's address.
#[must_use]
pub fn offered(ctx: &Context<'_>, subject: Subject) -> Reading<Vec<Offered>> {
    invitations::offered(subject.user_id, ctx.now()).into()
}

/// Grants the caller the role of an invitation. `offered` are those of the caller's address.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, as above; `FORBIDDEN` for the invitation of another address; `CONFLICT` when the caller has
/// the role already, or too many roles; [`Error`] otherwise.
pub async fn accept(
    ctx: &Context<'_>,
    caller: &Caller,
    offered: &[Offered],
    token: &Secret,
) -> Result<GrantRow, Error> {
    let (purpose, id) = identify(ctx, token)?;
    let offer = match offered.iter().find(|offered| offered.row.id == id) {
        Some(offered) => offer(purpose, offered.row.clone(), &offered.inviter_grants()?)?,
        None => read_offer(ctx, purpose, id).await?,
    };
    offer.demand_address(&caller.user.email)?;
    let grantee = Grantee::Id(caller.user.id);
    let invited = Invited { granting: offer.granting(&grantee), proves_address: offer.proves_address };
    let outcome = invitations::accept(ctx.store, invited, ctx.request).await?;
    match outcome {
        GrantOutcome::NotAllowed | GrantOutcome::NoSuchUser => Err(Code::InvalidCredentials.into()),
        outcome => granted(outcome, offer.row.invited_by),
    }
}

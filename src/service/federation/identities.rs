//! The identities of a user. Database round trips after the caller's: 1 to unlink one; none for the list.

use crate::domain::authz::step_up::Act;
use crate::domain::ids::IdentityId;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::Code;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Proof, demand};
use crate::service::factor::removal::{finish, issuers, other_ways};
use crate::service::federation::start::settings;
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::federation::identities::{self, IdentityRow};
use crate::store::federation::linking;

/// Lists the identities of the caller; `NOT_FOUND` where federation is off.
#[must_use]
pub fn list(ctx: &Context<'_>, subject: Subject) -> Reading<Vec<IdentityRow>> {
    let is_off = ctx.settings.federation.is_none();
    let read = identities::list(subject.user_id, subject.session_id, ctx.now());
    Reading::then(read, move |rows| if is_off { Err(Code::NotFound.into()) } else { Ok(rows) })
}

/// Unlinks an identity of the caller, and ends all other sessions.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `CONFLICT` for the last way in; [`Error`] otherwise.
pub async fn unlink(ctx: &Context<'_>, caller: &Caller, id: IdentityId, proof: Proof<'_>) -> Result<(), Error> {
    settings(ctx)?;
    let demanded = demand(ctx, caller, Act::ChangeIdentities, proof).await?;
    let (user_id, kept) = (caller.user.id, caller.credential.session_id());
    let notice = outbox::notice(ctx, Kind::IdentitiesChanged)?;
    let issuers = issuers(ctx);
    let outcome =
        linking::unlink(demanded.store(), (user_id, kept), id, other_ways(ctx, &issuers), notice, ctx.request).await?;
    finish(ctx, user_id, outcome)
}

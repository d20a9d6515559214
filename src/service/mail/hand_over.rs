//! A new password without mail: an administrator hands a link over, by another way. Database round trips after the caller's:
//! 1.

use crate::domain::authz::step_up::Act;
use crate::domain::ids::{ProofId, UserId};
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::{Proof, demand};
use crate::service::{Context, Error};
use crate::store::mail::hand_over;
use crate::store::outcome::ActOutcome;

/// The token of a link, and its end.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct HandedOver {
    pub token: Secret,
    pub expires_at: Timestamp,
}

/// Makes a token with which the user sets a new password. It proves no address.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `CONFLICT` for a disabled account; `FORBIDDEN` if the caller lost the role
/// concurrently; [`Error`] otherwise.
pub async fn hand_over_reset(
    ctx: &Context<'_>,
    caller: &Caller,
    user_id: UserId,
    proof: Proof<'_>,
) -> Result<HandedOver, Error> {
    let demanded = demand(ctx, caller, Act::ResetPassword, proof).await?;
    let (id, actor) = (ProofId::from_random(ctx.random()?), caller.user.id);
    let expires_at = ctx.now().plus_seconds(Purpose::HandOver.link_seconds());
    match hand_over::hand_over(demanded.store(), id, user_id, actor, expires_at, ctx.request).await? {
        ActOutcome::Done(Some(user)) if user.is_active => {}
        ActOutcome::Done(_) => return Err(Problem::conflict("Account is disabled").into()),
        ActOutcome::Missing => return Err(Code::NotFound.into()),
        ActOutcome::ActorNotAllowed => return Err(Code::Forbidden.into()),
    }
    tracing::info!(target: "app.admin", user_id = user_id.get(), actor_id = actor.get(), "Password reset handed over");
    let token = ProofKeys::derive(&ctx.settings.secret_keys).link(Purpose::HandOver, id);
    Ok(HandedOver { token, expires_at })
}

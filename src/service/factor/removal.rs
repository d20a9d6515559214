//! Removing second factors, by their owner or by an administrator. Database round trips after the caller's: 1.

use crate::domain::authz::step_up::Act;
use crate::domain::federation::provider::Provider;
use crate::domain::ids::{PasskeyId, UserId};
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Problem};
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::{Proof, demand};
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::factor::removal;
use crate::store::factor::removal::{OtherWays, RemovalOutcome};
use crate::store::outcome::ActOutcome;

/// Removes the caller's authenticator app, and ends all other sessions.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; [`Error`] otherwise.
pub async fn remove_totp(ctx: &Context<'_>, caller: &Caller, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ChangeFactors, proof).await?;
    let (user_id, kept) = (caller.user.id, caller.credential.session_id());
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    let outcome = removal::remove_totp(demanded.store(), user_id, kept, notice, ctx.request).await?;
    finish(ctx, user_id, outcome)
}

/// Removes a passkey of the caller, and ends all other sessions.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `CONFLICT` for the last way in; [`Error`] otherwise.
pub async fn remove_passkey(ctx: &Context<'_>, caller: &Caller, id: PasskeyId, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ChangeFactors, proof).await?;
    let (user_id, kept) = (caller.user.id, caller.credential.session_id());
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    let issuers = issuers(ctx);
    let ways = other_ways(ctx, &issuers);
    let outcome = removal::remove_passkey(demanded.store(), (user_id, kept), id, ways, notice, ctx.request).await?;
    finish(ctx, user_id, outcome)
}

/// Removes every second factor of a user that lost them, and ends all sessions.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`, also for a user without a second factor; `CONFLICT` for the last way in; `FORBIDDEN` if the caller
/// lost the role concurrently; [`Error`] otherwise.
pub async fn reset(ctx: &Context<'_>, caller: &Caller, user_id: UserId, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ResetFactors, proof).await?;
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    let (actor, issuers) = (caller.user.id, issuers(ctx));
    match removal::reset(demanded.store(), user_id, actor, other_ways(ctx, &issuers), notice, ctx.request).await? {
        ActOutcome::Done(outcome) => finish(ctx, user_id, outcome),
        ActOutcome::Missing => Err(Code::NotFound.into()),
        ActOutcome::ActorNotAllowed => Err(Code::Forbidden.into()),
    }
}

/// The issuers whose identities sign in, as a JSON list.
pub(in crate::service) fn issuers(ctx: &Context<'_>) -> String {
    let providers = ctx.settings.federation.iter().flat_map(|federation| &federation.providers);
    let issuers: Vec<&str> = providers.map(Provider::issuer).collect();
    // Texts: serialization cannot fail.
    serde_json::to_string(&issuers).unwrap_or_default()
}

/// The ways to sign in besides passwords and passkeys.
pub(in crate::service) fn other_ways<'a>(ctx: &Context<'_>, issuers: &'a str) -> OtherWays<'a> {
    let signs_in_by_code = ctx.settings.mail.as_ref().is_some_and(|mail| mail.signs_in_by_code);
    OtherWays { signs_in_by_code, issuers }
}

/// The answer to the removal of a way to sign in.
pub(in crate::service) fn finish(ctx: &Context<'_>, user_id: UserId, outcome: RemovalOutcome) -> Result<(), Error> {
    match outcome {
        RemovalOutcome::Removed(mail) => outbox::send_behind_response(ctx, mail),
        RemovalOutcome::Missing => return Err(Code::NotFound.into()),
        RemovalOutcome::NoOwner => return Err(Code::TokenRevoked.into()),
        RemovalOutcome::LastWayIn => {
            return Err(Problem::conflict("Account would have no way to sign in").into());
        }
    }
    tracing::info!(target: "app.auth", user_id = user_id.get(), "Sign-in method removed");
    Ok(())
}

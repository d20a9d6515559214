//! The API keys of a user, managed by the user. Database round trips after the caller's: 1 for a change; none for
//! the list.

use crate::domain::authz::permission_set::PermissionSet;
use crate::domain::authz::step_up::Act;
use crate::domain::ids::ApiKeyId;
use crate::domain::limits::storage::Growth;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Problem};
use crate::domain::settings::EmailVerification;
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Proof, demand};
use crate::service::machine::new_key::{demand_future, mint};
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::machine::user_keys;
use crate::store::machine::user_keys::{KeyCreationOutcome, NewUserKey, UserKeyRow};
use crate::store::page::{Page, PageRequest};

/// A key to be made.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct CreateKey {
    pub name: Label,
    pub permissions: PermissionSet,
    pub expires_at: Option<Timestamp>,
}

/// Makes a key. Needs a recent sign-in, because the key outlives the session.
///
/// # Errors
/// `AUTH_EMAIL_NOT_VERIFIED` where addresses are verified; `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `VALIDATION_ERROR` for an end that has passed; `CONFLICT` for more
/// than 25 keys; `AUTH_TOKEN_REVOKED` if the session ended concurrently; [`Error`] otherwise.
pub async fn create(
    ctx: &Context<'_>,
    caller: &Caller,
    command: &CreateKey,
    proof: Proof<'_>,
) -> Result<(UserKeyRow, ApiKey), Error> {
    ctx.admit_growth(Growth::ApiKey)?;
    demand_future(ctx, command.expires_at)?;
    let needs_proof = ctx.settings.verification() != EmailVerification::Off;
    if needs_proof && caller.user.email_verified_at.is_none() {
        return Err(Code::EmailNotVerified.into());
    }
    let demanded = demand(ctx, caller, Act::ChangeApiKeys, proof).await?;
    let key = mint(ctx)?;
    let new = NewUserKey {
        key: &key,
        user_id: caller.user.id,
        session_id: caller.credential.session_id(),
        name: &command.name,
        permissions: command.permissions,
        expires_at: command.expires_at,
        has_mfa: caller.has_mfa,
        needs_proof,
    };
    let notice = outbox::notice(ctx, Kind::ApiKeysChanged)?;
    let (outcome, mail) = user_keys::create(demanded.store(), &new, notice, ctx.request).await?;
    outbox::send_behind_response(ctx, mail);
    let row = match outcome {
        KeyCreationOutcome::Created(row) => row,
        KeyCreationOutcome::TooMany => return Err(Problem::conflict("User has too many API keys").into()),
        KeyCreationOutcome::NoOwner => return Err(Code::TokenRevoked.into()),
    };
    tracing::info!(target: "app.machine", user_id = caller.user.id.get(), key_id = key.id().get(), "API key created");
    Ok((row, key))
}

/// Lists the keys of the caller.
#[must_use]
pub fn list(subject: Subject, page: PageRequest) -> Reading<Page<UserKeyRow>> {
    user_keys::list(subject.user_id, page).into()
}

/// Withdraws a key of the caller. Needs a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; [`Error`] otherwise.
pub async fn withdraw(ctx: &Context<'_>, caller: &Caller, id: ApiKeyId, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ChangeApiKeys, proof).await?;
    let session_id = caller.credential.session_id();
    let notice = outbox::notice(ctx, Kind::ApiKeysChanged)?;
    let withdrawn = user_keys::withdraw(demanded.store(), caller.user.id, session_id, id, notice, ctx.request).await?;
    outbox::send_behind_response(ctx, withdrawn.ok_or(Code::NotFound)?);
    tracing::info!(target: "app.machine", user_id = caller.user.id.get(), key_id = id.get(), "API key withdrawn");
    Ok(())
}

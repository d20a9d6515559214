//! Service accounts, managed by administrators of the platform. Database round trips after the caller's: 1 for a change; none
//! for a read.

use crate::domain::authz::step_up::Act;
use crate::domain::ids::{ServiceAccountId, hex};
use crate::domain::limits::storage::Growth;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::machine::scope::ScopeSet;
use crate::domain::problem::Code;
use crate::domain::tenant::label::Label;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::{Proof, demand};
use crate::service::machine::new_key::mint;
use crate::service::{Context, Error};
use crate::store::authz::viewer::Viewer;
use crate::store::machine::service_accounts;
use crate::store::machine::service_accounts::{
    NewServiceAccount, ServiceAccountChange, ServiceAccountRow, ServiceOutcome,
};
use crate::store::page::{Page, PageRequest};

/// A service account to be added.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct CreateServiceAccount {
    pub name: Label,
    pub scopes: ScopeSet,
}

/// Adds an account with its first key. Needs a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `FORBIDDEN` if the caller lost the role concurrently; [`Error`]
/// otherwise.
pub async fn create(
    ctx: &Context<'_>,
    caller: &Caller,
    command: &CreateServiceAccount,
    proof: Proof<'_>,
) -> Result<(ServiceAccountRow, ApiKey), Error> {
    ctx.admit_growth(Growth::ServiceAccount)?;
    let demanded = demand(ctx, caller, Act::ChangeServiceAccounts, proof).await?;
    let key = mint(ctx)?;
    let id = ServiceAccountId::draw(ctx.now(), ctx.random()?);
    let client_id = format!("sa_{}", hex(&ctx.random::<16>()?));
    let new = NewServiceAccount { id, client_id: &client_id, name: &command.name, scopes: command.scopes, key: &key };
    let row = service_accounts::create(demanded.store(), &new, caller.user.id, ctx.request).await?;
    let row = row.ok_or(Code::Forbidden)?;
    tracing::info!(target: "app.machine", client_id, actor_id = caller.user.id.get(), "Service account created");
    Ok((row, key))
}

/// Lists the accounts, in the order of their ids.
#[must_use]
pub fn list(viewer: &Viewer, page: PageRequest) -> Reading<Page<ServiceAccountRow>> {
    service_accounts::list(viewer, page).into()
}

/// Finds an account.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn find(viewer: &Viewer, id: ServiceAccountId) -> Reading<ServiceAccountRow> {
    Reading::then(service_accounts::find(id, viewer), |row| row.ok_or_else(|| Code::NotFound.into()))
}

/// Changes an account. Needs a recent sign-in. A removed scope ends at the next use of a key.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently;
/// [`Error`] otherwise.
pub async fn update(
    ctx: &Context<'_>,
    caller: &Caller,
    id: ServiceAccountId,
    change: &ServiceAccountChange,
    proof: Proof<'_>,
) -> Result<ServiceAccountRow, Error> {
    let demanded = demand(ctx, caller, Act::ChangeServiceAccounts, proof).await?;
    let row = done(service_accounts::update(demanded.store(), id, change, caller.user.id, ctx.request).await?)?;
    let client_id = row.client_id.as_str();
    tracing::info!(target: "app.machine", client_id, actor_id = caller.user.id.get(), "Service account changed");
    Ok(row)
}

/// Deletes an account with its keys. Needs a recent sign-in.
///
/// # Errors
/// As [`update`].
pub async fn delete(ctx: &Context<'_>, caller: &Caller, id: ServiceAccountId, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ChangeServiceAccounts, proof).await?;
    done(service_accounts::delete(demanded.store(), id, caller.user.id, ctx.request).await?)?;
    let (account_id, actor_id) = (id.get(), caller.user.id.get());
    tracing::info!(target: "app.machine", account_id, actor_id, "Service account deleted");
    Ok(())
}

pub(super) fn done<T>(outcome: ServiceOutcome<T>) -> Result<T, Error> {
    match outcome {
        ServiceOutcome::Done(result) => Ok(result),
        ServiceOutcome::Missing => Err(Code::NotFound.into()),
        ServiceOutcome::ActorNotAllowed => Err(Code::Forbidden.into()),
    }
}

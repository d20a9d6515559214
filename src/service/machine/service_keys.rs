//! The keys of service accounts, managed by administrators of the platform. Round trips as for the accounts.

use crate::domain::authz::step_up::Act;
use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::limits::storage::Growth;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::problem::{Code, Problem};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::{Proof, demand};
use crate::service::machine::new_key::{demand_future, mint};
use crate::service::machine::service_accounts::done;
use crate::service::{Context, Error};
use crate::store::authz::viewer::Viewer;
use crate::store::machine::service_keys;
use crate::store::machine::service_keys::{NewServiceKey, ServiceKeyRow};
use crate::store::page::{Page, PageRequest};

/// A key to be made.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct CreateServiceKey {
    pub name: Option<Label>,
    pub expires_at: Option<Timestamp>,
}

/// Makes a further key, so that a backend can change from one to the next. Needs a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `VALIDATION_ERROR` for an end that has passed; `NOT_FOUND`;
/// `CONFLICT` for more than two keys; `FORBIDDEN` if the caller lost the role concurrently; [`Error`] otherwise.
pub async fn create(
    ctx: &Context<'_>,
    caller: &Caller,
    account_id: ServiceAccountId,
    command: &CreateServiceKey,
    proof: Proof<'_>,
) -> Result<(ServiceKeyRow, ApiKey), Error> {
    ctx.admit_growth(Growth::ApiKey)?;
    demand_future(ctx, command.expires_at)?;
    let demanded = demand(ctx, caller, Act::ChangeServiceAccounts, proof).await?;
    let key = mint(ctx)?;
    let new = NewServiceKey { key: &key, account_id, name: command.name.as_ref(), expires_at: command.expires_at };
    let created = done(service_keys::create(demanded.store(), &new, caller.user.id, ctx.request).await?)?;
    let row = created.ok_or(Problem::conflict("Service account has too many keys"))?;
    let (key_id, account_id, actor_id) = (key.id().get(), account_id.get(), caller.user.id.get());
    tracing::info!(target: "app.machine", key_id, account_id, actor_id, "Service account key created");
    Ok((row, key))
}

/// Lists the keys of an account.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn list(viewer: &Viewer, account_id: ServiceAccountId, page: PageRequest) -> Reading<Page<ServiceKeyRow>> {
    Reading::then(service_keys::list(account_id, viewer, page), |page| page.ok_or_else(|| Code::NotFound.into()))
}

/// Withdraws a key. Needs a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently;
/// [`Error`] otherwise.
pub async fn withdraw(
    ctx: &Context<'_>,
    caller: &Caller,
    account_id: ServiceAccountId,
    id: ApiKeyId,
    proof: Proof<'_>,
) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::ChangeServiceAccounts, proof).await?;
    done(service_keys::withdraw(demanded.store(), account_id, id, caller.user.id, ctx.request).await?)?;
    let (key_id, account_id, actor_id) = (id.get(), account_id.get(), caller.user.id.get());
    tracing::info!(target: "app.machine", key_id, account_id, actor_id, "Service account key withdrawn");
    Ok(())
}

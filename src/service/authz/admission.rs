//! Admission of a caller: one read finds the user, the session or the key, the roles and the resource that the path names, and
//! takes the operation's own read along. Database round trips: 1.
//!
//! The rows of the operation are decoded only after access was granted. Those of a refused caller are dropped unseen.

use crate::domain::authz::credential::Accepted;
use crate::domain::authz::{AllowedBy, Permission, Resource};
use crate::domain::problem::Code;
use crate::ports::Rows;
use crate::service::authz::caller::{Caller, Principal};
use crate::service::authz::presented::Presented;
use crate::service::keys::verifying::confirm;
use crate::service::{Context, Error};
use crate::store::account::users;
use crate::store::audit::record_access_refused;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::machine;
use crate::store::read::Read;

type Decide<T> = Box<dyn FnOnce(Vec<Rows>, Option<&Caller>) -> Result<T, Error> + Send>;

/// A read of a use case, and the decision about its rows. The statements depend on the request and on the subject of the
/// token, never on other rows, so they can run in the batch that reads the caller. The decision may depend on the caller.
pub struct Reading<T> {
    pub(super) read: Read<Vec<Rows>>,
    pub(super) decide: Decide<T>,
}

impl Reading<()> {
    /// For a use case without such a read.
    #[must_use]
    pub fn nothing() -> Self {
        Read::nothing().into()
    }
}

impl<T: Send + 'static> From<Read<T>> for Reading<T> {
    fn from(read: Read<T>) -> Self {
        Self::then(read, Ok)
    }
}

impl<T: 'static> Reading<T> {
    /// A decision that does not depend on the caller.
    pub(in crate::service) fn then<R: Send + 'static>(
        read: Read<R>,
        decide: impl FnOnce(R) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        Self::for_viewer(read, |_, rows| decide(rows))
    }

    /// A decision that depends on the caller.
    pub(in crate::service) fn for_caller<R: Send + 'static>(
        read: Read<R>,
        decide: impl FnOnce(&Caller, R) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        Self::for_viewer(read, |caller, rows| decide(caller.ok_or(Code::TokenInvalid)?, rows))
    }

    /// The same for an operation that needs no authentication: the caller may be absent.
    pub(in crate::service) fn for_viewer<R: Send + 'static>(
        read: Read<R>,
        decide: impl FnOnce(Option<&Caller>, R) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        let (read, parse) = read.undecoded();
        Self { read, decide: Box::new(|rows, caller| decide(caller, parse(rows)?)) }
    }

    /// Converts the result of an allowed read.
    #[must_use]
    pub fn map<U: 'static>(self, convert: impl FnOnce(T) -> U + Send + 'static) -> Reading<U> {
        let decide = self.decide;
        Reading { read: self.read, decide: Box::new(|rows, caller| decide(rows, caller).map(convert)) }
    }
}

/// A permission that a caller needs on the resource that the path names, or on the service itself.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Demand {
    pub permission: Permission,
    pub target: Option<Target>,
}

/// The conditions of a route: the credentials that it takes, and the permission that it demands of a user.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Conditions {
    pub accepted: Accepted,
    pub demand: Option<Demand>,
}

/// A decision about access, to be made again if the body of the request takes long.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Decided {
    pub presented: Presented,
    pub conditions: Conditions,
}

/// A principal to whom access was granted. The rows of the operation's read are still undecoded.
pub struct Granted<T> {
    pub(super) principal: Principal,
    pub(super) resource: Option<ResourceRow>,
    pub(super) rows: Vec<Rows>,
    pub(super) decide: Decide<T>,
}

impl<T> Granted<T> {
    /// The user with credential and roles, or the service account.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Decodes the rows of the operation's read, and decides about them.
    ///
    /// # Errors
    /// The refusals of the reading; [`Error`] otherwise.
    pub fn admission(self) -> Result<Admission<T>, Error> {
        let result = (self.decide)(self.rows, self.principal.user())?;
        Ok(Admission { principal: Some(self.principal), resource: self.resource, result })
    }
}

/// The result of an admission.
pub struct Admission<T> {
    /// Absent if the operation needs no authentication.
    pub principal: Option<Principal>,
    /// The resource that the path names.
    pub resource: Option<ResourceRow>,
    /// The result of the operation's read.
    pub result: T,
}

/// A principal and the resource in the path, before access is decided.
pub(in crate::service) struct Identified {
    pub(in crate::service) outcome: Result<(Principal, Option<ResourceRow>), Error>,
    /// The version of the key ring, by which a token is judged again. Absent if the database does not know the credential.
    pub(in crate::service) ring_version: Option<i64>,
}

/// The read that confirms a presented credential.
pub(in crate::service) fn identify(
    ctx: &Context<'_>,
    presented: &Presented,
    target: Option<Target>,
) -> Read<Identified> {
    let now = ctx.now();
    match presented {
        Presented::Token(subject, _) => {
            let subject = *subject;
            let required = ctx.settings.factors.required_roles.clone();
            users::caller(subject.user_id, subject.session_id, target, now).map(move |read| {
                let (resource, ring_version) = (read.resource, read.caller.as_ref().map(|row| row.ring_version));
                let caller = Caller::of(subject, read, &required);
                Identified { outcome: caller.map(|caller| (Principal::User(caller), resource)), ring_version }
            })
        }
        Presented::Key(key) => {
            let read = machine::presented::caller(key, target, ctx.request);
            let (key, required) = (key.clone(), ctx.settings.factors.required_roles.clone());
            read.map(move |read| {
                let (resource, ring_version) = (read.resource, read.key.as_ref().map(|row| row.ring_version));
                let principal = Principal::of_key(&key, read, &required, now);
                Identified { outcome: principal.map(|principal| (principal, resource)), ring_version }
            })
        }
    }
}

/// Admits an active user with a live session or a valid key or, where the route takes them, an active service account. A
/// credential that the route does not take is refused only after it was confirmed. If there is a demand, a user needs its
/// permission. A service account needs the route's scope instead.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_REVOKED`, `AUTH_INACTIVE_USER`, `FORBIDDEN`; with a demand also `NOT_FOUND`; [`Error`]
/// otherwise.
pub async fn admit<T: 'static>(
    ctx: &Context<'_>,
    presented: &Presented,
    conditions: Conditions,
    reading: Reading<T>,
) -> Result<Granted<T>, Error> {
    let target = conditions.demand.and_then(|demand| demand.target);
    let read = identify(ctx, presented, target).and(reading.read);
    let (identified, rows) = ctx.store.run(read).await?;
    confirm_signature(ctx, presented, &identified).await?;
    let (principal, resource) = identified.outcome?;
    if !conditions.accepted.takes(principal.credential()) {
        return Err(Code::Forbidden.into());
    }
    if let (Some(demand), Some(caller)) = (conditions.demand, principal.user()) {
        demand_on_path(ctx, caller, demand, resource.as_ref()).await?;
    }
    Ok(Granted { principal, resource, rows, decide: reading.decide })
}

/// Judges the signature of a token again, by the key ring that the database has.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`; [`Error`] otherwise.
pub(in crate::service) async fn confirm_signature(
    ctx: &Context<'_>,
    presented: &Presented,
    identified: &Identified,
) -> Result<(), Error> {
    match presented.signature().zip(identified.ring_version) {
        Some(((signed_by, issued_at), version)) => confirm(ctx, signed_by, issued_at, version).await,
        None => Ok(()),
    }
}

/// Checks the permission that the route demands on the resource in the path.
async fn demand_on_path(
    ctx: &Context<'_>,
    caller: &Caller,
    demand: Demand,
    resource: Option<&ResourceRow>,
) -> Result<(), Error> {
    let found = demanded(demand, resource)?;
    demand_permission(ctx, caller, demand.permission, &found).await.map(|_| ())
}

/// The resource on which a permission is demanded.
pub(super) fn demanded(demand: Demand, resource: Option<&ResourceRow>) -> Result<Resource, Error> {
    match (demand.target, resource) {
        (None, _) => Ok(Resource::default()),
        (Some(_), Some(row)) => Ok(row.resource()),
        (Some(_), None) => Err(Code::NotFound.into()),
    }
}

/// Checks a permission that only the use case knows, because it depends on the body or on a row.
///
/// # Errors
/// Those of [`Caller::may`].
pub(in crate::service) async fn demand_permission(
    ctx: &Context<'_>,
    caller: &Caller,
    permission: Permission,
    resource: &Resource,
) -> Result<AllowedBy, Error> {
    match caller.may(permission, resource) {
        Ok(allowed) => Ok(allowed),
        Err(refused) => Err(note_refusal(ctx, caller, permission, refused).await),
    }
}

/// Records that a permission was lacking, in one more round trip. `NOT_FOUND` reveals nothing to the caller, and is not
/// recorded. If the database fails now, the refusal stands.
async fn note_refusal(ctx: &Context<'_>, caller: &Caller, permission: Permission, refused: Error) -> Error {
    if refused.code() == Some(Code::Forbidden) {
        let recorded = record_access_refused(ctx.store, caller.user.id, permission.name(), ctx.request).await;
        if let Err(error) = recorded {
            tracing::error!(target: "app.audit", cause = %error, "A refusal was not recorded");
        }
    }
    refused
}

/// Performs the read of an operation that needs no authentication.
///
/// # Errors
/// The refusals of the reading; [`Error`] otherwise.
pub async fn admit_anyone<T: 'static>(ctx: &Context<'_>, reading: Reading<T>) -> Result<Admission<T>, Error> {
    let rows = ctx.store.run(reading.read).await?;
    let result = (reading.decide)(rows, None)?;
    Ok(Admission { principal: None, resource: None, result })
}

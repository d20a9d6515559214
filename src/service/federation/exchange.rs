//! The exchange of a flow: for a session, a linked identity or a fresh access token. Database round trips: 2; after
//! the caller's, 1 for a linked identity or an access token.

use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::flow::{Flow, FlowKeys, Purpose};
use crate::domain::federation::provider::Provider;
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::ids::UserId;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::session::methods::AuthMethods;
use crate::service::factor::enrolment::owner;
use crate::service::factor::stepping_up::FreshToken;
use crate::service::federation::callback::verdict;
use crate::service::federation::calls::Calls;
use crate::service::federation::opening::{Arriving, open, too_many};
use crate::service::federation::seal::{self, unseal};
use crate::service::federation::start::{SignedInCaller, demand_link, provider, settings, unavailable};
use crate::service::keys::signing;
use crate::service::mail::outbox;
use crate::service::session::sign_in::SignIn;
use crate::service::session::tokens;
use crate::service::{Context, Error};
use crate::store::factor::step_up::LiveSession;
use crate::store::federation::facts;
use crate::store::federation::flows::Evidence;
use crate::store::federation::identities::IdentityRow;
use crate::store::federation::linking::{self, LinkOutcome};
use crate::store::federation::step_up;

/// The flow of the client, and the code of the return URL.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct CodeExchange {
    pub flow: Secret,
    pub code: Secret,
    pub invitation: Option<Secret>,
}

/// The flow of an app, and the ID token that it got.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct IdTokenExchange {
    pub flow: Secret,
    pub id_token: Secret,
    pub invitation: Option<Secret>,
}

/// The result of a flow.
pub enum Exchanged {
    /// A session, or the demand of its second factor.
    SignedIn(SignIn),
    /// The identity that was linked.
    Linked(IdentityRow),
    /// An access token whose sign-in is now.
    SteppedUp(FreshToken),
}

/// Exchanges the code that the browser brought back.
///
/// # Errors
/// `NOT_FOUND` where federation is off; `AUTH_INVALID_CREDENTIALS`, perhaps with a flow for a mailed code; those of the purpose of
/// the flow; [`Error`] otherwise.
pub async fn exchange(
    ctx: &Context<'_>,
    caller: Option<SignedInCaller<'_>>,
    command: &CodeExchange,
) -> Result<Exchanged, Error> {
    settings(ctx)?;
    let user = user_of(&command.flow, caller)?;
    let sealed = unseal(ctx, seal::CODE, &command.code).await.ok_or(Code::InvalidCredentials)?;
    // A provider that was removed from the settings signs no user in any more.
    let (_, provider) = provider(ctx, &sealed.provider).map_err(|_| Code::InvalidCredentials)?;
    let keys = FlowKeys::derive(&ctx.settings.secret_keys);
    let flow = keys.verify_flow(command.flow.expose(), &provider.id, user, ctx.now()).map(|(flow, _)| flow);
    let flow = flow.filter(|flow| flow.id == sealed.flow_id && !flow.is_native).ok_or(Code::InvalidCredentials)?;
    let redeeming = Redeeming { provider, assertion: &sealed.assertion, flow, invitation: command.invitation.as_ref() };
    redeem(ctx, caller, redeeming).await
}

/// Exchanges an ID token that an app got from its provider.
///
/// # Errors
/// As [`exchange`]; `SERVICE_UNAVAILABLE` if the provider does not answer.
pub async fn exchange_id_token(
    ctx: &Context<'_>,
    caller: Option<SignedInCaller<'_>>,
    provider_id: &str,
    command: &IdTokenExchange,
) -> Result<Exchanged, Error> {
    let (_, provider) = provider(ctx, provider_id)?;
    let user = user_of(&command.flow, caller)?;
    let keys = FlowKeys::derive(&ctx.settings.secret_keys);
    let verified = keys.verify_flow(command.flow.expose(), &provider.id, user, ctx.now());
    let (flow, secrets) = verified.filter(|(flow, _)| flow.is_native).ok_or(Code::InvalidCredentials)?;
    let calls = Calls::begin(ctx, provider);
    let assertion = calls.assertion_of_id_token(command.id_token.expose(), &flow, &secrets.nonce).await;
    let assertion = assertion.map_err(|fault| match fault {
        ProviderFault::Unavailable => unavailable(fault),
        ProviderFault::Broken | ProviderFault::Misconfigured | ProviderFault::RefusedCode => {
            Code::InvalidCredentials.into()
        }
    })?;
    let redeeming = Redeeming { provider, assertion: &assertion, flow, invitation: command.invitation.as_ref() };
    redeem(ctx, caller, redeeming).await
}

/// The user that must have started the flow, if its purpose needs one. The flow is verified afterwards.
fn user_of(flow: &Secret, caller: Option<SignedInCaller<'_>>) -> Result<Option<UserId>, Error> {
    let shown = FlowKeys::shown_flow(flow.expose()).ok_or(Code::InvalidCredentials)?;
    match (shown.purpose.needs_caller(), caller) {
        (true, None) => Err(Code::TokenInvalid.into()),
        (_, caller) => Ok(caller.map(|signed_in| signed_in.subject.user_id)),
    }
}

/// A verified flow with its asserted identity.
struct Redeeming<'a> {
    provider: &'a Provider,
    assertion: &'a Assertion,
    flow: Flow,
    invitation: Option<&'a Secret>,
}

async fn redeem(
    ctx: &Context<'_>,
    caller: Option<SignedInCaller<'_>>,
    redeeming: Redeeming<'_>,
) -> Result<Exchanged, Error> {
    let Redeeming { provider, assertion, flow, invitation } = redeeming;
    let arriving = Arriving { provider, assertion, evidence: Evidence::Flow(flow), invitation };
    match (flow.purpose, caller) {
        (Purpose::SignIn, _) => {
            signing::prepare(ctx).await?;
            let found = facts::find(ctx.store, assertion, ctx.request).await?;
            open(ctx, arriving, verdict(ctx, provider, assertion, found), found).await.map(Exchanged::SignedIn)
        }
        (Purpose::Link, Some(signed_in)) => link(ctx, signed_in, arriving).await.map(Exchanged::Linked),
        (Purpose::StepUp, Some(signed_in)) => renew(ctx, signed_in, arriving).await.map(Exchanged::SteppedUp),
        (Purpose::Link | Purpose::StepUp, None) => Err(Code::TokenInvalid.into()),
    }
}

async fn link(ctx: &Context<'_>, signed_in: SignedInCaller<'_>, arriving: Arriving<'_>) -> Result<IdentityRow, Error> {
    ctx.admit_growth(Growth::Factor)?;
    demand_link(ctx, signed_in).await?;
    let owner = owner(ctx, signed_in.caller)?;
    let notice = outbox::notice(ctx, Kind::IdentitiesChanged)?;
    let identity = arriving.identity(ctx)?;
    match linking::link(ctx.store, owner, identity, arriving.evidence, notice, ctx.request).await? {
        LinkOutcome::Linked(row, mail) => {
            outbox::send_behind_response(ctx, mail);
            let (user_id, provider) = (owner.user_id.get(), arriving.provider.id.as_str());
            tracing::info!(target: "app.auth", user_id, provider, "Identity linked");
            Ok(*row)
        }
        LinkOutcome::OfOther => {
            let message = "Identity belongs to another account";
            Err(Problem::conflict_because(message, "linked_to_other").into())
        }
        LinkOutcome::TooMany => Err(too_many()),
        LinkOutcome::NoOwner => Err(Code::TokenRevoked.into()),
        LinkOutcome::Used => Err(Code::InvalidCredentials.into()),
    }
}

/// A fresh access token for a user whose provider has asked them to sign in again.
async fn renew(ctx: &Context<'_>, signed_in: SignedInCaller<'_>, arriving: Arriving<'_>) -> Result<FreshToken, Error> {
    signing::prepare(ctx).await?;
    let subject = signed_in.subject;
    let max_roles = tokens::max_roles(ctx.settings);
    let of_session = (subject.user_id, subject.session_id);
    let identity = arriving.identity(ctx)?;
    let used =
        step_up::use_identity(ctx.store, of_session, identity, arriving.evidence, max_roles, ctx.request).await?;
    let LiveSession { expires_at, inputs } = used.ok_or(Code::InvalidCredentials)?;
    let (user_id, session_id) = (subject.user_id.get(), subject.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, provider = arriving.provider.id, "Stepped up");
    let methods = subject.methods.and(AuthMethods::FEDERATED);
    let (access_token, expires_in) = tokens::issue_fresh(ctx, &subject, methods, expires_at, inputs).await?;
    Ok(FreshToken { access_token, expires_in })
}

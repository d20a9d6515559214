//! The start of a flow. Database round trips after the caller's: none.

use crate::domain::authz::step_up::Act;
use crate::domain::federation::flow::{FLOW_SECONDS, Flow, FlowKeys, Purpose};
use crate::domain::federation::github;
use crate::domain::federation::provider::{Provider, ProviderKind};
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::ids::FlowId;
use crate::domain::percent_encoding::form;
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::domain::secret::Secret;
use crate::domain::settings::FederationSettings;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Proof, SignInAge, demand};
use crate::service::factor::enrolment::owner;
use crate::service::federation::calls::Calls;
use crate::service::{Context, Error};

/// Seconds after which a provider that does not answer may be asked again.
const RETRY_AFTER_SECONDS: u32 = 10;

/// A request to start a flow.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Start {
    pub provider: String,
    pub return_url: Option<String>,
    pub purpose: Purpose,
    pub is_native: bool,
    pub login_hint: Option<String>,
}

/// A flow that has begun.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct Started {
    pub flow: Secret,
    pub next: Next,
}

/// The next step of the client.
pub enum Next {
    /// The browser goes to this URL.
    Authorize(String),
    /// The app gets an ID token with this nonce.
    Nonce(String),
}

/// The signed-in user of a request for which signing in is optional.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SignedInCaller<'a> {
    pub caller: &'a Caller,
    pub subject: Subject,
    /// Read with the caller.
    pub age: &'a SignInAge,
}

/// The settings of federation, and the provider with this id.
///
/// # Errors
/// `NOT_FOUND` where it is off, or without such a provider.
pub(super) fn provider<'a>(ctx: &Context<'a>, id: &str) -> Result<(&'a FederationSettings, &'a Provider), Error> {
    let settings = settings(ctx)?;
    let provider = settings.providers.iter().find(|provider| provider.id == id).ok_or(Code::NotFound)?;
    Ok((settings, provider))
}

/// The settings of federation.
///
/// # Errors
/// `NOT_FOUND` where it is off.
pub(super) fn settings<'a>(ctx: &Context<'a>) -> Result<&'a FederationSettings, Error> {
    ctx.settings.federation.as_deref().ok_or_else(|| Code::NotFound.into())
}

/// The redirect URI of a provider, as it is registered there.
pub(super) fn redirect_uri(settings: &FederationSettings, provider: &Provider) -> String {
    format!("{}/auth/federated/{}/callback", settings.callback_base, provider.id)
}

/// Starts a flow. Nothing is stored.
///
/// # Errors
/// `NOT_FOUND`; `VALIDATION_ERROR`; `AUTH_TOKEN_INVALID` without the caller that the purpose needs; `AUTH_STEP_UP_REQUIRED`;
/// `AUTH_EMAIL_NOT_VERIFIED`; `SERVICE_UNAVAILABLE` if the provider does not answer; [`Error`] otherwise.
pub async fn start(ctx: &Context<'_>, caller: Option<SignedInCaller<'_>>, command: &Start) -> Result<Started, Error> {
    let (settings, provider) = provider(ctx, &command.provider)?;
    let user = match (command.purpose.needs_caller(), caller) {
        (false, _) => None,
        (true, None) => return Err(Code::TokenInvalid.into()),
        (true, Some(signed_in)) => Some(signed_in),
    };
    refuse_faults(settings, provider, command)?;
    if let (Purpose::Link, Some(signed_in)) = (command.purpose, user) {
        demand_link(ctx, signed_in).await?;
    }
    let flow = Flow {
        id: FlowId::from_random(ctx.random()?),
        purpose: command.purpose,
        is_native: command.is_native,
        ends_at: ctx.now().plus_seconds(FLOW_SECONDS),
    };
    let keys = FlowKeys::derive(&ctx.settings.secret_keys);
    let text = keys.flow(&flow, &provider.id, user.map(|signed_in| signed_in.subject.user_id));
    let next = match &command.return_url {
        Some(return_url) if !command.is_native => {
            Next::Authorize(authorize_url(ctx, settings, provider, &flow, return_url, command).await?)
        }
        _ => Next::Nonce(keys.secrets(&flow, &provider.id).nonce),
    };
    tracing::info!(target: "app.federation", provider = provider.id, "Flow started");
    Ok(Started { flow: text, next })
}

/// Demands of a caller that links an identity the evidence for a new second factor: a thief's identity would be a way in that
/// outlives the session.
pub(super) async fn demand_link(ctx: &Context<'_>, signed_in: SignedInCaller<'_>) -> Result<(), Error> {
    owner(ctx, signed_in.caller)?;
    let proof = Proof { age: signed_in.age, password: None };
    demand(ctx, signed_in.caller, Act::ChangeIdentities, proof).await.map(drop)
}

fn refuse_faults(settings: &FederationSettings, provider: &Provider, command: &Start) -> Result<(), Error> {
    let mut faults = Vec::new();
    let has_id_tokens = matches!(provider.kind, ProviderKind::OpenId { .. });
    if command.is_native && !has_id_tokens {
        faults.push(Fault::of("native", FaultKind::ValueError, "provider has no ID tokens"));
    }
    if command.purpose == Purpose::StepUp && !provider.steps_up() {
        faults.push(Fault::of("step_up", FaultKind::ValueError, "provider does not tell when its user signed in"));
    }
    match &command.return_url {
        _ if command.is_native => {}
        None => faults.push(Fault::of("return_url", FaultKind::Missing, "field is required")),
        Some(url) if !settings.return_urls.contains(url) => {
            faults.push(Fault::of("return_url", FaultKind::ValueError, "value is not in FEDERATION_RETURN_URLS"));
        }
        Some(_) => {}
    }
    if faults.is_empty() { Ok(()) } else { Err(Problem::validation(faults).into()) }
}

/// The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core 1.0 §3.1.2.1).
async fn authorize_url(
    ctx: &Context<'_>,
    settings: &FederationSettings,
    provider: &Provider,
    flow: &Flow,
    return_url: &str,
    command: &Start,
) -> Result<String, Error> {
    let keys = FlowKeys::derive(&ctx.settings.secret_keys);
    let secrets = keys.secrets(flow, &provider.id);
    let (state, challenge) = (keys.state(flow, &provider.id, return_url), secrets.challenge());
    let redirect_uri = redirect_uri(settings, provider);
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("state", state.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let endpoint = match &provider.kind {
        ProviderKind::OpenId { issuer } => {
            pairs.extend([("scope", "openid email profile"), ("nonce", secrets.nonce.as_str())]);
            if command.purpose == Purpose::StepUp {
                pairs.extend([("prompt", "login"), ("max_age", "0")]);
            }
            pairs.extend(command.login_hint.as_deref().map(|hint| ("login_hint", hint)));
            let calls = Calls::begin(ctx, provider);
            calls.metadata(issuer).await.map_err(unavailable)?.authorization_endpoint.clone()
        }
        ProviderKind::GitHub { url } => {
            pairs.push(("scope", "user:email"));
            pairs.extend(command.login_hint.as_deref().map(|hint| ("login", hint)));
            github::endpoints(url).authorize
        }
    };
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{separator}{}", form(&pairs)))
}

/// Whatever is wrong with the provider, the client can only try again.
pub(super) fn unavailable(_: ProviderFault) -> Error {
    Problem::unavailable(RETRY_AFTER_SECONDS).into()
}

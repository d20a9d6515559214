//! The return of the browser from the provider. It changes no account: it hands the asserted identity, encrypted, to the
//! client. Database round trips: 2.

use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::decision::{Facts, Verdict, decide};
use crate::domain::federation::flow::{Flow, FlowKeys, FlowSecrets, Purpose};
use crate::domain::federation::provider::{Provider, ProviderKind};
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::federation::return_error::ReturnError;
use crate::domain::federation::sealed::SealedAssertion;
use crate::domain::percent_encoding::percent_encoded;
use crate::domain::problem::Code;
use crate::domain::settings::{EmailVerification, FederationSettings};
use crate::service::federation::assertion::PresentedCode;
use crate::service::federation::calls::Calls;
use crate::service::federation::seal::{self, seal};
use crate::service::federation::start::{provider, redirect_uri};
use crate::service::{Context, Error};
use crate::store::federation::facts;
use crate::store::federation::facts::Found;
use crate::store::federation::flows;

/// The parameters that the browser brings back (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the fields are the parameters")]
pub struct Returned {
    pub state: Option<String>,
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// Ends the visit of the browser, and returns the URL that it goes to. Every failure behind a valid state leads to the
/// application.
///
/// # Errors
/// `NOT_FOUND`; `AUTH_INVALID_CREDENTIALS` for a state that is not one of this provider; [`Error`] otherwise.
pub async fn finish(ctx: &Context<'_>, provider_id: &str, returned: &Returned) -> Result<String, Error> {
    let (settings, provider) = provider(ctx, provider_id)?;
    let keys = FlowKeys::derive(&ctx.settings.secret_keys);
    let state = returned.state.as_deref().unwrap_or_default();
    let known = keys.read_state(state, &provider.id, &settings.return_urls, ctx.now());
    let (flow, return_url, secrets) = known.ok_or(Code::InvalidCredentials)?;
    let arrival = Arrival { settings, provider, flow, secrets };
    let fragment = match arrival.code(ctx, returned).await {
        Ok(code) => {
            tracing::info!(target: "app.federation", provider = provider.id, "Returned with a code");
            format!("code={}", percent_encoded(&code))
        }
        Err(error) => {
            let cause = error.as_str();
            tracing::warn!(target: "app.federation", provider = provider.id, cause, "Returned with an error");
            format!("error={cause}")
        }
    };
    Ok(format!("{return_url}#{fragment}"))
}

/// A browser that has returned to a flow.
struct Arrival<'a> {
    settings: &'a FederationSettings,
    provider: &'a Provider,
    flow: Flow,
    secrets: FlowSecrets,
}

impl Arrival<'_> {
    async fn code(&self, ctx: &Context<'_>, returned: &Returned) -> Result<String, ReturnError> {
        let noted = flows::note_return(ctx.store, self.flow, ctx.request).await;
        if !noted.map_err(|error| failed(&error.into()))? {
            return Err(ReturnError::InvalidRequest);
        }
        let calls = Calls::begin(ctx, self.provider);
        self.check_issuer(&calls, returned).await?;
        let code = match (&returned.error, returned.code.as_ref().filter(|code| !code.is_empty())) {
            (Some(error), _) => return Err(ReturnError::of_provider(error)),
            (None, None) => return Err(ReturnError::InvalidRequest),
            (None, Some(code)) => code,
        };
        let redirect_uri = redirect_uri(self.settings, self.provider);
        let presented = PresentedCode { code, redirect_uri: &redirect_uri, flow: &self.flow, secrets: &self.secrets };
        let assertion = calls.assertion_of_code(presented).await.map_err(of_fault)?;
        if self.flow.purpose == Purpose::SignIn {
            // The exchange decides again, so a failure here does not waste the visit.
            match facts::find(ctx.store, &assertion, ctx.request).await {
                Ok(found) => foretell(verdict(ctx, self.provider, &assertion, found))?,
                Err(error) => {
                    failed(&error.into());
                }
            }
        }
        let (provider, flow_id, ends_at) = (self.provider.id.clone(), self.flow.id, self.flow.ends_at);
        let sealed = SealedAssertion { flow_id, proof_id: None, provider, assertion, ends_at };
        let code = seal(ctx, seal::CODE, &sealed).await.map_err(|error| failed(&error))?;
        Ok(code.expose().to_owned())
    }

    /// A response of another provider is refused before its code is sent to this one (RFC 9207 §2.4).
    async fn check_issuer(&self, calls: &Calls<'_, '_>, returned: &Returned) -> Result<(), ReturnError> {
        let is_right = match (&self.provider.kind, &returned.iss) {
            (ProviderKind::OpenId { issuer }, Some(iss)) => issuer == iss,
            (ProviderKind::OpenId { issuer }, None) => !calls.metadata(issuer).await.map_err(of_fault)?.sends_iss,
            // GitHub may name the path of its endpoints.
            (ProviderKind::GitHub { url }, Some(iss)) => {
                iss.strip_prefix(url.as_str()).is_some_and(|path| path.is_empty() || path.starts_with('/'))
            }
            (ProviderKind::GitHub { .. }, None) => true,
        };
        if is_right { Ok(()) } else { Err(ReturnError::InvalidRequest) }
    }
}

/// The decision about an asserted identity.
pub(super) fn verdict(ctx: &Context<'_>, provider: &Provider, assertion: &Assertion, found: Found) -> Verdict {
    let verified = assertion.verified_email();
    let (linked, holder) = found;
    decide(&Facts {
        linked,
        holder,
        has_verified_email: verified.is_some(),
        is_authoritative: verified
            .is_some_and(|email| provider.is_authoritative(email, assertion.hosted_domain.as_deref())),
        can_mail: ctx.settings.mail.is_some(),
        needs_proof: ctx.settings.verification() == EmailVerification::Required,
    })
}

/// The errors that the application learns at once. The exchange decides again.
const fn foretell(verdict: Verdict) -> Result<(), ReturnError> {
    match verdict {
        Verdict::NeedsVerifiedEmail => Err(ReturnError::VerifiedEmailRequired),
        Verdict::AccountExists => Err(ReturnError::AccountExists),
        Verdict::SignIn(_) | Verdict::Suspended | Verdict::Join(_) | Verdict::MailCode | Verdict::Create { .. } => {
            Ok(())
        }
    }
}

const fn of_fault(fault: ProviderFault) -> ReturnError {
    match fault {
        ProviderFault::Unavailable => ReturnError::TemporarilyUnavailable,
        ProviderFault::Broken | ProviderFault::Misconfigured => ReturnError::ServerError,
        ProviderFault::RefusedCode => ReturnError::InvalidRequest,
    }
}

/// A failure of the service itself. The browser goes back to the application, which may begin again.
fn failed(error: &Error) -> ReturnError {
    tracing::error!(target: "app.errors", cause = %error, "The return of a browser failed");
    ReturnError::TemporarilyUnavailable
}

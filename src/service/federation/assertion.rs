//! The identity that a provider asserts: by a code that the browser brought back, or by an ID token that an app presents.

use base64ct::{Base64, Encoding as _};

use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::flow::{Flow, FlowSecrets, Purpose};
use crate::domain::federation::github;
use crate::domain::federation::id_token::{Expected, IdToken};
use crate::domain::federation::metadata::{ClientAuthentication, Metadata};
use crate::domain::federation::provider::{Provider, ProviderKind};
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::federation::token_response::{TokenFault, tokens_of};
use crate::domain::percent_encoding::{form, percent_encoded};
use crate::domain::secret::Secret;
use crate::service::federation::calls::{Calls, accept_json};

const FORM: &str = "application/x-www-form-urlencoded";
/// GitHub refuses requests without one.
const USER_AGENT: &str = "edge-auth";

/// The authorization code of a flow.
#[derive(Clone, Copy)]
pub(super) struct PresentedCode<'a> {
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) flow: &'a Flow,
    pub(super) secrets: &'a FlowSecrets,
}

impl Calls<'_, '_> {
    /// Redeems a code, and verifies the identity that the provider asserts.
    pub(super) async fn assertion_of_code(&self, presented: PresentedCode<'_>) -> Result<Assertion, ProviderFault> {
        match &self.provider.kind {
            ProviderKind::OpenId { issuer } => self.by_id_token(issuer, presented).await,
            ProviderKind::GitHub { url } => self.by_github(url, presented).await,
        }
    }

    async fn by_id_token(&self, issuer: &str, presented: PresentedCode<'_>) -> Result<Assertion, ProviderFault> {
        let metadata = self.metadata(issuer).await?;
        let Provider { client_id, client_secret, .. } = self.provider;
        let mut headers = accept_json();
        headers.push(("Content-Type", Secret::new(FORM)));
        let mut pairs = presented.pairs();
        match (client_secret, metadata.client_authentication) {
            (Some(secret), ClientAuthentication::Basic) => headers.push(("Authorization", basic(client_id, secret))),
            (Some(secret), ClientAuthentication::Post) => {
                pairs.extend([("client_id", client_id.as_str()), ("client_secret", secret.expose())]);
            }
            // A public client (RFC 6749 §3.2.1).
            (None, _) => pairs.push(("client_id", client_id)),
        }
        let body = Some(Secret::new(form(&pairs)));
        let response = self.send(&metadata.token_endpoint, headers, body).await?;
        let tokens = tokens_of(response.status, &response.body).map_err(|fault| self.without_token(fault))?;
        let (id_token, nonce) = (tokens.id_token.expose(), &presented.secrets.nonce);
        let mut assertion = self.verified(issuer, &metadata, id_token, presented.flow, nonce).await?;
        if assertion.email.is_none()
            && let Some((url, token)) = metadata.userinfo_endpoint.as_ref().zip(tokens.access_token)
        {
            self.add_user_info(&mut assertion, url, &token).await?;
        }
        Ok(assertion)
    }

    /// Adds the claims that the ID token leaves out. A user that the service knows signs in without them.
    async fn add_user_info(&self, assertion: &mut Assertion, url: &str, token: &Secret) -> Result<(), ProviderFault> {
        let mut headers = accept_json();
        headers.push(("Authorization", Secret::new(format!("Bearer {}", token.expose()))));
        match self.get(url, headers).await {
            Ok(text) if assertion.add_user_info(&text, self.ctx.normalize).is_some() => Ok(()),
            Ok(_) => {
                self.failed(ProviderFault::Broken, "malformed user info");
                Ok(())
            }
            Err(ProviderFault::Unavailable) => Err(ProviderFault::Unavailable),
            Err(ProviderFault::Broken | ProviderFault::Misconfigured | ProviderFault::RefusedCode) => Ok(()),
        }
    }

    async fn by_github(&self, url: &str, presented: PresentedCode<'_>) -> Result<Assertion, ProviderFault> {
        let endpoints = github::endpoints(url);
        let mut headers = accept_json();
        headers.extend([("Content-Type", Secret::new(FORM)), ("User-Agent", Secret::new(USER_AGENT))]);
        let mut pairs = presented.pairs();
        let secret = self.provider.client_secret.as_ref().map_or("", Secret::expose);
        pairs.extend([("client_id", self.provider.client_id.as_str()), ("client_secret", secret)]);
        let response = self.send(&endpoints.token, headers, Some(Secret::new(form(&pairs)))).await?;
        let token = github::access_token(&response.body).map_err(|fault| self.without_token(fault))?;
        let headers = || {
            let bearer = Secret::new(format!("Bearer {}", token.expose()));
            let version = ("X-GitHub-Api-Version", Secret::new("2022-11-28"));
            let accept = ("Accept", Secret::new("application/vnd.github+json"));
            vec![accept, version, ("User-Agent", Secret::new(USER_AGENT)), ("Authorization", bearer)]
        };
        let user = self.get(&endpoints.user, headers()).await?;
        let emails = self.get(&endpoints.emails, headers()).await?;
        let assertion = github::assertion(url, &user, &emails, self.ctx.normalize);
        assertion.ok_or_else(|| self.failed(ProviderFault::Broken, "malformed user"))
    }

    /// Verifies an ID token that an app presents, as one of a flow.
    pub(super) async fn assertion_of_id_token(
        &self,
        text: &str,
        flow: &Flow,
        nonce: &str,
    ) -> Result<Assertion, ProviderFault> {
        let ProviderKind::OpenId { issuer } = &self.provider.kind else { return Err(ProviderFault::Broken) };
        let metadata = self.metadata(issuer).await?;
        self.verified(issuer, &metadata, text, flow, nonce).await
    }

    /// Verifies the signature of an ID token, and then its claims (OpenID Connect Core 1.0 §3.1.3.7).
    async fn verified(
        &self,
        issuer: &str,
        metadata: &Metadata,
        text: &str,
        flow: &Flow,
        nonce: &str,
    ) -> Result<Assertion, ProviderFault> {
        // Any stranger can present a token of an app; a code's is the provider's own.
        let fault = if flow.is_native { ProviderFault::RefusedCode } else { ProviderFault::Broken };
        let broken = |cause: &str| self.failed(fault, cause);
        let token = IdToken::parse(text).map_err(|fault| broken(fault.as_str()))?;
        let (algorithm, key_id) = (token.algorithm(), token.key_id());
        let keys = self.keys(&metadata.jwks_uri, |keys| keys.find(algorithm, key_id).is_some()).await?;
        let key = keys.find(algorithm, key_id).ok_or_else(|| broken("unknown key"))?;
        let message = token.signed_text().as_bytes();
        let is_signed = self.ctx.signatures.verify_with(key, message, token.signature()).await;
        match is_signed {
            Ok(true) => {}
            Ok(false) => return Err(broken("wrong signature")),
            Err(error) => return Err(broken(&error.to_string())),
        }
        let expected = Expected {
            issuer,
            client_id: &self.provider.client_id,
            audiences: &self.provider.audiences,
            is_native: flow.is_native,
            nonce,
            started_at: flow.started_at(),
            needs_sign_in_after_start: flow.purpose == Purpose::StepUp,
            now: self.ctx.now(),
        };
        token.check(&expected, self.ctx.normalize).map_err(|fault| broken(fault.as_str()))
    }

    fn without_token(&self, fault: TokenFault) -> ProviderFault {
        let kind = match fault {
            TokenFault::RefusedCode => ProviderFault::RefusedCode,
            TokenFault::Unavailable => ProviderFault::Unavailable,
            TokenFault::Misconfigured => ProviderFault::Misconfigured,
            TokenFault::Malformed => ProviderFault::Broken,
        };
        self.failed(kind, fault.as_str())
    }
}

impl<'a> PresentedCode<'a> {
    /// The parameters of the token request (RFC 6749 §4.1.3, RFC 7636 §4.5).
    fn pairs(&self) -> Vec<(&'static str, &'a str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", self.code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", self.secrets.verifier.expose()),
        ]
    }
}

/// HTTP Basic with encoded credentials (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let credentials = format!("{}:{}", percent_encoded(client_id), percent_encoded(secret.expose()));
    Secret::new(format!("Basic {}", Base64::encode_string(credentials.as_bytes())))
}

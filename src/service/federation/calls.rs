//! Requests to providers. Each flow has a few seconds for all of them, and a provider that does not answer is not asked again
//! for a while, so its failure is answered in milliseconds. The circuit breaker of the database has no part in it.

use std::sync::Arc;

use crate::domain::breaker::Admission;
use crate::domain::federation::destination::origin;
use crate::domain::federation::key_set::KeySet;
use crate::domain::federation::metadata::{self, Metadata, discovery_url};
use crate::domain::federation::provider::Provider;
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::outbound::{HttpRequest, HttpResponse};
use crate::domain::secret::Secret;
use crate::service::Context;

/// The time of all requests of one step of a flow, in milliseconds.
const DEADLINE_MS: i64 = 5000;

/// The requests of one step of a flow.
pub(super) struct Calls<'c, 'a> {
    pub(super) ctx: &'c Context<'a>,
    pub(super) provider: &'c Provider,
    deadline: i64,
}

impl<'c, 'a> Calls<'c, 'a> {
    pub(super) fn begin(ctx: &'c Context<'a>, provider: &'c Provider) -> Self {
        Self { ctx, provider, deadline: (ctx.clock)().millis() + DEADLINE_MS }
    }

    /// Sends a request; `body` makes it a POST.
    pub(super) async fn send(
        &self,
        url: &str,
        headers: Vec<(&'static str, Secret)>,
        body: Option<Secret>,
    ) -> Result<HttpResponse, ProviderFault> {
        let Some(origin) = origin(url) else { return Err(ProviderFault::Misconfigured) };
        // A provider that names the origin of another one does not take it out for that.
        let origin = &format!("{} {origin}", self.provider.id);
        let left = self.deadline - (self.ctx.clock)().millis();
        let Some(deadline_ms) = u32::try_from(left).ok().filter(|left| *left > 0) else {
            return Err(self.failed(ProviderFault::Unavailable, "out of time"));
        };
        let cache = self.ctx.providers;
        let admission = cache.admit(origin, self.ctx.now());
        if admission == Admission::Refuse {
            return Err(self.failed(ProviderFault::Unavailable, "not asked"));
        }
        let request = HttpRequest { url: url.to_owned(), headers, body, deadline_ms };
        let answer = self.ctx.carriers.outbound.send(&request).await;
        let has_answered = answer.as_ref().is_ok_and(|response| response.status < 500);
        cache.note(origin, admission, has_answered, self.ctx.now());
        match answer {
            Ok(response) if response.status >= 500 || response.status == 429 => {
                Err(self.failed(ProviderFault::Unavailable, &format!("status {}", response.status)))
            }
            Ok(response) if response.is_cut => Err(self.failed(ProviderFault::Broken, "response too large")),
            Ok(response) => Ok(response),
            Err(error) => Err(self.failed(ProviderFault::Unavailable, &error.to_string())),
        }
    }

    /// Reads a document of the provider.
    pub(super) async fn get(&self, url: &str, headers: Vec<(&'static str, Secret)>) -> Result<String, ProviderFault> {
        let response = self.send(url, headers, None).await?;
        match response.status {
            200 => Ok(response.body),
            status => Err(self.failed(ProviderFault::Broken, &format!("status {status}"))),
        }
    }

    /// Logs a failure of the provider, and returns it. The cause names no address and no code.
    pub(super) fn failed(&self, fault: ProviderFault, cause: &str) -> ProviderFault {
        let provider = self.provider.id.as_str();
        match fault {
            ProviderFault::Unavailable | ProviderFault::RefusedCode | ProviderFault::Broken => {
                tracing::warn!(target: "app.federation", provider, cause, "The provider was not of use");
            }
            ProviderFault::Misconfigured => {
                tracing::error!(target: "app.federation", provider, cause, "The provider was not of use");
            }
        }
        fault
    }

    /// The description of an OpenID provider. An old one does, while the provider does not answer.
    pub(super) async fn metadata(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderFault> {
        let (id, now) = (self.provider.id.as_str(), self.ctx.now());
        if let Some(known) = self.ctx.providers.metadata(id, now) {
            return known;
        }
        let text = self.get(&discovery_url(issuer), accept_json()).await;
        let read = text.and_then(|text| {
            let parsed = metadata::parse(&text, issuer, self.allows_private());
            parsed.map_err(|fault| self.failed(ProviderFault::Misconfigured, fault.as_str()))
        });
        self.ctx.providers.keep_metadata(id, read, now)
    }

    /// The keys of an OpenID provider. They are read again for a key that is not among them, but rarely.
    pub(super) async fn keys(
        &self,
        jwks_uri: &str,
        is_among: impl Fn(&KeySet) -> bool,
    ) -> Result<Arc<KeySet>, ProviderFault> {
        let (id, now) = (self.provider.id.as_str(), self.ctx.now());
        if let Some(known) = self.ctx.providers.keys(id, is_among, now) {
            return known;
        }
        let read = self.get(jwks_uri, accept_json()).await.and_then(|text| {
            KeySet::parse(&text).ok_or_else(|| self.failed(ProviderFault::Misconfigured, "malformed key set"))
        });
        self.ctx.providers.keep_keys(id, read, now)
    }

    fn allows_private(&self) -> bool {
        self.ctx.settings.federation.as_ref().is_some_and(|federation| federation.allows_private)
    }
}

pub(super) fn accept_json() -> Vec<(&'static str, Secret)> {
    vec![("Accept", Secret::new("application/json"))]
}

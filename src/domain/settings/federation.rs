//! The settings of signing in with others.

use std::borrow::Cow;
use std::sync::Arc;

use crate::domain::federation::destination::{is_allowed, is_domain, is_page};
use crate::domain::federation::github::GITHUB_URL;
use crate::domain::federation::provider::{GOOGLE_ISSUER, Provider, ProviderKind};
use crate::domain::json::JsonText;
use crate::domain::settings::pages::PageSettings;
use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::{line, present_secret, switch};

/// Providers that a deployment may have.
const MAX_PROVIDERS: usize = 20;
/// Further client ids that a provider may have.
const MAX_AUDIENCES: usize = 20;
/// Longest client id, in bytes.
const MAX_CLIENT_ID: usize = 255;
/// Longest return URL, in bytes.
const MAX_RETURN_URL: usize = 1000;
/// The last segments of other routes below `/auth/federated`.
const RESERVED_IDS: [&str; 2] = ["exchange", "confirm"];

/// The settings of a deployment where users can sign in with others.
#[derive(Debug, Clone)]
pub struct FederationSettings {
    /// The providers, in the order of the setting.
    pub providers: Vec<Provider>,
    /// The pages and apps to which a browser may return, exactly.
    pub return_urls: Vec<String>,
    /// The providers may have private addresses: one runs on the developer's machine.
    pub allows_private: bool,
    /// The service as browsers know it, in front of the path of a callback.
    pub callback_base: String,
}

/// The provider of an element of `FEDERATION`, without the settings of its own. A misspelt member would silently have no
/// effect, so it is refused.
fn provider(element: JsonText, allows_private: bool) -> Option<Provider> {
    let mut entry = element.object()?;
    let id = entry.text("id")?;
    let [issuer, url, name] = ["issuer", "url", "name"].map(|name| entry.optional(name, JsonText::text));
    let (issuer, url, name) = (issuer.ok()?, url.ok()?, name.ok()?);
    let authoritative_domains = entry.optional("authoritative_domains", JsonText::texts).ok()?;
    if entry.has_more() {
        return None;
    }
    let (kind, known_name) = match (id.as_str(), issuer, url) {
        ("google", issuer, None) => {
            (ProviderKind::OpenId { issuer: issuer.unwrap_or_else(|| GOOGLE_ISSUER.to_owned()) }, "Google")
        }
        ("github", None, url) => {
            let url = url.as_deref().unwrap_or(GITHUB_URL).trim_end_matches('/').to_owned();
            (ProviderKind::GitHub { url }, "GitHub")
        }
        (id, Some(issuer), None) if id != "github" => (ProviderKind::OpenId { issuer }, id),
        _ => return None,
    };
    let name = name.unwrap_or_else(|| known_name.to_owned());
    let mut provider = Provider {
        name: line(&name)?,
        id,
        kind,
        client_id: String::new(),
        client_secret: None,
        audiences: Vec::new(),
        authoritative_domains: Vec::new(),
    };
    let is_google = provider.id == "google" && provider.issuer() == GOOGLE_ISSUER;
    let known_domains = || if is_google { vec!["gmail.com".to_owned()] } else { Vec::new() };
    provider.authoritative_domains = authoritative_domains.unwrap_or_else(known_domains);
    let is_known = is_id(&provider.id)
        // OpenID Connect Discovery 1.0 §3: an issuer has no query.
        && is_allowed(provider.issuer(), allows_private)
        && !provider.issuer().contains('?')
        && provider.authoritative_domains.iter().all(|domain| is_domain(domain));
    is_known.then_some(provider)
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// `None` without providers, or if a setting is wrong.
    pub(super) fn federation(
        &mut self,
        public_url: Option<&str>,
        pages: &PageSettings,
    ) -> Option<Arc<FederationSettings>> {
        let allows_private = self.or("FEDERATION_ALLOW_PRIVATE", Some(false), switch);
        let return_urls = self.optional("FEDERATION_RETURN_URLS", return_urls);
        // The address of a provider is not at fault if the switch is.
        let is_private = allows_private != Some(false);
        let mut providers = self.optional("FEDERATION", |text| providers(text, is_private))?;
        if providers.is_empty() {
            return None;
        }
        for provider in &mut providers {
            self.complete(provider);
        }
        self.note_if(public_url.is_none(), "PUBLIC_URL");
        let callback_base = public_url?.to_owned();
        let mut return_urls = return_urls.unwrap_or_default();
        // The pages of the service itself.
        for page in ["account", "console"].map(|page| format!("{callback_base}/{page}")) {
            if pages.has_people && !return_urls.contains(&page) {
                return_urls.push(page);
            }
        }
        Some(Arc::new(FederationSettings { providers, return_urls, allows_private: allows_private?, callback_base }))
    }

    /// Reads the settings that have the id of a provider in their names.
    fn complete(&mut self, provider: &mut Provider) {
        let prefix = format!("FEDERATION_{}", key(&provider.id));
        let is_github = matches!(provider.kind, ProviderKind::GitHub { .. });
        let read = |name: &str| (self.lookup)(name).filter(|text| !text.is_empty());
        let names = ["CLIENT_ID", "CLIENT_SECRET", "AUDIENCES"].map(|member| format!("{prefix}_{member}"));
        let [id, secret, audiences] = [&names[0], &names[1], &names[2]].map(|name| read(name));
        let id = id.filter(|text| is_client_id(text));
        let client_secret = secret.as_deref().map(present_secret);
        let audiences = audiences.map_or_else(|| Some(Vec::new()), |text| client_ids(&text));
        let is_secret = client_secret.as_ref().map_or(!is_github, Option::is_some);
        let is_right = [id.is_some(), is_secret, audiences.is_some()];
        let wrong = names.into_iter().zip(is_right).filter(|(_, is_right)| !is_right);
        self.wrong.extend(wrong.map(|(name, _)| Cow::Owned(name)));
        provider.client_id = id.unwrap_or_default();
        provider.client_secret = client_secret.flatten();
        provider.audiences = audiences.unwrap_or_default();
    }
}

/// An id as names of settings contain it.
fn key(id: &str) -> String {
    id.to_ascii_uppercase().replace('-', "_")
}

fn is_id(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_known)
        && !RESERVED_IDS.contains(&text)
}

fn providers(text: &str, allows_private: bool) -> Option<Vec<Provider>> {
    let entries = serde_json::from_str::<JsonText>(text).ok()?.items()?;
    let is_few = entries.len() <= MAX_PROVIDERS;
    let providers: Vec<Provider> =
        entries.into_iter().map(|entry| provider(entry, allows_private)).collect::<Option<_>>()?;
    // Settings of two providers must not have one name, and an identity is that of one provider.
    let is_other = |one: &Provider, other: &Provider| {
        key(&one.id) != key(&other.id) && one.issuer().trim_end_matches('/') != other.issuer().trim_end_matches('/')
    };
    let is_distinct =
        |(place, one): (usize, &Provider)| providers.iter().skip(place + 1).all(|other| is_other(one, other));
    (is_few && providers.iter().enumerate().all(is_distinct)).then_some(providers)
}

/// Visible characters (RFC 6749, appendix A.1, without the blank).
fn is_client_id(text: &str) -> bool {
    (1..=MAX_CLIENT_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn client_ids(text: &str) -> Option<Vec<String>> {
    let ids = JsonText::parse_texts(text)?;
    (ids.len() <= MAX_AUDIENCES && ids.iter().all(|id| is_client_id(id))).then_some(ids)
}

fn return_urls(text: &str) -> Option<Vec<String>> {
    let urls = JsonText::parse_texts(text)?;
    urls.iter().all(|url| url.len() <= MAX_RETURN_URL && (is_page(url) || is_app(url))).then_some(urls)
}

/// A URL of an app: its scheme is a domain of its maker, backwards (RFC 8252 §7.1). So it has a dot, unlike `javascript`.
fn is_app(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let is_label = |label: &str| {
        label.starts_with(|first: char| first.is_ascii_lowercase())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_known = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    scheme.contains('.') && scheme.split('.').all(is_label) && rest.starts_with('/') && rest.bytes().all(is_known)
}

#[cfg(test)]
#[path = "federation_tests.rs"]
mod tests;

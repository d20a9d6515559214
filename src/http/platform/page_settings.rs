//! The settings that the pages for people adapt to, as a file that they read: nothing of it is secret.

use axum::extract::Request;
use axum::response::Response;
use serde::Serialize;

use crate::domain::federation::provider::Provider;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::{document, etag};

/// URL path, below the base path.
pub(in crate::http) const PATH: &str = "/pages/settings.json";

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the file")]
struct PageSettingsBody<'a> {
    app_name: &'a str,
    pages: bool,
    logo_url: Option<&'a str>,
    accent: Option<&'a str>,
    registration: &'static str,
    password_min_length: usize,
    mail: bool,
    email_verification: &'static str,
    email_sign_in: bool,
    passkeys: bool,
    providers: Vec<ProviderBody<'a>>,
}

#[derive(Serialize)]
struct ProviderBody<'a> {
    id: &'a str,
    name: &'a str,
    /// It can ask its user to sign in again.
    steps_up: bool,
}

impl<'a> ProviderBody<'a> {
    fn of(provider: &'a Provider) -> Self {
        Self { id: &provider.id, name: &provider.name, steps_up: provider.steps_up() }
    }
}

pub(in crate::http) async fn show(request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let configured = Configured::of(&parts)?;
    let settings = configured.settings();
    let pages = &settings.presentation.pages;
    let providers = settings.federation.iter().flat_map(|federation| &federation.providers);
    let body = PageSettingsBody {
        app_name: &settings.presentation.app_name,
        pages: pages.has_people,
        logo_url: pages.logo_url.as_deref(),
        accent: pages.accent.as_deref(),
        registration: settings.registration.as_str(),
        password_min_length: settings.password_min_length,
        mail: settings.mail.is_some(),
        email_verification: settings.verification().as_str(),
        email_sign_in: settings.mail.as_ref().is_some_and(|mail| mail.signs_in_by_code),
        passkeys: settings.factors.relying_party.is_some(),
        providers: providers.map(ProviderBody::of).collect(),
    };
    let text = serde_json::to_string(&body).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(document::versioned(&parts.headers, text, etag::CACHED))
}

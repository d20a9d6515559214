//! GitHub, which has no ID tokens: its addresses, and the answers of its API (GitHub Docs, "Authorizing OAuth apps" and "REST
//! API endpoints for emails").

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::federation::id_token::Assertion;
use crate::domain::federation::token_response::{TokenFault, TokenResponse};
use crate::domain::json::object;
use crate::domain::secret::Secret;
use crate::domain::unicode::Normalize;

/// GitHub itself. Any other address is that of an Enterprise Server.
pub const GITHUB_URL: &str = "https://github.com";

/// Ids up to here are exact in the JSON of every language.
const MAX_ID: u64 = 1 << 53;

/// The addresses of a GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The page to which a browser is sent.
    pub authorize: String,
    /// The address that exchanges a code for a token.
    pub token: String,
    /// The user of a token.
    pub user: String,
    /// The addresses of that user.
    pub emails: String,
}

/// The addresses of the GitHub at this URL.
#[must_use]
pub fn endpoints(url: &str) -> Endpoints {
    let api = if url == GITHUB_URL { "https://api.github.com".to_owned() } else { format!("{url}/api/v3") };
    Endpoints {
        authorize: format!("{url}/login/oauth/authorize"),
        token: format!("{url}/login/oauth/access_token"),
        user: format!("{api}/user"),
        emails: format!("{api}/user/emails?per_page=100"),
    }
}

/// The access token in an answer. GitHub answers 200 to a wrong code, too.
///
/// # Errors
/// [`TokenFault`], for answers without an access token.
pub fn access_token(body: &str) -> Result<Secret, TokenFault> {
    let response = TokenResponse::parse(body);
    if let Some(fault) = response.fault() {
        return Err(fault);
    }
    // It is sent in a header.
    let is_sendable = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    response.access_token.filter(is_sendable).map(Secret::new).ok_or(TokenFault::Malformed)
}

#[derive(Deserialize)]
struct User {
    id: u64,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// The word of the GitHub at this URL about a user, from the answers about the user and the user's addresses. Any account
/// can have further addresses, and unverified ones of others; only one that is primary *and* verified counts.
#[must_use]
pub fn assertion(url: &str, user: &str, emails: &str, normalize: Normalize) -> Option<Assertion> {
    let user: User = object(user).filter(|user: &User| (1..=MAX_ID).contains(&user.id))?;
    let addresses: Vec<Address> = serde_json::from_str(emails).ok()?;
    let primary = addresses.iter().find(|address| address.primary && address.verified);
    let email = primary.and_then(|address| Email::parse(&address.email, normalize).ok());
    Some(Assertion {
        issuer: url.to_owned(),
        subject: user.id.to_string(),
        is_email_verified: email.is_some(),
        email,
        name: user.name.and_then(|name| FullName::parse(&name).ok().flatten()),
        hosted_domain: None,
        auth_time: None,
    })
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;

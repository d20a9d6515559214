//! GitHub, which has no ID tokens: its addresses, and the answers of its API (GitHub Docs, "Authorizing OAuth apps" and "REST
//! API endpoints for emails").

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::token_response::{TokenFault, read};
use crate::domain::json::{JsonText, Object};
use crate::domain::secret::Secret;
use crate::domain::unicode::Normalize;

/// GitHub itself. Any other address is that of an Enterprise Server.
pub const GITHUB_URL: &str = "https://github.com";

/// Ids up to here are exact in the JSON of every language.
const MAX_ID: i64 = 1 << 53;

fn is_id(value: &JsonText) -> bool {
    matches!(value, JsonText::Integer(1..=MAX_ID))
}

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
    match read(body) {
        (_, _, Some(fault)) => Err(fault),
        (token, _, None) => token.ok_or(TokenFault::Malformed),
    }
}

/// An item of the list of addresses, if it is primary and verified.
struct Address {
    email: String,
    counts: bool,
}

impl Address {
    fn read(item: JsonText) -> Option<Self> {
        let mut item = item.object()?;
        let [primary, verified] = ["primary", "verified"].map(|name| item.take(name).and_then(JsonText::boolean));
        let counts = primary? && verified?;
        Some(Self { email: item.text("email")?, counts })
    }
}

/// The word of the GitHub at this URL about a user, from the answers about the user and the user's addresses. Any account
/// can have further addresses, and unverified ones of others; only one that is primary *and* verified counts.
#[must_use]
pub fn assertion(url: &str, user: &str, emails: &str, normalize: Normalize) -> Option<Assertion> {
    let mut user = Object::parse(user)?;
    let Some(JsonText::Integer(id)) = user.take("id").filter(is_id) else { return None };
    let name = user.optional("name", JsonText::text).ok()?;
    let addresses = serde_json::from_str::<JsonText>(emails).ok()?.items()?;
    let addresses: Vec<Address> = addresses.into_iter().map(Address::read).collect::<Option<_>>()?;
    let primary = addresses.iter().find(|address| address.counts);
    let email = primary.and_then(|address| Email::parse(&address.email, normalize).ok());
    Some(Assertion {
        issuer: url.to_owned(),
        subject: id.to_string(),
        is_email_verified: email.is_some(),
        email,
        name: name.and_then(|name| FullName::parse(&name).ok().flatten()),
        hosted_domain: None,
        auth_time: None,
    })
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;

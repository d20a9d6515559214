//! The document by which an OpenID provider describes itself (OpenID Connect Discovery 1.0 §3 and §4).

use crate::domain::federation::destination::is_allowed;
use crate::domain::json::{JsonText, Object};

/// A provider's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The page to which a browser is sent.
    pub authorization_endpoint: String,
    /// The address that exchanges a code for tokens.
    pub token_endpoint: String,
    /// The address of the key set.
    pub jwks_uri: String,
    /// The address of claims that ID tokens leave out.
    pub userinfo_endpoint: Option<String>,
    /// Does every authorization response have an `iss` (RFC 9207 §3)? One without it is then refused.
    pub sends_iss: bool,
    /// The place of the client's credential.
    pub client_authentication: ClientAuthentication,
}

/// The place of the client's credential in a request to the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In the header `Authorization`.
    Basic,
    /// In the body of the request.
    Post,
}

/// Why a document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataFault {
    /// No JSON object, or a member is missing or of another type.
    Malformed,
    /// The document is of another issuer (§4.3).
    WrongIssuer,
    /// An address that browsers must not be sent to.
    AuthorizationEndpoint,
    /// An address that the service must not call.
    TokenEndpoint,
    /// The same, of the key set.
    KeySet,
    /// The same, of further claims.
    UserInfo,
}

impl MetadataFault {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongIssuer => "wrong_issuer",
            Self::AuthorizationEndpoint => "forbidden_authorization_endpoint",
            Self::TokenEndpoint => "forbidden_token_endpoint",
            Self::KeySet => "forbidden_jwks_uri",
            Self::UserInfo => "forbidden_userinfo_endpoint",
        }
    }
}

/// The address of an issuer's document (§4).
#[must_use]
pub fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// Reads the document of this issuer. Unknown members are ignored (§3).
///
/// # Errors
/// [`MetadataFault`] names the first rule that the document breaks.
pub fn parse(text: &str, issuer: &str, allows_private: bool) -> Result<Metadata, MetadataFault> {
    let (named, metadata) = read(text).ok_or(MetadataFault::Malformed)?;
    // Otherwise a provider could give out tokens in the name of another one (§7.2).
    if named != issuer {
        return Err(MetadataFault::WrongIssuer);
    }
    let destinations = [
        (&metadata.authorization_endpoint, MetadataFault::AuthorizationEndpoint),
        (&metadata.token_endpoint, MetadataFault::TokenEndpoint),
        (&metadata.jwks_uri, MetadataFault::KeySet),
    ];
    let user_info = metadata.userinfo_endpoint.iter().map(|url| (url, MetadataFault::UserInfo));
    let forbidden = destinations
        .into_iter()
        .chain(user_info)
        .find(|(url, _)| !is_allowed(url, allows_private))
        .map(|(_, fault)| fault);
    forbidden.map_or(Ok(metadata), Err)
}

/// The issuer, and the members that the service uses.
fn read(text: &str) -> Option<(String, Metadata)> {
    let mut document = Object::parse(text)?;
    let sends_iss = document.optional("authorization_response_iss_parameter_supported", JsonText::boolean).ok()?;
    // §3: if the member is omitted, the method is client_secret_basic.
    let methods = document.optional("token_endpoint_auth_methods_supported", JsonText::texts).ok()?;
    let is_basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
    let metadata = Metadata {
        authorization_endpoint: document.text("authorization_endpoint")?,
        token_endpoint: document.text("token_endpoint")?,
        jwks_uri: document.text("jwks_uri")?,
        userinfo_endpoint: document.optional("userinfo_endpoint", JsonText::text).ok()?,
        sends_iss: sends_iss == Some(true),
        client_authentication: if is_basic { ClientAuthentication::Basic } else { ClientAuthentication::Post },
    };
    Some((document.text("issuer")?, metadata))
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;

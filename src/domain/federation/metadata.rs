//! The document by which an OpenID provider describes itself (OpenID Connect Discovery 1.0 §3 and §4).

use serde::Deserialize;

use crate::domain::federation::destination::is_allowed;
use crate::domain::json::object;

/// The members of the document that the service uses.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    authorization_response_iss_parameter_supported: Option<bool>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// A provider's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The page to which a browser is sent.
    pub authorization_endpoint: String,
    /// The address that exchanges a code for tokens.
    pub token_endpoint: String,
    /// The address of the key set.
    pub jwks_uri: String,
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
    let document: Document = object(text).ok_or(MetadataFault::Malformed)?;
    // Otherwise a provider could give out tokens in the name of another one (§7.2).
    if document.issuer != issuer {
        return Err(MetadataFault::WrongIssuer);
    }
    let destinations = [
        (&document.authorization_endpoint, MetadataFault::AuthorizationEndpoint),
        (&document.token_endpoint, MetadataFault::TokenEndpoint),
        (&document.jwks_uri, MetadataFault::KeySet),
    ];
    if let Some((_, fault)) = destinations.into_iter().find(|(url, _)| !is_allowed(url, allows_private)) {
        return Err(fault);
    }
    // §3: if the member is omitted, the method is client_secret_basic.
    let methods = document.token_endpoint_auth_methods_supported;
    let is_basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
    Ok(Metadata {
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        jwks_uri: document.jwks_uri,
        sends_iss: document.authorization_response_iss_parameter_supported == Some(true),
        client_authentication: if is_basic { ClientAuthentication::Basic } else { ClientAuthentication::Post },
    })
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;

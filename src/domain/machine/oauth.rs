//! The errors of the OAuth endpoints (RFC 6749 §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1). Their responses have the shape of
//! OAuth, not the envelope of the API.

use crate::domain::problem::Code;

/// An error code of OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthError {
    /// The request lacks a parameter, repeats one, or is malformed.
    InvalidRequest,
    /// The client is unknown, its key is wrong, or the account is disabled.
    InvalidClient,
    /// The grant type is another than `client_credentials`.
    UnsupportedGrantType,
    /// The requested scope is unknown, or not one of the account.
    InvalidScope,
    /// The account lacks the scope of the endpoint.
    InsufficientScope,
    /// Tokens of this type cannot be revoked.
    UnsupportedTokenType,
    /// A limit, or a dependency that does not answer.
    TemporarilyUnavailable,
    /// A fault of the service.
    ServerError,
}

impl OAuthError {
    /// Every error, for the tests of the description.
    pub const ALL: [Self; 8] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InsufficientScope,
        Self::UnsupportedTokenType,
        Self::TemporarilyUnavailable,
        Self::ServerError,
    ];

    /// The row of the table: code, status, description.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400, "A parameter is missing, repeated or malformed"),
            Self::InvalidClient => ("invalid_client", 401, "Client authentication failed"),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400, "Only client_credentials is supported"),
            Self::InvalidScope => ("invalid_scope", 400, "The client does not have the requested scope"),
            Self::InsufficientScope => ("insufficient_scope", 403, "The client lacks the scope of this endpoint"),
            Self::UnsupportedTokenType => ("unsupported_token_type", 400, "Tokens of services cannot be revoked"),
            Self::TemporarilyUnavailable => ("temporarily_unavailable", 503, "Service is temporarily unavailable"),
            Self::ServerError => ("server_error", 500, "Internal error"),
        }
    }

    /// The code in the response, part of the wire contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of the response. An error of the API keeps its own.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The description in the response, for developers.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.row().2
    }
}

impl From<Code> for OAuthError {
    /// The error of OAuth for one of the API. A client is authenticated as a caller of the API is.
    fn from(code: Code) -> Self {
        match code {
            Code::InvalidCredentials
            | Code::MfaRequired
            | Code::StepUpRequired
            | Code::TokenExpired
            | Code::TokenInvalid
            | Code::TokenRevoked
            | Code::InactiveUser
            | Code::EmailNotVerified => Self::InvalidClient,
            Code::Forbidden => Self::InsufficientScope,
            Code::NotFound | Code::Conflict | Code::Validation => Self::InvalidRequest,
            Code::RateLimited | Code::Unavailable => Self::TemporarilyUnavailable,
            Code::Internal | Code::Configuration => Self::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn wire_codes_and_statuses_unchanged() {
        let table: Vec<_> = OAuthError::ALL.iter().map(|error| (error.as_str(), error.status())).collect();
        let contract = [
            ("invalid_request", 400),
            ("invalid_client", 401),
            ("unsupported_grant_type", 400),
            ("invalid_scope", 400),
            ("insufficient_scope", 403),
            ("unsupported_token_type", 400),
            ("temporarily_unavailable", 503),
            ("server_error", 500),
        ];
        assert_eq!(table, contract);
    }
}

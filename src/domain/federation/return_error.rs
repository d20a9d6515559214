//! The errors that a browser brings back to the application: the member `error` in the fragment of the return URL.

/// Why a sign-in at another provider ended without a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnError {
    /// The person, or the provider on their behalf, refused (RFC 6749 §4.1.2.1).
    AccessDenied,
    /// The address has an account: its owner signs in, and links the identity.
    AccountExists,
    /// The provider asserts no verified address.
    VerifiedEmailRequired,
    /// The response of the provider does not belong to this flow, or was used before.
    InvalidRequest,
    /// The provider, or the database, does not answer in time.
    TemporarilyUnavailable,
    /// The provider broke the rules of its protocol, or the settings of the client are wrong.
    ServerError,
}

impl ReturnError {
    /// The name in the URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AccountExists => "account_exists",
            Self::VerifiedEmailRequired => "verified_email_required",
            Self::InvalidRequest => "invalid_request",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The meaning of an `error` that the provider sent (RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6).
    #[must_use]
    pub fn of_provider(error: &str) -> Self {
        match error {
            "access_denied"
            | "login_required"
            | "consent_required"
            | "interaction_required"
            | "account_selection_required" => Self::AccessDenied,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            _ => Self::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_known_errors_reach_the_application() {
        assert_eq!(ReturnError::of_provider("access_denied"), ReturnError::AccessDenied);
        assert_eq!(ReturnError::of_provider("login_required"), ReturnError::AccessDenied);
        assert_eq!(ReturnError::of_provider("temporarily_unavailable"), ReturnError::TemporarilyUnavailable);
        for error in ["server_error", "", "x&code=1", "account_exists"] {
            assert_eq!(ReturnError::of_provider(error), ReturnError::ServerError);
        }
    }
}

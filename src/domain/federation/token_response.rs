//! Answers of a token endpoint (RFC 6749 §5): the token, or the party that has to act.

use serde::Deserialize;

use crate::domain::json::object;
use crate::domain::secret::Secret;

/// Why a provider gave no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// The code is wrong, expired or used: the user starts again.
    RefusedCode,
    /// The provider does not accept the client. The operator corrects the settings.
    Misconfigured,
    /// A later attempt may succeed.
    Unavailable,
    /// The answer has neither a token nor a known error.
    Malformed,
}

impl TokenFault {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusedCode => "refused_code",
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
        }
    }

    /// The meaning of an error code: those of RFC 6749 §5.2, and of GitHub, "Troubleshooting OAuth app access token request
    /// errors".
    fn named(error: &str) -> Self {
        match error {
            "invalid_grant" | "bad_verification_code" => Self::RefusedCode,
            "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "invalid_request"
            | "invalid_scope"
            | "incorrect_client_credentials"
            | "redirect_uri_mismatch"
            | "application_suspended" => Self::Misconfigured,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Malformed,
        }
    }
}

/// The members of an answer that the service uses.
#[derive(Default, Deserialize)]
pub(super) struct TokenResponse {
    pub(super) access_token: Option<String>,
    id_token: Option<String>,
    error: Option<String>,
}

impl TokenResponse {
    pub(super) fn parse(body: &str) -> Self {
        object(body).unwrap_or_default()
    }

    /// The meaning of the error, if the answer has one.
    pub(super) fn fault(&self) -> Option<TokenFault> {
        self.error.as_deref().map(TokenFault::named)
    }
}

/// The ID token in an answer. Nothing of it is verified yet.
///
/// # Errors
/// [`TokenFault`], for answers without an ID token.
pub fn id_token_of(status: u16, body: &str) -> Result<Secret, TokenFault> {
    let response = TokenResponse::parse(body);
    match (status, response.fault()) {
        (408 | 429 | 500.., _) => Err(TokenFault::Unavailable),
        (200, None) => response.id_token.map(Secret::new).ok_or(TokenFault::Malformed),
        (401, None | Some(TokenFault::Malformed)) => Err(TokenFault::Misconfigured),
        (_, fault) => Err(fault.unwrap_or(TokenFault::Malformed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn outcome(status: u16, body: &str) -> Result<String, TokenFault> {
        id_token_of(status, body).map(|token| token.expose().to_owned())
    }

    #[test]
    fn an_answer_with_an_id_token_is_a_success() {
        let body = r#"{"access_token": "SlAV32hkKG", "token_type": "Bearer", "expires_in": 3600, "id_token": "a.b.c"}"#;
        assert_eq!(outcome(200, body), Ok("a.b.c".to_owned()));
        for body in [r#"{"access_token": "SlAV32hkKG"}"#, "", "{}", "<html>", r#"{"id_token": 1}"#, r#"["a", "a.b.c"]"#]
        {
            assert_eq!(outcome(200, body), Err(TokenFault::Malformed), "{body}");
        }
        assert_eq!(outcome(201, body), Err(TokenFault::Malformed));
        assert_eq!(outcome(302, body), Err(TokenFault::Malformed));
    }

    #[test]
    fn an_error_names_the_party_that_has_to_act() {
        use TokenFault::{Malformed, Misconfigured, RefusedCode, Unavailable};
        for (status, error, expected) in [
            (400, "invalid_grant", RefusedCode),
            (401, "invalid_grant", RefusedCode),
            (200, "invalid_grant", RefusedCode),
            (400, "invalid_client", Misconfigured),
            (401, "invalid_client", Misconfigured),
            (400, "unauthorized_client", Misconfigured),
            (400, "unsupported_grant_type", Misconfigured),
            (400, "invalid_request", Misconfigured),
            (400, "invalid_scope", Misconfigured),
            (400, "temporarily_unavailable", Unavailable),
            (503, "invalid_grant", Unavailable),
            (429, "invalid_client", Unavailable),
            (400, "another", Malformed),
            (401, "another", Misconfigured),
        ] {
            let body = format!(r#"{{"error": "{error}", "error_description": "…", "id_token": "a.b.c"}}"#);
            assert_eq!(outcome(status, &body), Err(expected), "{status} {error}");
        }
        for (status, expected) in [(400, Malformed), (401, Misconfigured), (404, Malformed), (500, Unavailable)] {
            assert_eq!(outcome(status, "<html>"), Err(expected), "{status}");
        }
    }

    #[test]
    fn faults_have_names_for_the_log() {
        let faults =
            [TokenFault::RefusedCode, TokenFault::Misconfigured, TokenFault::Unavailable, TokenFault::Malformed];
        assert_eq!(faults.map(TokenFault::as_str), ["refused_code", "misconfigured", "unavailable", "malformed"]);
    }
}

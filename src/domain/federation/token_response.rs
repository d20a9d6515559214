//! Answers of a token endpoint (RFC 6749 §5): the token, or the party that has to act.

use crate::domain::json::Object;
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
            | "incorrect_client_credentials"
            | "redirect_uri_mismatch"
            | "application_suspended" => Self::Misconfigured,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Malformed,
        }
    }
}

/// The tokens of an answer. Nothing of them is verified yet.
#[derive(Debug)]
pub struct Tokens {
    /// The token that asserts the identity.
    pub id_token: Secret,
    /// The key to further claims, if it can be sent in a header.
    pub access_token: Option<Secret>,
}

/// The members of an answer: the access token, the ID token, and the meaning of the error.
pub(super) fn read(body: &str) -> (Option<Secret>, Option<Secret>, Option<TokenFault>) {
    let mut response = Object::parse(body).unwrap_or_default();
    let fault = response.text("error").map(|error| TokenFault::named(&error));
    let is_sendable = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let access_token = response.text("access_token").filter(is_sendable).map(Secret::new);
    (access_token, response.text("id_token").map(Secret::new), fault)
}

/// The tokens in an answer.
///
/// # Errors
/// [`TokenFault`], for answers without an ID token.
pub fn tokens_of(status: u16, body: &str) -> Result<Tokens, TokenFault> {
    let (access_token, id_token, fault) = read(body);
    match (status, fault) {
        (408 | 429 | 500.., _) => Err(TokenFault::Unavailable),
        (200, None) => id_token.map(|id_token| Tokens { id_token, access_token }).ok_or(TokenFault::Malformed),
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
        tokens_of(status, body).map(|tokens| tokens.id_token.expose().to_owned())
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
            (400, "invalid_request", Malformed),
            (400, "invalid_scope", Malformed),
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

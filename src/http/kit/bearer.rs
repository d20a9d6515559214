//! The bearer token of a request (RFC 6750), and the challenge of a response that refuses it.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use crate::domain::authz::step_up::MAX_AGE_SECONDS;

/// The state of the access token that a 401 reports (RFC 6750 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BearerChallenge {
    /// The request has no token.
    Absent,
    /// The token is not valid.
    Rejected,
    /// The token is valid; something else was refused.
    Accepted,
    /// The client of an OAuth endpoint failed to authenticate by HTTP Basic, or not at all (RFC 7617 §2).
    Basic,
    /// The token is valid, but its sign-in is not recent enough (RFC 9470 §3).
    TooOld,
}

/// The challenge that fits the presented token, if the response is a 401. A wrong password behind a token is one too.
pub(in crate::http) fn challenge(headers: &HeaderMap) -> BearerChallenge {
    if sends_token(headers) { BearerChallenge::Rejected } else { BearerChallenge::Absent }
}

/// Did the client send a bearer token, even one that cannot be read? Its bytes need not be ASCII.
fn sends_token(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().split_at_checked("bearer ".len());
        scheme.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case(b"bearer ") && !token.trim_ascii().is_empty())
    })
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's name is compared without case
/// (RFC 9110 §11.1). Two such headers count as none, because they are ambiguous.
pub(in crate::http) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && values.next().is_none();
    is_bearer.then(|| token.trim()).filter(|token| !token.is_empty())
}

/// `Bearer realm="…"`, and `error="invalid_token"` if a token was sent that is not valid. The realm is a quoted string
/// (RFC 9110 §5.6.4) of ASCII: other characters are left out.
pub(in crate::http) fn challenge_header(challenge: BearerChallenge, realm: &str) -> HeaderValue {
    let realm: String = realm.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
    let error = match challenge {
        BearerChallenge::Absent | BearerChallenge::Accepted | BearerChallenge::Basic => String::new(),
        BearerChallenge::Rejected => ", error=\"invalid_token\"".to_owned(),
        BearerChallenge::TooOld => {
            format!(", error=\"insufficient_user_authentication\", max_age={MAX_AGE_SECONDS}")
        }
    };
    let scheme = if challenge == BearerChallenge::Basic { "Basic" } else { "Bearer" };
    HeaderValue::try_from(format!("{scheme} realm=\"{realm}\"{error}"))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"edge-auth\""))
}

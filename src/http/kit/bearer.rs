//! The bearer token of a request (RFC 6750), and the challenge of a response that refuses it.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::http::kit::refusal::BearerChallenge;

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

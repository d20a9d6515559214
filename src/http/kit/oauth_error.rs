//! The shape of errors at the OAuth endpoints (RFC 6749 §5.2). It is the only exception from the envelope, and decided here:
//! by method and path, so that it also holds for requests that reach no handler.

use axum::http::{Method, StatusCode};
use serde::Serialize;

use crate::domain::machine::oauth::OAuthError;
use crate::domain::problem::{Code, Problem};

/// The paths with this shape, below the base path.
const PATHS: [&str; 3] = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"];

/// Have errors of this operation the shape of OAuth?
pub(in crate::http) fn is_used_at(method: &Method, path: &str, base_path: &str) -> bool {
    *method == Method::POST && path.strip_prefix(base_path).is_some_and(|path| PATHS.contains(&path))
}

/// The body of an error.
#[derive(Serialize)]
pub(super) struct OAuthBody<'a> {
    pub(super) error: &'static str,
    pub(super) error_description: String,
    pub(super) request_id: &'a str,
}

/// The status of an error of the API at these paths. A client that fails to authenticate is 401, whatever the reason.
pub(super) const fn status_of(code: Code, error: OAuthError) -> u16 {
    match code {
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS.as_u16(),
        _ => error.status(),
    }
}

/// The description: the faults of the parameters, if there are any. The characters `"` and `\` are not allowed in it.
pub(super) fn describe(problem: &Problem, error: OAuthError) -> String {
    let faults = problem.faults.iter().map(|fault| {
        let member = fault.member.as_deref().map(|member| format!("{member}: ")).unwrap_or_default();
        format!("{member}{}", fault.message)
    });
    let text = faults.collect::<Vec<_>>().join("; ");
    let is_allowed = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    if text.is_empty() { error.description().to_owned() } else { text.chars().filter(is_allowed).collect() }
}

//! The line in the log about an error response.

use crate::domain::machine::oauth::OAuthError;

/// The reason for a refusal that the log learns.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// Of the service: an ERROR.
    Fault(String),
    /// Of requests by strangers, which can bring it about at any time: a WARNING.
    Expected(String),
}

/// Logs the error. An ERROR is a fault of the service, a WARNING one of the request.
pub(super) fn log(code: &'static str, status: u16, cause: Option<&Cause>) {
    let (is_expected, cause) = match cause {
        Some(Cause::Expected(cause)) => (true, Some(cause)),
        Some(Cause::Fault(cause)) => (false, Some(cause)),
        None => (false, None),
    };
    if is_expected {
        tracing::warn!(target: "app.errors", code, status_code = status, cause, "Request refused");
    } else if status >= 500 {
        tracing::error!(target: "app.errors", code, status_code = status, cause, "Request failed");
    } else if code.starts_with("AUTH_") || code == OAuthError::InvalidClient.as_str() {
        tracing::warn!(target: "app.auth", code, status_code = status, "Request refused");
    } else {
        tracing::warn!(target: "app.errors", code, status_code = status, "Request refused");
    }
}

//! Sending mail: by the binding of the platform, or by a request to another server.

use std::sync::Arc;

use crate::domain::outbound::{HttpRequest, HttpResponse};
use crate::ports::PortFuture;

/// The binding did not accept a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingError {
    /// The error code; empty if there is none.
    pub code: String,
    /// The text, for the log.
    pub message: String,
}

/// The `send_email` binding of the platform.
pub trait MailBinding: Send + Sync {
    /// Sends a mail, which is the argument of the binding as JSON.
    fn send<'a>(&'a self, mail: &'a str) -> PortFuture<'a, Result<(), BindingError>>;
}

/// Another server did not answer; the reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoResponse(pub String);

/// Requests to other servers, with a deadline and a limit of the body that is read. A redirect is a response.
pub trait Outbound: Send + Sync {
    /// Sends a request, and waits for the response until its deadline.
    fn send<'a>(&'a self, request: &'a HttpRequest) -> PortFuture<'a, Result<HttpResponse, NoResponse>>;
}

/// The ports to the providers of mail, and to other servers.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types of the ports are documented")]
pub struct Carriers {
    pub binding: Arc<dyn MailBinding>,
    pub outbound: Arc<dyn Outbound>,
}

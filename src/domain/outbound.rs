//! Requests to other servers: to providers of mail, and to those of identities.

use crate::domain::secret::Secret;

/// A request to another server: POST with a body, GET without one. A redirect is a response.
#[derive(Debug)]
pub struct HttpRequest {
    /// The absolute URL of the resource.
    pub url: String,
    /// Names and values of headers. Some are credentials.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body, which may have a credential.
    pub body: Option<Secret>,
    /// The time for the whole response, in milliseconds.
    pub deadline_ms: u32,
}

/// The response of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code of the response.
    pub status: u16,
    /// The beginning of the body, as text.
    pub body: String,
    /// The body is longer than the part that is read.
    pub is_cut: bool,
}

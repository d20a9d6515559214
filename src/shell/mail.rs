//! Mail by the platform's binding, and requests to other servers.

use serde::{Deserialize, Serialize};

use crate::domain::outbound::{HttpRequest, HttpResponse};
use crate::domain::secret::Secret;
use crate::ports::{BindingError, MailBinding, NoResponse, Outbound, PortFuture};
use crate::shell::tasks::ask;

/// A binding that has not answered by then may have accepted the mail. It gets it a second time.
const DEADLINE_MS: u32 = 10_000;
/// The part of a response's body that is read, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The binding `EMAIL` of the deployment.
pub struct EmailBinding;

/// JavaScript's answer for a mail that was not accepted.
#[derive(Deserialize)]
struct Thrown {
    code: String,
    message: String,
}

impl MailBinding for EmailBinding {
    fn send<'a>(&'a self, mail: &'a str) -> PortFuture<'a, Result<(), BindingError>> {
        Box::pin(async move {
            let failed = |message: String| BindingError { code: String::new(), message };
            let text = ask("mail", DEADLINE_MS, mail).await.text().map_err(failed)?;
            if text.is_empty() {
                return Ok(());
            }
            let thrown: Thrown = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
            Err(BindingError { code: thrown.code, message: thrown.message })
        })
    }
}

/// The `fetch` function of the runtime.
pub struct Fetch;

#[derive(Serialize)]
struct Given<'a> {
    url: &'a str,
    headers: Vec<(&'static str, &'a str)>,
    body: Option<&'a str>,
    limit: usize,
    deadline: u32,
}

impl Outbound for Fetch {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> PortFuture<'a, Result<HttpResponse, NoResponse>> {
        Box::pin(async move {
            let HttpRequest { url, deadline_ms, .. } = request;
            let headers = request.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
            let body = request.body.as_ref().map(Secret::expose);
            let given = Given { url, headers, body, limit: MAX_BODY_BYTES + 1, deadline: *deadline_ms };
            let given = serde_json::to_string(&given).map_err(|error| NoResponse(error.to_string()))?;
            let text = ask("fetch", *deadline_ms, &given).await.text().map_err(NoResponse)?;
            let (status, length, body): (u16, usize, String) =
                serde_json::from_str(&text).map_err(|error| NoResponse(error.to_string()))?;
            Ok(HttpResponse { status, body, is_cut: length > MAX_BODY_BYTES })
        })
    }
}

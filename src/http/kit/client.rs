//! The client of an OAuth endpoint, as far as its credential can be checked without the database: HTTP Basic (RFC 6749
//! §2.3.1), a key as bearer, or an access token of a service account.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use base64ct::{Base64, Encoding as _};

use crate::domain::problem::Code;
use crate::http::kit::bearer::bearer_token;
use crate::http::kit::context::Configured;
use crate::http::kit::extract::FromParts;
use crate::http::kit::limits::client_limited;
use crate::http::kit::operation::Planned;
use crate::http::kit::query::decoded;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::presented::{Presented, present, present_secret};

/// The credential of the client. The database has not confirmed it yet.
pub(in crate::http) struct PresentedClient(pub(in crate::http) Presented);

impl FromParts for PresentedClient {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}

/// The client id and the secret of `Authorization: Basic …`. Both are form-encoded before they are joined. Two such headers
/// count as none.
pub(in crate::http) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, encoded) = values.next()?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || values.next().is_some() {
        return None;
    }
    let text = String::from_utf8(Base64::decode_vec(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = text.split_once(':')?;
    Some((decoded(client_id)?, decoded(secret)?))
}

/// Checks the credential before the body is read. The use case confirms it in the batch that answers the request.
pub(in crate::http) async fn present_client(parts: &mut Parts) -> Result<Planned, Refusal> {
    let configured = Configured::of(parts)?;
    let presented = match (basic(&parts.headers), bearer_token(&parts.headers)) {
        (Some((client_id, secret)), _) => present_secret(&client_id, &secret)?,
        (None, Some(token)) => present(&configured.service(), token).await?,
        (None, None) => return Err(Code::TokenInvalid.into()),
    };
    match &presented {
        Presented::Key(key) => client_limited(&configured, key).await?,
        // A user is no client, and must not make the service wait for a body.
        Presented::Token(..) => return Err(Code::TokenInvalid.into()),
    }
    parts.extensions.insert(presented);
    Ok(Planned::Extensions(Extensions::new()))
}

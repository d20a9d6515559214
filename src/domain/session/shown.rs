//! The claims of a token as introspection shows them (RFC 7662 §2.2).

use serde::Serialize;

use crate::domain::session::wire::WireClaims;

/// The claims that a token carries, of a user or of a service account.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the claims'")]
pub struct ShownClaims {
    pub sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub iss: String,
    pub aud: String,
    pub jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    pub exp: i64,
    pub iat: i64,
}

impl ShownClaims {
    /// Leaves out the claims that mean something to this service only.
    pub(super) fn new(claims: WireClaims, exp: i64, iat: i64) -> Self {
        let WireClaims { sub, sid, client_id, scope, iss, aud, jti, auth_time, amr, .. } = claims;
        Self { sub, sid, client_id, scope, iss, aud, jti, auth_time, amr, exp, iat }
    }
}

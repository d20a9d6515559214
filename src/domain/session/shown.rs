//! The claims of a token as introspection shows them (RFC 7662 §2.2).

use serde::{Deserialize, Serialize};

/// The claims that a token carries, of a user or of a service account.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the claims'")]
pub struct ShownClaims {
    #[serde(flatten)]
    pub members: ShownMembers,
    pub exp: i64,
    pub iat: i64,
}

/// The claims besides the times of the token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the claims'")]
pub struct ShownMembers {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub iss: String,
    pub aud: String,
    pub jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
}

//! The claims of every token of the service in their wire format, besides `iat` and `exp`. One type for all kinds: a parser
//! compiled for each kind would be ten times as large.

use serde::{Deserialize, Serialize};

use crate::domain::session::role_claims::RoleClaims;

/// The claims of a token of any kind. Each kind has some of the optional ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::domain) struct WireClaims {
    pub(in crate::domain) sub: String,
    pub(in crate::domain) jti: String,
    /// The session, of access and refresh tokens of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) sid: Option<String>,
    /// `access`, `refresh`, `device`, `mfa` or `service`.
    #[serde(rename = "type")]
    pub(in crate::domain) kind: String,
    pub(in crate::domain) iss: String,
    pub(in crate::domain) aud: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) amr: Option<Vec<String>>,
    /// The state of the database at the issue of an access token, where reads are replicated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) bmk: Option<String>,
    /// The account, of tokens of services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) scope: Option<String>,
    /// The id of the account's key, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) key: Option<String>,
    /// Of a sign-in that waits for its second factor, as are the next two.
    #[serde(rename = "ver", skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) password_version: Option<i64>,
    #[serde(rename = "dev", skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) device: Option<String>,
    #[serde(rename = "new", skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) is_new_client: Option<bool>,
    /// Provider, issuer, subject, address and evidence of an identity that the second factor adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) link: Option<Vec<String>>,
    #[serde(flatten, skip_deserializing)]
    pub(in crate::domain) roles: Option<RoleClaims>,
}

//! `/oauth`: tokens for service accounts, introspection and revocation. Requests are form-encoded, and errors have the shape
//! of OAuth.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use serde::Serialize;

use crate::domain::machine::oauth::OAuthError;
use crate::domain::machine::scope::Scope;
use crate::domain::secret::Secret;
use crate::domain::session::shown::ShownClaims;
use crate::domain::settings::{Settings, TokenSettings};
use crate::domain::time::Timestamp;
use crate::http::kit::body::{FormBody, FromFields, json};
use crate::http::kit::client::{PresentedClient, basic};
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::limits::{client_limited, service_limited};
use crate::http::kit::refusal::Refusal;
use crate::service::authz::presented::{Presented, present_secret};
use crate::service::machine::client::Client;
use crate::service::machine::introspection::{Introspected, IntrospectedKey};
use crate::service::machine::{client, client_credentials, introspection, revocation};
use crate::service::{self, ErrorKind};

/// The parameters of a token request.
pub(in crate::http) struct TokenRequest {
    grant_type: String,
    scope: Option<String>,
    /// The client id and the secret, if they are in the body.
    client: (Option<String>, Option<Secret>),
}

impl FromFields for TokenRequest {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let grant_type = fields.string("grant_type");
        let scope = fields.optional_string("scope");
        let client_id = fields.optional_string("client_id");
        let secret = fields.optional_string("client_secret");
        Ok(Self { grant_type: grant_type?, scope: scope?, client: (client_id?, secret?.map(Secret::new)) })
    }
}

/// The token that a client asks about. The hint is not needed, since tokens tell their type (RFC 7662 §2.1, RFC 7009 §2.1).
pub(in crate::http) struct TokenQuestion(Secret);

impl FromFields for TokenQuestion {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.string("token").map(|text| Self(Secret::new(text)))
    }
}

#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

pub(in crate::http) async fn token(
    configured: Configured,
    headers: HeaderMap,
    FormBody(request): FormBody<TokenRequest>,
) -> Result<Response, Refusal> {
    if request.grant_type != "client_credentials" {
        return Err(OAuthRefusal(OAuthError::UnsupportedGrantType).into());
    }
    let (client_id, secret) = credentials(&headers, request.client)?;
    let ctx = configured.service();
    let presented = present_secret(&client_id, secret.expose())?;
    if let Presented::Key(key) = &presented {
        client_limited(&configured, key).await?;
    }
    let client = client::authenticate(&ctx, &presented, None).await?;
    admit_client(&configured, &presented, &client).await?;
    let token = client_credentials::issue(&ctx, &client, &client_id, request.scope.as_deref()).await?;
    let body = TokenBody {
        access_token: token.text.expose(),
        token_type: "Bearer",
        expires_in: token.expires_in,
        scope: token.scopes.text(),
    };
    Ok(json(200, &body))
}

/// The client's own credentials, in the header or in the body, but not in both (RFC 6749 §2.3).
fn credentials(
    headers: &HeaderMap,
    (client_id, secret): (Option<String>, Option<Secret>),
) -> Result<(String, Secret), OAuthRefusal> {
    match (headers.contains_key(AUTHORIZATION), client_id, secret) {
        (true, client_id, None) => {
            let (named, secret) = basic(headers).ok_or(OAuthRefusal(OAuthError::InvalidClient))?;
            let is_same = client_id.is_none_or(|client_id| client_id == named);
            if is_same { Ok((named, Secret::new(secret))) } else { Err(OAuthRefusal(OAuthError::InvalidRequest)) }
        }
        (false, Some(client_id), Some(secret)) => Ok((client_id, secret)),
        (false, _, _) => Err(OAuthRefusal(OAuthError::InvalidClient)),
        (true, _, Some(_)) => Err(OAuthRefusal(OAuthError::InvalidRequest)),
    }
}

/// Notes the key of a client that the database has confirmed, and counts the call.
async fn admit_client(configured: &Configured, presented: &Presented, client: &Client) -> Result<(), Refusal> {
    if let Presented::Key(key) = presented {
        configured.verified_keys().note(key, client.service.id, configured.service().request.now);
    }
    service_limited(configured, client.service.id).await
}

/// An error that this file finds.
struct OAuthRefusal(OAuthError);

impl From<OAuthRefusal> for Refusal {
    fn from(OAuthRefusal(error): OAuthRefusal) -> Self {
        service::Error::from(ErrorKind::OAuth(error)).into()
    }
}

#[derive(Serialize)]
struct ActiveBody<T> {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    members: T,
}

#[derive(Serialize)]
struct InactiveBody {
    active: bool,
}

#[derive(Serialize)]
struct KeyMembers<'a> {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    scope: &'a str,
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
}

pub(in crate::http) async fn introspect(
    configured: Configured,
    PresentedClient(presented): PresentedClient,
    FormBody(question): FormBody<TokenQuestion>,
) -> Result<Response, Refusal> {
    let ctx = configured.service();
    let (client, found) = introspection::introspect(&ctx, &presented, question.0.expose()).await?;
    admit_client(&configured, &presented, &client).await?;
    Ok(match &found {
        None => json(200, &InactiveBody { active: false }),
        Some(Introspected::Token { claims, is_refresh }) => json(200, &token_body(claims, *is_refresh)),
        Some(Introspected::Key(key)) => json(200, &key_body(key, &configured.settings().tokens)),
    })
}

/// A refresh token cannot be presented to a resource server, so its type is another one.
fn token_body(claims: &ShownClaims, is_refresh: bool) -> ActiveBody<&ShownClaims> {
    ActiveBody { active: true, token_type: if is_refresh { "refresh_token" } else { "Bearer" }, members: claims }
}

fn key_body<'a>(key: &'a IntrospectedKey, settings: &'a TokenSettings) -> ActiveBody<KeyMembers<'a>> {
    let client_id = key.client_id.as_deref();
    let members = KeyMembers {
        sub: key.user_id.map_or_else(|| client_id.unwrap_or_default().to_owned(), |id| id.to_string()),
        client_id,
        scope: &key.scope,
        iss: &settings.issuers.current,
        aud: &settings.audience,
        iat: key.created_at.seconds(),
        exp: key.expires_at.map(Timestamp::seconds),
    };
    ActiveBody { active: true, token_type: "Bearer", members }
}

/// The response has no members: a client learns nothing about a token that it revokes (RFC 7009 §2.2).
#[derive(Serialize)]
struct RevokedBody {}

pub(in crate::http) async fn revoke(
    configured: Configured,
    PresentedClient(presented): PresentedClient,
    FormBody(question): FormBody<TokenQuestion>,
) -> Result<Response, Refusal> {
    let ctx = configured.service();
    let client = client::authenticate(&ctx, &presented, Some(Scope::Introspect)).await?;
    admit_client(&configured, &presented, &client).await?;
    revocation::revoke(&ctx, &client, question.0.expose()).await?;
    Ok(json(200, &RevokedBody {}))
}

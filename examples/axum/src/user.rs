//! The user behind a request: an extractor for routes that trust the token, and one for routes that ask edge-auth too.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::KeyAlgorithm;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::key_set::{KeySet, NoKey};

/// The user that an access token names.
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) session_id: String,
    token: String,
}

/// The same, after edge-auth said that the session is alive.
pub(crate) struct LiveUser(pub(crate) User);

/// Why a request is refused.
pub(crate) enum Refusal {
    NoToken,
    InvalidToken,
    /// The token may be good, and this server cannot know.
    Unavailable,
}

/// Verifies access tokens.
pub(crate) struct Tokens {
    pub(crate) keys: KeySet,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// Asks edge-auth for the state of a session at this moment (RFC 7662).
pub(crate) struct Introspection {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) client_key: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Answer {
    active: bool,
}

impl Tokens {
    async fn verify(&self, token: &str) -> Result<User, Refusal> {
        let header = decode_header(token)?;
        if !header.typ.is_some_and(|typ| is_at_jwt(&typ)) {
            return Err(Refusal::InvalidToken);
        }
        let key = self.keys.key(&header.kid.ok_or(Refusal::InvalidToken)?).await?;
        // The algorithm is the key's, never the token's (RFC 8725 section 3.1).
        let mut validation = Validation::new(match key.common.key_algorithm {
            Some(KeyAlgorithm::EdDSA) => Algorithm::EdDSA,
            Some(KeyAlgorithm::ES256) => Algorithm::ES256,
            _ => return Err(Refusal::InvalidToken),
        });
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.validate_nbf = true;
        validation.leeway = 5;
        let claims = decode::<Claims>(token, &DecodingKey::from_jwk(&key)?, &validation)?.claims;
        // Tokens of service accounts have the subject `sa_…` and no session.
        match user_id(&claims.sub) {
            Some(id) if claims.r#type == "access" => Ok(User { id, session_id: claims.sid, token: token.to_owned() }),
            _ => Err(Refusal::InvalidToken),
        }
    }
}

/// The media type may be written out (RFC 7515 section 4.1.9), and is case-insensitive.
fn is_at_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "at+jwt"
}

/// Digits only: `parse` alone would accept a sign.
fn user_id(sub: &str) -> Option<u64> {
    let is_number = sub.bytes().all(|byte| byte.is_ascii_digit()) && !sub.starts_with('0');
    if is_number { sub.parse().ok() } else { None }
}

impl Introspection {
    async fn is_active(&self, token: &str) -> Result<bool, reqwest::Error> {
        let request = self.http.post(&self.url).basic_auth(&self.client_id, Some(&self.client_key));
        let answer: Answer = request.form(&[("token", token)]).send().await?.error_for_status()?.json().await?;
        Ok(answer.active)
    }
}

/// The token of the `Authorization` header. The name of the scheme is case-insensitive (RFC 9110 section 11.1).
fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim_start_matches(' '))
}

impl<S> FromRequestParts<S> for User
where
    S: Send + Sync,
    Arc<Tokens>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let token = bearer(parts).ok_or(Refusal::NoToken)?;
        Arc::<Tokens>::from_ref(state).verify(token).await
    }
}

impl<S> FromRequestParts<S> for LiveUser
where
    S: Send + Sync,
    Arc<Tokens>: FromRef<S>,
    Arc<Introspection>: FromRef<S>,
{
    type Rejection = Refusal;

    /// Without an answer of edge-auth the request is refused.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let user = User::from_request_parts(parts, state).await?;
        match Arc::<Introspection>::from_ref(state).is_active(&user.token).await {
            Ok(true) => Ok(Self(user)),
            Ok(false) => Err(Refusal::InvalidToken),
            Err(error) => {
                eprintln!("The session cannot be checked: {error}");
                Err(Refusal::Unavailable)
            }
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Refusal {
    fn from(_: jsonwebtoken::errors::Error) -> Self {
        Self::InvalidToken
    }
}

impl From<NoKey> for Refusal {
    fn from(error: NoKey) -> Self {
        match error {
            NoKey::Unknown => Self::InvalidToken,
            NoKey::Unavailable => Self::Unavailable,
        }
    }
}

impl IntoResponse for Refusal {
    /// RFC 6750 section 3: without a token, the challenge names no error.
    fn into_response(self) -> Response {
        let (status, header, value): (_, HeaderName, _) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Bearer"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER, "5"),
        };
        (status, [(header, value)]).into_response()
    }
}

//! The attribution of a refusal in the log: user, session and key, noted as soon as they are known.
//!
//! They are fields of the request's span. `shell::logging` adds them to the lines of the request from WARNING on, so a
//! place that refuses does not name them.

use tracing::Span;

use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::keys::ring::SignedBy;
use crate::domain::problem::Code;
use crate::domain::session::authority::Presented;
use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind};
use crate::service::keys::verifying;
use crate::service::keys::verifying::AccessClaims;
use crate::service::{Context, Error};

/// Notes the account that a request is about, before the request proves to come from its owner.
pub(in crate::service) fn note_user(user_id: UserId) {
    Span::current().record("user_id", user_id.get());
}

/// Notes the id of a presented API key, before the key proves to exist.
pub(in crate::service) fn note_key(key_id: ApiKeyId) {
    Span::current().record("api_key_id", key_id.get());
}

/// Verifies a refresh token, and notes its key and, if the service issued it, its user and session.
///
/// # Errors
/// [`TokenFault`].
pub(in crate::service) fn verify_refresh(ctx: &Context<'_>, text: &str) -> Result<TokenClaims, TokenFault> {
    let presented = presented(ctx, text).ok_or(TokenFault::Invalid)?;
    let verified = ctx.tokens.claims(TokenKind::Refresh, &presented, None, ctx.now());
    if let Ok(claims) | Err(TokenFault::Expired(claims)) = &verified {
        note_claims(claims);
    }
    verified
}

/// The same for an access token, of a user or of a service account.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`; [`Error`] otherwise.
pub(in crate::service) async fn verify_access(
    ctx: &Context<'_>,
    text: &str,
) -> Result<(AccessClaims, SignedBy), Error> {
    let presented = presented(ctx, text).ok_or(Code::TokenInvalid)?;
    let claims = verifying::verify_access(ctx, &presented).await?.ok_or(Code::TokenInvalid)?;
    match &claims {
        AccessClaims::User(claims) => note_claims(claims),
        AccessClaims::Service(claims) => note_key(claims.key_id),
    }
    if claims.expires_at() <= ctx.now() {
        return Err(Code::TokenExpired.into());
    }
    Ok((claims, presented.signed_by()))
}

/// A well-formed token. A forged one has at most the name of a key.
fn presented<'a>(ctx: &'a Context<'_>, text: &'a str) -> Option<Presented<'a>> {
    let presented = ctx.tokens.parse(text)?;
    Span::current().record("kid", presented.key_id());
    Some(presented)
}

fn note_claims(claims: &TokenClaims) {
    let (user_id, session_id) = (claims.user_id.get(), claims.session_id.get());
    tracing::record_all!(Span::current(), user_id = user_id, session_id = session_id);
}

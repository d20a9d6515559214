//! The attribution of a refusal in the log: user, session and key, noted as soon as they are known.
//!
//! They are fields of the request's span. `shell::logging` adds them to the lines of the request from WARNING on, so a
//! place that refuses does not name them.

use tracing::Span;

use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind};
use crate::service::Context;

/// Notes the account that a request is about, before the request proves to come from its owner.
pub(in crate::service) fn note_user(user_id: UserId) {
    Span::current().record("user_id", user_id.get());
}

/// Notes the id of a presented API key, before the key proves to exist.
pub(in crate::service) fn note_key(key_id: ApiKeyId) {
    Span::current().record("api_key_id", key_id.get());
}

/// Verifies a token, and notes its key and, if the service issued it, its user and session.
///
/// # Errors
/// [`TokenFault`].
pub(in crate::service) fn verify(ctx: &Context<'_>, kind: TokenKind, text: &str) -> Result<TokenClaims, TokenFault> {
    let (key_id, verified) = ctx.tokens.inspect(kind, text, ctx.now());
    // Issued tokens have both; a forged one has at most the name of a key.
    if let Ok(claims) | Err(TokenFault::Expired(claims)) = &verified {
        let (user_id, session_id) = (claims.user_id.get(), claims.session_id.get());
        tracing::record_all!(Span::current(), user_id = user_id, session_id = session_id, kid = key_id);
    } else {
        Span::current().record("kid", key_id);
    }
    verified
}

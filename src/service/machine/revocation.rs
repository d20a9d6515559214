//! Revocation (RFC 7009): a client ends a session by one of its tokens, or withdraws a key. Database round trips after the
//! client's: 1, or none for a token that this service did not issue.

use crate::domain::ids::{SessionId, UserId};
use crate::domain::machine::api_key::ApiKey;
use crate::domain::machine::oauth::OAuthError;
use crate::domain::session::token::{TokenFault, TokenKind};
use crate::service::keys::copy;
use crate::service::keys::verifying::{AccessClaims, verify_access};
use crate::service::machine::client::Client;
use crate::service::{Context, Error, ErrorKind};
use crate::store::machine::revocation;
use crate::store::session;

/// The token to be revoked.
enum Token {
    /// Not issued by this service: there is nothing to revoke (RFC 7009 §2.2).
    Unknown,
    /// A token of a session, expired or not.
    Session(UserId, SessionId),
    Key(ApiKey),
    Service,
}

/// Revokes a token. One that is unknown, or was revoked before, is a success.
///
/// # Errors
/// `unsupported_token_type` for a token of a service account; [`Error`] otherwise.
pub async fn revoke(ctx: &Context<'_>, client: &Client, token: &str) -> Result<(), Error> {
    // The token is judged by the ring that the database has now.
    copy::at_version(ctx, client.ring_version).await?;
    match identify(ctx, token).await? {
        Token::Unknown => Ok(()),
        Token::Service => Err(ErrorKind::OAuth(OAuthError::UnsupportedTokenType).into()),
        Token::Session(user_id, session_id) => {
            let ended = session::end_by_service(ctx.store, user_id, session_id, ctx.request).await?;
            let (user_id, session_id) = (user_id.get(), session_id.get());
            tracing::info!(target: "app.machine", user_id, session_id, session_was_live = ended, "Token revoked");
            Ok(())
        }
        Token::Key(key) => {
            let withdrawn = revocation::withdraw(ctx.store, &key, ctx.request).await?;
            tracing::info!(target: "app.machine", key_id = key.id().get(), key_was_known = withdrawn, "Key revoked");
            Ok(())
        }
    }
}

async fn identify(ctx: &Context<'_>, token: &str) -> Result<Token, Error> {
    if ApiKey::is_claimed_by(token) {
        return Ok(ApiKey::parse(token).map_or(Token::Unknown, Token::Key));
    }
    let Some(presented) = ctx.tokens.parse(token) else { return Ok(Token::Unknown) };
    let refresh = ctx.tokens.claims(TokenKind::Refresh, &presented, None, ctx.now());
    if let Ok(claims) | Err(TokenFault::Expired(claims)) = refresh {
        return Ok(Token::Session(claims.user_id, claims.session_id));
    }
    let access = match verify_access(ctx, &presented).await {
        // The ring is the one of now, and has no such key.
        Err(error) if matches!(error.kind(), ErrorKind::KeyNotKnownYet) => return Ok(Token::Unknown),
        access => access?,
    };
    Ok(match access {
        None => Token::Unknown,
        Some(AccessClaims::User(claims)) => Token::Session(claims.user_id, claims.session_id),
        Some(AccessClaims::Service(_)) => Token::Service,
    })
}

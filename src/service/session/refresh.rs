//! Refresh: the exchange of a refresh token for its successor. Database round trips: 1.

use crate::domain::problem::Code;
use crate::domain::session::token::{TokenFault, TokenKind};
use crate::domain::session::{RefreshOutcome, outcome};
use crate::service::session::tokens;
use crate::service::{Context, Error, TokenPair};
use crate::store::session::rotation;

/// Exchanges a refresh token.
///
/// A client that lost the response may repeat the request within `REFRESH_REUSE_INTERVAL_SECONDS`, and gets the same
/// successor again. Any later reuse counts as theft and ends the session.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_REVOKED`, `AUTH_INACTIVE_USER`; [`Error`] otherwise.
pub async fn refresh(ctx: &Context<'_>, refresh_token: &str) -> Result<TokenPair, Error> {
    let presented = ctx.tokens.verify(TokenKind::Refresh, refresh_token, ctx.now()).map_err(|fault| match fault {
        TokenFault::Invalid => Code::TokenInvalid,
        TokenFault::Expired(_) => Code::TokenExpired,
    })?;
    let proposed = ctx.new_token_id()?;
    let rotation = ctx.settings.lifetimes.rotation(ctx.now());
    let result = rotation::rotate(ctx.store, &presented, &proposed, &rotation, ctx.request).await?;
    let (user_id, session_id) = (presented.user_id.get(), presented.session_id.get());
    if result.ended_session {
        tracing::warn!(target: "app.auth", user_id, session_id, "Refresh token reuse detected: session ended");
    }
    let state = result.state.ok_or(Code::TokenInvalid)?;
    let (successor, session_expires_at, retried) = match outcome(state, &proposed, &rotation) {
        RefreshOutcome::Rotated { successor, session_expires_at } => (successor, session_expires_at, false),
        RefreshOutcome::Retried { successor, session_expires_at } => (successor, session_expires_at, true),
        RefreshOutcome::Inactive => return Err(Code::InactiveUser.into()),
        RefreshOutcome::Reused | RefreshOutcome::Revoked => return Err(Code::TokenRevoked.into()),
    };
    tracing::info!(target: "app.auth", user_id, session_id, retried, "Refreshed");
    tokens::issue(ctx, presented.user_id, presented.session_id, successor, session_expires_at)
}

//! Sign-out: ends one session. Database round trips: 1.

use crate::domain::problem::Code;
use crate::domain::session::token::TokenFault;
use crate::service::{Context, Error, attribution};
use crate::store::session;

/// Ends the session that a refresh token belongs to.
///
/// Idempotent. Any refresh token of the session suffices, even an expired or exchanged one.
///
/// # Errors
/// `AUTH_TOKEN_INVALID` for a token that the service did not sign; [`Error`] otherwise.
pub async fn sign_out(ctx: &Context<'_>, refresh_token: &str) -> Result<(), Error> {
    let presented = match attribution::verify_refresh(ctx, refresh_token) {
        Ok(claims) | Err(TokenFault::Expired(claims)) => claims,
        Err(TokenFault::Invalid) => return Err(Code::TokenInvalid.into()),
    };
    let ended = session::sign_out(ctx.store, presented.user_id, presented.session_id, ctx.request).await?;
    let (user_id, session_id) = (presented.user_id.get(), presented.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, session_was_live = ended, "Signed out");
    Ok(())
}

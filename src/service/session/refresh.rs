//! Refresh: the exchange of a refresh token for its successor. Database round trips: 1, and 1 more for a refusal.

use crate::domain::audit::Reason;
use crate::domain::ids::TokenId;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::Code;
use crate::domain::session::token::{TokenClaims, TokenFault};
use crate::domain::session::unresolved::UnresolvedExchange;
use crate::domain::session::{RefreshOutcome, RotationState, SessionState, outcome};
use crate::ports::DbError;
use crate::service::keys::signing;
use crate::service::mail::outbox;
use crate::service::session::tokens;
use crate::service::{Context, Error, TokenPair, attribution};
use crate::store::session::rotation;
use crate::store::session::token_inputs::TokenInputs;

/// The place from which a client takes the token that it presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStore {
    /// The client's own memory: it decides which request uses the token.
    Client,
    /// A browser's cookies: every tab of an application sends the token by itself.
    Cookies,
}

impl TokenStore {
    /// The least retry interval, in seconds. Two tabs that refresh at once send the same cookie.
    const fn min_interval_seconds(self) -> i64 {
        match self {
            Self::Client => 0,
            Self::Cookies => 10,
        }
    }
}

/// Exchanges a refresh token.
///
/// A client that lost the response may repeat the request within `REFRESH_REUSE_INTERVAL_SECONDS`, and gets the same
/// refresh token again, with an access token of the same session. Any later reuse counts as theft and ends the session.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_REVOKED`, `AUTH_INACTIVE_USER`; [`Error`] otherwise.
pub async fn refresh(ctx: &Context<'_>, refresh_token: &str, store: TokenStore) -> Result<TokenPair, Error> {
    let presented = attribution::verify_refresh(ctx, refresh_token).map_err(|fault| match fault {
        TokenFault::Invalid => Code::TokenInvalid,
        TokenFault::Expired(_) => Code::TokenExpired,
    })?;
    signing::prepare(ctx).await?;
    let proposed = ctx.new_token_id()?;
    let rotation = ctx.settings.lifetimes.rotation(ctx.now(), store.min_interval_seconds());
    let max_roles = tokens::max_roles(ctx.settings);
    let answer = rotation::rotate(ctx.store, &presented, &proposed, &rotation, max_roles, ctx.request).await;
    let (state, inputs) = match answer {
        Err(error) => return Err(unanswered(ctx, &presented, proposed, error).await),
        Ok(state) => state.ok_or(Code::TokenInvalid)?,
    };
    let RotationState { user_is_active, .. } = state;
    match outcome(state, &presented.id, &proposed, &rotation) {
        RefreshOutcome::Rotated(session) => {
            let successor = session.current.id.clone();
            let issued = issue(ctx, &presented, session, inputs, false).await;
            if issued.is_err() {
                note_unresolved(ctx, &presented, successor).await;
            }
            issued
        }
        RefreshOutcome::Retried(session) => issue(ctx, &presented, session, inputs, true).await,
        RefreshOutcome::Inactive => refuse(ctx, &presented, Reason::Disabled, Code::InactiveUser).await,
        RefreshOutcome::Revoked => refuse(ctx, &presented, Reason::Revoked, Code::TokenRevoked).await,
        RefreshOutcome::Reused { retry: Some(session) } if is_unresolved(ctx, &presented, &session).await => {
            issue(ctx, &presented, session, inputs, true).await
        }
        RefreshOutcome::Reused { .. } => {
            end_for_reuse(ctx, &presented).await?;
            Err(if user_is_active { Code::TokenRevoked } else { Code::InactiveUser }.into())
        }
    }
}

async fn issue(
    ctx: &Context<'_>,
    presented: &TokenClaims,
    session: SessionState,
    inputs: TokenInputs,
    retried: bool,
) -> Result<TokenPair, Error> {
    let (user_id, session_id) = (presented.user_id.get(), presented.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, retried, "Refreshed");
    tokens::issue(ctx, presented.user_id, presented.session_id, session, inputs).await
}

/// Notes the exchange if the database may have carried it out without answering. A client that repeats the request is
/// then not taken for a thief.
async fn unanswered(ctx: &Context<'_>, presented: &TokenClaims, proposed: TokenId, error: DbError) -> Error {
    if error.is_unresolved() {
        note_unresolved(ctx, presented, proposed).await;
    }
    error.into()
}

/// The client did not get the successor of its token, so it will present the same token again.
async fn note_unresolved(ctx: &Context<'_>, presented: &TokenClaims, successor_id: TokenId) {
    let exchange = UnresolvedExchange { session_id: presented.session_id, successor_id };
    ctx.store.gate().note_unresolved(exchange).await;
}

/// Is the exchange that made the current token one whose answer was lost?
async fn is_unresolved(ctx: &Context<'_>, presented: &TokenClaims, session: &SessionState) -> bool {
    let (session_id, successor_id) = (presented.session_id, session.current.id.clone());
    ctx.store.gate().is_unresolved(UnresolvedExchange { session_id, successor_id }).await
}

async fn refuse<T>(ctx: &Context<'_>, presented: &TokenClaims, reason: Reason, code: Code) -> Result<T, Error> {
    rotation::record_refusal(ctx.store, presented, reason, ctx.request).await?;
    Err(code.into())
}

async fn end_for_reuse(ctx: &Context<'_>, presented: &TokenClaims) -> Result<(), Error> {
    let notice = outbox::notice(ctx, Kind::ReuseDetected)?;
    if let Some(mail) = rotation::end_for_reuse(ctx.store, presented, notice, ctx.request).await? {
        let (user_id, session_id) = (presented.user_id.get(), presented.session_id.get());
        tracing::warn!(target: "app.auth", user_id, session_id, "Refresh token reuse detected: session ended");
        outbox::send_behind_response(ctx, mail);
    }
    Ok(())
}

//! Who calls: an access token for a user and a live session. Database round trips: 1.

use super::{Context, Error};
use crate::domain::ids::SessionId;
use crate::domain::problem::Code;
use crate::domain::token::{TokenFault, TokenKind};
use crate::store::users::{self, UserRow};

/// Somebody who proved who they are, with this request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, as the database knows them at this moment.
    pub user: UserRow,
    /// The session that the access token belongs to.
    pub session_id: SessionId,
}

/// Checks an access token, and that its user is active and its session alive.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_REVOKED`, `AUTH_INACTIVE_USER`; [`Error`]
/// otherwise.
pub async fn authenticate(ctx: &Context<'_>, access_token: &str) -> Result<Caller, Error> {
    let claims = ctx.tokens.verify(TokenKind::Access, access_token, ctx.now()).map_err(|fault| match fault {
        TokenFault::Invalid => Code::TokenInvalid,
        TokenFault::Expired(_) => Code::TokenExpired,
    })?;
    let row = users::caller(ctx.store, claims.user_id, claims.session_id, ctx.now()).await?;
    let row = row.ok_or(Code::TokenInvalid)?;
    if !row.user.is_active {
        return Err(Code::InactiveUser.into());
    }
    if !row.session_is_live {
        return Err(Code::TokenRevoked.into());
    }
    Ok(Caller { user: row.user, session_id: claims.session_id })
}

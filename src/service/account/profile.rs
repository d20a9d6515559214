//! Change of a user's own profile. Database round trips: 1, after the caller's.

use crate::domain::account::full_name::FullName;
use crate::domain::problem::Code;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::account::users;
use crate::store::account::users::UserRow;

/// A profile change. An absent field stays as it is.
pub struct ProfileChange {
    /// `Some(None)` removes the name.
    pub full_name: Option<Option<FullName>>,
}

/// Changes the caller's profile.
///
/// # Errors
/// `AUTH_INACTIVE_USER` if the account was disabled concurrently, `AUTH_TOKEN_INVALID` if it was erased; [`Error`]
/// otherwise.
pub async fn change(ctx: &Context<'_>, caller: &Caller, change: &ProfileChange) -> Result<UserRow, Error> {
    let Some(full_name) = &change.full_name else {
        return Ok(caller.user.clone());
    };
    let user = users::set_full_name(ctx.store, caller.user.id, full_name.as_ref(), ctx.request).await?;
    let user = user.ok_or(Code::TokenInvalid)?;
    if !user.is_active {
        return Err(Code::InactiveUser.into());
    }
    tracing::info!(target: "app.auth", user_id = user.id.get(), "Profile changed");
    Ok(user)
}

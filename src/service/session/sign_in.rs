//! Sign in: a password for a session. Database round trips: 2; 3 when the stored hash is replaced by one as it is wanted now.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::limits::throttle::unknown_slot;
use crate::domain::password::Password;
use crate::domain::password::equal_work::burn_missing_work;
use crate::domain::problem::Code;
use crate::service::password::reauthenticate::{Proven, prove};
use crate::service::session::tokens::Opening;
use crate::service::{Context, Error, TokenPair};
use crate::store::audit::Event;
use crate::store::password::credentials;
use crate::store::session;

/// A request to sign in.
pub struct SignIn {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// Signs a user in.
///
/// An unknown address, a wrong password, a throttled account and a disabled account with a wrong password are
/// the same answer after the same work. That an account is disabled is said only to who knows its password.
/// A request repeated after a lost answer opens a second session; the first one is unused and ends by
/// itself.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`; [`Error`] otherwise.
pub async fn sign_in(ctx: &Context<'_>, command: &SignIn) -> Result<TokenPair, Error> {
    let account = credentials::by_email(ctx.store, &command.email, unknown_slot(&command.email)).await?;
    let proven = prove(ctx, &account, &command.password, EventType::SignInRefused, None).await?;
    let user = proven.user;
    if !user.is_active {
        let event = Event::of(EventType::SignInRefused, user.id).because(Reason::Disabled);
        credentials::refuse(ctx.store, &account, false, ctx.request, event).await?;
        return Err(Code::InactiveUser.into());
    }
    let opening = Opening::draw(ctx)?;
    if !session::open(ctx.store, user, &opening.as_row(ctx.request)).await? {
        // Disabled, erased, throttled, or given another password between the read and the write. Nothing may tell
        // that the password was right, so this takes no turn of its own either.
        burn_missing_work(&proven.hash, &command.password, ctx.settings.password_work)?;
        return Err(Code::InvalidCredentials.into());
    }
    let hash_upgraded = upgrade_hash(ctx, &proven, &command.password).await?;
    let (user_id, session_id) = (user.id.get(), opening.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, hash_upgraded, "Signed in");
    opening.issue(ctx, user.id)
}

/// Replaces a hash that is not as it is wanted now: the password is known at this moment only. Somebody who is signed in
/// already is not sent away because too many others wait: the next sign-in will do it.
async fn upgrade_hash(ctx: &Context<'_>, proven: &Proven<'_>, password: &Password) -> Result<bool, Error> {
    if !proven.hash.work().is_replaced_by(ctx.settings.password_work) {
        return Ok(false);
    }
    match ctx.hash(password).await {
        Ok(hash) => credentials::upgrade_hash(ctx.store, proven.user, &hash).await.map(|()| true).map_err(Error::from),
        Err(Error::HashQueueFull(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

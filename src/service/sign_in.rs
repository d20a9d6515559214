//! Sign in: a password for a session. Database round trips: 2; 1 when refused.

use super::tokens::Opening;
use super::{Context, Error, TokenPair};
use crate::domain::email::Email;
use crate::domain::password::Password;
use crate::domain::password_hash::{PasswordHash, verify_with_equal_work};
use crate::domain::problem::Code;
use crate::store::sessions::{self, HashUpgrade};
use crate::store::users::{self, CredentialsRow};

/// A request to sign in.
pub struct SignIn {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// Signs a user in.
///
/// An unknown address, a wrong password and a disabled account with a wrong password are the same
/// answer after the same work. That an account is disabled is said only to who knows its password.
/// A request repeated after a lost answer opens a second session; the first one is unused and ends by
/// itself.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`; [`Error`] otherwise.
pub async fn sign_in(ctx: &Context<'_>, command: &SignIn) -> Result<TokenPair, Error> {
    let rounds = ctx.settings.password_iterations;
    let stored = users::credentials(ctx.store, &command.email).await?;
    let hash = stored.as_ref().map(read_hash).transpose()?;
    let proven = verify_with_equal_work(hash.as_ref(), &command.password, rounds);
    let (Some(user), Some(hash), true) = (stored, hash, proven) else {
        return Err(Code::InvalidCredentials.into());
    };
    if !user.is_active {
        return Err(Code::InactiveUser.into());
    }
    let stronger = stronger_hash(ctx, &hash, &command.password)?;
    let upgrade = stronger.as_deref().map(|new| HashUpgrade { old: &user.password_hash, new });
    let opening = Opening::draw(ctx)?;
    if !sessions::open(ctx.store, user.id, &opening.as_row(), upgrade).await? {
        // Disabled or erased between the read and the write.
        return Err(Code::InvalidCredentials.into());
    }
    let (user_id, session_id) = (user.id.get(), opening.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, hash_upgraded = stronger.is_some(), "Signed in");
    opening.issue(ctx, user.id)
}

fn read_hash(user: &CredentialsRow) -> Result<PasswordHash, Error> {
    let user_id = user.id.get();
    PasswordHash::parse(&user.password_hash).map_err(|cause| Error::StoredHash { user_id, cause })
}

/// The password is known only now: the one moment when an old hash can be replaced.
fn stronger_hash(ctx: &Context<'_>, hash: &PasswordHash, password: &Password) -> Result<Option<String>, Error> {
    let rounds = ctx.settings.password_iterations;
    if !hash.is_weaker_than(rounds) {
        return Ok(None);
    }
    let hash = PasswordHash::derive(password, &ctx.new_salt()?, rounds);
    hash.to_phc().map(Some).map_err(Error::NewHash)
}

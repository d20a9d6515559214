//! Register: a new user, signed in. Database round trips: 1.

use super::tokens::Opening;
use super::{Context, Error, TokenPair};
use crate::domain::email::Email;
use crate::domain::full_name::FullName;
use crate::domain::password::Password;
use crate::domain::password_hash::PasswordHash;
use crate::domain::problem::Problem;
use crate::ports::DbError;
use crate::store::users::{self, NewUser, UserRow};

/// A checked request to register.
pub struct Register {
    /// The address to sign in with.
    pub email: Email,
    /// The password to sign in with.
    pub password: Password,
    /// The name, if one was given.
    pub full_name: Option<FullName>,
}

/// The new user and their tokens.
#[derive(Debug)]
pub struct Registered {
    /// The user.
    pub user: UserRow,
    /// Their tokens.
    pub tokens: TokenPair,
}

/// Registers a user.
///
/// The password is hashed before anybody asks whether the address is taken, so the answer takes the
/// same time either way. A repeated request whose first answer was lost is told `CONFLICT`, and the
/// client signs in instead: nothing is written twice.
///
/// # Errors
/// `CONFLICT` when the address is taken; [`Error`] otherwise.
pub async fn register(ctx: &Context<'_>, command: &Register) -> Result<Registered, Error> {
    let rounds = ctx.settings.password_iterations;
    let hash = PasswordHash::derive(&command.password, &ctx.new_salt()?, rounds);
    let password_hash = hash.to_phc().map_err(Error::NewHash)?;
    let opening = Opening::draw(ctx)?;
    let user = NewUser { email: &command.email, password_hash: &password_hash, full_name: command.full_name.as_ref() };
    let user = users::register(ctx.store, &user, &opening.as_row()).await.map_err(explain)?;
    tracing::info!(target: "app.auth", user_id = user.id.get(), session_id = opening.session_id.get(), "Registered");
    let tokens = opening.issue(ctx, user.id)?;
    Ok(Registered { user, tokens })
}

fn explain(error: DbError) -> Error {
    match error {
        DbError::Unique(column) if column == "users.email" => {
            Error::Refused(Problem::conflict("Email is already registered"))
        }
        other => Error::Database(other),
    }
}

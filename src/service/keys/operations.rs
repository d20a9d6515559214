//! The operator's commands to the key ring. Database round trips: 2.

use crate::domain::audit::EventType;
use crate::domain::keys::ring::{Change, Ring};
use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::problem::{Code, Problem};
use crate::service::keys::{copy, making};
use crate::service::{Context, Error};

/// A command of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCommand {
    /// The next key signs from now on.
    Rotate,
    /// A leaked key is taken out at once.
    Revoke(KeyId),
}

/// The ring as the database has it.
///
/// # Errors
/// [`Error`].
pub async fn inspect(ctx: &Context<'_>) -> Result<Ring, Error> {
    Ok(copy::reload(ctx).await?.as_ref().clone())
}

/// Attempts of a command whose ring is changed concurrently.
const ATTEMPTS: usize = 3;

/// Carries out a command. One that is repeated after a lost answer finds the next key too young, or the key revoked.
///
/// # Errors
/// `CONFLICT` if access tokens are not signed with key pairs, or the next key is too young; `NOT_FOUND` for an unknown
/// key; [`Error`] otherwise.
pub async fn command(ctx: &Context<'_>, command: KeyCommand) -> Result<Ring, Error> {
    for _ in 0..ATTEMPTS {
        let ring = copy::reload(ctx).await?;
        let Some((change, event)) = decide(ctx, &ring, command)? else { return Ok(ring.as_ref().clone()) };
        let attempt = making::make(ctx, &change, event).await?;
        ctx.keys.hold(attempt.ring.clone(), ctx.now());
        if attempt.is_made {
            return Ok(attempt.ring);
        }
    }
    Err(Problem::conflict("The key ring is being changed by other commands").into())
}

/// The change that carries out a command; `None` if there is nothing to change.
fn decide(ctx: &Context<'_>, ring: &Ring, command: KeyCommand) -> Result<Option<(Change, EventType)>, Error> {
    match command {
        KeyCommand::Rotate if ring.algorithm == Algorithm::Hs256 => {
            Err(Problem::conflict("Access tokens are signed with SECRET_KEY").into())
        }
        KeyCommand::Rotate => {
            let rotation = ring.rotation(ctx.now(), ctx.settings.tokens.signing_key_ahead_seconds);
            let too_young = |_| Problem::conflict("The next key was published too recently");
            Ok(Some((rotation.map_err(too_young)?, EventType::SigningKeyRotated)))
        }
        KeyCommand::Revoke(id) => {
            let key = ring.find(id).ok_or(Code::NotFound)?;
            let change = ring.revocation(id).filter(|_| key.state != KeyState::Revoked);
            Ok(change.map(|change| (change, EventType::SigningKeyRevoked)))
        }
    }
}

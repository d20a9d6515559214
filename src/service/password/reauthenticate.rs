//! Checking a password: for a sign-in, and wherever somebody who is signed in must prove it once more.
//!
//! Every refusal takes the same way, after the same work, and is answered alike: an unknown address, a wrong
//! password, an account that the throttle keeps closed. Database round trips: the refusal's own, 1.

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::SessionId;
use crate::domain::password::Password;
use crate::domain::password::equal_work::verify_with_equal_work;
use crate::domain::password::hash::PasswordHash;
use crate::domain::problem::Code;
use crate::service::{Context, Error};
use crate::store::audit::Event;
use crate::store::password::credentials;
use crate::store::password::credentials::{Account, CredentialsRow};

/// Somebody whose password was right, and may be used at this moment.
pub(in crate::service) struct Proven<'a> {
    pub(in crate::service) user: &'a CredentialsRow,
    pub(in crate::service) hash: PasswordHash,
}

/// Checks a password against what is on file; a refusal is counted and written down as this type of event.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn prove<'a>(
    ctx: &Context<'_>,
    account: &'a Account,
    password: &Password,
    refused_as: EventType,
    session_id: Option<SessionId>,
) -> Result<Proven<'a>, Error> {
    let hash = account.credentials.as_ref().map(read_hash).transpose()?;
    let is_blocked = account.throttle.is_blocked(ctx.now());
    (ctx.await_hash_slot)().await?;
    let matches = verify_with_equal_work(hash.as_ref(), password, ctx.settings.password_work, is_blocked)?;
    let reason = match (&account.credentials, hash) {
        _ if is_blocked => Reason::Throttled,
        (Some(user), Some(hash)) if matches => return Ok(Proven { user, hash }),
        (Some(_), _) => Reason::WrongPassword,
        (None, _) => Reason::UnknownUser,
    };
    let user_id = account.credentials.as_ref().map(|user| user.id);
    let event = Event::of(refused_as, user_id).because(reason).within(session_id);
    // During a wait nothing is counted, or hammering on an account would lengthen it without end.
    let was_guess = reason != Reason::Throttled;
    credentials::refuse(ctx.store, account, was_guess, ctx.request, event).await?;
    Err(Code::InvalidCredentials.into())
}

fn read_hash(user: &CredentialsRow) -> Result<PasswordHash, Error> {
    let user_id = user.id.get();
    PasswordHash::parse(&user.password_hash).map_err(|cause| Error::StoredHash { user_id, cause })
}

//! Checking a password, at sign-in and at re-authentication. Every refusal is the same work and the same response: for
//! an unknown address, a wrong password, and a throttled account. Database round trips: 0, and 1 for a refusal.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::limits::standing::{Client, Standing, judge, kept_device};
use crate::domain::limits::throttle::Scope;
use crate::domain::password::Password;
use crate::domain::password::equal_work::verify_with_equal_work;
use crate::domain::password::hash::PasswordHash;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::problem::Code;
use crate::service::{Context, Error, attribution};
use crate::store::audit::Event;
use crate::store::password::credentials::{self, CredentialsRow};

/// An account whose password was correct while no wait was in force.
pub(in crate::service) struct Verified {
    pub(in crate::service) password: VerifiedPassword,
    pub(in crate::service) is_active: bool,
    pub(in crate::service) hash: PasswordHash,
}

/// A right password of an address, with the counter that it belongs to.
pub(in crate::service) struct SignInAttempt {
    pub(in crate::service) verified: Verified,
    pub(in crate::service) standing: Standing,
    /// The device to name in the next device token: the presented one, unless guesses have used it up.
    pub(in crate::service) device: Option<TokenId>,
}

/// Checks the password of an address, with the throttle of sign-ins. `device` is that of a valid device token. Database round
/// trips: 1, and 1 for a refusal.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn verify_at_sign_in(
    ctx: &Context<'_>,
    email: &Email,
    password: &Password,
    device: Option<&(UserId, TokenId)>,
) -> Result<SignInAttempt, Error> {
    let account = credentials::by_email(ctx.store, email, Scope::without_account(email), ctx.now()).await?;
    let (other_keys, network) = (ctx.other_throttle_keys(), ctx.request.peer.network());
    let client = Client { key: ctx.request.key, other_keys: &other_keys, network: &network, device };
    let user = account.credentials.as_ref();
    if let Some(user) = user {
        attribution::note_user(user.id);
    }
    let registered_from = user.and_then(|user| user.registered_network.as_deref());
    let standing = judge(account.scope, &account.counters, registered_from, &client, ctx.now());
    let verified = verify_password(ctx, user, &standing, password, EventType::SignInRefused, None).await?;
    let device = kept_device(verified.password.user_id, &account.counters, &client);
    Ok(SignInAttempt { verified, standing, device })
}

/// Checks a password against the stored hash. A refusal is counted, and recorded as an event of type `refused_as`.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn verify_password(
    ctx: &Context<'_>,
    credentials: Option<&CredentialsRow>,
    standing: &Standing,
    password: &Password,
    refused_as: EventType,
    session_id: Option<SessionId>,
) -> Result<Verified, Error> {
    let hash = credentials.map(read_hash).transpose()?;
    let is_blocked = standing.is_blocked;
    (ctx.await_hash_slot)(ctx.request.peer.network()).await?;
    let matches = verify_with_equal_work(hash.as_ref(), password, ctx.settings.password_work, is_blocked)?;
    let reason = match (credentials, hash) {
        _ if is_blocked => Reason::Throttled,
        (Some(user), Some(hash)) if matches => {
            return Ok(Verified { password: user.verified(), is_active: user.is_active, hash });
        }
        (Some(_), _) => Reason::WrongPassword,
        (None, _) => Reason::UnknownUser,
    };
    let user_id = credentials.map(|user| user.id);
    let event = Event::of(refused_as, user_id).because(reason).within(session_id);
    // Guesses during a wait are not counted: an attacker could otherwise extend the wait without end.
    let was_guess = reason != Reason::Throttled;
    credentials::record_refusal(ctx.store, &standing.counter, was_guess, ctx.request, event).await?;
    Err(Code::InvalidCredentials.into())
}

fn read_hash(user: &CredentialsRow) -> Result<PasswordHash, Error> {
    let user_id = user.id.get();
    PasswordHash::parse(&user.password_hash).map_err(|cause| Error::StoredHash { user_id, cause })
}

//! Checking a password, at sign-in and at re-authentication. Every refusal is the same work and the same response: for
//! an unknown address, a wrong password, and a throttled account. Database round trips: 0, and 1 for a refusal.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::limits::standing::{Client, Standing, judge, kept_device};
use crate::domain::limits::throttle::{self, Scope};
use crate::domain::password::Password;
use crate::domain::password::equal_work::verify_with_equal_work;
use crate::domain::password::stored::StoredHash;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::problem::Code;
use crate::domain::settings::EmailVerification;
use crate::service::{Context, Error, ErrorKind, attribution};
use crate::store::audit::Event;
use crate::store::password::credentials::{self, CredentialsRow, SignInAccount};
use crate::store::password::refusal;

/// An account whose password was correct while no wait was in force.
pub(in crate::service) struct Verified {
    pub(in crate::service) password: VerifiedPassword,
    pub(in crate::service) is_active: bool,
    pub(in crate::service) hash: StoredHash,
}

/// A right password of an address, with the counter that it belongs to.
pub(in crate::service) struct SignInAttempt {
    pub(in crate::service) verified: Verified,
    pub(in crate::service) standing: Standing,
    /// The device to name in the next device token: the presented one, unless guesses have used it up.
    pub(in crate::service) device: Option<TokenId>,
}

/// Checks the password of an address, to sign in. `device` is that of a valid device token. Where addresses must be proven, a
/// registration is told that its proof is missing. Database round trips: 1, and 1 for a refusal.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `AUTH_EMAIL_NOT_VERIFIED`; [`Error`] otherwise.
pub(in crate::service) async fn verify_at_sign_in(
    ctx: &Context<'_>,
    email: &Email,
    password: &Password,
    device: Option<&(UserId, TokenId)>,
) -> Result<SignInAttempt, Error> {
    let tells_proof = ctx.settings.verification() == EmailVerification::Required;
    let tag = tells_proof.then(|| ctx.request.key.network_tag(&ctx.request.peer.network()));
    let no_account = Scope::without_account(email);
    let account = credentials::by_email(ctx.store, email, no_account, tag.as_deref(), ctx.now()).await?;
    check_at_sign_in(ctx, &account, password, device, tells_proof.then_some(email)).await
}

/// Checks a password with the throttle of sign-ins. `registering` is the address whose registrations are told that the proof is
/// missing. Database round trips: 0, and 1 for a refusal.
///
/// # Errors
/// As [`verify_at_sign_in`].
pub(in crate::service) async fn check_at_sign_in(
    ctx: &Context<'_>,
    account: &SignInAccount,
    password: &Password,
    device: Option<&(UserId, TokenId)>,
    registering: Option<&Email>,
) -> Result<SignInAttempt, Error> {
    let (other_keys, network) = (ctx.other_throttle_keys(), ctx.request.peer.network());
    let client = Client { key: ctx.request.key, other_keys: &other_keys, network: &network, device };
    let user = account.credentials.as_ref();
    if let Some(user) = user {
        attribution::note_user(user.id);
    }
    let registered_from = user.and_then(|user| user.registered_network.as_deref());
    let standing = judge(account.scope, &account.counters, registered_from, &client, ctx.now());
    let checked = check_password(ctx, user, standing.is_blocked, password).await?;
    let verified = match checked {
        Ok(verified) => verified,
        Err(reason) => {
            let refused = Event::of(EventType::SignInRefused, user.map(|user| user.id));
            let hash = account.registration.as_deref();
            // After every wrong password, so that the time does not tell whether there is a registration. A wait is that
            // of an account, or one that addresses without an account share: it must not decide, or it would tell which.
            if registering.is_some() && matches_registration(ctx, hash, password, false).await? {
                return Err(not_verified(ctx, &standing, refused).await?);
            }
            let weight = weight(ctx, user);
            return Err(refuse(ctx, &standing, reason, weight, registering, refused).await?);
        }
    };
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
    match check_password(ctx, credentials, standing.is_blocked, password).await? {
        Ok(verified) => Ok(verified),
        Err(reason) => {
            let event = Event::of(refused_as, credentials.map(|user| user.id)).within(session_id);
            Err(refuse(ctx, standing, reason, weight(ctx, credentials), None, event).await?)
        }
    }
}

/// Checks a password against the stored hash; the inner error is the reason of a refusal, which is not recorded yet.
async fn check_password(
    ctx: &Context<'_>,
    credentials: Option<&CredentialsRow>,
    is_blocked: bool,
    password: &Password,
) -> Result<Result<Verified, Reason>, Error> {
    let hash = credentials.map(read_hash).transpose()?;
    (ctx.await_hash_slot)(ctx.request.peer.network()).await?;
    let matches = verify_with_equal_work(hash.as_ref(), password, ctx.settings.password_work, is_blocked)?;
    Ok(match (credentials, hash) {
        _ if is_blocked => Err(Reason::Throttled),
        (Some(user), Some(hash)) if matches => {
            Ok(Verified { password: user.verified(), is_active: user.is_active, hash })
        }
        (Some(_), _) => Err(Reason::WrongPassword),
        (None, _) => Err(Reason::UnknownUser),
    })
}

/// The failures that a wrong guess counts for: more than one if the imported hash costs more than a new one, in proportion.
fn weight(ctx: &Context<'_>, credentials: Option<&CredentialsRow>) -> i64 {
    // A hash that cannot be parsed has ended the request before.
    let hash = credentials.and_then(|user| read_hash(user).ok());
    match hash {
        Some(StoredHash::Imported(hash)) => throttle::weight(hash.cost(), ctx.settings.password_work.in_rounds()),
        Some(StoredHash::Own(_)) | None => 1,
    }
}

/// Records and counts a refusal.
async fn refuse(
    ctx: &Context<'_>,
    standing: &Standing,
    reason: Reason,
    weight: i64,
    registering: Option<&Email>,
    event: Event,
) -> Result<Error, Error> {
    let event = event.because(reason);
    // Guesses during a wait are not counted: an attacker could otherwise extend the wait without end.
    let failures = if reason == Reason::Throttled { 0 } else { weight };
    refusal::record_refusal(ctx.store, &standing.counter, failures, registering, ctx.request, event).await?;
    Ok(Code::InvalidCredentials.into())
}

/// The refusal of the password of a registration. It is no counted failure, although it may be a guess at an account of the
/// address: each such guess takes a registration, which sends a mail to its owner.
async fn not_verified(ctx: &Context<'_>, standing: &Standing, event: Event) -> Result<Error, Error> {
    let event = event.because(Reason::NotVerified);
    refusal::record_useless(ctx.store, &standing.counter, ctx.request, event).await?;
    Ok(Code::EmailNotVerified.into())
}

/// Compares a password with the hash of a registration. Without one it is the same work.
pub(in crate::service) async fn matches_registration(
    ctx: &Context<'_>,
    hash: Option<&str>,
    password: &Password,
    is_refused: bool,
) -> Result<bool, Error> {
    // A registration has no user.
    let stored = |cause| ErrorKind::StoredHash { user_id: 0, cause };
    let hash = hash.map(StoredHash::parse).transpose().map_err(stored)?;
    (ctx.await_hash_slot)(ctx.request.peer.network()).await?;
    Ok(verify_with_equal_work(hash.as_ref(), password, ctx.settings.password_work, is_refused)?)
}

fn read_hash(user: &CredentialsRow) -> Result<StoredHash, Error> {
    let user_id = user.id.get();
    StoredHash::parse(&user.password_hash).map_err(|cause| ErrorKind::StoredHash { user_id, cause }.into())
}

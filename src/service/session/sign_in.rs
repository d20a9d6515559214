//! Sign-in by password. Database round trips: 2; 3 when the stored hash is replaced by one of the current settings.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::limits::standing;
use crate::domain::mail::letter::Kind;
use crate::domain::password::Password;
use crate::domain::password::equal_work::burn_missing_work;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::session::method::SignInMethod;
use crate::domain::settings::EmailVerification;
use crate::service::keys::signing;
use crate::service::mail::outbox;
use crate::service::password::verify::{Door, SignInAttempt, Verified, matches_registration, verify_at_sign_in};
use crate::service::session::tokens::{Opening, SignInTokens};
use crate::service::{Context, Error};
use crate::store::audit::Event;
use crate::store::password::credentials;
use crate::store::password::refusal;
use crate::store::session::opening;

/// An address and a password, parsed.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct PasswordSignIn {
    pub email: Email,
    pub password: Password,
    /// As presented. An invalid one is ignored, since it only speaks for the client.
    pub device_token: Option<Secret>,
}

/// The result of a sign-in with correct credentials.
#[derive(Debug)]
pub enum SignIn {
    /// The session is open.
    Complete(SignInTokens),
}

/// Signs a user in.
///
/// An unknown address, a wrong password, a throttled account and a disabled account with a wrong password get the same
/// answer after the same work. Only a caller with the correct password learns that the account is disabled. A request
/// repeated after a lost answer opens a second session; the first one is unused and expires.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`, `AUTH_EMAIL_NOT_VERIFIED` with the password of a registration; [`Error`] otherwise.
pub async fn sign_in(ctx: &Context<'_>, command: &PasswordSignIn) -> Result<SignIn, Error> {
    signing::prepare(ctx).await?;
    let device = command.device_token.as_ref().and_then(|token| ctx.tokens.verify_device(token.expose(), ctx.now()));
    let SignInAttempt { verified, standing, device } =
        verify_at_sign_in(ctx, &command.email, &command.password, device.as_ref(), Door::SignIn).await?;
    let user_id = verified.password.user_id;
    if !verified.is_active {
        let event = Event::of(EventType::SignInRefused, user_id).because(Reason::Disabled);
        if refusal::record_useless(ctx.store, &standing.counter, ctx.request, event).await? {
            return Err(Code::InactiveUser.into());
        }
        return Err(overtaken(ctx, &verified, &command.password).await);
    }
    let session = Opening::draw(ctx, SignInMethod::Password)?;
    // A network or a device that the account knows is not told.
    let is_new = standing.counter.kind == standing::Kind::Unknown;
    let notice = if is_new { outbox::notice(ctx, Kind::SignedIn)? } else { None };
    let row = session.as_row(ctx.request);
    let opened = opening::open(ctx.store, verified.password, &standing.counter, &row, notice).await?;
    let Some((inputs, mail)) = opened else {
        return Err(overtaken(ctx, &verified, &command.password).await);
    };
    let hash_upgraded = upgrade_hash(ctx, &verified, &command.password).await.unwrap_or_else(|error| {
        let (user_id, cause) = (user_id.get(), error.to_string());
        tracing::warn!(target: "app.errors", user_id, cause, "Password hash was not replaced");
        false
    });
    let session_id = session.session_id.get();
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id, hash_upgraded, "Signed in");
    outbox::send_behind_response(ctx, mail);
    session.issue(ctx, user_id, device, inputs).await.map(SignIn::Complete)
}

/// The refusal of a right password whose account was disabled, erased, throttled or given another password after it was
/// read. It must not tell that the password was right, so the missing work is done without waiting for another slot.
async fn overtaken(ctx: &Context<'_>, verified: &Verified, password: &Password) -> Error {
    let burnt = burn_missing_work(&verified.hash, password, ctx.settings.password_work);
    if let Err(error) = burnt {
        return error.into();
    }
    // A wrong password is compared with that of a registration, too.
    if ctx.settings.verification() == EmailVerification::Required
        && let Err(error) = matches_registration(ctx, None, password, true).await
    {
        return error;
    }
    Code::InvalidCredentials.into()
}

/// Replaces a hash that differs from the current settings: only now is the password known. With a full hash queue the
/// upgrade waits for the next sign-in. A failure is none of the sign-in, because the user is signed in already.
async fn upgrade_hash(ctx: &Context<'_>, verified: &Verified, password: &Password) -> Result<bool, Error> {
    if !verified.hash.work().is_replaced_by(ctx.settings.password_work) {
        return Ok(false);
    }
    match ctx.hash(password).await {
        Ok(hash) => Ok(credentials::upgrade_hash(ctx.store, verified.password, &hash).await.map(|()| true)?),
        Err(Error::HashQueueFull(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

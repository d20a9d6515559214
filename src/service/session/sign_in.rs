//! Sign-in by password. Database round trips: 2, and 1 beside the response when the stored hash is replaced.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::factor::demand::FactorDemand;
use crate::domain::ids::{ChallengeId, TokenId, UserId};
use crate::domain::limits::standing;
use crate::domain::mail::letter::Kind;
use crate::domain::password::Password;
use crate::domain::password::equal_work::burn_missing_work;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::session::device_token::RememberedFactor;
use crate::domain::session::methods::AuthMethods;
use crate::domain::settings::EmailVerification;
use crate::service::factor::due::{FirstFactor, pending};
use crate::service::keys::signing;
use crate::service::mail::outbox;
use crate::service::password::verify::{SignInAttempt, Verified, matches_registration, verify_at_sign_in};
use crate::service::session::tokens::{Opening, SignInTokens};
use crate::service::{Context, Error, ErrorKind};
use crate::store::audit::Event;
use crate::store::factor::due::DueFactors;
use crate::store::password::credentials;
use crate::store::password::refusal;
use crate::store::password::refusal::DisabledOutcome;
use crate::store::session::opening;
use crate::store::session::opening::OpeningOutcome;

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
    /// The first factor was right, and the second one is due.
    FactorDue(Box<FactorDemand>),
}

/// Signs a user in.
///
/// An unknown address, a wrong password, a throttled account and a disabled account with a wrong password get the same
/// answer after the same work. Only a caller with the correct password learns that a second factor is due, and only after
/// that one that the account is disabled. A request
/// repeated after a lost answer opens a second session; the first one is unused and expires.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`, `AUTH_EMAIL_NOT_VERIFIED` with the password of a registration; [`Error`] otherwise.
pub async fn sign_in(ctx: &Context<'_>, command: &PasswordSignIn) -> Result<SignIn, Error> {
    signing::prepare(ctx).await?;
    let device_token = command.device_token.as_ref().map(Secret::expose);
    let device = device_token.and_then(|token| ctx.tokens.verify_device(token, ctx.now()));
    let SignInAttempt { verified, standing, device } =
        verify_at_sign_in(ctx, &command.email, &command.password, device.as_ref()).await?;
    let user_id = verified.password.user_id;
    if !verified.is_active {
        let event = Event::of(EventType::SignInRefused, user_id).because(Reason::Disabled);
        let recorded =
            refusal::record_disabled(ctx.store, verified.password, &standing.counter, ctx.request, event).await?;
        return match recorded {
            DisabledOutcome::FactorDue(due) => factor_due(ctx, user_id, &due, device, false),
            DisabledOutcome::Disabled => Err(Code::InactiveUser.into()),
            DisabledOutcome::Overtaken => Err(overtaken(ctx, &verified, &command.password).await),
        };
    }
    let session = Opening::draw(ctx, AuthMethods::PASSWORD)?;
    // A network or a device that the account knows is not told.
    let is_new = standing.counter.kind == standing::Kind::Unknown;
    let notice = if is_new { outbox::notice(ctx, Kind::SignedIn)? } else { None };
    let row = session.as_row(ctx.request);
    // It stands for the second factor of the device that it names, if guesses have not used that up.
    let remembered = device_token.filter(|_| device.is_some()).and_then(|token| remembered(ctx, &verified, token));
    let remembered_at = remembered.map(|factor| factor.at);
    let opened = opening::open(ctx.store, verified.password, &standing.counter, &row, remembered_at, notice).await?;
    let (inputs, mail) = match opened {
        OpeningOutcome::Opened(inputs, mail) => (inputs, mail),
        OpeningOutcome::FactorDue(due) => {
            replace_hash(ctx, &verified, &command.password).await;
            return factor_due(ctx, user_id, &due, device, is_new);
        }
        OpeningOutcome::Overtaken => return Err(overtaken(ctx, &verified, &command.password).await),
    };
    let hash_upgraded = replace_hash(ctx, &verified, &command.password).await;
    let session_id = session.session_id.get();
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id, hash_upgraded, "Signed in");
    outbox::send_behind_response(ctx, mail);
    session.issue(ctx, user_id, device, remembered, inputs).await.map(SignIn::Complete)
}

/// The second factor that the client's device remembers: of the present password, and within `REMEMBER_DEVICE_DAYS`.
fn remembered(ctx: &Context<'_>, verified: &Verified, token: &str) -> Option<RememberedFactor> {
    let factor = ctx.tokens.remembered_factor(token, ctx.now())?;
    let ends_at = factor.at.plus_seconds(ctx.settings.factors.remembered_seconds);
    (factor.password_version == verified.password.version && ends_at > ctx.now()).then_some(factor)
}

/// The answer to a right password whose account has a second factor.
fn factor_due(
    ctx: &Context<'_>,
    user_id: UserId,
    due: &DueFactors,
    device: Option<TokenId>,
    is_new_client: bool,
) -> Result<SignIn, Error> {
    let first = FirstFactor { methods: AuthMethods::PASSWORD, device, is_new_client, link: None };
    let id = ChallengeId::from_random(ctx.random()?);
    let demand = pending(ctx, id, user_id, due, first)?;
    tracing::info!(target: "app.auth", user_id = user_id.get(), "Second factor due");
    Ok(SignIn::FactorDue(Box::new(demand)))
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

/// Replaces a hash that differs from the current settings: only now is the password known. A failure is none of the sign-in,
/// whose password was right, so the sign-in does not wait for the database. Returns whether there is a new hash.
async fn replace_hash(ctx: &Context<'_>, verified: &Verified, password: &Password) -> bool {
    let user_id = verified.password.user_id;
    match new_hash(ctx, verified, password).await {
        Ok(Some(hash)) => {
            let (store, verified) = (ctx.store.clone(), verified.password);
            ctx.background.spawn(Box::pin(async move {
                if let Err(error) = credentials::upgrade_hash(&store, verified, &hash).await {
                    log_kept_hash(user_id, &error.into());
                }
            }));
            true
        }
        Ok(None) => false,
        Err(error) => {
            log_kept_hash(user_id, &error);
            false
        }
    }
}

fn log_kept_hash(user_id: UserId, error: &Error) {
    let (user_id, cause) = (user_id.get(), error.to_string());
    tracing::warn!(target: "app.errors", user_id, cause, "Password hash was not replaced");
}

/// Hashes the password anew. With a full hash queue the upgrade waits for the next sign-in.
async fn new_hash(ctx: &Context<'_>, verified: &Verified, password: &Password) -> Result<Option<String>, Error> {
    if !verified.hash.is_replaced_by(ctx.settings.password_work) {
        return Ok(None);
    }
    match ctx.hash(password).await {
        Ok(hash) => Ok(Some(hash)),
        Err(error) if matches!(error.kind(), ErrorKind::HashQueueFull(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

//! The second factor of a sign-in. Database round trips: 2, with a right or a wrong answer; none for a token that is not
//! ours.

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::factor::challenge::{Challenge, Purpose};
use crate::domain::factor::pending::{PendingLink, PendingSignIn};
use crate::domain::factor::usage::FactorUse;
use crate::domain::federation::assertion::Assertion;
use crate::domain::ids::IdentityId;
use crate::domain::limits::standing::Counter;
use crate::domain::limits::throttle::second_factor_key;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::session::device_token::RememberedFactor;
use crate::service::factor::check::{CheckOutcome, PresentedFactor, check};
use crate::service::keys::signing;
use crate::service::mail::outbox;
use crate::service::session::sign_in::SignIn;
use crate::service::session::tokens::Opening;
use crate::service::{Context, Error, attribution};
use crate::store::audit::Event;
use crate::store::factor::usage::Evidence;
use crate::store::factor::{challenges, sign_in, state};
use crate::store::federation::identities::NewIdentity;

/// The token of a sign-in that waits, and its second factor.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct SecondFactor {
    pub token: Secret,
    pub factor: PresentedFactor,
}

/// Completes a sign-in. A token that was used, has expired or has had five wrong answers, a changed password and a wrong
/// factor get the same answer. A request repeated after a lost answer gets it, too, because the factor was used.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`; [`Error`] otherwise.
pub async fn complete(ctx: &Context<'_>, command: &SecondFactor) -> Result<SignIn, Error> {
    let pending = ctx.tokens.verify_pending(command.token.expose(), ctx.now()).ok_or(Code::InvalidCredentials)?;
    let user_id = pending.user_id;
    attribution::note_user(user_id);
    signing::prepare(ctx).await?;
    let (throttle, credential_id) = (second_factor_key(user_id), command.factor.credential_id());
    let read = state::of_user(user_id, Some(pending.id), credential_id, &throttle, ctx.now());
    let state = ctx.store.run(read).await?.ok_or(Code::InvalidCredentials)?;
    let outcome = check(ctx, &state, &command.factor, Purpose::SecondFactor(pending.id.get())).await?;
    let is_void = state.is_answered || state.password_version != pending.password_version;
    let is_guessable = command.factor.is_guessable();
    let counter = if is_guessable { Counter::of_second_factor } else { Counter::of_unguessable_factor }(user_id);
    let factor = match outcome {
        CheckOutcome::Right(factor) if !is_void => factor,
        CheckOutcome::Right(_) => return Err(refuse(ctx, &pending, counter, Reason::Answered, false).await?),
        CheckOutcome::Wrong { reason, was_guess } => {
            return Err(refuse(ctx, &pending, counter, reason, was_guess && !is_void).await?);
        }
    };
    if !state.is_active {
        return Err(Code::InactiveUser.into());
    }
    open(ctx, pending, &factor, &throttle).await
}

async fn open(ctx: &Context<'_>, pending: PendingSignIn, factor: &FactorUse, throttle: &str) -> Result<SignIn, Error> {
    let user_id = pending.user_id;
    let session = Opening::draw(ctx, factor.after(pending.methods))?;
    let network = ctx.request.peer.network();
    let counter = match &pending.device {
        Some(device) => Counter::of_device(user_id, ctx.request.key, &network, device),
        None => Counter::of_network(user_id, ctx.request.key, &network),
    };
    let link = pending.link.as_ref().map(asserted);
    let identity = pending.link.as_ref().zip(link.as_ref()).map(|(link, assertion)| {
        let id = IdentityId::draw(ctx.now(), ctx.random()?);
        Ok::<_, Error>((NewIdentity { id, provider: &link.provider, assertion }, link.has_code))
    });
    let identity = identity.transpose()?;
    let notice = match (identity.is_some(), pending.is_new_client) {
        (true, _) => outbox::notice(ctx, Kind::IdentitiesChanged)?,
        (false, true) => outbox::notice(ctx, Kind::SignedIn)?,
        (false, false) => None,
    };
    let evidence = Evidence {
        user_id,
        challenge: challenge(&pending),
        factor,
        version: Some(pending.password_version),
        session_id: None,
        throttle,
    };
    let opened =
        sign_in::open(ctx.store, evidence, &counter, &session.as_row(ctx.request), false, identity, notice).await?;
    let (inputs, mail) = opened.ok_or(Code::InvalidCredentials)?;
    let (session_id, factor) = (session.session_id.get(), factor.as_str());
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id, factor, "Signed in");
    outbox::send_behind_response(ctx, mail);
    let remembers = ctx.settings.factors.remembered_seconds > 0;
    let password_version = pending.password_version;
    let remembered = remembers.then(|| RememberedFactor { at: ctx.now(), password_version });
    session.issue(ctx, user_id, pending.device, remembered, inputs).await.map(SignIn::Complete)
}

/// The identity that waited for the factor. The provider's other words have done their part.
fn asserted(link: &PendingLink) -> Assertion {
    Assertion {
        issuer: link.issuer.clone(),
        subject: link.subject.clone(),
        email: Some(Email::stored(link.email.as_str())),
        is_email_verified: true,
        name: None,
        hosted_domain: None,
        auth_time: None,
    }
}

const fn challenge(pending: &PendingSignIn) -> Challenge {
    Challenge { id: pending.id, expires_at: pending.expires_at }
}

/// Counts and records a wrong answer. After every fifth one the owner is told, because the password is known to a stranger.
async fn refuse(
    ctx: &Context<'_>,
    pending: &PendingSignIn,
    counter: Counter,
    reason: Reason,
    was_guess: bool,
) -> Result<Error, Error> {
    let event = Event::of(EventType::SecondFactorRefused, pending.user_id).because(reason);
    // Neither a code during a wait nor an answer to a token that is void is a guess.
    let notice = if was_guess { outbox::notice(ctx, Kind::SecondFactorRefused)? } else { None };
    let wrong = challenges::WrongAnswer {
        user_id: pending.user_id,
        challenge: was_guess.then(|| challenge(pending)),
        counter: &counter,
        was_guess,
        event,
    };
    let mail = challenges::count_wrong_answer(ctx.store, &wrong, notice, ctx.request).await?;
    outbox::send_behind_response(ctx, mail);
    Ok(Code::InvalidCredentials.into())
}

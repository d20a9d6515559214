//! `POST /auth/step-up`: a fresh access token of the same session (RFC 9470). Database round trips after the caller's: 1.

use crate::domain::account::email::Email;
use crate::domain::audit::EventType;
use crate::domain::factor::challenge::Purpose;
use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::domain::limits::throttle::reauthentication_key;
use crate::domain::mail::proof::Purpose as ProofPurpose;
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::session::methods::AuthMethods;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::factor::check::{CheckOutcome, PresentedFactor, challenge_of, check};
use crate::service::factor::due::{draw, step_up_demand, step_up_without_factor};
use crate::service::mail::asking::{ask, settings};
use crate::service::mail::presented::{ProofTexts, identify};
use crate::service::password::reauthenticate::reauthenticate;
use crate::service::session::tokens;
use crate::service::{Context, Error};
use crate::store::audit::Event;
use crate::store::factor::challenges::{self, WrongAnswer};
use crate::store::factor::due::{self, DueFactors};
use crate::store::factor::state::{self, FactorState, StoredPasskeyRow};
use crate::store::factor::step_up::{self, CodeOutcome, LiveSession};
use crate::store::factor::usage::Evidence;
use crate::store::password::confirmation::Confirmation;
use crate::store::password::credentials::{self, Account};

/// The evidence of a step-up.
#[allow(missing_docs, reason = "the variants are the members of the request")]
pub enum StepUp {
    Password(Password),
    Factor(PresentedFactor),
    MailedCode(ProofTexts),
}

/// The rows of a step-up, read with the caller.
#[derive(Clone)]
pub struct StepUpRows {
    subject: Subject,
    account: Option<Account>,
    due: Option<DueFactors>,
    factors: Option<FactorState>,
    /// All of the user, because the body names the credential, and is read later.
    passkeys: Vec<StoredPasskeyRow>,
}

/// An access token whose sign-in is now.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct FreshToken {
    pub access_token: Secret,
    pub expires_in: i64,
}

/// Reads the rows of a step-up.
#[must_use]
pub fn rows(ctx: &Context<'_>, subject: Subject) -> Reading<StepUpRows> {
    let user_id = subject.user_id;
    let factors = state::of_user(user_id, None, None, &reauthentication_key(user_id), ctx.now());
    let factors = factors.and(state::passkeys_of(user_id));
    let read = credentials::by_id(user_id).and(due::of_user(user_id)).and(factors);
    read.map(move |((account, due), (factors, passkeys))| StepUpRows { subject, account, due, factors, passkeys })
        .into()
}

/// Issues an access token whose sign-in is now. The session keeps its own, so a refresh does, too.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED` for a password alone, if the account has a second factor; `AUTH_INVALID_CREDENTIALS`;
/// `AUTH_TOKEN_REVOKED` if the session ended concurrently; [`Error`] otherwise.
pub async fn step_up(
    ctx: &Context<'_>,
    caller: &Caller,
    rows: &StepUpRows,
    command: &StepUp,
) -> Result<FreshToken, Error> {
    let (subject, max_roles) = (rows.subject, tokens::max_roles(ctx.settings));
    let (session, methods) = match command {
        StepUp::Password(password) => {
            let session = by_password(ctx, caller, rows, password, max_roles).await?;
            (session, subject.methods.and(AuthMethods::PASSWORD))
        }
        StepUp::Factor(factor) => by_factor(ctx, rows, factor, max_roles).await?,
        StepUp::MailedCode(texts) => {
            demand_mailed_code(ctx, caller, rows).await?;
            (by_mailed_code(ctx, subject, texts, max_roles).await?, subject.methods.and(AuthMethods::CODE))
        }
    };
    let user_id = subject.user_id.get();
    tracing::info!(target: "app.auth", user_id, session_id = subject.session_id.get(), "Stepped up");
    let LiveSession { expires_at, inputs } = session;
    let (access_token, expires_in) = tokens::issue_fresh(ctx, &subject, methods, expires_at, inputs).await?;
    Ok(FreshToken { access_token, expires_in })
}

/// The check is repeated with the read of the session, so that a right guess among concurrent wrong ones is refused once they
/// have begun a wait.
async fn by_password(
    ctx: &Context<'_>,
    caller: &Caller,
    rows: &StepUpRows,
    password: &Password,
    max_roles: i64,
) -> Result<LiveSession, Error> {
    let Subject { user_id, session_id, .. } = rows.subject;
    if let Some(due) = &rows.due {
        return Err(step_up_demand(ctx, user_id, due)?);
    }
    let account = rows.account.as_ref().ok_or(Code::TokenInvalid)?;
    let verified = reauthenticate(ctx, caller, account, password, EventType::StepUpRefused).await?;
    let confirmation = Confirmation { verified, session_id: Some(session_id) };
    let session = step_up::confirm_password(ctx.store, confirmation, max_roles, ctx.request).await?;
    session.ok_or_else(|| Code::InvalidCredentials.into())
}

async fn by_mailed_code(
    ctx: &Context<'_>,
    subject: Subject,
    texts: &ProofTexts,
    max_roles: i64,
) -> Result<LiveSession, Error> {
    let Subject { user_id, session_id, .. } = subject;
    let proof = identify(ctx, &[ProofPurpose::StepUp], texts).await?;
    match step_up::use_code(ctx.store, proof, user_id, session_id, max_roles, ctx.now()).await? {
        CodeOutcome::Used(session) => Ok(*session),
        CodeOutcome::NoCode => Err(Code::InvalidCredentials.into()),
        CodeOutcome::NoSession => Err(Code::TokenRevoked.into()),
    }
}

/// Refuses a mailed code where the account has something stronger: the mailbox alone must not open it.
async fn demand_mailed_code(ctx: &Context<'_>, caller: &Caller, rows: &StepUpRows) -> Result<(), Error> {
    let has_code = ctx.settings.mail.is_some() && caller.user.email_verified_at.is_some();
    match &rows.due {
        Some(due) => Err(step_up_demand(ctx, caller.user.id, due)?),
        None if caller.user.has_password || !has_code => Err(step_up_without_factor(ctx, caller).await?),
        None => Ok(()),
    }
}

/// Mails a code to an account that has neither a password nor a second factor.
///
/// # Errors
/// `NOT_FOUND` without mail; `AUTH_EMAIL_NOT_VERIFIED`; `AUTH_STEP_UP_REQUIRED` for other accounts; [`Error`] otherwise.
pub async fn mail_code(ctx: &Context<'_>, caller: &Caller, rows: &StepUpRows) -> Result<Secret, Error> {
    settings(ctx)?;
    if caller.user.email_verified_at.is_none() {
        return Err(Code::EmailNotVerified.into());
    }
    demand_mailed_code(ctx, caller, rows).await?;
    ask(ctx, ProofPurpose::StepUp, &Email::stored(caller.user.email.clone()), true).await
}

async fn by_factor(
    ctx: &Context<'_>,
    rows: &StepUpRows,
    presented: &PresentedFactor,
    max_roles: i64,
) -> Result<(LiveSession, AuthMethods), Error> {
    let Subject { user_id, session_id, methods, .. } = rows.subject;
    let throttle = reauthentication_key(user_id);
    let purpose = Purpose::StepUp(user_id.get());
    let mut challenge = draw(ctx)?;
    let mut state = rows.factors.clone().ok_or(Code::TokenInvalid)?;
    if let PresentedFactor::Passkey(response) = presented {
        challenge = challenge_of(ctx, &response.client_data_json, purpose).unwrap_or(challenge);
        state.passkey = rows.passkeys.iter().find(|passkey| passkey.credential_id == response.id).cloned();
    }
    let is_guessable = presented.is_guessable();
    let counter = if is_guessable { Counter::of_reauthentication } else { Counter::of_unguessable_factor }(user_id);
    let factor = match check(ctx, &state, presented, purpose).await? {
        // Whether the challenge was answered before is asked by the statement that uses it.
        CheckOutcome::Right(factor) => factor,
        CheckOutcome::Wrong { reason, was_guess } => {
            let event = Event::of(EventType::StepUpRefused, user_id).because(reason).within(Some(session_id));
            return Err(refuse(ctx, user_id, counter, was_guess, event).await?);
        }
    };
    let evidence = Evidence {
        user_id,
        challenge,
        factor: &factor,
        version: None,
        session_id: Some(session_id),
        throttle: &throttle,
    };
    let used = step_up::use_factor(ctx.store, evidence, session_id, max_roles, ctx.request).await?;
    Ok((used.ok_or(Code::InvalidCredentials)?, factor.after(methods)))
}

/// A wrong code is counted like a wrong password of re-authentication: a stolen access token gives no further guesses, and
/// does not hold up sign-ins.
async fn refuse(
    ctx: &Context<'_>,
    user_id: UserId,
    counter: Counter,
    was_guess: bool,
    event: Event,
) -> Result<Error, Error> {
    let wrong = WrongAnswer { user_id, challenge: None, counter: &counter, was_guess, event };
    challenges::count_wrong_answer(ctx.store, &wrong, None, ctx.request).await?;
    Ok(Code::InvalidCredentials.into())
}

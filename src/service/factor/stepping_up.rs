//! `POST /auth/step-up`: a fresh access token of the same session (RFC 9470). Database round trips after the caller's: 1 with
//! a code; 2 with a password or a passkey.

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
use crate::service::factor::check::{CheckOutcome, PresentedFactor, check};
use crate::service::factor::due::{draw, step_up_demand, step_up_without_factor};
use crate::service::mail::asking::{ask, settings};
use crate::service::mail::presented::{ProofTexts, find};
use crate::service::password::reauthenticate;
use crate::service::session::tokens;
use crate::service::{Context, Error};
use crate::store::audit::Event;
use crate::store::factor::challenges::{self, WrongAnswer};
use crate::store::factor::due::{self, DueFactors};
use crate::store::factor::state::{self, FactorState};
use crate::store::factor::step_up::{self, LiveSession};
use crate::store::factor::usage::Evidence;
use crate::store::mail::proofs;
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
    let read = credentials::by_id(user_id).and(due::of_user(user_id)).and(factors);
    read.map(move |((account, due), factors)| StepUpRows { subject, account, due, factors }).into()
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
            if let Some(due) = &rows.due {
                return Err(step_up_demand(ctx, subject.user_id, due)?);
            }
            let account = rows.account.as_ref().ok_or(Code::TokenInvalid)?;
            reauthenticate::step_up(ctx, caller, account, password).await?;
            let read = step_up::session(subject.user_id, subject.session_id, max_roles, ctx.now());
            let session = ctx.store.run(read).await?.ok_or(Code::TokenRevoked)?;
            (session, subject.methods.and(AuthMethods::PASSWORD))
        }
        StepUp::Factor(factor) => by_factor(ctx, rows, factor, max_roles).await?,
        StepUp::MailedCode(texts) => {
            demand_mailed_code(ctx, caller, rows).await?;
            let proven = find(ctx, &[ProofPurpose::StepUp], texts).await?;
            let is_own = proven.row.user_id == subject.user_id;
            if !is_own || !proofs::use_up(ctx.store, proven.proof, subject.user_id, ctx.now()).await? {
                return Err(Code::InvalidCredentials.into());
            }
            let read = step_up::session(subject.user_id, subject.session_id, max_roles, ctx.now());
            let session = ctx.store.run(read).await?.ok_or(Code::TokenRevoked)?;
            (session, subject.methods.and(AuthMethods::CODE))
        }
    };
    let user_id = subject.user_id.get();
    tracing::info!(target: "app.auth", user_id, session_id = subject.session_id.get(), "Stepped up");
    let LiveSession { expires_at, inputs } = session;
    let (access_token, expires_in) = tokens::issue_fresh(ctx, &subject, methods, expires_at, inputs).await?;
    Ok(FreshToken { access_token, expires_in })
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
    let state = match presented {
        // The id of the credential was not known before.
        PresentedFactor::Passkey(response) => {
            challenge = super::check::challenge_of(ctx, &response.client_data_json, purpose).unwrap_or(challenge);
            let read = state::of_user(user_id, Some(challenge.id), Some(&response.id), &throttle, ctx.now());
            ctx.store.run(read).await?
        }
        PresentedFactor::Code(_) | PresentedFactor::RecoveryCode(_) => rows.factors.clone(),
    };
    let state = state.ok_or(Code::TokenInvalid)?;
    let is_guessable = presented.is_guessable();
    let counter = if is_guessable { Counter::of_reauthentication } else { Counter::of_unguessable_factor }(user_id);
    let factor = match check(ctx, &state, presented, purpose).await? {
        CheckOutcome::Right(factor) if !state.is_answered => factor,
        CheckOutcome::Right(_) => return Err(Code::InvalidCredentials.into()),
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

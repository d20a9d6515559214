//! Sign-in by a mailed code. Database round trips: 2; 1 for a wrong code, none for a flow that is not ours.

use crate::domain::factor::challenge::Challenge;
use crate::domain::factor::pending::PENDING_SECONDS;
use crate::domain::limits::standing::Counter;
use crate::domain::mail::proof::Purpose;
use crate::domain::password::hash::PasswordHash;
use crate::domain::problem::Code;
use crate::domain::session::methods::AuthMethods;
use crate::service::factor::due::{FirstFactor, draw, pending};
use crate::service::keys::signing;
use crate::service::mail::asking::settings_for;
use crate::service::mail::presented::{ProofTexts, Proven, find};
use crate::service::session::sign_in::SignIn;
use crate::service::session::tokens::Opening;
use crate::service::{Context, Error, ErrorKind, attribution};
use crate::store::mail::sign_in;
use crate::store::session::opening::OpeningOutcome;

/// Signs the owner of an address in. The code proves the address, so an account whose address was not proven is emptied: its
/// registration may have been that of a stranger.
///
/// The waits after wrong passwords do not hold up a code, whose guesses are bounded by the limits of its mails. A request
/// repeated after a lost answer gets `AUTH_INVALID_CREDENTIALS`, because the code was used.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, also for an account that was disabled; `NOT_FOUND` where it is off; [`Error`] otherwise.
pub async fn sign_in_by_code(ctx: &Context<'_>, texts: &ProofTexts) -> Result<SignIn, Error> {
    settings_for(ctx, Purpose::SignIn)?;
    signing::prepare(ctx).await?;
    let Proven { proof, row } = find(ctx, &[Purpose::SignIn], texts).await?;
    let user_id = row.user_id;
    attribution::note_user(user_id);
    let session = Opening::draw(ctx, AuthMethods::CODE)?;
    let counter = Counter::of_network(user_id, ctx.request.key, &ctx.request.peer.network());
    let no_password = PasswordHash::of_no_password(&ctx.new_salt()?, ctx.random()?, ctx.settings.password_work);
    let no_password = no_password.to_phc().map_err(ErrorKind::NewHash)?;
    let row = session.as_row(ctx.request);
    let challenge = Challenge { id: draw(ctx)?.id, expires_at: ctx.now().plus_seconds(PENDING_SECONDS) };
    let opened = sign_in::open(ctx.store, (proof, user_id), &counter, &row, challenge, &no_password).await?;
    let inputs = match opened {
        OpeningOutcome::Opened(inputs, _) => inputs,
        OpeningOutcome::FactorDue(due) => {
            let first = FirstFactor { methods: AuthMethods::CODE, device: None, is_new_client: false, link: None };
            tracing::info!(target: "app.auth", user_id = user_id.get(), "Second factor due");
            return Ok(SignIn::FactorDue(Box::new(pending(ctx, challenge.id, user_id, &due, first)?)));
        }
        OpeningOutcome::Overtaken => return Err(Code::InvalidCredentials.into()),
    };
    let session_id = session.session_id.get();
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id, "Signed in by code");
    session.issue(ctx, user_id, None, None, inputs).await.map(SignIn::Complete)
}

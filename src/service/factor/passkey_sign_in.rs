//! Sign-in with a passkey alone: no address, no password (W3C WebAuthn Level 3 §7.2). Database round trips: none for the
//! options; 2 for the answer, 1 for one that is refused.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::challenge::Purpose;
use crate::domain::factor::demand::PasskeyRequest;
use crate::domain::factor::usage::FactorUse;
use crate::domain::factor::webauthn::{AssertionResponse, presented_challenge};
use crate::domain::limits::standing::Counter;
use crate::domain::limits::throttle::second_factor_key;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::session::methods::AuthMethods;
use crate::service::factor::check::{challenge_of, check_passkey};
use crate::service::factor::due::{draw, options as request_options};
use crate::service::factor::passkeys::relying_party;
use crate::service::keys::signing;
use crate::service::session::sign_in::SignIn;
use crate::service::session::tokens::Opening;
use crate::service::{Context, Error, attribution};
use crate::store::factor::usage::Evidence;
use crate::store::factor::{sign_in, state};

/// The answer to [`options`].
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct PasskeySignIn {
    pub flow: Secret,
    pub credential: AssertionResponse,
}

/// The options of a sign-in, the same for every caller but for the challenge, and the flow that belongs to them.
///
/// # Errors
/// `NOT_FOUND` where passkeys are off; [`Error`] otherwise.
pub fn options(ctx: &Context<'_>) -> Result<(Secret, PasskeyRequest), Error> {
    let rp = relying_party(ctx)?;
    let options = request_options(ctx, rp, Purpose::SignIn, draw(ctx)?, &[]);
    // The challenge is signed and names no account, so it is the flow, too.
    Ok((Secret::new(options.challenge.as_str()), options))
}

/// Signs the owner of a passkey in. Guesses are hopeless, so none is counted, and waits after wrong passwords do not hold it
/// up. It also admits unknown networks again, if wrong passwords had closed the account to them.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`, `AUTH_INACTIVE_USER`; `NOT_FOUND` where passkeys are off; [`Error`] otherwise.
pub async fn sign_in_with_passkey(ctx: &Context<'_>, command: &PasskeySignIn) -> Result<SignIn, Error> {
    relying_party(ctx)?;
    signing::prepare(ctx).await?;
    let response = &command.credential;
    let challenge = challenge_of(ctx, &response.client_data_json, Purpose::SignIn).ok_or(Code::InvalidCredentials)?;
    let flow = Base64UrlUnpadded::decode_vec(command.flow.expose()).ok();
    if flow != presented_challenge(&response.client_data_json) {
        return Err(Code::InvalidCredentials.into());
    }
    let state = ctx.store.run(state::of_passkey(&response.id, challenge.id)).await?.ok_or(Code::InvalidCredentials)?;
    attribution::note_user(state.user_id);
    let checked = check_passkey(ctx, state.passkey.as_ref(), response, Purpose::SignIn, true).await?;
    let (factor, challenge) = checked.filter(|_| !state.is_answered).ok_or(Code::InvalidCredentials)?;
    if !state.is_active {
        return Err(Code::InactiveUser.into());
    }
    let FactorUse::Passkey { is_synchronised, .. } = factor else { return Err(Code::InvalidCredentials.into()) };
    let session = Opening::draw(ctx, AuthMethods::of_passkey(is_synchronised))?;
    let counter = Counter::of_network(state.user_id, ctx.request.key, &ctx.request.peer.network());
    let throttle = second_factor_key(state.user_id);
    let evidence = Evidence {
        user_id: state.user_id,
        challenge,
        factor: &factor,
        version: None,
        session_id: None,
        throttle: &throttle,
    };
    let opened = sign_in::open(ctx.store, evidence, &counter, &session.as_row(ctx.request), true, None, None).await?;
    let (inputs, _) = opened.ok_or(Code::InvalidCredentials)?;
    let (user_id, session_id) = (state.user_id.get(), session.session_id.get());
    tracing::info!(target: "app.auth", user_id, session_id, factor = factor.as_str(), "Signed in");
    session.issue(ctx, state.user_id, None, None, inputs).await.map(SignIn::Complete)
}

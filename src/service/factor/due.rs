//! The second factor that is due: after the first one at sign-in, or for a step-up. No database round trips.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::challenge::{CHALLENGE_SECONDS, Challenge, ChallengeKeys, Purpose};
use crate::domain::factor::demand::{CredentialHint, FactorDemand, PasskeyRequest};
use crate::domain::factor::pending::{PENDING_SECONDS, PendingLink, PendingSignIn};
use crate::domain::factor::webauthn::RelyingParty;
use crate::domain::ids::{ChallengeId, TokenId, UserId};
use crate::domain::session::methods::AuthMethods;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error, ErrorKind};
use crate::store::factor::due::{AllowedPasskey, DueFactors};
use crate::store::federation::step_up;

/// The client of a first factor.
pub(in crate::service) struct FirstFactor {
    pub(in crate::service) methods: AuthMethods,
    pub(in crate::service) device: Option<TokenId>,
    pub(in crate::service) is_new_client: bool,
    /// The identity that the second factor adds to the account.
    pub(in crate::service) link: Option<PendingLink>,
}

/// Draws a challenge, which is valid for five minutes.
pub(in crate::service) fn draw(ctx: &Context<'_>) -> Result<Challenge, Error> {
    let id = ChallengeId::from_random(ctx.random()?);
    Ok(Challenge { id, expires_at: ctx.now().plus_seconds(CHALLENGE_SECONDS) })
}

/// The sign-in that waits for its second factor.
pub(in crate::service) fn pending(
    ctx: &Context<'_>,
    id: ChallengeId,
    user_id: UserId,
    due: &DueFactors,
    first: FirstFactor,
) -> Result<FactorDemand, Error> {
    let expires_at = ctx.now().plus_seconds(PENDING_SECONDS);
    let FirstFactor { methods, device, is_new_client, link } = first;
    let password_version = due.password_version;
    let pending = PendingSignIn { id, user_id, password_version, methods, device, is_new_client, link, expires_at };
    let token = ctx.tokens.sign_pending(&pending, ctx.now())?;
    let challenge = Challenge { id, expires_at };
    let passkey_options = request(ctx, Purpose::SecondFactor(id.get()), challenge, &due.passkeys);
    let names =
        [(due.has_totp, "totp"), (passkey_options.is_some(), "passkey"), (due.has_recovery_codes, "recovery_code")];
    let methods = names.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    let (token, expires_in) = (Some(token), Some(PENDING_SECONDS));
    Ok(FactorDemand { token, expires_in, methods, passkey_options, providers: Vec::new() })
}

/// The refusal of an act that needs a step-up with a second factor. A recovery code is for a sign-in only.
pub(in crate::service) fn step_up_demand(ctx: &Context<'_>, user_id: UserId, due: &DueFactors) -> Result<Error, Error> {
    let passkey_options = request(ctx, Purpose::StepUp(user_id.get()), draw(ctx)?, &due.passkeys);
    let names = [(due.has_totp, "totp"), (passkey_options.is_some(), "passkey")];
    let methods = names.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    let demand = FactorDemand { token: None, expires_in: None, methods, passkey_options, providers: Vec::new() };
    Ok(ErrorKind::StepUpRequired(Box::new(demand)).into())
}

/// The refusal of an act that needs a step-up, for an account without a second factor: the password, or without one the
/// other evidence that the account has. Database round trips: none; 1 without a password.
pub(in crate::service) async fn step_up_without_factor(ctx: &Context<'_>, caller: &Caller) -> Result<Error, Error> {
    if caller.user.has_password {
        return Ok(ErrorKind::StepUpRequired(Box::new(FactorDemand::password())).into());
    }
    let linked = ctx.store.run(step_up::providers(caller.user.id)).await?;
    let configured = ctx.settings.federation.iter().flat_map(|federation| &federation.providers);
    let providers = configured.filter(|provider| provider.steps_up() && linked.contains(&provider.id));
    let providers: Vec<String> = providers.map(|provider| provider.id.clone()).collect();
    let has_code = ctx.settings.mail.is_some() && caller.user.email_verified_at.is_some();
    let names = [(!providers.is_empty(), "federated"), (has_code, "email_code")];
    let methods = names.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    let demand = FactorDemand { token: None, expires_in: None, methods, passkey_options: None, providers };
    Ok(ErrorKind::StepUpRequired(Box::new(demand)).into())
}

/// The options of an assertion by one of these passkeys; `None` without any, or if the service is no relying party.
fn request(
    ctx: &Context<'_>,
    purpose: Purpose,
    challenge: Challenge,
    passkeys: &[AllowedPasskey],
) -> Option<PasskeyRequest> {
    let rp = ctx.settings.factors.relying_party.as_ref().filter(|_| !passkeys.is_empty())?;
    Some(options(ctx, rp, purpose, challenge, passkeys))
}

/// The same for any passkeys.
pub(in crate::service) fn options(
    ctx: &Context<'_>,
    rp: &RelyingParty,
    purpose: Purpose,
    challenge: Challenge,
    passkeys: &[AllowedPasskey],
) -> PasskeyRequest {
    PasskeyRequest {
        challenge: challenge_text(ctx, purpose, challenge),
        rp_id: rp.id.clone(),
        allowed: passkeys.iter().map(hint).collect(),
        timeout_ms: CHALLENGE_SECONDS * 1000,
    }
}

pub(in crate::service) fn challenge_text(ctx: &Context<'_>, purpose: Purpose, challenge: Challenge) -> String {
    let keys = ChallengeKeys::derive(&ctx.settings.secret_keys);
    Base64UrlUnpadded::encode_string(&keys.make(purpose, challenge))
}

pub(in crate::service) fn hint(passkey: &AllowedPasskey) -> CredentialHint {
    CredentialHint { id: passkey.credential_id.clone(), transports: passkey.transports.clone() }
}

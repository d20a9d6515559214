//! A new password, by mail or handed over by an administrator.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::UserId;
use crate::domain::mail::proof::Purpose;
use crate::domain::password::Password;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json};
use crate::http::kit::context::{Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::path::Id;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::mail::email::{Address, ON_ITS_WAY, accepted, read_proof};
use crate::service::authz::step_up::SignInAge;
use crate::service::mail::asking::ask;
use crate::service::mail::hand_over::{HandedOver, hand_over_reset};
use crate::service::mail::presented::ProofTexts;
use crate::service::mail::reset::reset;
use crate::store::factor::review::{FactorReview, ReviewedIdentity, ReviewedPasskey};

/// The body of a reset.
pub(in crate::http) struct PasswordReset {
    proof: ProofTexts,
    new: Password,
}

impl FromFields for PasswordReset {
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        let proof = read_proof(fields);
        let new = fields.new_password("new_password", settings.password_min_length);
        if let Ok(new) = &new {
            fields.refuse_guessable("new_password", new, None, &settings.presentation.app_name)?;
        }
        Ok(Self { proof: proof?.0, new: new? })
    }
}

pub(in crate::http) async fn forgot(
    configured: Configured,
    JsonBody(Address(email)): JsonBody<Address>,
) -> Result<Response, Refusal> {
    let flow = ask(&configured.service(), Purpose::Reset, &email, false).await?;
    Ok(accepted(ON_ITS_WAY, &flow))
}

#[derive(Serialize)]
struct HandedOverBody<'a> {
    token: &'a str,
    expires_at: String,
}

pub(in crate::http) async fn hand_over(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    let HandedOver { token, expires_at } =
        hand_over_reset(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(json(201, &HandedOverBody { token: token.expose(), expires_at: expires_at.rfc3339() }))
}

#[derive(Serialize)]
struct ReviewedTotpBody {
    created_at: String,
    suspended: bool,
}

#[derive(Serialize)]
struct ReviewedPasskeyBody<'a> {
    id: i64,
    name: &'a str,
    created_at: String,
    suspended: bool,
}

#[derive(Serialize)]
struct ReviewedIdentityBody<'a> {
    id: i64,
    provider: &'a str,
    email: Option<&'a str>,
    created_at: String,
    suspended: bool,
}

/// The second factors and identities, for the owner to look through.
#[derive(Serialize)]
struct ReviewBody<'a> {
    totp: Option<ReviewedTotpBody>,
    passkeys: Vec<ReviewedPasskeyBody<'a>>,
    identities: Vec<ReviewedIdentityBody<'a>>,
}

impl<'a> From<&'a FactorReview> for ReviewBody<'a> {
    fn from(review: &'a FactorReview) -> Self {
        let totp = review
            .totp
            .as_ref()
            .map(|totp| ReviewedTotpBody { created_at: totp.created_at.rfc3339(), suspended: totp.is_suspended });
        let passkey = |passkey: &'a ReviewedPasskey| ReviewedPasskeyBody {
            id: passkey.id,
            name: &passkey.name,
            created_at: passkey.created_at.rfc3339(),
            suspended: passkey.is_suspended,
        };
        let identity = |identity: &'a ReviewedIdentity| ReviewedIdentityBody {
            id: identity.id,
            provider: &identity.provider,
            email: identity.email.as_deref(),
            created_at: identity.created_at.rfc3339(),
            suspended: identity.is_suspended,
        };
        Self {
            totp,
            passkeys: review.passkeys.iter().map(passkey).collect(),
            identities: review.identities.iter().map(identity).collect(),
        }
    }
}

#[derive(Serialize)]
struct ResetBody<'a> {
    message: &'static str,
    review: ReviewBody<'a>,
}

pub(in crate::http) async fn reset_password(
    configured: Configured,
    JsonBody(body): JsonBody<PasswordReset>,
) -> Result<Response, Refusal> {
    let review = reset(&configured.service(), &body.proof, &body.new).await?;
    Ok(json(200, &ResetBody { message: "Password changed", review: (&review).into() }))
}

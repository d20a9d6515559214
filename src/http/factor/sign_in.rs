//! The second step of a sign-in, sign-in with a passkey, and step-up.

use axum::response::Response;
use serde::Serialize;

use crate::domain::problem::FaultKind;
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, json};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::passkey_options::RequestBody;
use crate::http::kit::query::NoParameters;
use crate::http::kit::refusal::Refusal;
use crate::http::mail::email::accepted;
use crate::http::session::auth::signed_in;
use crate::http::session::delivery::{Asked, Cookies};
use crate::service::authz::admission::Reading;
use crate::service::factor::check::PresentedFactor;
use crate::service::factor::completion::{SecondFactor, complete};
use crate::service::factor::passkey_sign_in::{PasskeySignIn, options, sign_in_with_passkey};
use crate::service::factor::stepping_up;
use crate::service::factor::stepping_up::{FreshToken, StepUp, StepUpRows};
use crate::service::mail::presented::ProofTexts;

/// Exactly one of these members.
fn one_of(fields: &mut Fields, names: &[&'static str]) -> Result<&'static str, Invalid> {
    let mut given = names.iter().copied().filter(|name| fields.has(name)).collect::<Vec<_>>().into_iter();
    match (given.next(), given.next()) {
        (Some(name), None) => Ok(name),
        (Some(_), Some(other)) => fields.note(other, FaultKind::ValueError, "only one kind of evidence may be given"),
        (None, _) => fields.refuse_missing(names.first().copied().unwrap_or_default()),
    }
}

fn factor(fields: &mut Fields, name: &'static str) -> Result<PresentedFactor, Invalid> {
    match name {
        "passkey" => fields.assertion(name).map(|response| PresentedFactor::Passkey(Box::new(response))),
        "recovery_code" => fields.string(name).map(|text| PresentedFactor::RecoveryCode(Secret::new(text))),
        _ => fields.string(name).map(|text| PresentedFactor::Code(Secret::new(text))),
    }
}

impl FromFields for SecondFactor {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let token = fields.string("mfa_token");
        let factor = one_of(fields, &["code", "recovery_code", "passkey"]).and_then(|name| factor(fields, name));
        Ok(Self { token: Secret::new(token?), factor: factor? })
    }
}

impl FromFields for StepUp {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        if fields.has("flow") {
            let flow = fields.string("flow");
            let code = fields.string("code");
            return Ok(Self::MailedCode(ProofTexts::Code { flow: Secret::new(flow?), code: Secret::new(code?) }));
        }
        match one_of(fields, &["password", "code", "passkey"])? {
            "password" => fields.presented_password("password").map(Self::Password),
            name => factor(fields, name).map(Self::Factor),
        }
    }
}

impl FromFields for PasskeySignIn {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let flow = fields.string("flow");
        let credential = fields.assertion("credential");
        Ok(Self { flow: Secret::new(flow?), credential: credential? })
    }
}

#[derive(Serialize)]
struct FlowBody<'a> {
    flow: &'a str,
    options: RequestBody,
}

#[derive(Serialize)]
struct FreshTokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
}

pub(in crate::http) async fn complete_sign_in(
    configured: Configured,
    cookies: Cookies,
    JsonBody(Asked(body, asked)): JsonBody<Asked<SecondFactor>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    signed_in(complete(&configured.service(), &body).await?, &delivery)
}

pub(in crate::http) async fn passkey_options(configured: Configured, _: NoParameters) -> Result<Response, Refusal> {
    let (flow, options) = options(&configured.service())?;
    Ok(json(200, &FlowBody { flow: flow.expose(), options: options.into() }))
}

pub(in crate::http) async fn passkey(
    configured: Configured,
    cookies: Cookies,
    JsonBody(Asked(body, asked)): JsonBody<Asked<PasskeySignIn>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    signed_in(sign_in_with_passkey(&configured.service(), &body).await?, &delivery)
}

/// The plan of a step-up.
pub(in crate::http) fn rows((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<StepUpRows> {
    stepping_up::rows(&configured.service(), subject)
}

pub(in crate::http) async fn step_up(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(rows): Fetched<StepUpRows>,
    JsonBody(body): JsonBody<StepUp>,
) -> Result<Response, Refusal> {
    let fresh = stepping_up::step_up(&configured.service(), &caller, &rows, &body).await?;
    Ok(fresh_token(&fresh))
}

/// The response with a fresh access token.
pub(in crate::http) fn fresh_token(fresh: &FreshToken) -> Response {
    let (access_token, expires_in) = (fresh.access_token.expose(), fresh.expires_in);
    json(200, &FreshTokenBody { access_token, token_type: "bearer", expires_in })
}

pub(in crate::http) async fn mail_code(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(rows): Fetched<StepUpRows>,
) -> Result<Response, Refusal> {
    let flow = stepping_up::mail_code(&configured.service(), &caller, &rows).await?;
    Ok(accepted("A mail is on its way", &flow))
}

//! `/auth`: registering, signing in, refreshing, signing out.

use axum::response::Response;
use serde::Serialize;

use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, json};
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::refusal::Refusal;
use crate::http::mail::email::accepted;
use crate::service::TokenPair;
use crate::service::account::register::{Register, Registered, Registration, register as register_user};
use crate::service::mail::presented::ProofTexts;
use crate::service::session::code_sign_in::sign_in_by_code;
use crate::service::session::refresh;
use crate::service::session::sign_in::{PasswordSignIn, SignIn, sign_in};
use crate::service::session::sign_out::sign_out;
use crate::service::session::tokens::SignInTokens;

impl FromFields for Register {
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        let email = fields.email("email");
        let password = fields.new_password("password", settings.password_min_length);
        let full_name = fields.full_name("full_name");
        let invitation = fields.optional_string("invitation");
        if let (Ok(email), Ok(password)) = (&email, &password) {
            fields.refuse_guessable("password", password, Some(email), &settings.presentation.app_name)?;
        }
        let invitation = invitation?.map(Secret::new);
        Ok(Self { email: email?, password: password?, full_name: full_name?, invitation })
    }
}

impl FromFields for PasswordSignIn {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let email = fields.email("email");
        let password = fields.presented_password("password");
        let device_token = fields.optional_string("device_token");
        Ok(Self { email: email?, password: password?, device_token: device_token?.map(Secret::new) })
    }
}

/// The body of a sign-in by code.
pub(in crate::http) struct FlowAndCode(ProofTexts);

impl FromFields for FlowAndCode {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let flow = fields.string("flow");
        let code = fields.string("code");
        Ok(Self(ProofTexts::Code { flow: Secret::new(flow?), code: Secret::new(code?) }))
    }
}

/// The body of refresh and logout.
pub(in crate::http) struct RefreshToken(Secret);

impl FromFields for RefreshToken {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.string("refresh_token").map(|text| Self(Secret::new(text)))
    }
}

#[derive(Serialize)]
struct TokenPairBody<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
}

impl<'a> From<&'a TokenPair> for TokenPairBody<'a> {
    fn from(tokens: &'a TokenPair) -> Self {
        Self {
            access_token: tokens.access_token.expose(),
            refresh_token: tokens.refresh_token.expose(),
            token_type: "bearer",
            expires_in: tokens.expires_in,
        }
    }
}

#[derive(Serialize)]
struct SignInBody<'a> {
    #[serde(flatten)]
    pair: TokenPairBody<'a>,
    device_token: &'a str,
}

impl<'a> From<&'a SignInTokens> for SignInBody<'a> {
    fn from(tokens: &'a SignInTokens) -> Self {
        Self { pair: (&tokens.pair).into(), device_token: tokens.device_token.expose() }
    }
}

#[derive(Serialize)]
struct RegisteredBody<'a> {
    id: i64,
    email: &'a str,
    full_name: Option<&'a str>,
    is_active: bool,
    created_at: String,
    #[serde(flatten)]
    tokens: SignInBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<&'a str>,
}

pub(in crate::http) async fn register(configured: Configured, body: JsonBody<Register>) -> Result<Response, Refusal> {
    let Registered { user, tokens, flow } = match register_user(&configured.service(), &body.0).await? {
        Registration::Complete(registered) => *registered,
        Registration::Pending(flow) => return Ok(accepted("A mail is on its way", &flow)),
    };
    let body = RegisteredBody {
        id: user.id.get(),
        email: &user.email,
        full_name: user.full_name.as_deref(),
        is_active: user.is_active,
        created_at: user.created_at.rfc3339(),
        tokens: (&tokens).into(),
        flow: flow.as_ref().map(Secret::expose),
    };
    Ok(json(201, &body))
}

pub(in crate::http) async fn login(
    configured: Configured,
    body: JsonBody<PasswordSignIn>,
) -> Result<Response, Refusal> {
    signed_in(sign_in(&configured.service(), &body.0).await?)
}

pub(in crate::http) async fn sign_in_with_code(
    configured: Configured,
    JsonBody(FlowAndCode(texts)): JsonBody<FlowAndCode>,
) -> Result<Response, Refusal> {
    signed_in(sign_in_by_code(&configured.service(), &texts).await?)
}

/// The tokens of a sign-in, or the demand of its second factor.
pub(in crate::http) fn signed_in(outcome: SignIn) -> Result<Response, Refusal> {
    match outcome {
        SignIn::Complete(tokens) => Ok(json(200, &SignInBody::from(&tokens))),
        SignIn::FactorDue(demand) => Err(Refusal::factor_due(demand)),
    }
}

pub(in crate::http) async fn refresh(
    configured: Configured,
    body: JsonBody<RefreshToken>,
) -> Result<Response, Refusal> {
    let tokens = refresh::refresh(&configured.service(), body.0.0.expose()).await?;
    Ok(json(200, &TokenPairBody::from(&tokens)))
}

pub(in crate::http) async fn logout(configured: Configured, body: JsonBody<RefreshToken>) -> Result<Response, Refusal> {
    sign_out(&configured.service(), body.0.0.expose()).await?;
    Ok(json(200, &MessageBody { message: "Logged out successfully" }))
}

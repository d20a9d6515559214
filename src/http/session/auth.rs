//! `/auth`: registering, signing in, refreshing, signing out. `delivery` owns the cookies.

use axum::response::Response;
use serde::Serialize;

use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, OptionalJsonBody, json};
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::refusal::Refusal;
use crate::http::mail::email::accepted;
use crate::http::session::delivery::{Asked, Cookies, Delivery, without_token};
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

/// The body of refresh and logout. In cookie mode it has no token.
pub(in crate::http) struct RefreshToken(Option<Secret>);

impl FromFields for RefreshToken {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        Ok(Self(fields.optional_string("refresh_token")?.map(Secret::new)))
    }
}

#[derive(Serialize)]
struct TokenPairBody<'a> {
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    token_type: &'static str,
    expires_in: i64,
}

impl<'a> TokenPairBody<'a> {
    fn new(tokens: &'a TokenPair, delivery: &Delivery) -> Self {
        Self {
            access_token: tokens.access_token.expose(),
            refresh_token: delivery.in_body(&tokens.refresh_token),
            token_type: "bearer",
            expires_in: tokens.expires_in,
        }
    }
}

#[derive(Serialize)]
struct SignInBody<'a> {
    #[serde(flatten)]
    pair: TokenPairBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<&'a str>,
}

impl<'a> SignInBody<'a> {
    fn new(tokens: &'a SignInTokens, delivery: &Delivery) -> Self {
        Self {
            pair: TokenPairBody::new(&tokens.pair, delivery),
            device_token: delivery.in_body(&tokens.device_token),
            flow: tokens.flow.as_ref().map(Secret::expose),
        }
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
}

pub(in crate::http) async fn register(
    configured: Configured,
    cookies: Cookies,
    JsonBody(Asked(command, asked)): JsonBody<Asked<Register>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    let Registered { user, tokens, flow } = match register_user(&configured.service(), &command).await? {
        Registration::Complete(registered) => *registered,
        Registration::Pending(flow) => return Ok(accepted("A mail is on its way", &flow)),
    };
    let body = RegisteredBody {
        id: user.id.get(),
        email: &user.email,
        full_name: user.full_name.as_deref(),
        is_active: user.is_active,
        created_at: user.created_at.rfc3339(),
        tokens: SignInBody { flow: flow.as_ref().map(Secret::expose), ..SignInBody::new(&tokens, &delivery) },
    };
    Ok(delivery.with_both(json(201, &body), &tokens))
}

pub(in crate::http) async fn login(
    configured: Configured,
    mut cookies: Cookies,
    JsonBody(Asked(mut command, asked)): JsonBody<Asked<PasswordSignIn>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    command.device_token = command.device_token.or_else(|| cookies.device_token(&delivery));
    signed_in(sign_in(&configured.service(), &command).await?, &delivery)
}

pub(in crate::http) async fn sign_in_with_code(
    configured: Configured,
    cookies: Cookies,
    JsonBody(Asked(FlowAndCode(texts), asked)): JsonBody<Asked<FlowAndCode>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    signed_in(sign_in_by_code(&configured.service(), &texts).await?, &delivery)
}

/// The tokens of a sign-in, or the demand of its second factor.
pub(in crate::http) fn signed_in(outcome: SignIn, delivery: &Delivery) -> Result<Response, Refusal> {
    match outcome {
        SignIn::Complete(tokens) => Ok(delivery.with_both(json(200, &SignInBody::new(&tokens, delivery)), &tokens)),
        SignIn::FactorDue(demand) => Err(Refusal::factor_due(demand)),
    }
}

pub(in crate::http) async fn refresh(
    configured: Configured,
    cookies: Cookies,
    OptionalJsonBody(RefreshToken(of_body)): OptionalJsonBody<RefreshToken>,
) -> Result<Response, Refusal> {
    let Some((token, delivery)) = cookies.refresh_token(of_body)? else { return Ok(without_token()) };
    match refresh::refresh(&configured.service(), token.expose(), delivery.store()).await {
        Ok(tokens) => Ok(delivery.with_refresh(json(200, &TokenPairBody::new(&tokens, &delivery)), &tokens)),
        Err(error) => Ok(delivery.refusing(error)),
    }
}

pub(in crate::http) async fn logout(
    configured: Configured,
    cookies: Cookies,
    OptionalJsonBody(RefreshToken(of_body)): OptionalJsonBody<RefreshToken>,
) -> Result<Response, Refusal> {
    let Some((token, delivery)) = cookies.refresh_token(of_body)? else { return Ok(without_token()) };
    match sign_out(&configured.service(), token.expose()).await {
        Ok(()) => Ok(delivery.without_refresh(json(200, &MessageBody { message: "Logged out successfully" }))),
        Err(error) => Ok(delivery.refusing(error)),
    }
}

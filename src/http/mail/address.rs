//! A change of address, and taking an account back with the link of a notice.

use axum::response::Response;

use crate::domain::account::email::Email;
use crate::domain::mail::proof::Purpose;
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, json};
use crate::http::kit::context::{Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::mail::email::accepted;
use crate::service::authz::step_up::SignInAge;
use crate::service::mail::address::change_address;
use crate::service::mail::undo::take_back;

/// The same for every address and beyond the limits.
const CONFIRM_IT: &str = "The address changes once the mail to it is confirmed";

/// The body of a change of address.
pub(in crate::http) struct NewAddress(Email);

impl FromFields for NewAddress {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.email("new_email").map(Self)
    }
}

/// The token of a link, which is enough by itself.
pub(in crate::http) struct LinkToken(Secret);

impl FromFields for LinkToken {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.string("token").map(|token| Self(Secret::new(token)))
    }
}

pub(in crate::http) async fn change(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<NewAddress>>,
) -> Result<Response, Refusal> {
    let flow = change_address(&configured.service(), &caller, &body.body.0, body.proof(&age)).await?;
    Ok(accepted(CONFIRM_IT, &flow))
}

pub(in crate::http) async fn undo(
    configured: Configured,
    JsonBody(LinkToken(token)): JsonBody<LinkToken>,
) -> Result<Response, Refusal> {
    take_back(&configured.service(), Purpose::Undo, token).await?;
    Ok(json(200, &MessageBody { message: "Address restored, choose a new password" }))
}

pub(in crate::http) async fn not_me(
    configured: Configured,
    JsonBody(LinkToken(token)): JsonBody<LinkToken>,
) -> Result<Response, Refusal> {
    take_back(&configured.service(), Purpose::NotMe, token).await?;
    Ok(json(200, &MessageBody { message: "All sessions ended, choose a new password" }))
}

//! `/users/me/mfa`: authenticator apps and recovery codes; and the reset by an administrator.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::UserId;
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::path::Id;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::mail::email::accepted;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::SignInAge;
use crate::service::factor::enrolment::MailedCode;
use crate::service::factor::{enrolment, removal, totp};
use crate::service::mail::presented::ProofTexts;
use crate::store::factor::totp::SealedTotp;

#[derive(Serialize)]
struct EnrolmentBody<'a> {
    secret: &'a str,
    otpauth_uri: &'a str,
    qr_svg: &'a str,
}

#[derive(Serialize)]
pub(super) struct CodesBody<'a> {
    recovery_codes: Vec<&'a str>,
}

impl<'a> CodesBody<'a> {
    fn new(codes: &'a [Secret]) -> Self {
        Self { recovery_codes: codes.iter().map(Secret::expose).collect() }
    }
}

#[derive(Serialize)]
struct TotpBody {
    created_at: String,
    suspended: bool,
}

#[derive(Serialize)]
struct FactorsBody {
    totp: Option<TotpBody>,
    recovery_codes_left: i64,
}

/// The body of a confirmation.
pub(in crate::http) struct FirstCode(Secret);

impl FromFields for FirstCode {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.string("code").map(|text| Self(Secret::new(text)))
    }
}

/// The mailed code that the first second factor of some roles needs: flow and code, or none.
impl FromFields for MailedCode {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let flow = fields.optional_string("flow");
        let code = fields.optional_string("code");
        match (flow?, code?) {
            (Some(flow), Some(code)) => Ok(Some(ProofTexts::Code { flow: Secret::new(flow), code: Secret::new(code) })),
            (None, None) => Ok(None),
            (Some(_), None) => fields.refuse_missing("code"),
            (None, Some(_)) => fields.refuse_missing("flow"),
        }
    }
}

/// Mails the code to the caller's own address.
pub(in crate::http) async fn mail_code(
    configured: Configured,
    SignedIn(caller): SignedIn,
) -> Result<Response, Refusal> {
    let flow = enrolment::mail_code(&configured.service(), &caller).await?;
    Ok(accepted("A mail is on its way", &flow))
}

pub(in crate::http) fn list((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<Response> {
    enrolment::list(&configured.service(), subject).map(|row| {
        let suspended = row.is_totp_suspended;
        let totp = row.totp_created_at.map(Timestamp::rfc3339).map(|created_at| TotpBody { created_at, suspended });
        json(200, &FactorsBody { totp, recovery_codes_left: row.recovery_codes_left })
    })
}

pub(in crate::http) async fn enrol(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<MailedCode>>,
) -> Result<Response, Refusal> {
    let enrolment = totp::enrol(&configured.service(), &caller, body.proof(&age), &body.body).await?;
    let (secret, otpauth_uri) = (enrolment.secret.expose(), enrolment.otpauth_uri.expose());
    Ok(json(201, &EnrolmentBody { secret, otpauth_uri, qr_svg: enrolment.qr_svg.expose() }))
}

/// The plan of a confirmation.
pub(in crate::http) fn pending((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<Option<SealedTotp>> {
    totp::pending(&configured.service(), subject)
}

pub(in crate::http) async fn confirm(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(pending): Fetched<Option<SealedTotp>>,
    JsonBody(FirstCode(code)): JsonBody<FirstCode>,
) -> Result<Response, Refusal> {
    let codes = totp::confirm(&configured.service(), &caller, pending.as_ref(), &code).await?;
    Ok(json(200, &CodesBody::new(&codes)))
}

pub(in crate::http) async fn remove(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    removal::remove_totp(&configured.service(), &caller, body.proof(&age)).await?;
    Ok(no_content())
}

pub(in crate::http) async fn replace_codes(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    let codes = enrolment::replace_codes(&configured.service(), &caller, body.proof(&age)).await?;
    Ok(json(200, &CodesBody::new(&codes)))
}

pub(in crate::http) async fn confirm_suspended(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<MailedCode>>,
) -> Result<Response, Refusal> {
    enrolment::confirm(&configured.service(), &caller, body.proof(&age), &body.body).await?;
    Ok(json(200, &MessageBody { message: "Second factors confirmed" }))
}

pub(in crate::http) async fn reset(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    removal::reset(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}

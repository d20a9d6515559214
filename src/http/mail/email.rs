//! `/auth/email`: proving that an address belongs to its owner.

use axum::response::Response;
use serde::Serialize;

use crate::domain::account::email::Email;
use crate::domain::mail::proof::Purpose;
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;
use crate::service::mail::asking::ask;
use crate::service::mail::presented::ProofTexts;
use crate::service::mail::verification::{self, Verification, verify};
use crate::store::mail::proofs::OwnProof;

/// The same for every address, so that it tells nothing.
pub(super) const ON_ITS_WAY: &str = "If the address has an account, a mail is on its way";

/// The body of a request for a mail.
pub(in crate::http) struct Address(pub(super) Email);

impl FromFields for Address {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.email("email").map(Self)
    }
}

/// The same where the caller's own address is the default.
pub(in crate::http) struct OptionalAddress(Option<Email>);

impl FromFields for OptionalAddress {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.if_named("email", Fields::email).map(Self)
    }
}

/// A link's token, or a flow and a code. Beside a token, a flow is that of the registration, and a code is ignored.
pub(super) fn read_proof(fields: &mut Fields) -> Result<(ProofTexts, Option<Secret>), Invalid> {
    let token = fields.optional_string("token");
    let flow = fields.optional_string("flow");
    let code = fields.optional_string("code");
    let flow = flow?.map(Secret::new);
    match (token?, code?) {
        (Some(token), _) => Ok((ProofTexts::Link { token: Secret::new(token) }, flow)),
        (None, Some(code)) => match flow {
            Some(flow) => Ok((ProofTexts::Code { flow, code: Secret::new(code) }, None)),
            None => fields.refuse_missing("flow"),
        },
        (None, None) => fields.refuse_missing(if flow.is_some() { "code" } else { "token" }),
    }
}

impl FromFields for Verification {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let proof = read_proof(fields);
        let password = fields.optional_password("password");
        let (proof, flow) = proof?;
        Ok(Self { proof, flow, password: password? })
    }
}

#[derive(Serialize)]
struct FlowBody<'a> {
    message: &'static str,
    flow: &'a str,
}

/// The response to every request for a mail.
pub(in crate::http) fn accepted(message: &'static str, flow: &Secret) -> Response {
    json(202, &FlowBody { message, flow: flow.expose() })
}

#[derive(Serialize)]
struct VerifiedBody<'a> {
    email: &'a str,
    email_verified: bool,
}

pub(in crate::http) async fn ask_for_verification(
    configured: Configured,
    caller: Option<SignedIn>,
    OptionalJsonBody(OptionalAddress(email)): OptionalJsonBody<OptionalAddress>,
) -> Result<Response, Refusal> {
    let own = caller.map(|SignedIn(caller)| Email::stored(caller.user.email));
    let is_of_owner = own.is_some() && email.as_ref().is_none_or(|email| Some(email) == own.as_ref());
    let missing = || Problem::validation(vec![Fault::of("email", FaultKind::Missing, "field is required")]);
    let email = email.or(own).ok_or_else(missing)?;
    let flow = ask(&configured.service(), Purpose::Verify, &email, is_of_owner).await?;
    Ok(accepted(ON_ITS_WAY, &flow))
}

pub(in crate::http) async fn ask_for_code(
    configured: Configured,
    JsonBody(Address(email)): JsonBody<Address>,
) -> Result<Response, Refusal> {
    let flow = ask(&configured.service(), Purpose::SignIn, &email, false).await?;
    Ok(accepted(ON_ITS_WAY, &flow))
}

/// The plan of the verification.
pub(in crate::http) fn own_proofs((configured, bearer): (Configured, Option<Bearer>)) -> Reading<Vec<OwnProof>> {
    verification::own_proofs(&configured.service(), bearer.map(|Bearer(subject)| subject))
}

pub(in crate::http) async fn verify_email(
    configured: Configured,
    caller: Option<SignedIn>,
    Fetched(own): Fetched<Vec<OwnProof>>,
    JsonBody(body): JsonBody<Verification>,
) -> Result<Response, Refusal> {
    let caller = caller.map(|SignedIn(caller)| caller);
    let email = verify(&configured.service(), caller.as_ref(), &own, &body).await?;
    Ok(json(200, &VerifiedBody { email: &email, email_verified: true }))
}

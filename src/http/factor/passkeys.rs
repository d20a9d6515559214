//! `/users/me/passkeys`: the passkeys of the caller; and the origins that the RP ID is related to.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::PasskeyId;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::passkey_options::CreationBody;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::SignInAge;
use crate::service::factor::enrolment::MailedCode;
use crate::service::factor::passkeys::RegisterPasskey;
use crate::service::factor::{passkeys, removal};
use crate::store::factor::passkeys::PasskeyRow;

/// Maximum length of a name in code points.
const MAX_NAME_LENGTH: usize = 100;

impl FromFields for RegisterPasskey {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.label("name", MAX_NAME_LENGTH);
        let credential = fields.registration("credential");
        Ok(Self { name: name?, credential: credential? })
    }
}

/// The body of a change.
pub(in crate::http) struct Name(Label);

impl FromFields for Name {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.label("name", MAX_NAME_LENGTH).map(Self)
    }
}

#[derive(Serialize)]
struct PasskeyBody<'a> {
    id: i64,
    name: &'a str,
    created_at: String,
    last_used_at: Option<String>,
    suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<&'a str>>,
}

impl<'a> PasskeyBody<'a> {
    fn new(row: &'a PasskeyRow) -> Self {
        Self {
            id: row.id.get(),
            name: &row.name,
            created_at: row.created_at.rfc3339(),
            last_used_at: row.last_used_at.map(Timestamp::rfc3339),
            suspended: row.is_suspended,
            recovery_codes: None,
        }
    }
}

pub(in crate::http) async fn options(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<MailedCode>>,
) -> Result<Response, Refusal> {
    let options = passkeys::options(&configured.service(), &caller, body.proof(&age), &body.body).await?;
    Ok(json(200, &CreationBody::from(options)))
}

pub(in crate::http) async fn register(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<RegisterPasskey>>,
) -> Result<Response, Refusal> {
    let registered = passkeys::register(&configured.service(), &caller, &body.body, body.proof(&age)).await?;
    let codes = registered.recovery_codes.as_deref();
    let recovery_codes = codes.map(|codes| codes.iter().map(Secret::expose).collect());
    Ok(json(201, &PasskeyBody { recovery_codes, ..PasskeyBody::new(&registered.row) }))
}

pub(in crate::http) fn list((Bearer(subject), Paging(page)): (Bearer, Paging)) -> Reading<Response> {
    passkeys::list(subject, page).map(|rows| page_of(&rows, |row| Ok(PasskeyBody::new(row))))
}

pub(in crate::http) async fn rename(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<PasskeyId>,
    JsonBody(Name(name)): JsonBody<Name>,
) -> Result<Response, Refusal> {
    let row = passkeys::rename(&configured.service(), caller.user.id, id, &name).await?;
    Ok(json(200, &PasskeyBody::new(&row)))
}

pub(in crate::http) async fn remove(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<PasskeyId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    removal::remove_passkey(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}

#[derive(Serialize)]
struct OriginsBody<'a> {
    origins: &'a [String],
}

/// Related origins (W3C WebAuthn Level 3 §5.11): pages of these origins may use passkeys of the RP ID.
pub(in crate::http) async fn related_origins(configured: Configured) -> Result<Response, Refusal> {
    let ctx = configured.service();
    let rp = ctx.settings.factors.relying_party.as_ref().ok_or(Code::NotFound)?;
    Ok(json(200, &OriginsBody { origins: &rp.origins }))
}

//! `/auth/federated`: the start of a flow, the return of the browser, and the exchange.

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::domain::federation::flow::Purpose;
use crate::domain::problem::{Code, FaultKind};
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::factor::sign_in::fresh_token;
use crate::http::federation::identities::identity;
use crate::http::kit::access::RefusedToken;
use crate::http::kit::body::{FromFields, JsonBody, json};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::extract::FromParts;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::path::ProviderName;
use crate::http::kit::query;
use crate::http::kit::refusal::Refusal;
use crate::http::session::auth::signed_in;
use crate::http::session::delivery::{Asked, Cookies, Delivery};
use crate::service::Error;
use crate::service::authz::step_up::SignInAge;
use crate::service::federation::callback::{Returned, finish};
use crate::service::federation::confirm::{Confirmation, confirm};
use crate::service::federation::exchange::{CodeExchange, Exchanged, IdTokenExchange, exchange, exchange_id_token};
use crate::service::federation::start::{Next, SignedInCaller, Start, Started, start};

/// The caller, if there is one. A token whose session has ended counts as none.
pub(in crate::http) struct PerhapsSignedIn(Option<(SignedIn, Bearer, SignInAge)>, Option<RefusedToken>);

impl FromParts for PerhapsSignedIn {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let caller: Option<SignedIn> = FromParts::from_parts(parts)?;
        let bearer: Option<Bearer> = FromParts::from_parts(parts)?;
        let Fetched(age) = Fetched::<Option<SignInAge>>::from_parts(parts)?;
        let refused = parts.extensions.get().cloned();
        Ok(Self(caller.zip(bearer).zip(age).map(|((caller, bearer), age)| (caller, bearer, age)), refused))
    }
}

impl PerhapsSignedIn {
    fn get(&self) -> Option<SignedInCaller<'_>> {
        let (SignedIn(caller), Bearer(subject), age) = self.0.as_ref()?;
        Some(SignedInCaller { caller, subject: *subject, age })
    }

    /// The refusal of a request. One that needs a caller says why the token is none: a client renews one that has expired.
    fn refuse(self, error: Error) -> Refusal {
        match (error.code(), self.1) {
            (Some(Code::TokenInvalid), Some(RefusedToken(refused))) => refused,
            _ => error.into(),
        }
    }
}

/// The body of a start, without the provider of the path.
pub(in crate::http) struct StartBody {
    return_url: Option<String>,
    purpose: Purpose,
    is_native: bool,
    login_hint: Option<String>,
}

impl FromFields for StartBody {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let return_url = fields.optional_string("return_url");
        let login_hint = fields.optional_string("login_hint");
        let [link, step_up, native] = ["link", "step_up", "native"].map(|name| fields.optional_boolean(name));
        let (link, step_up) = (link?, step_up?);
        let purpose = match (link, step_up) {
            (true, true) => return fields.note("step_up", FaultKind::ValueError, "a flow links or steps up"),
            (true, false) => Purpose::Link,
            (false, true) => Purpose::StepUp,
            (false, false) => Purpose::SignIn,
        };
        Ok(Self { return_url: return_url?, purpose, is_native: native?, login_hint: login_hint? })
    }
}

fn secret(fields: &mut Fields, name: &'static str) -> Result<Secret, Invalid> {
    fields.string(name).map(Secret::new)
}

fn invitation(fields: &mut Fields) -> Result<Option<Secret>, Invalid> {
    Ok(fields.optional_string("invitation")?.map(Secret::new))
}

impl FromFields for CodeExchange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let (flow, code) = (secret(fields, "flow"), secret(fields, "code"));
        Ok(Self { flow: flow?, code: code?, invitation: invitation(fields)? })
    }
}

impl FromFields for IdTokenExchange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let (flow, id_token) = (secret(fields, "flow"), secret(fields, "id_token"));
        Ok(Self { flow: flow?, id_token: id_token?, invitation: invitation(fields)? })
    }
}

impl FromFields for Confirmation {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let (flow, code) = (secret(fields, "flow"), secret(fields, "code"));
        Ok(Self { flow: flow?, code: code?, invitation: invitation(fields)? })
    }
}

impl FromParts for Returned {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let [state, code, iss, error] = query::values(parts, ["state", "code", "iss", "error"])?;
        // A program that looks at a link must not use it up.
        if parts.method == Method::HEAD {
            return Ok(Self::default());
        }
        Ok(Self { state, code, iss, error })
    }
}

#[derive(Serialize)]
struct StartedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    authorize_url: Option<&'a str>,
    flow: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

pub(in crate::http) async fn begin(
    configured: Configured,
    caller: PerhapsSignedIn,
    ProviderName(provider): ProviderName,
    JsonBody(body): JsonBody<StartBody>,
) -> Result<Response, Refusal> {
    let StartBody { return_url, purpose, is_native, login_hint } = body;
    let command = Start { provider, return_url, purpose, is_native, login_hint };
    let started = start(&configured.service(), caller.get(), &command).await;
    let Started { flow, next } = started.map_err(|error| caller.refuse(error))?;
    let (authorize_url, nonce) = match &next {
        Next::Authorize(url) => (Some(url.as_str()), None),
        Next::Nonce(nonce) => (None, Some(nonce.as_str())),
    };
    Ok(json(200, &StartedBody { authorize_url, flow: flow.expose(), nonce }))
}

/// The redirect says that the next request is a GET, also behind a provider that posts (RFC 9110 §15.4.4).
pub(in crate::http) async fn callback(
    configured: Configured,
    ProviderName(provider): ProviderName,
    returned: Returned,
) -> Result<Response, Refusal> {
    let url = finish(&configured.service(), &provider, &returned).await?;
    let location = HeaderValue::try_from(url).map_err(|_| Refusal::internal("a return URL is no header"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

pub(in crate::http) async fn exchange_code(
    configured: Configured,
    caller: PerhapsSignedIn,
    cookies: Cookies,
    JsonBody(Asked(body, asked)): JsonBody<Asked<CodeExchange>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    let exchanged = exchange(&configured.service(), caller.get(), &body).await;
    done(exchanged.map_err(|error| caller.refuse(error))?, &delivery)
}

pub(in crate::http) async fn sign_in_with_id_token(
    configured: Configured,
    caller: PerhapsSignedIn,
    (ProviderName(provider), cookies): (ProviderName, Cookies),
    JsonBody(Asked(body, asked)): JsonBody<Asked<IdTokenExchange>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    let exchanged = exchange_id_token(&configured.service(), caller.get(), &provider, &body).await;
    done(exchanged.map_err(|error| caller.refuse(error))?, &delivery)
}

pub(in crate::http) async fn confirm_code(
    configured: Configured,
    cookies: Cookies,
    JsonBody(Asked(body, asked)): JsonBody<Asked<Confirmation>>,
) -> Result<Response, Refusal> {
    let delivery = cookies.delivery(asked)?;
    signed_in(confirm(&configured.service(), &body).await?, &delivery)
}

fn done(exchanged: Exchanged, delivery: &Delivery) -> Result<Response, Refusal> {
    match exchanged {
        Exchanged::SignedIn(outcome) => signed_in(outcome, delivery),
        Exchanged::Linked(row) => Ok(identity(&row)),
        Exchanged::SteppedUp(fresh) => Ok(fresh_token(&fresh)),
    }
}

//! Every error response: one envelope, written in one place.
//!
//! A handler, an extractor or an access rule returns a [`Refusal`]. It travels as an extension of an empty response until
//! [`render`] writes the body, logs it, and adds the headers that its code requires.

use crate::domain::factor::demand::FactorDemand;
use crate::domain::limits::storage;
use crate::domain::machine::oauth::OAuthError;
use crate::domain::problem::{Code, Problem, whole_seconds};
use crate::domain::request_id::RequestId;
use crate::domain::secret::Secret;
use crate::domain::settings::WrongSettings;
use crate::http::kit::bearer::{BearerChallenge, challenge_header};
use crate::http::kit::envelope;
use crate::http::kit::envelope::Details;
use crate::http::kit::oauth_error;
use crate::http::kit::oauth_error::OAuthBody;
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal_log::{Cause, log};
use crate::ports::{AssetError, DbErrorKind};
use crate::service;
use crate::service::ErrorKind;
use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// `Retry-After` in seconds when the database did not answer.
const RETRY_AFTER_DATABASE_SECONDS: u32 = 5;
/// `Retry-After` in seconds when the key of a token may not be looked up yet.
const RETRY_AFTER_LOOK_UP_SECONDS: u32 = 10;
/// `Retry-After` in seconds when no signing key can be decrypted: then a new one may be made.
const RETRY_AFTER_SIGNING_KEY_SECONDS: u32 = 60;
/// `Retry-After` in seconds when the hash queue is full: by then half of it has been served.
const RETRY_AFTER_HASH_QUEUE_SECONDS: u32 = 10;

/// An error response in the making. It is one pointer, because most functions of this floor may return one.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(Box<Refused>);

/// The error, and its cause, which only the log learns.
#[derive(Debug, Clone)]
struct Refused {
    error: Error,
    cause: Option<Cause>,
}

/// The error that the client is told: the core's, or one of HTTP itself.
#[derive(Debug, Clone)]
enum Error {
    Problem(Problem),
    /// A second factor or a step-up is due.
    Demand(Code, Box<FactorDemand>),
    /// A code was mailed, and this is its flow.
    CodeMailed(Secret),
    Protocol(ProtocolError),
    /// Only the OAuth endpoints have these.
    OAuth(OAuthError),
}

impl Error {
    const fn code(&self) -> &'static str {
        match self {
            Self::Problem(problem) => problem.code.as_str(),
            Self::Demand(code, _) => code.as_str(),
            Self::CodeMailed(_) => Code::InvalidCredentials.as_str(),
            Self::Protocol(error) => error.as_str(),
            Self::OAuth(error) => error.as_str(),
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Problem(problem) => problem.code.status(),
            Self::Demand(code, _) => code.status(),
            Self::CodeMailed(_) => Code::InvalidCredentials.status(),
            Self::Protocol(error) => error.status(),
            Self::OAuth(error) => error.status(),
        }
    }

    /// The same error in the terms of OAuth: code, status, description.
    fn in_oauth(&self) -> (OAuthError, u16, String) {
        match self {
            Self::Problem(problem) => {
                let error = OAuthError::from(problem.code);
                (error, oauth_error::status_of(problem.code, error), oauth_error::describe(problem, error))
            }
            Self::Demand(code, _) => {
                let error = OAuthError::from(*code);
                (error, oauth_error::status_of(*code, error), error.description().to_owned())
            }
            Self::CodeMailed(_) => {
                let error = OAuthError::from(Code::InvalidCredentials);
                (error, error.status(), error.description().to_owned())
            }
            Self::Protocol(error) => (OAuthError::InvalidRequest, error.status(), error.message().to_owned()),
            Self::OAuth(error) => (*error, error.status(), error.description().to_owned()),
        }
    }
}

impl Refusal {
    fn new(error: Error, cause: Option<Cause>) -> Self {
        Self(Box::new(Refused { error, cause }))
    }

    /// A fault of the service, with its cause for the log.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(Error::Problem(Code::Internal.into()), Some(Cause::Fault(cause.into())))
    }

    /// A sign-in whose second factor is due.
    pub(crate) fn factor_due(demand: Box<FactorDemand>) -> Self {
        Self::new(Error::Demand(Code::MfaRequired, demand), None)
    }

    /// The status code of the response.
    pub(crate) const fn status(&self) -> u16 {
        self.0.error.status()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(Error::Problem(problem), None)
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self::new(Error::Protocol(error), None)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<WrongSettings> for Refusal {
    fn from(wrong: WrongSettings) -> Self {
        Self::new(Error::Problem(Code::Configuration.into()), Some(Cause::Fault(wrong.to_string())))
    }
}

impl From<AssetError> for Refusal {
    fn from(error: AssetError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<service::Error> for Refusal {
    fn from(error: service::Error) -> Self {
        let text = error.to_string();
        let is_expected = matches!(error.kind(), ErrorKind::KeyNotKnownYet);
        let problem = match error.into_kind() {
            ErrorKind::Refused(problem) => return problem.into(),
            ErrorKind::KeyNotKnownYet => Problem::unavailable(RETRY_AFTER_LOOK_UP_SECONDS),
            ErrorKind::StepUpRequired(demand) => {
                return Self::new(Error::Demand(Code::StepUpRequired, demand), None);
            }
            ErrorKind::CodeMailed(flow) => return Self::new(Error::CodeMailed(flow), None),
            ErrorKind::OAuth(error) => return Self::new(Error::OAuth(error), None),
            ErrorKind::Database(error) => of_database(error.kind()),
            ErrorKind::BreakerOutOfReach => Problem::unavailable(RETRY_AFTER_DATABASE_SECONDS),
            ErrorKind::NoSpaceFor(_) => Problem::unavailable(storage::RETRY_AFTER_SECONDS),
            ErrorKind::NoSigningKey => Problem::unavailable(RETRY_AFTER_SIGNING_KEY_SECONDS),
            ErrorKind::HashQueueFull(_) => Problem::unavailable(RETRY_AFTER_HASH_QUEUE_SECONDS),
            ErrorKind::Entropy(_)
            | ErrorKind::StoredHash { .. }
            | ErrorKind::Hashing(_)
            | ErrorKind::NewHash(_)
            | ErrorKind::Cryptography(_)
            | ErrorKind::Archive(_)
            | ErrorKind::NoAuditKey
            | ErrorKind::Signing(_) => Code::Internal.into(),
        };
        let cause = if is_expected { Cause::Expected(text) } else { Cause::Fault(text) };
        Self::new(Error::Problem(problem), Some(cause))
    }
}

fn of_database(error: &DbErrorKind) -> Problem {
    match error {
        DbErrorKind::NotAsked(refused) => Problem::unavailable(whole_seconds(refused.retry_after_ms)),
        // `access` asks the primary again. It cannot be asked twice, so a client does not see this one.
        DbErrorKind::NotAdmitted
        | DbErrorKind::TimedOut(_)
        | DbErrorKind::Transient(_)
        | DbErrorKind::Overloaded(_)
        | DbErrorKind::Unavailable(_)
        | DbErrorKind::Abandoned(_)
        | DbErrorKind::Corrupt(_) => Problem::unavailable(RETRY_AFTER_DATABASE_SECONDS),
        DbErrorKind::NoSpace(_) => Problem::unavailable(storage::RETRY_AFTER_SECONDS),
        DbErrorKind::Unconfirmed => Code::InvalidCredentials.into(),
        DbErrorKind::Unique(_) | DbErrorKind::Refused(_) | DbErrorKind::Unreadable(_) => Code::Internal.into(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        let status = StatusCode::from_u16(self.status());
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the error into a response that carries a refusal, and logs it. Other responses stay as they are.
pub(crate) fn render(response: &mut Response, request_id: &RequestId, realm: &str, is_oauth: bool) {
    let Some(Refusal(refused)) = response.extensions_mut().remove() else {
        return;
    };
    let Refused { error, cause } = *refused;
    let json = if is_oauth {
        render_oauth(response, &error, cause.as_ref(), request_id, realm)
    } else {
        log(error.code(), error.status(), cause.as_ref());
        render_envelope(response, error, request_id, realm)
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The length of the empty body that the refusal travelled with.
    response.headers_mut().remove(CONTENT_LENGTH);
    // Strings and lists of strings: serialization cannot fail.
    *response.body_mut() = Body::from(json.unwrap_or_default());
}

/// The error at an OAuth endpoint, with the challenge of the scheme that the client used (RFC 6749 §5.2).
fn render_oauth(
    response: &mut Response,
    error: &Error,
    cause: Option<&Cause>,
    request_id: &RequestId,
    realm: &str,
) -> serde_json::Result<Vec<u8>> {
    let (oauth, status, error_description) = error.in_oauth();
    log(oauth.as_str(), status, cause);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Error::Problem(Problem { retry_after_seconds: Some(seconds), .. }) = error {
        response.headers_mut().insert(RETRY_AFTER, (*seconds).into());
    }
    if let Error::Protocol(error) = error {
        add_codings(response, *error);
    }
    if oauth == OAuthError::InvalidClient {
        let challenge = response.extensions().get().copied().unwrap_or(BearerChallenge::Basic);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge_header(challenge, realm));
    }
    let body = OAuthBody { error: oauth.as_str(), error_description, request_id: request_id.as_str() };
    serde_json::to_vec(&body)
}

/// The codings that are accepted instead (RFC 9110 §15.5.16).
fn add_codings(response: &mut Response, error: ProtocolError) {
    if error == ProtocolError::UnsupportedContentCoding {
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
}

/// The error envelope of the API.
fn render_envelope(
    response: &mut Response,
    error: Error,
    request_id: &RequestId,
    realm: &str,
) -> serde_json::Result<Vec<u8>> {
    let code = error.code();
    let (message, details) = match error {
        Error::Problem(problem) => {
            add_headers(response, problem.code, problem.retry_after_seconds, realm);
            (problem.message(), Details::of(problem))
        }
        Error::Demand(code, demand) => {
            add_headers(response, code, None, realm);
            (code.message(), Details::of_demand(code, *demand))
        }
        Error::CodeMailed(flow) => {
            add_headers(response, Code::InvalidCredentials, None, realm);
            ("A code was mailed to the address", Details::of_flow(&flow))
        }
        Error::Protocol(error) => {
            add_codings(response, error);
            (error.message(), Details::default())
        }
        Error::OAuth(error) => (error.description(), Details::default()),
    };
    envelope::write(code, message, details, request_id.as_str())
}

/// `Retry-After`, and the challenge that every 401 has (RFC 9110 §15.5.2, RFC 6750 §3).
fn add_headers(response: &mut Response, code: Code, retry_after_seconds: Option<u32>, realm: &str) {
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        // Without an access rule, the refused token is one of the body.
        let challenge = response.extensions().get().copied().unwrap_or(BearerChallenge::Rejected);
        // A wrong password says nothing about the token beside it.
        let is_password = matches!(code, Code::InvalidCredentials | Code::MfaRequired);
        let challenge = if is_password { BearerChallenge::Accepted } else { challenge };
        let needs_step_up = code == Code::StepUpRequired;
        let challenge = if needs_step_up { BearerChallenge::TooOld } else { challenge };
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge_header(challenge, realm));
    }
}

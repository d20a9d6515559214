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
use crate::ports::{AssetError, DbError};
use crate::service;
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

/// An error response in the making, and the cause, which only the log learns.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
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
    /// A fault of the service, with its cause for the log.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self { error: Error::Problem(Code::Internal.into()), cause: Some(Cause::Fault(cause.into())) }
    }

    /// A sign-in whose second factor is due.
    pub(crate) fn factor_due(demand: Box<FactorDemand>) -> Self {
        Self { error: Error::Demand(Code::MfaRequired, demand), cause: None }
    }

    /// The status code of the response.
    pub(crate) const fn status(&self) -> u16 {
        self.error.status()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { error: Error::Problem(problem), cause: None }
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self { error: Error::Protocol(error), cause: None }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<WrongSettings> for Refusal {
    fn from(wrong: WrongSettings) -> Self {
        Self { error: Error::Problem(Code::Configuration.into()), cause: Some(Cause::Fault(wrong.to_string())) }
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
        let is_expected = matches!(error, service::Error::KeyNotKnownYet);
        let problem = match error {
            service::Error::Refused(problem) => return problem.into(),
            service::Error::KeyNotKnownYet => Problem::unavailable(RETRY_AFTER_LOOK_UP_SECONDS),
            service::Error::StepUpRequired(demand) => {
                return Self { error: Error::Demand(Code::StepUpRequired, demand), cause: None };
            }
            service::Error::CodeMailed(flow) => return Self { error: Error::CodeMailed(flow), cause: None },
            service::Error::OAuth(error) => return Self { error: Error::OAuth(error), cause: None },
            service::Error::Database(DbError::NotAsked(refused)) => {
                Problem::unavailable(whole_seconds(refused.retry_after_ms))
            }
            service::Error::Database(
                DbError::TimedOut(_)
                | DbError::Transient(_)
                | DbError::Overloaded(_)
                | DbError::Unavailable(_)
                | DbError::Abandoned(_)
                | DbError::Corrupt(_),
            )
            | service::Error::BreakerOutOfReach => Problem::unavailable(RETRY_AFTER_DATABASE_SECONDS),
            service::Error::NoSpaceFor(_) | service::Error::Database(DbError::NoSpace(_)) => {
                Problem::unavailable(storage::RETRY_AFTER_SECONDS)
            }
            service::Error::NoSigningKey => Problem::unavailable(RETRY_AFTER_SIGNING_KEY_SECONDS),
            service::Error::HashQueueFull(_) => Problem::unavailable(RETRY_AFTER_HASH_QUEUE_SECONDS),
            service::Error::Database(DbError::Unique(_) | DbError::Refused(_) | DbError::Unreadable(_))
            | service::Error::Entropy(_)
            | service::Error::StoredHash { .. }
            | service::Error::Hashing(_)
            | service::Error::NewHash(_)
            | service::Error::Cryptography(_)
            | service::Error::Signing(_) => Code::Internal.into(),
        };
        let cause = if is_expected { Cause::Expected(text) } else { Cause::Fault(text) };
        Self { error: Error::Problem(problem), cause: Some(cause) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        let status = StatusCode::from_u16(self.error.status());
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the error into a response that carries a refusal, and logs it. Other responses stay as they are.
pub(crate) fn render(response: &mut Response, request_id: &RequestId, realm: &str, is_oauth: bool) {
    let Some(Refusal { error, cause }) = response.extensions_mut().remove() else {
        return;
    };
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

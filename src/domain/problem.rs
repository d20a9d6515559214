//! Every error that the core reports to a client: THE table of error codes. The refusals of HTTP itself (405, 408, 413, 415)
//! are `http::kit::protocol`'s, because such a request never reaches the core.
//!
//! No other module sets the status or the code of an error. `http` turns a [`Problem`] into the envelope;
//! `openapi.yaml` lists the same codes, and a test compares the two.

pub use crate::domain::fault::{Fault, FaultKind, FaultLocation};

/// An error code of the wire contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// E-mail address or password is wrong; the error does not say which.
    InvalidCredentials,
    /// The first factor was right, and a second one is due.
    MfaRequired,
    /// The operation needs a more recent sign-in than that of the token (RFC 9470).
    StepUpRequired,
    /// A correctly signed token past its `exp`.
    TokenExpired,
    /// No token, or one that this service did not issue for this purpose.
    TokenInvalid,
    /// A token that was rotated or whose session has ended.
    TokenRevoked,
    /// The account is disabled.
    InactiveUser,
    /// The address is not proven, and the deployment asks for a proof.
    EmailNotVerified,
    /// The caller is authenticated but lacks the permission.
    Forbidden,
    /// No such path or resource.
    NotFound,
    /// The request violates a uniqueness rule or the state of the resource.
    Conflict,
    /// The body or the query string is invalid; the faults list every reason.
    Validation,
    /// The client exceeded a rate limit; `Retry-After` says how long to wait.
    RateLimited,
    /// A bug in the service.
    Internal,
    /// The operator left a setting out or set it to an invalid value.
    Configuration,
    /// The database does not answer, or the circuit breaker is open.
    Unavailable,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 16] = [
        Self::InvalidCredentials,
        Self::MfaRequired,
        Self::StepUpRequired,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::TokenRevoked,
        Self::InactiveUser,
        Self::EmailNotVerified,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Validation,
        Self::RateLimited,
        Self::Internal,
        Self::Configuration,
        Self::Unavailable,
    ];

    /// The row of the table: wire code, HTTP status, default message.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidCredentials => ("AUTH_INVALID_CREDENTIALS", 401, "Incorrect email or password"),
            Self::MfaRequired => ("AUTH_MFA_REQUIRED", 401, "A second factor is required"),
            Self::StepUpRequired => ("AUTH_STEP_UP_REQUIRED", 401, "A more recent sign-in is required"),
            Self::TokenExpired => ("AUTH_TOKEN_EXPIRED", 401, "Token has expired"),
            Self::TokenInvalid => ("AUTH_TOKEN_INVALID", 401, "Could not validate credentials"),
            Self::TokenRevoked => ("AUTH_TOKEN_REVOKED", 401, "Token has been revoked"),
            Self::InactiveUser => ("AUTH_INACTIVE_USER", 403, "Account is disabled"),
            Self::EmailNotVerified => ("AUTH_EMAIL_NOT_VERIFIED", 403, "Email address is not verified"),
            Self::Forbidden => ("FORBIDDEN", 403, "Not allowed"),
            Self::NotFound => ("NOT_FOUND", 404, "Not found"),
            Self::Conflict => ("CONFLICT", 409, "Already exists"),
            Self::Validation => ("VALIDATION_ERROR", 422, "Request is not valid"),
            Self::RateLimited => ("RATE_LIMITED", 429, "Too many requests"),
            Self::Internal => ("INTERNAL_ERROR", 500, "Internal error"),
            Self::Configuration => ("CONFIGURATION_ERROR", 500, "Service is not configured correctly"),
            Self::Unavailable => ("SERVICE_UNAVAILABLE", 503, "Service is temporarily unavailable"),
        }
    }

    /// The code in the response, part of the wire contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of the response.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The default message; [`Problem::message`] may replace it.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().2
    }
}

/// An error response, before it becomes HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Selects status, wire code and default message.
    pub code: Code,
    /// Replaces the code's default message.
    pub message: Option<&'static str>,
    /// Every fault of the request; empty unless the code is [`Code::Validation`].
    pub faults: Vec<Fault>,
    /// `Retry-After` in seconds, for 429 and 503.
    pub retry_after_seconds: Option<u32>,
    /// The stronger sign-in that the right of a role needs.
    pub required: Option<&'static str>,
    /// The rule that an identity of another provider breaks.
    pub reason: Option<&'static str>,
}

impl Problem {
    const fn of(code: Code, message: Option<&'static str>, required: Option<&'static str>) -> Self {
        Self { code, message, faults: Vec::new(), retry_after_seconds: None, required, reason: None }
    }

    /// 422 with all the faults at once.
    #[must_use]
    pub fn validation(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::of(Code::Validation, None, None) }
    }

    /// 409 with a specific message.
    #[must_use]
    pub const fn conflict(message: &'static str) -> Self {
        Self::of(Code::Conflict, Some(message), None)
    }

    /// 409 with a specific message, and the rule for programs.
    #[must_use]
    pub const fn conflict_because(message: &'static str, reason: &'static str) -> Self {
        let mut problem = Self::conflict(message);
        problem.reason = Some(reason);
        problem
    }

    /// 403 for an identity whose provider asserts no verified address.
    #[must_use]
    pub const fn needs_verified_email() -> Self {
        let mut problem = Self::forbidden("Provider names no verified address");
        problem.reason = Some("verified_email_required");
        problem
    }

    /// 403 with a specific message.
    #[must_use]
    pub const fn forbidden(message: &'static str) -> Self {
        Self::of(Code::Forbidden, Some(message), None)
    }

    /// 403 for a role whose rights need a session with more than one factor.
    #[must_use]
    pub const fn needs_mfa() -> Self {
        Self::of(Code::Forbidden, Some("A sign-in with a second factor is required"), Some("mfa"))
    }

    /// 403 for the first second factor of an account whose roles need one: a mailed code is missing.
    #[must_use]
    pub const fn needs_mailed_code() -> Self {
        Self::of(Code::Forbidden, Some("A code mailed to the address of the account is required"), Some("email_code"))
    }

    /// 503 with `Retry-After` in seconds.
    #[must_use]
    pub const fn unavailable(retry_after_seconds: u32) -> Self {
        let mut problem = Self::of(Code::Unavailable, None, None);
        problem.retry_after_seconds = Some(retry_after_seconds);
        problem
    }

    /// 429 with `Retry-After`, given in milliseconds and rounded up to seconds.
    #[must_use]
    pub fn rate_limited(wait_ms: i64) -> Self {
        Self { retry_after_seconds: Some(whole_seconds(wait_ms)), ..Code::RateLimited.into() }
    }

    /// The human-readable message: the specific one, or the code's default.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message.unwrap_or_else(|| self.code.message())
    }
}

/// Milliseconds as whole seconds, rounded up, at least 1, because a `Retry-After` of 0 would invite a retry storm.
#[must_use]
pub fn whole_seconds(millis: i64) -> u32 {
    u32::try_from(millis.saturating_add(999) / 1000).unwrap_or(1).max(1)
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::of(code, None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn wire_codes_and_statuses_unchanged() {
        let table: Vec<_> = Code::ALL.iter().map(|code| (code.as_str(), code.status())).collect();
        let contract = [
            ("AUTH_INVALID_CREDENTIALS", 401),
            ("AUTH_MFA_REQUIRED", 401),
            ("AUTH_STEP_UP_REQUIRED", 401),
            ("AUTH_TOKEN_EXPIRED", 401),
            ("AUTH_TOKEN_INVALID", 401),
            ("AUTH_TOKEN_REVOKED", 401),
            ("AUTH_INACTIVE_USER", 403),
            ("AUTH_EMAIL_NOT_VERIFIED", 403),
            ("FORBIDDEN", 403),
            ("NOT_FOUND", 404),
            ("CONFLICT", 409),
            ("VALIDATION_ERROR", 422),
            ("RATE_LIMITED", 429),
            ("INTERNAL_ERROR", 500),
            ("CONFIGURATION_ERROR", 500),
            ("SERVICE_UNAVAILABLE", 503),
        ];
        assert_eq!(table, contract);
    }
}

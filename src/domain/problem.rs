//! Everything that can be answered instead of success: THE table of error codes.
//!
//! Nobody else writes the status or the code of an error. `http` turns a [`Problem`] into the envelope;
//! `openapi.yaml` lists the same codes, and a test compares the two.

/// An error code of the wire contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Wrong e-mail or password, without saying which.
    InvalidCredentials,
    /// A well-signed token past its `exp`.
    TokenExpired,
    /// No token, or one that is not ours or not for this.
    TokenInvalid,
    /// A token that was rotated or whose session has ended.
    TokenRevoked,
    /// The account is disabled.
    InactiveUser,
    /// Signed in, but not allowed.
    Forbidden,
    /// No such path or resource.
    NotFound,
    /// The path exists, for other methods.
    MethodNotAllowed,
    /// A uniqueness rule.
    Conflict,
    /// The body is larger than the service reads.
    PayloadTooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is not what the operation takes.
    Validation,
    /// Too many requests.
    RateLimited,
    /// A fault of ours.
    Internal,
    /// A setting is missing or wrong.
    Configuration,
    /// The database does not answer.
    Unavailable,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 16] = [
        Self::InvalidCredentials,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::TokenRevoked,
        Self::InactiveUser,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::RateLimited,
        Self::Internal,
        Self::Configuration,
        Self::Unavailable,
    ];

    /// The row of the table: code on the wire, HTTP status, message.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidCredentials => ("AUTH_INVALID_CREDENTIALS", 401, "Incorrect email or password"),
            Self::TokenExpired => ("AUTH_TOKEN_EXPIRED", 401, "Token has expired"),
            Self::TokenInvalid => ("AUTH_TOKEN_INVALID", 401, "Could not validate credentials"),
            Self::TokenRevoked => ("AUTH_TOKEN_REVOKED", 401, "Token has been revoked"),
            Self::InactiveUser => ("AUTH_INACTIVE_USER", 403, "Account is disabled"),
            Self::Forbidden => ("FORBIDDEN", 403, "Not allowed"),
            Self::NotFound => ("NOT_FOUND", 404, "Not found"),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, "Method not allowed"),
            Self::Conflict => ("CONFLICT", 409, "Already exists"),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", 413, "Request body is larger than 16 KiB"),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", 415, "Content-Type must be application/json"),
            Self::Validation => ("VALIDATION_ERROR", 422, "Request is not valid"),
            Self::RateLimited => ("RATE_LIMITED", 429, "Too many requests"),
            Self::Internal => ("INTERNAL_ERROR", 500, "Internal error"),
            Self::Configuration => ("CONFIGURATION_ERROR", 500, "Service is not configured correctly"),
            Self::Unavailable => ("SERVICE_UNAVAILABLE", 503, "Service is temporarily unavailable"),
        }
    }

    /// The code as clients read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// What it says when there is nothing more particular to say.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().2
    }
}

/// The part of a request that a fault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultLocation {
    /// The body.
    Body,
    /// The query string.
    Query,
}

impl FaultLocation {
    /// The first element of `loc`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
        }
    }
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In which part.
    pub place: FaultLocation,
    /// Where in it: the member's name, or nothing for the body as a whole.
    pub member: Option<&'static str>,
    /// What kind.
    pub kind: FaultKind,
    /// The same for people.
    pub message: String,
}

impl Fault {
    /// A fault of one member.
    #[must_use]
    pub fn of(member: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: FaultLocation::Body, member: Some(member), kind, message: message.into() }
    }

    /// A fault of one parameter of the query string.
    #[must_use]
    pub fn of_query(parameter: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: FaultLocation::Query, member: Some(parameter), kind, message: message.into() }
    }

    /// A fault of the body as a whole.
    #[must_use]
    pub fn of_body(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: FaultLocation::Body, member: None, kind, message: message.into() }
    }
}

/// The kinds of faults, as clients read them in `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A required member is absent.
    Missing,
    /// The body is no JSON text.
    JsonInvalid,
    /// Another JSON type is wanted.
    TypeError,
    /// The right type, but no acceptable value.
    ValueError,
    /// No e-mail address.
    Email,
    /// Fewer characters than required.
    StringTooShort,
    /// More characters than allowed.
    StringTooLong,
    /// A password that many people have, or that the account itself suggests.
    PasswordCommon,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::JsonInvalid,
        Self::TypeError,
        Self::ValueError,
        Self::Email,
        Self::StringTooShort,
        Self::StringTooLong,
        Self::PasswordCommon,
    ];

    /// The text of `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::JsonInvalid => "json_invalid",
            Self::TypeError => "type_error",
            Self::ValueError => "value_error",
            Self::Email => "value_error.email",
            Self::StringTooShort => "string_too_short",
            Self::StringTooLong => "string_too_long",
            Self::PasswordCommon => "password_common",
        }
    }
}

/// What is answered instead of success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The row of the table.
    pub code: Code,
    /// In place of the row's own message.
    pub message: Option<&'static str>,
    /// Every fault of the body, for [`Code::Validation`].
    pub faults: Vec<Fault>,
    /// Seconds after which a retry makes sense, for 429 and 503.
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem with everything else to be found.
    #[must_use]
    pub const fn validation(faults: Vec<Fault>) -> Self {
        Self { code: Code::Validation, message: None, faults, retry_after_seconds: None }
    }

    /// A conflict, in words.
    #[must_use]
    pub const fn conflict(message: &'static str) -> Self {
        Self { code: Code::Conflict, message: Some(message), faults: Vec::new(), retry_after_seconds: None }
    }

    /// Not allowed, in words.
    #[must_use]
    pub const fn forbidden(message: &'static str) -> Self {
        Self { code: Code::Forbidden, message: Some(message), faults: Vec::new(), retry_after_seconds: None }
    }

    /// The database does not answer; try again after so many seconds.
    #[must_use]
    pub const fn unavailable(retry_after_seconds: u32) -> Self {
        Self {
            code: Code::Unavailable,
            message: None,
            faults: Vec::new(),
            retry_after_seconds: Some(retry_after_seconds),
        }
    }

    /// Too many requests; try again after so many milliseconds.
    #[must_use]
    pub fn rate_limited(wait_ms: i64) -> Self {
        Self { retry_after_seconds: Some(whole_seconds(wait_ms)), ..Code::RateLimited.into() }
    }

    /// The message for people.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message.unwrap_or_else(|| self.code.message())
    }
}

/// Whole seconds, rounded up, and at least one: "at once" would be an invitation to a storm.
#[must_use]
pub fn whole_seconds(millis: i64) -> u32 {
    u32::try_from(millis.saturating_add(999) / 1000).unwrap_or(1).max(1)
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, message: None, faults: Vec::new(), retry_after_seconds: None }
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
            ("AUTH_TOKEN_EXPIRED", 401),
            ("AUTH_TOKEN_INVALID", 401),
            ("AUTH_TOKEN_REVOKED", 401),
            ("AUTH_INACTIVE_USER", 403),
            ("FORBIDDEN", 403),
            ("NOT_FOUND", 404),
            ("METHOD_NOT_ALLOWED", 405),
            ("CONFLICT", 409),
            ("PAYLOAD_TOO_LARGE", 413),
            ("UNSUPPORTED_MEDIA_TYPE", 415),
            ("VALIDATION_ERROR", 422),
            ("RATE_LIMITED", 429),
            ("INTERNAL_ERROR", 500),
            ("CONFIGURATION_ERROR", 500),
            ("SERVICE_UNAVAILABLE", 503),
        ];
        assert_eq!(table, contract);
    }
}

//! The invalid parts of a request, as a 422 lists them.

use std::borrow::Cow;

/// The part of the request that contains a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the values of `loc`")]
pub enum FaultLocation {
    Body,
    Query,
}

impl FaultLocation {
    /// The first element of `loc` in the response.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
        }
    }
}

/// One invalid part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Body or query string.
    pub place: FaultLocation,
    /// The member or parameter at fault; `None` for the body as a whole.
    pub member: Option<Cow<'static, str>>,
    /// The machine-readable kind, `type` in the response.
    pub kind: FaultKind,
    /// The explanation for developers of the client.
    pub message: String,
}

impl Fault {
    /// A fault of one member of the body.
    #[must_use]
    pub fn of(member: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: FaultLocation::Body, member: Some(member.into()), kind, message: message.into() }
    }

    /// A fault of one parameter of the query string.
    #[must_use]
    pub fn of_query(parameter: impl Into<Cow<'static, str>>, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: FaultLocation::Query, member: Some(parameter.into()), kind, message: message.into() }
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
    /// A required member or parameter is absent.
    Missing,
    /// The body is not valid JSON.
    JsonInvalid,
    /// The value has the wrong JSON type.
    TypeError,
    /// The value has the right type but is not allowed.
    ValueError,
    /// The value is not an e-mail address.
    Email,
    /// Fewer characters than required.
    StringTooShort,
    /// More characters than allowed.
    StringTooLong,
    /// The password is a common one, or can be guessed from the account.
    PasswordCommon,
}

impl FaultKind {
    /// Every kind of fault, for the test of the contract.
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

    /// The value of `type` in the response.
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

//! Import of users from other systems: the lines, their outcomes, and the decision about each line.
//!
//! Importing keys leak, so an import adds and never takes: no line changes a password, an address or a role of an account
//! in use. The one exception is an account whose address was never proven. A line that proves the address
//! replaces it, or a stranger could register addresses before their owners are imported.

pub mod decision;
pub mod line;

use crate::domain::password::imported::HashRefusal;

/// Largest body of an import, in bytes: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Maximum number of lines of an import, empty ones included.
pub const MAX_LINES: usize = 500;
/// Largest line in bytes: 16 KiB, as every other body.
pub const MAX_LINE_BYTES: usize = 16 * 1024;
/// Lines that one batch writes. Other requests reach the database between two batches.
pub const LINES_OF_BATCH: usize = 50;
/// Roles that one batch writes, or those of one line.
pub const ROLES_OF_BATCH: usize = 250;
/// Milliseconds after which no further batch begins.
pub const DEADLINE_MS: i64 = 60_000;

/// The outcome of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOutcome {
    /// The account was added.
    Created,
    /// The account is there already, or the address belongs to another one. Nothing was changed.
    Exists,
    /// The account got the name of the line.
    Updated,
    /// The line is wrong. Sent again, it is refused again.
    Refused(LineRefusal),
    /// The line is right, and was not written. It should be sent again.
    Failed(LineFailure),
}

impl LineOutcome {
    /// The name in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Exists => "exists",
            Self::Updated => "updated",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason in the answer.
    #[must_use]
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Created | Self::Exists | Self::Updated => None,
            Self::Refused(refusal) => Some(refusal.as_str()),
            Self::Failed(failure) => Some(failure.as_str()),
        }
    }
}

/// Why a line was not written, although it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFailure {
    /// The database did not answer.
    Unavailable,
    /// The time of [`DEADLINE_MS`] was over.
    OutOfTime,
    /// Another request changed the account or the university concurrently.
    Overtaken,
    /// The right to import was revoked concurrently.
    Stopped,
}

impl LineFailure {
    /// The code in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::OutOfTime => "out_of_time",
            Self::Overtaken => "overtaken",
            Self::Stopped => "stopped",
        }
    }
}

/// Which rule a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the codes say it")]
pub enum LineRefusal {
    TooLong,
    NotUtf8,
    NotJson,
    DuplicateMember,
    UnknownMember,
    ExternalId,
    Email,
    EmailVerified,
    FullName,
    PasswordHash,
    Hash(HashRefusal),
    CreatedAt,
    IsActive,
    Roles,
    /// There are more than [`line::MAX_ROLES`].
    TooManyRoles,
    /// The importer may not give it.
    RoleNotAllowed,
    /// The university or the department does not exist.
    RoleUnknown,
}

impl LineRefusal {
    /// The code in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "line_too_long",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::DuplicateMember => "duplicate_member",
            Self::UnknownMember => "unknown_member",
            Self::ExternalId => "external_id_invalid",
            Self::Email => "email_invalid",
            Self::EmailVerified => "email_verified_invalid",
            Self::FullName => "full_name_invalid",
            Self::PasswordHash => "password_hash_invalid",
            Self::Hash(refusal) => refusal.as_str(),
            Self::CreatedAt => "created_at_invalid",
            Self::IsActive => "is_active_invalid",
            Self::Roles => "roles_invalid",
            Self::TooManyRoles => "roles_too_many",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::RoleUnknown => "role_unknown",
        }
    }
}

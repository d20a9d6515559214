//! The reasons of security events, with their stored names.

use crate::domain::breaker::Command;

/// Why an event happened: the cause of a refusal, or how a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address has an account already.
    EmailTaken,
    /// The client's network has used up its limit.
    RateLimited,
    /// No account has the address.
    UnknownUser,
    /// The password is not the account's.
    WrongPassword,
    /// The account's throttle refuses every password, right or wrong, after too many failures.
    Throttled,
    /// A concurrent change invalidated the check before the write. The throttle began to block, the password changed,
    /// the account was disabled, or a university or the platform would lose its last administrator.
    Overtaken,
    /// The account is disabled.
    Disabled,
    /// The session of the token has ended.
    Revoked,
    /// The same refresh token was presented again within the retry interval. No longer written, like `Refreshed`.
    Retry,
    /// The user's oldest session was evicted to make room for a new one.
    Limit,
    /// The address of the account had not been proven before.
    Emptied,
    /// An administrator handed a link over.
    HandOver,
    /// A service account revoked a token or a key of the user.
    Service,
    /// A mailed code stood for the password.
    MailedCode,
    /// The address of the registration is not proven yet.
    NotVerified,
    /// A code of an authenticator app.
    Totp,
    /// A recovery code stood for the app.
    RecoveryCode,
    /// A passkey, alone or as second factor.
    Passkey,
    /// The challenge was answered before, or has had too many wrong answers.
    Answered,
    /// An identity of another provider stood for the password.
    Federated,
}

impl Reason {
    /// Every reason, for tests.
    pub const ALL: [Self; 20] = [
        Self::EmailTaken,
        Self::RateLimited,
        Self::UnknownUser,
        Self::WrongPassword,
        Self::Throttled,
        Self::Overtaken,
        Self::Disabled,
        Self::Revoked,
        Self::Retry,
        Self::Limit,
        Self::Emptied,
        Self::HandOver,
        Self::Service,
        Self::MailedCode,
        Self::NotVerified,
        Self::Totp,
        Self::RecoveryCode,
        Self::Passkey,
        Self::Answered,
        Self::Federated,
    ];

    /// The name, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmailTaken => "email_taken",
            Self::RateLimited => "rate_limited",
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::Throttled => "throttled",
            Self::Overtaken => "overtaken",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
            Self::Retry => "retry",
            Self::Limit => "limit",
            Self::Emptied => "emptied",
            Self::HandOver => "hand_over",
            Self::Service => "service",
            Self::MailedCode => "mailed_code",
            Self::NotVerified => "not_verified",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
            Self::Answered => "answered",
            Self::Federated => "federated",
        }
    }
}

/// The name of an operator's command, as stored and shown in place of a reason.
#[must_use]
pub const fn command_name(command: Command) -> &'static str {
    match command {
        Command::Closed => "closed",
        Command::Open => "open",
        Command::Automatic => "automatic",
    }
}

//! Security events: what is kept of them, and under which names.
//!
//! Names are stored and shown to clients, so they never change; new ones may come. An event says who, when,
//! from where, with which request, and what came of it; never an address that somebody typed, a password or
//! a token.

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// An account was created.
    Registered,
    /// It was not: the address is taken, or too many came from one network.
    RegistrationRefused,
    /// A session was opened with a password.
    SignedIn,
    /// It was not.
    SignInRefused,
    /// A refresh token was exchanged.
    Refreshed,
    /// One that is ours was presented, and is worth nothing any more.
    RefreshRefused,
    /// A refresh token was used a second time: its session was ended.
    ReuseDetected,
    /// A session was ended with its refresh token.
    SignedOut,
    /// One session was ended by name, or to make room for a new one.
    SessionEnded,
    /// All sessions of a user were ended.
    SessionsEnded,
    /// The user changed what is shown of them.
    ProfileChanged,
    /// The password was changed, and all other sessions ended.
    PasswordChanged,
    /// It was not: the current one was wrong, or refused.
    PasswordChangeRefused,
    /// The user asked for all that is stored about them.
    Exported,
    /// The user erased their account.
    Deleted,
    /// They did not: the password was wrong, or refused.
    DeletionRefused,
    /// The user was given a role.
    RoleGranted,
    /// A role was taken from them.
    RoleRemoved,
    /// An administrator disabled the account, and all its sessions ended.
    Disabled,
    /// An administrator enabled it again.
    Enabled,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 20] = [
        Self::Registered,
        Self::RegistrationRefused,
        Self::SignedIn,
        Self::SignInRefused,
        Self::Refreshed,
        Self::RefreshRefused,
        Self::ReuseDetected,
        Self::SignedOut,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::ProfileChanged,
        Self::PasswordChanged,
        Self::PasswordChangeRefused,
        Self::Exported,
        Self::Deleted,
        Self::DeletionRefused,
        Self::RoleGranted,
        Self::RoleRemoved,
        Self::Disabled,
        Self::Enabled,
    ];

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }

    /// The name, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::RegistrationRefused => "registration_refused",
            Self::SignedIn => "signed_in",
            Self::SignInRefused => "sign_in_refused",
            Self::Refreshed => "refreshed",
            Self::RefreshRefused => "refresh_refused",
            Self::ReuseDetected => "reuse_detected",
            Self::SignedOut => "signed_out",
            Self::SessionEnded => "session_ended",
            Self::SessionsEnded => "sessions_ended",
            Self::ProfileChanged => "profile_changed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordChangeRefused => "password_change_refused",
            Self::Exported => "exported",
            Self::Deleted => "deleted",
            Self::DeletionRefused => "deletion_refused",
            Self::RoleGranted => "role_granted",
            Self::RoleRemoved => "role_removed",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
        }
    }
}

/// Why something was refused, or how it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address has an account already.
    EmailTaken,
    /// Too many from one network.
    RateLimited,
    /// No account has the address.
    UnknownUser,
    /// Not the password of the account.
    WrongPassword,
    /// Whatever the password was: too many wrong ones came before it.
    Throttled,
    /// What was proven no longer held when it was to be written: wrong passwords began a wait, the password
    /// was changed, the account was disabled, or nobody else would be left to administer something.
    Overtaken,
    /// The account is disabled.
    Disabled,
    /// The token or its session was ended, or is no longer on file.
    Revoked,
    /// The same token again within the retry interval.
    Retry,
    /// The oldest session made room for a new one.
    Limit,
}

impl Reason {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn stored_names_unchanged() {
        let names: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        let stored = "registered registration_refused signed_in sign_in_refused refreshed refresh_refused \
                      reuse_detected signed_out session_ended sessions_ended profile_changed password_changed \
                      password_change_refused exported deleted deletion_refused role_granted role_removed \
                      disabled enabled";
        assert_eq!(names.join(" "), stored);
    }
}

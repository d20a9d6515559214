//! Security events: their types, their reasons, and the stored names of both.
//!
//! Names are stored and shown to clients, so a name never changes; new names may be added. An event records the
//! user, the time, the client, the request and the result. It never holds an e-mail address from the request, a
//! password or a token.

mod reason;

pub use crate::domain::audit::reason::{Reason, command_name};

/// The type of a security event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// An account was created.
    Registered,
    /// A registration was refused: the address is taken, or its network has registered too many accounts.
    RegistrationRefused,
    /// A session was opened with a password.
    SignedIn,
    /// A sign-in was refused; the event's reason says why.
    SignInRefused,
    /// A refresh token was exchanged. No longer written, because the session records its last use; events of earlier
    /// versions stay until the retention removes them.
    Refreshed,
    /// A refresh token that this service issued was presented after its session had ended, or for a disabled account.
    RefreshRefused,
    /// A rotated refresh token was reused, so its session was ended.
    ReuseDetected,
    /// A session was ended by its own refresh token (logout).
    SignedOut,
    /// One session was revoked by id, or evicted to make room for a new one.
    SessionEnded,
    /// All sessions of a user were ended.
    SessionsEnded,
    /// The user changed their profile.
    ProfileChanged,
    /// The password was changed, and all other sessions ended.
    PasswordChanged,
    /// A password change was refused: the current password was wrong or throttled.
    PasswordChangeRefused,
    /// The user exported all data stored about them.
    Exported,
    /// The user erased their account.
    Deleted,
    /// An erasure was refused: the password was wrong or throttled.
    DeletionRefused,
    /// The password for an irreversible act of an administrator was wrong or throttled.
    StepUpRefused,
    /// A role was granted to the user.
    RoleGranted,
    /// A role of the user was revoked.
    RoleRemoved,
    /// An administrator disabled the account, and all its sessions ended.
    Disabled,
    /// An administrator enabled it again.
    Enabled,
    /// An administrator reset the throttle of the account.
    Unlocked,
    /// A university was added.
    UniversityCreated,
    /// A university got another name or slug.
    UniversityChanged,
    /// A university was deleted; the roles in it have events of their own.
    UniversityDeleted,
    /// A department was added.
    DepartmentCreated,
    /// A department was deleted.
    DepartmentDeleted,
    /// A course was added.
    CourseCreated,
    /// A course was changed.
    CourseChanged,
    /// A course was deleted, with its enrolments.
    CourseDeleted,
    /// An enrolment was ended by another user than its owner.
    EnrollmentEnded,
    /// A user made an API key.
    ApiKeyCreated,
    /// A user withdrew an API key.
    ApiKeyWithdrawn,
    /// A service account was added, with its first key.
    ServiceAccountCreated,
    /// A service account was renamed, enabled or disabled, or got other scopes.
    ServiceAccountChanged,
    /// A service account was deleted, with its keys.
    ServiceAccountDeleted,
    /// A service account got another key; the event's reason is the account's client id.
    ServiceAccountKeyCreated,
    /// A key of a service account was withdrawn; the reason as above.
    ServiceAccountKeyWithdrawn,
    /// The operator commanded the circuit breaker; the event's reason is the command.
    BreakerCommanded,
    /// A signed-in user lacked a permission; the event's reason names it.
    AccessRefused,
}

impl EventType {
    /// Every type of event, for parsing and for tests.
    pub const ALL: [Self; 40] = [
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
        Self::StepUpRefused,
        Self::RoleGranted,
        Self::RoleRemoved,
        Self::Disabled,
        Self::Enabled,
        Self::Unlocked,
        Self::UniversityCreated,
        Self::UniversityChanged,
        Self::UniversityDeleted,
        Self::DepartmentCreated,
        Self::DepartmentDeleted,
        Self::CourseCreated,
        Self::CourseChanged,
        Self::CourseDeleted,
        Self::EnrollmentEnded,
        Self::ApiKeyCreated,
        Self::ApiKeyWithdrawn,
        Self::ServiceAccountCreated,
        Self::ServiceAccountChanged,
        Self::ServiceAccountDeleted,
        Self::ServiceAccountKeyCreated,
        Self::ServiceAccountKeyWithdrawn,
        Self::BreakerCommanded,
        Self::AccessRefused,
    ];

    /// The type with this stored name, if there is one.
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
            Self::StepUpRefused => "step_up_refused",
            Self::RoleGranted => "role_granted",
            Self::RoleRemoved => "role_removed",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Unlocked => "unlocked",
            Self::UniversityCreated => "university_created",
            Self::UniversityChanged => "university_changed",
            Self::UniversityDeleted => "university_deleted",
            Self::DepartmentCreated => "department_created",
            Self::DepartmentDeleted => "department_deleted",
            Self::CourseCreated => "course_created",
            Self::CourseChanged => "course_changed",
            Self::CourseDeleted => "course_deleted",
            Self::EnrollmentEnded => "enrollment_ended",
            Self::ApiKeyCreated => "api_key_created",
            Self::ApiKeyWithdrawn => "api_key_withdrawn",
            Self::ServiceAccountCreated => "service_account_created",
            Self::ServiceAccountChanged => "service_account_changed",
            Self::ServiceAccountDeleted => "service_account_deleted",
            Self::ServiceAccountKeyCreated => "service_account_key_created",
            Self::ServiceAccountKeyWithdrawn => "service_account_key_withdrawn",
            Self::BreakerCommanded => "breaker_commanded",
            Self::AccessRefused => "access_refused",
        }
    }

    /// Does a counted event of this type need a signed token? Strangers cannot cause it.
    #[must_use]
    pub const fn needs_token(self) -> bool {
        matches!(
            self,
            Self::AccessRefused
                | Self::Exported
                | Self::StepUpRefused
                | Self::RefreshRefused
                | Self::PasswordChangeRefused
                | Self::DeletionRefused
        )
    }

    /// Does an event of this type say that nothing was changed? Such events are counted, and left out while the database
    /// is full.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::RegistrationRefused
            | Self::SignInRefused
            | Self::RefreshRefused
            | Self::PasswordChangeRefused
            | Self::DeletionRefused
            | Self::StepUpRefused
            | Self::AccessRefused => true,
            Self::Registered
            | Self::SignedIn
            | Self::Refreshed
            | Self::ReuseDetected
            | Self::SignedOut
            | Self::SessionEnded
            | Self::SessionsEnded
            | Self::ProfileChanged
            | Self::PasswordChanged
            | Self::Exported
            | Self::Deleted
            | Self::RoleGranted
            | Self::RoleRemoved
            | Self::Disabled
            | Self::Enabled
            | Self::Unlocked
            | Self::UniversityCreated
            | Self::UniversityChanged
            | Self::UniversityDeleted
            | Self::DepartmentCreated
            | Self::DepartmentDeleted
            | Self::CourseCreated
            | Self::CourseChanged
            | Self::CourseDeleted
            | Self::EnrollmentEnded
            | Self::ApiKeyCreated
            | Self::ApiKeyWithdrawn
            | Self::ServiceAccountCreated
            | Self::ServiceAccountChanged
            | Self::ServiceAccountDeleted
            | Self::ServiceAccountKeyCreated
            | Self::ServiceAccountKeyWithdrawn
            | Self::BreakerCommanded => false,
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
                      password_change_refused exported deleted deletion_refused step_up_refused role_granted role_removed \
                      disabled enabled unlocked university_created university_changed university_deleted \
                      department_created department_deleted course_created course_changed course_deleted \
                      enrollment_ended api_key_created api_key_withdrawn service_account_created \
                      service_account_changed service_account_deleted service_account_key_created \
                      service_account_key_withdrawn breaker_commanded access_refused";
        assert_eq!(names.join(" "), stored);
    }
}

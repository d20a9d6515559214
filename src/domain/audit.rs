//! Security events: their types, their reasons, and the stored names of both.
//!
//! Names are stored and shown to clients, so a name never changes; new names may be added. An event records the
//! user, the time, the client, the request and the result. It never holds an e-mail address from the request, a
//! password or a token.

pub mod archive;
mod reason;

pub use crate::domain::audit::reason::{Reason, command_name};

/// The table of event types: documentation, name in the code, stored name, and whether it is a `refusal` or not. A refusal
/// says that nothing was changed.
macro_rules! event_types {
    ($($(#[doc = $doc:literal])+ $name:ident $stored:literal $kind:ident;)+) => {
        /// The type of a security event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventType {
            $($(#[doc = $doc])+ $name,)+
        }

        impl EventType {
            /// Every type of event, for parsing and for tests.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name, as stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $stored,)+
                }
            }

            /// Does an event of this type say that nothing was changed? Such events are counted, and left out while the
            /// database is full.
            #[must_use]
            pub const fn is_refusal(self) -> bool {
                match self {
                    $(Self::$name => is_refusal!($kind),)+
                }
            }
        }
    };
}

macro_rules! is_refusal {
    (refusal) => {
        true
    };
    (change) => {
        false
    };
}

event_types! {
    /// An account was created; where addresses must be proven, with the proof.
    Registered "registered" change;
    /// An account was imported from another system, by the actor or the service account that the reason names.
    Imported "imported" change;
    /// A registration was refused: the address is taken, or its network has registered too many accounts.
    RegistrationRefused "registration_refused" refusal;
    /// A session was opened, with a password or, as the reason says, with a code of a mail, a passkey or another provider.
    SignedIn "signed_in" change;
    /// A sign-in was refused; the event's reason says why.
    SignInRefused "sign_in_refused" refusal;
    /// A refresh token was exchanged. No longer written, because the session records its last use; events of earlier
    /// versions stay until the retention removes them.
    Refreshed "refreshed" change;
    /// A refresh token that this service issued was presented after its session had ended, or for a disabled account.
    RefreshRefused "refresh_refused" refusal;
    /// A rotated refresh token was reused, so its session was ended.
    ReuseDetected "reuse_detected" change;
    /// A session was ended by its own refresh token (logout).
    SignedOut "signed_out" change;
    /// One session was revoked by id, or evicted to make room for a new one.
    SessionEnded "session_ended" change;
    /// All sessions of a user were ended.
    SessionsEnded "sessions_ended" change;
    /// The user changed their profile.
    ProfileChanged "profile_changed" change;
    /// The password was changed, and all other sessions ended.
    PasswordChanged "password_changed" change;
    /// A new password was set with a link or a code, and all sessions ended. The reason `emptied`: the address had not been
    /// proven, so the roles were removed, too. The reason `hand_over`: the link was not mailed.
    PasswordReset "password_reset" change;
    /// An administrator made a link to a new password, and hands it over.
    PasswordResetHandedOver "password_reset_handed_over" change;
    /// The address of the account was proven. The reason `emptied`: by a sign-in with a mailed code, so everything of the
    /// account was removed.
    EmailVerified "email_verified" change;
    /// The account got another address, which was proven thereby.
    EmailChanged "email_changed" change;
    /// The change was undone from the former address: all sessions ended, API keys were withdrawn, and no password is valid.
    EmailChangeUndone "email_change_undone" change;
    /// A notice told of an act that was not the owner's: all sessions ended, API keys were withdrawn, and no password is
    /// valid.
    NotMe "not_me" change;
    /// A password change was refused: the current password was wrong or throttled.
    PasswordChangeRefused "password_change_refused" refusal;
    /// The user exported all data stored about them.
    Exported "exported" change;
    /// The user erased their account.
    Deleted "deleted" change;
    /// An erasure was refused: the password was wrong or throttled.
    DeletionRefused "deletion_refused" refusal;
    /// The password for an irreversible act of an administrator was wrong or throttled.
    StepUpRefused "step_up_refused" refusal;
    /// A role was granted to the user.
    RoleGranted "role_granted" change;
    /// A role of the user was revoked.
    RoleRemoved "role_removed" change;
    /// A role was offered to the owner of an address.
    InvitationCreated "invitation_created" change;
    /// An invitation was withdrawn.
    InvitationWithdrawn "invitation_withdrawn" change;
    /// An administrator disabled the account, and all its sessions ended.
    Disabled "disabled" change;
    /// An administrator enabled it again.
    Enabled "enabled" change;
    /// An administrator reset the throttle of the account.
    Unlocked "unlocked" change;
    /// A university was added.
    UniversityCreated "university_created" change;
    /// A university got another name or slug.
    UniversityChanged "university_changed" change;
    /// A university was deleted; the roles in it have events of their own.
    UniversityDeleted "university_deleted" change;
    /// A department was added.
    DepartmentCreated "department_created" change;
    /// A department was deleted.
    DepartmentDeleted "department_deleted" change;
    /// A course was added.
    CourseCreated "course_created" change;
    /// A course was changed.
    CourseChanged "course_changed" change;
    /// A course was deleted, with its enrolments.
    CourseDeleted "course_deleted" change;
    /// An enrolment was ended by another user than its owner.
    EnrollmentEnded "enrollment_ended" change;
    /// A user added a second factor: an authenticator app or a passkey, as the reason says.
    FactorAdded "factor_added" change;
    /// A user removed one.
    FactorRemoved "factor_removed" change;
    /// A user gave a passkey another name.
    FactorRenamed "factor_renamed" change;
    /// A user replaced the recovery codes.
    RecoveryCodesReplaced "recovery_codes_replaced" change;
    /// A user confirmed the second factors that a new password by mail had suspended.
    FactorsConfirmed "factors_confirmed" change;
    /// An administrator removed all second factors of the account.
    FactorsReset "factors_reset" change;
    /// The second factor was wrong, after the right password.
    SecondFactorRefused "second_factor_refused" refusal;
    /// An identity of another provider was linked to the account.
    IdentityLinked "identity_linked" change;
    /// A user unlinked one.
    IdentityUnlinked "identity_unlinked" change;
    /// A user made an API key.
    ApiKeyCreated "api_key_created" change;
    /// A user withdrew an API key.
    ApiKeyWithdrawn "api_key_withdrawn" change;
    /// A service account was added, with its first key.
    ServiceAccountCreated "service_account_created" change;
    /// A service account was renamed, enabled or disabled, or got other scopes.
    ServiceAccountChanged "service_account_changed" change;
    /// A service account was deleted, with its keys.
    ServiceAccountDeleted "service_account_deleted" change;
    /// A service account got another key; the event's reason is the account's client id.
    ServiceAccountKeyCreated "service_account_key_created" change;
    /// A key of a service account was withdrawn; the reason as above.
    ServiceAccountKeyWithdrawn "service_account_key_withdrawn" change;
    /// A service account named the address of a client, for the first time from a network; the reason as above.
    ServiceNetworkUsed "service_network_used" change;
    /// The operator commanded the circuit breaker; the event's reason is the command.
    BreakerCommanded "breaker_commanded" change;
    /// A signed-in user lacked a permission; the event's reason names it.
    AccessRefused "access_refused" refusal;
    /// Access tokens are signed by another algorithm from now on; the event's reason names it.
    SigningAlgorithmChanged "signing_algorithm_changed" change;
    /// The next signing key took the place of the current one.
    SigningKeyRotated "signing_key_rotated" change;
    /// A signing key was revoked; the event's reason is its id.
    SigningKeyRevoked "signing_key_revoked" change;
    /// The signing keys were replaced, because no configured `SECRET_KEY` decrypts them.
    SigningKeyReplaced "signing_key_replaced" change;
}

impl EventType {
    /// The type with this stored name, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == text)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn stored_names_unchanged() {
        let names: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        let stored = "registered imported registration_refused signed_in sign_in_refused refreshed refresh_refused \
                      reuse_detected signed_out session_ended sessions_ended profile_changed \
                      password_changed password_reset password_reset_handed_over email_verified email_changed email_change_undone not_me password_change_refused exported deleted deletion_refused \
                      step_up_refused role_granted role_removed invitation_created invitation_withdrawn disabled enabled unlocked \
                      university_created university_changed university_deleted department_created \
                      department_deleted course_created course_changed course_deleted enrollment_ended \
                      factor_added factor_removed factor_renamed recovery_codes_replaced factors_confirmed factors_reset \
                      second_factor_refused identity_linked identity_unlinked api_key_created api_key_withdrawn service_account_created service_account_changed \
                      service_account_deleted service_account_key_created service_account_key_withdrawn service_network_used \
                      breaker_commanded access_refused signing_algorithm_changed signing_key_rotated \
                      signing_key_revoked signing_key_replaced";
        assert_eq!(names.join(" "), stored);
    }
}

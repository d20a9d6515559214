//! Step-up: acts that cannot be undone, or that give lasting access, need a recent sign-in (RFC 9470). So a stolen token is
//! good for them during ten minutes at most. Without a second factor, the password beside the token does as well.

use crate::domain::authz::role::Role;
use crate::domain::time::{MINUTE, Timestamp};

/// Seconds for which a sign-in is recent: `max_age` of the challenge and of its details.
pub const MAX_AGE_SECONDS: i64 = 10 * MINUTE;

/// Is this sign-in recent? Tokens of versions before `auth_time` have none.
#[must_use]
pub fn is_recent(auth_time: Option<Timestamp>, now: Timestamp) -> bool {
    auth_time.is_some_and(|time| now <= time.plus_seconds(MAX_AGE_SECONDS))
}

/// An act of an administrator, or of a user on their own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Act {
    EraseUser,
    DisableUser,
    VerifyAddress,
    ResetPassword,
    EndSessions { is_own: bool },
    GrantRole(Role),
    RemoveRole { role: Role, is_own: bool },
    ChangeApiKeys,
    ChangeServiceAccounts,
    ChangeAddress,
    ChangeFactors,
    ChangeIdentities,
    ResetFactors,
    ExportData,
    ImportUsers,
}

impl Act {
    /// Whether the act needs a recent sign-in. `of_administrator`: the user concerned administers a university or the
    /// platform. Taking another administrator's rights or sessions away leaves the platform to the thief of a token.
    #[must_use]
    pub const fn is_irreversible(self, of_administrator: bool) -> bool {
        match self {
            Self::EraseUser
            | Self::VerifyAddress
            | Self::ResetPassword
            | Self::ChangeApiKeys
            | Self::ChangeServiceAccounts
            | Self::ChangeAddress
            | Self::ChangeFactors
            | Self::ChangeIdentities
            | Self::ResetFactors
            | Self::ExportData
            | Self::ImportUsers => true,
            Self::DisableUser => of_administrator,
            Self::EndSessions { is_own } => of_administrator && !is_own,
            Self::GrantRole(role) => matches!(role, Role::PlatformAdmin),
            Self::RemoveRole { role, is_own } => matches!(role, Role::UniversityAdmin | Role::PlatformAdmin) && !is_own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_sign_in_is_recent_for_ten_minutes() {
        assert!(is_recent(Some(NOW), NOW));
        assert!(is_recent(Some(NOW.plus_seconds(-600)), NOW));
        assert!(!is_recent(Some(NOW.plus_seconds(-600)), Timestamp::from_millis(NOW.millis() + 1)));
        assert!(!is_recent(Some(NOW.plus_seconds(-86_400)), NOW));
        assert!(!is_recent(None, NOW), "tokens of earlier versions");
    }

    #[test]
    fn only_acts_against_administrators_and_for_the_platform_are_irreversible() {
        for of_administrator in [false, true] {
            let always = [
                Act::EraseUser,
                Act::VerifyAddress,
                Act::ResetPassword,
                Act::ChangeApiKeys,
                Act::ChangeServiceAccounts,
                Act::ChangeAddress,
                Act::ChangeFactors,
                Act::ChangeIdentities,
                Act::ResetFactors,
                Act::ExportData,
            ];
            for act in always {
                assert!(act.is_irreversible(of_administrator), "{act:?}");
            }
            assert_eq!(Act::DisableUser.is_irreversible(of_administrator), of_administrator);
            assert_eq!(Act::EndSessions { is_own: false }.is_irreversible(of_administrator), of_administrator);
            assert!(!Act::EndSessions { is_own: true }.is_irreversible(of_administrator));
            for role in Role::ALL {
                let is_platform = role == Role::PlatformAdmin;
                assert_eq!(Act::GrantRole(role).is_irreversible(of_administrator), is_platform, "{role:?}");
                let is_administrator = is_platform || role == Role::UniversityAdmin;
                let remove = |is_own| Act::RemoveRole { role, is_own }.is_irreversible(of_administrator);
                assert_eq!((remove(false), remove(true)), (is_administrator, false), "{role:?}");
            }
        }
    }
}

//! The setting of registrations.

/// The registrations that a deployment admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Those of any address.
    Open,
    /// Those with an invitation.
    Invitation,
    /// None, not even those with an invitation.
    Closed,
}

impl RegistrationPolicy {
    /// The name in the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Closed => "closed",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::Invitation, Self::Closed].into_iter().find(|policy| policy.as_str() == name)
    }
}

//! A right second factor, before it is used up.

use crate::domain::audit::Reason;
use crate::domain::factor::totp::TimeStep;
use crate::domain::ids::{PasskeyId, TotpId};
use crate::domain::session::methods::AuthMethods;

/// A right answer, and the values that using it up needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactorUse {
    /// A code of an authenticator app.
    Totp {
        /// The row of its secret.
        id: TotpId,
        /// The time step of the code. Codes of it and of steps before are void then.
        step: TimeStep,
    },
    /// A recovery code, which is used up.
    RecoveryCode {
        /// The hash, as it is stored.
        hash: String,
    },
    /// An assertion of a passkey.
    Passkey {
        /// The row of the passkey.
        id: PasskeyId,
        /// The counter that the authenticator signed.
        sign_count: u32,
        /// The authenticator said that a copy exists.
        is_backed_up: bool,
        /// The authenticator may make copies.
        is_synchronised: bool,
    },
}

impl FactorUse {
    /// The name, for statements and responses.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.reason().as_str()
    }

    /// The reason of the event of a sign-in.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Totp { .. } => Reason::Totp,
            Self::RecoveryCode { .. } => Reason::RecoveryCode,
            Self::Passkey { .. } => Reason::Passkey,
        }
    }

    /// The methods of a sign-in in which the factor is the second one.
    #[must_use]
    pub const fn after(&self, first: AuthMethods) -> AuthMethods {
        match self {
            Self::Totp { .. } | Self::RecoveryCode { .. } => first.and(AuthMethods::CODE).and(AuthMethods::MULTIPLE),
            Self::Passkey { is_synchronised, .. } => first.and(AuthMethods::of_passkey(*is_synchronised)),
        }
    }
}

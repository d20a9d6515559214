//! How the user of a session signed in.

/// The method of a sign-in (RFC 8176 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignInMethod {
    /// With a password. Sessions of versions that knew no other method are of this one.
    #[default]
    Password,
    /// With a mailed code.
    Code,
}

impl SignInMethod {
    /// The name, as stored and in the claim `amr`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Code => "otp",
        }
    }

    /// The method with this name.
    #[must_use]
    pub fn named(name: Option<&str>) -> Self {
        if name == Some(Self::Code.as_str()) { Self::Code } else { Self::Password }
    }
}

//! How the user of a session signed in.

/// The methods of a sign-in: the claim `amr` (RFC 8176 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthMethods(u8);

impl AuthMethods {
    /// A password. Sessions of versions that knew no other method are of this one.
    pub const PASSWORD: Self = Self(1);
    /// A one-time code: of a mail, of an authenticator app, or a recovery code.
    pub const CODE: Self = Self(2);
    /// A passkey that stays on its device.
    pub const HARDWARE_KEY: Self = Self(4);
    /// A passkey that is synchronised between devices.
    pub const SOFTWARE_KEY: Self = Self(8);
    /// More than one factor.
    pub const MULTIPLE: Self = Self(16);
    /// An identity of another provider. RFC 8176 has no name for it; providers of identity say `fed`.
    pub const FEDERATED: Self = Self(32);

    /// The names of RFC 8176 and `fed`, in the order of the claim.
    const NAMES: [(&str, Self); 6] = [
        ("pwd", Self::PASSWORD),
        ("otp", Self::CODE),
        ("hwk", Self::HARDWARE_KEY),
        ("swk", Self::SOFTWARE_KEY),
        ("mfa", Self::MULTIPLE),
        ("fed", Self::FEDERATED),
    ];

    /// The method of a passkey. It verifies its user, by a PIN or a body feature, so it is two factors at once.
    #[must_use]
    pub const fn of_passkey(is_synchronised: bool) -> Self {
        let key = if is_synchronised { Self::SOFTWARE_KEY } else { Self::HARDWARE_KEY };
        key.and(Self::MULTIPLE)
    }

    /// The methods of both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Are all methods of `other` among these?
    #[must_use]
    pub const fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the claim.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, method)| self.include(*method)).map(|(name, _)| name)
    }

    /// The methods with these names. Names of other versions are ignored; without any, it was a password.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let known = names.into_iter().filter_map(|name| Self::NAMES.iter().find(|(known, _)| *known == name));
        let methods = known.fold(Self(0), |all, (_, method)| all.and(*method));
        if methods == Self(0) { Self::PASSWORD } else { methods }
    }

    /// The stored text: the names with a blank between.
    #[must_use]
    pub fn text(self) -> String {
        self.names().collect::<Vec<_>>().join(" ")
    }

    /// The methods of a stored text. A session of an earlier version has none.
    #[must_use]
    pub fn of_text(text: Option<&str>) -> Self {
        Self::named(text.unwrap_or_default().split(' '))
    }
}

impl Default for AuthMethods {
    fn default() -> Self {
        Self::PASSWORD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn stored_texts_unchanged() {
        let with_app = AuthMethods::PASSWORD.and(AuthMethods::CODE).and(AuthMethods::MULTIPLE);
        let texts = [
            (AuthMethods::PASSWORD, "pwd"),
            (AuthMethods::CODE, "otp"),
            (with_app, "pwd otp mfa"),
            (AuthMethods::of_passkey(false), "hwk mfa"),
            (AuthMethods::of_passkey(true), "swk mfa"),
            (AuthMethods::PASSWORD.and(AuthMethods::of_passkey(true)), "pwd swk mfa"),
            (AuthMethods::FEDERATED, "fed"),
        ];
        for (methods, text) in texts {
            assert_eq!(methods.text(), text);
            assert_eq!(AuthMethods::of_text(Some(text)), methods);
        }
        assert_eq!(AuthMethods::of_text(None), AuthMethods::PASSWORD);
        assert_eq!(AuthMethods::of_text(Some("face")), AuthMethods::PASSWORD);
        assert_eq!(AuthMethods::named(["face", "otp"]), AuthMethods::CODE);
    }
}

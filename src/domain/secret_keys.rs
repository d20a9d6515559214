//! `SECRET_KEY` and its neighbours, while one key replaces another.
//!
//! ```text
//!   use                       SECRET_KEY   SECRET_KEY_NEXT   SECRET_KEY_PREVIOUS   the same with PREVIOUS_USE=decrypt
//!   signs, hashes new values  yes          –                 –                     –
//!   verifies, finds hashes    yes          yes               yes                   –
//! ```
//!
//! A change of settings reaches isolates one after another. With the next key set everywhere first, tokens of new isolates
//! are valid in old ones, and tokens of old isolates in new ones. Nothing is encrypted at rest yet, so `decrypt` leaves the
//! previous key without any use.

use crate::domain::secret::Secret;

/// The use of `SECRET_KEY_PREVIOUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousUse {
    /// It verifies signatures, and would decrypt.
    All,
    /// It would only decrypt: after a leak, any holder of the key could forge tokens.
    Decrypt,
}

impl PreviousUse {
    /// The value of the setting with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "decrypt" => Some(Self::Decrypt),
            _ => None,
        }
    }
}

/// The keys that the settings name.
#[derive(Debug, Clone)]
pub struct SecretKeys {
    /// The only key that signs.
    pub current: Secret,
    /// The key that is going to replace it.
    pub next: Option<Secret>,
    /// The key that it replaced.
    pub previous: Option<Secret>,
    /// The purposes that the previous key still serves.
    pub previous_use: PreviousUse,
}

impl SecretKeys {
    /// A single key, which is not being replaced.
    #[must_use]
    pub const fn only(current: Secret) -> Self {
        Self { current, next: None, previous: None, previous_use: PreviousUse::All }
    }

    /// The keys whose signatures and hashes are accepted, the current one first.
    pub fn verifying(&self) -> impl Iterator<Item = &Secret> {
        let previous = self.previous.as_ref().filter(|_| self.previous_use == PreviousUse::All);
        std::iter::once(&self.current).chain(&self.next).chain(previous)
    }

    /// The settings that repeat another key. Of a repeated key it is unclear whether it may sign or verify.
    #[must_use]
    pub fn repeated(&self) -> Vec<&'static str> {
        let same = |one: Option<&Secret>, other: Option<&Secret>| {
            one.zip(other).is_some_and(|(one, other)| one.equals(other.expose()))
        };
        let (current, next, previous) = (Some(&self.current), self.next.as_ref(), self.previous.as_ref());
        let pairs = [
            (next, current, "SECRET_KEY_NEXT (equal to SECRET_KEY)"),
            (previous, current, "SECRET_KEY_PREVIOUS (equal to SECRET_KEY)"),
            (next, previous, "SECRET_KEY_NEXT (equal to SECRET_KEY_PREVIOUS)"),
        ];
        pairs.into_iter().filter(|(one, other, _)| same(*one, *other)).map(|(.., name)| name).collect()
    }
}

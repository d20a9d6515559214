//! `SECRET_KEY` and its neighbours, while one key replaces another.
//!
//! ```text
//!   use                       SECRET_KEY   SECRET_KEY_NEXT   SECRET_KEY_PREVIOUS   the same with PREVIOUS_USE=decrypt
//!   signs, hashes, encrypts   yes          –                 –                     –
//!   verifies, finds hashes    yes          yes               yes                   –
//!   decrypts                  yes          yes               yes                   yes
//! ```
//!
//! A change of settings reaches isolates one after another. With the next key set everywhere first, tokens of new isolates
//! are valid in old ones, and tokens of old isolates in new ones. Encrypted rows name their key; the Cron Trigger encrypts
//! them anew.

use sha2::{Digest as _, Sha256};

use crate::domain::ids::hex;
use crate::domain::secret::Secret;

/// The use of `SECRET_KEY_PREVIOUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousUse {
    /// It verifies signatures, and decrypts.
    All,
    /// It only decrypts: after a leak, any holder of the key could forge tokens.
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

    /// The key with this id, to decrypt with.
    #[must_use]
    pub fn decrypting(&self, id: &str) -> Option<&Secret> {
        let all = std::iter::once(&self.current).chain(&self.next).chain(&self.previous);
        all.into_iter().find(|secret| key_id(secret) == id)
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

/// The id of a `SECRET_KEY`: the `kid` of its tokens, and the name in rows that it encrypted. It is derived from the
/// secret, so a new secret gets a new id without configuration.
#[must_use]
pub fn key_id(secret: &Secret) -> String {
    let digest = Sha256::new().chain_update(b"edge-auth key id\0").chain_update(secret.expose()).finalize();
    hex(digest.get(..8).unwrap_or_default())
}

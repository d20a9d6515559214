//! The key ring: every signing key on file, and the decisions about it. The database holds the ring; each isolate has a
//! copy.
//!
//! Every change makes a new version. A change names the version that it was decided from, and the database refuses it if
//! another isolate was faster. So of any number of isolates that decide the same change, one makes it.

use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::secret::Secret;
use crate::domain::time::{DAY, MINUTE, Timestamp};

/// How long after the end of a key or an algorithm an `iat` may still lie, because the clocks of two machines differ.
const CLOCK_SKEW_SECONDS: i64 = MINUTE;
/// A retired key is published for this long after its last token has expired: `max-age` and `stale-while-revalidate` of
/// the key set.
const CACHE_SECONDS: i64 = 300 + 3600;
/// A key that cannot be decrypted is replaced at most this often. Two deployments without a common `SECRET_KEY` would
/// otherwise replace each other's keys with each request.
const REPLACEMENT_SECONDS: i64 = MINUTE;

/// The encrypted private half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The ciphertext, with its nonce.
    pub text: String,
    /// The id of the `SECRET_KEY` that it was encrypted with.
    pub key_id: String,
}

/// A signing key, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The `kid` of its tokens.
    pub id: KeyId,
    /// The algorithm that it is for, and for no other (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    /// The state of the key.
    pub state: KeyState,
    /// The public half: a JSON Web Key with the members that its type requires, and no others. Empty if revoked.
    pub public_key: String,
    /// The private half of a `next` or `current` key.
    pub sealed: Option<Sealed>,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// The time from which it signed.
    pub activated_at: Option<Timestamp>,
    /// The time at which it was retired or revoked.
    pub ended_at: Option<Timestamp>,
}

/// A new key pair, before it has a state.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The `kid` of its tokens.
    pub id: KeyId,
    /// The public half, as in [`SigningKey::public_key`].
    pub public_key: String,
    /// The private half, encrypted.
    pub sealed: Sealed,
}

/// The key ring of the deployment. The default is that of a database without one: version 0, `SECRET_KEY` signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Increases with every change.
    pub version: i64,
    /// The algorithm of new access tokens.
    pub algorithm: Algorithm,
    /// The time at which HS256 stopped being the algorithm, if it did.
    pub hs256_ended_at: Option<Timestamp>,
    /// Every key, in no particular order.
    pub keys: Vec<SigningKey>,
}

impl Default for Ring {
    fn default() -> Self {
        Self { version: 0, algorithm: Algorithm::Hs256, hs256_ended_at: None, keys: Vec::new() }
    }
}

/// A change of the ring. The members apply in this order, and each key is named by its id, so that the second execution
/// of a batch changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The version that the change was decided from.
    pub from_version: i64,
    /// The algorithm from now on.
    pub algorithm: Algorithm,
    /// A `next` key that is dropped. It never signed.
    pub dropped: Option<KeyId>,
    /// A `current` key that is retired.
    pub retired: Option<KeyId>,
    /// A key that is revoked.
    pub revoked: Option<KeyId>,
    /// The `next` key that becomes the current one.
    pub promoted: Option<KeyId>,
    /// A new key becomes the current one.
    pub makes_current: bool,
    /// A new key becomes the next one.
    pub makes_next: bool,
}

/// The refusal to rotate: caches may not have the next key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextIsTooYoung;

/// The key of a verified signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// `SECRET_KEY` or one of its neighbours.
    SecretKey,
    /// A key of the ring.
    Ring(KeyId),
}

impl Ring {
    /// The key in this state, of which there is at most one if it is `Next` or `Current`.
    #[must_use]
    pub fn in_state(&self, state: KeyState) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.state == state)
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The keys that resource servers need, the current one first.
    #[must_use]
    pub fn published(&self) -> Vec<&SigningKey> {
        let states = [KeyState::Current, KeyState::Next, KeyState::Retired];
        states.into_iter().flat_map(|state| self.keys.iter().filter(move |key| key.state == state)).collect()
    }

    /// Is a token with a valid signature of this key accepted, if it was issued at this time?
    ///
    /// A key signs nothing after its end. Without the last condition, the holder of an old secret could forge tokens for
    /// ever; with it, for one lifetime of an access token.
    #[must_use]
    pub fn accepts(&self, signed_by: SignedBy, issued_at: Timestamp, now: Timestamp, access_seconds: i64) -> bool {
        let ended_at = match signed_by {
            SignedBy::SecretKey if self.algorithm == Algorithm::Hs256 => return true,
            SignedBy::SecretKey => self.hs256_ended_at,
            SignedBy::Ring(id) => match self.find(id) {
                // An isolate that knows a newer ring may have promoted the next key already.
                Some(key) if matches!(key.state, KeyState::Current | KeyState::Next) => return true,
                Some(key) if key.state == KeyState::Retired => key.ended_at,
                Some(_) | None => None,
            },
        };
        ended_at.is_some_and(|ended_at| {
            issued_at <= ended_at.plus_seconds(CLOCK_SKEW_SECONDS) && now < ended_at.plus_seconds(access_seconds)
        })
    }

    /// The change that an isolate with this algorithm in its settings proposes when it starts: the first keys, or a
    /// switch to another algorithm. A new current key is not published before it signs, so a resource server meets an
    /// unknown `kid` and reads the key set again.
    #[must_use]
    pub fn adoption(&self, wanted: Algorithm) -> Option<Change> {
        let has_keys = [KeyState::Next, KeyState::Current].iter().all(|state| self.in_state(*state).is_some());
        let needs_keys = wanted != Algorithm::Hs256;
        if self.algorithm == wanted && (has_keys || !needs_keys) {
            return None;
        }
        Some(Change { algorithm: wanted, makes_current: needs_keys, makes_next: needs_keys, ..self.emptied() })
    }

    /// The replacement of keys that no configured `SECRET_KEY` decrypts, unless the current one is very young.
    #[must_use]
    pub fn replacement(&self, now: Timestamp) -> Option<Change> {
        let current = self.in_state(KeyState::Current)?;
        let is_old = current.activated_at.is_none_or(|since| since.plus_seconds(REPLACEMENT_SECONDS) <= now);
        is_old.then(|| Change { makes_current: true, makes_next: true, ..self.emptied() })
    }

    /// The next key signs from now on.
    ///
    /// # Errors
    /// [`NextIsTooYoung`] if it was published less than `ahead_seconds` ago, or there is none.
    pub fn rotation(&self, now: Timestamp, ahead_seconds: i64) -> Result<Change, NextIsTooYoung> {
        let next = self.in_state(KeyState::Next).ok_or(NextIsTooYoung)?;
        if next.created_at.plus_seconds(ahead_seconds) > now {
            return Err(NextIsTooYoung);
        }
        let retired = self.in_state(KeyState::Current).map(|key| key.id);
        Ok(Change { retired, promoted: Some(next.id), makes_next: true, ..self.unchanged() })
    }

    /// Is the current key as old as the settings allow? 0 days means that only the operator rotates.
    #[must_use]
    pub fn is_due(&self, now: Timestamp, days: i64) -> bool {
        let since = self.in_state(KeyState::Current).and_then(|key| key.activated_at);
        days > 0 && since.is_some_and(|since| since.plus_seconds(days * DAY) <= now)
    }

    /// Takes out a leaked key. The next one takes the place of the current one, whatever its age. `None` if there is no
    /// such key; a change without effect if it is revoked already.
    #[must_use]
    pub fn revocation(&self, id: KeyId) -> Option<Change> {
        let change = Change { revoked: Some(id), ..self.unchanged() };
        Some(match self.find(id)?.state {
            KeyState::Current => {
                let promoted = self.in_state(KeyState::Next).map(|key| key.id);
                Change { promoted, makes_next: true, ..change }
            }
            KeyState::Next => Change { makes_next: true, ..change },
            KeyState::Retired | KeyState::Revoked => change,
        })
    }

    /// The keys whose last token has expired everywhere.
    #[must_use]
    pub fn expired(&self, now: Timestamp, access_seconds: i64) -> Vec<KeyId> {
        let is_expired = |key: &&SigningKey| {
            key.ended_at.is_some_and(|ended| ended.plus_seconds(access_seconds + CACHE_SECONDS) <= now)
        };
        self.keys.iter().filter(is_expired).map(|key| key.id).collect()
    }

    fn unchanged(&self) -> Change {
        Change {
            from_version: self.version,
            algorithm: self.algorithm,
            dropped: None,
            retired: None,
            revoked: None,
            promoted: None,
            makes_current: false,
            makes_next: false,
        }
    }

    /// The ring without a key that signs now or later.
    fn emptied(&self) -> Change {
        let [dropped, retired] =
            [KeyState::Next, KeyState::Current].map(|state| self.in_state(state).map(|key| key.id));
        Change { dropped, retired, ..self.unchanged() }
    }
}

/// The private half of a key, decrypted: a JSON Web Key.
#[derive(Debug, Clone)]
pub struct PrivateKey {
    /// The `kid` of its tokens.
    pub id: KeyId,
    /// The algorithm that it is for.
    pub algorithm: Algorithm,
    /// The text of the key.
    pub text: Secret,
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;

//! Challenges of WebAuthn: signed values, so that nothing is stored until one is answered (W3C WebAuthn Level 3 §13.4.3).
//!
//! ```text
//!   purpose   end of its validity   id        tag
//!   1 byte    8 bytes               8 bytes   16 bytes
//! ```
//!
//! The id is random. The tag is a keyed hash of all before it and of the context: a user, a pending sign-in, or none. A
//! challenge of one user, purpose or sign-in is therefore none of another.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::ids::ChallengeId;
use crate::domain::secret::Secret;
use crate::domain::secret_keys::SecretKeys;
use crate::domain::session::token::CLOCK_SKEW_SECONDS;
use crate::domain::time::{MINUTE, Timestamp};

/// Seconds for which a challenge is valid.
pub const CHALLENGE_SECONDS: i64 = 5 * MINUTE;
const TAG_BYTES: usize = 16;
/// The length of a challenge in bytes.
pub const CHALLENGE_BYTES: usize = 1 + 8 + 8 + TAG_BYTES;

/// The ceremony that a challenge is for, and the id to which it is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new passkey of this user.
    Register(i64),
    /// A step-up of this user.
    StepUp(i64),
    /// The second factor of this pending sign-in.
    SecondFactor(i64),
    /// A sign-in without an address.
    SignIn,
}

impl Purpose {
    const fn parts(self) -> (u8, i64) {
        match self {
            Self::Register(user_id) => (1, user_id),
            Self::StepUp(user_id) => (2, user_id),
            Self::SecondFactor(challenge_id) => (3, challenge_id),
            Self::SignIn => (4, 0),
        }
    }
}

/// A challenge that the service made and that is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Stored with the first answer, so that it is the only one.
    pub id: ChallengeId,
    /// The end of its validity.
    pub expires_at: Timestamp,
}

impl Challenge {
    /// The end of its row: the clock of another isolate may be late.
    #[must_use]
    pub const fn kept_until(self) -> Timestamp {
        self.expires_at.plus_seconds(CLOCK_SKEW_SECONDS)
    }
}

/// The key of one `SECRET_KEY`.
#[derive(Clone)]
struct ChallengeKey([u8; 32]);

impl ChallengeKey {
    fn derive(secret: &Secret) -> Self {
        Self(Sha256::new().chain_update(b"edge-auth challenge key\0").chain_update(secret.expose()).finalize().into())
    }

    /// Only a part of the hash is used, so its length cannot be extended.
    fn tag(&self, head: &[u8], context: i64) -> [u8; TAG_BYTES] {
        let hash = Sha256::new().chain_update(self.0).chain_update(head).chain_update(context.to_be_bytes()).finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }
}

/// The keys of challenges: one that makes them, and those that verify while `SECRET_KEY` changes.
#[derive(Clone)]
pub struct ChallengeKeys {
    current: ChallengeKey,
    others: Vec<ChallengeKey>,
}

impl ChallengeKeys {
    /// Derives the keys from the secrets.
    #[must_use]
    pub fn derive(secrets: &SecretKeys) -> Self {
        let others = secrets.verifying().skip(1).map(ChallengeKey::derive).collect();
        Self { current: ChallengeKey::derive(&secrets.current), others }
    }

    /// The bytes of a challenge.
    #[must_use]
    pub fn make(&self, purpose: Purpose, challenge: Challenge) -> Vec<u8> {
        let (kind, context) = purpose.parts();
        let mut bytes = vec![kind];
        bytes.extend(challenge.expires_at.millis().to_be_bytes());
        bytes.extend(challenge.id.get().to_be_bytes());
        let tag = self.current.tag(&bytes, context);
        bytes.extend(tag);
        bytes
    }

    /// The challenge with these bytes, if the service made it for this purpose and it is still valid.
    #[must_use]
    pub fn read(&self, purpose: Purpose, bytes: &[u8], now: Timestamp) -> Option<Challenge> {
        let (kind, context) = purpose.parts();
        let (head, tag) = bytes.split_at_checked(CHALLENGE_BYTES - TAG_BYTES)?;
        let (_, numbers) = head.split_first().filter(|(first, _)| **first == kind)?;
        let (end, id) = numbers.split_first_chunk()?;
        let end = Timestamp::from_millis(i64::from_be_bytes(*end));
        let mut keys = std::iter::once(&self.current).chain(&self.others);
        let is_ours = keys.any(|key| bool::from(key.tag(head, context).ct_eq(tag)));
        let id = ChallengeId::new(i64::from_be_bytes(*id.first_chunk()?))?;
        (is_ours && end > now).then_some(Challenge { id, expires_at: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys(secret: &str) -> ChallengeKeys {
        ChallengeKeys::derive(&SecretKeys::only(Secret::new(secret)))
    }

    fn challenge() -> Challenge {
        Challenge { id: ChallengeId::new(4711).unwrap(), expires_at: NOW.plus_seconds(CHALLENGE_SECONDS) }
    }

    #[test]
    fn a_challenge_is_valid_for_its_purpose_its_context_its_key_and_its_time_only() {
        let own = keys("one");
        let purposes = [Purpose::Register(7), Purpose::StepUp(7), Purpose::SecondFactor(7), Purpose::SignIn];
        for purpose in purposes {
            let bytes = own.make(purpose, challenge());
            assert_eq!(bytes.len(), CHALLENGE_BYTES);
            for other in purposes {
                let expected = (other == purpose).then_some(challenge());
                assert_eq!(own.read(other, &bytes, NOW), expected, "{purpose:?} as {other:?}");
            }
            assert_eq!(own.read(purpose, &bytes, challenge().expires_at), None);
            assert_eq!(keys("two").read(purpose, &bytes, NOW), None);
        }
        let bytes = own.make(Purpose::Register(7), challenge());
        assert_eq!(own.read(Purpose::Register(8), &bytes, NOW), None);
    }

    #[test]
    fn a_changed_shortened_or_lengthened_challenge_is_none() {
        let own = keys("one");
        let bytes = own.make(Purpose::SignIn, challenge());
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(own.read(Purpose::SignIn, &changed, NOW), None, "byte {index}");
            assert_eq!(own.read(Purpose::SignIn, &bytes[..index], NOW), None);
        }
        assert_eq!(own.read(Purpose::SignIn, &[bytes.as_slice(), &[0]].concat(), NOW), None);
    }

    #[test]
    fn a_challenge_outlives_a_change_of_the_secret() {
        let bytes = keys("old").make(Purpose::SignIn, challenge());
        let previous = Some(Secret::new("old"));
        let rotated = ChallengeKeys::derive(&SecretKeys { previous, ..SecretKeys::only(Secret::new("new")) });
        assert_eq!(rotated.read(Purpose::SignIn, &bytes, NOW), Some(challenge()));
    }
}

//! Proofs of an address: one-time links and codes.
//!
//! A proof is a row. The texts that are presented follow from its id and a key that is derived from `SECRET_KEY`, so a
//! copy of the database holds none of them. Each text has its own label, so that none is valid in place of another.
//!
//! - The **link** has 128 bits, and is only in the mail.
//! - The **code** has 8 digits, is only in the mail, and needs the flow beside it.
//! - The **flow** has 128 bits, and is only in the response to the client that asked for the mail.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::ids::{ProofId, hex};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::SecretKeys;
use crate::domain::time::{DAY, MINUTE};
use crate::domain::unicode::ungrouped;

/// Seconds for which a code is valid.
pub const CODE_SECONDS: i64 = 10 * MINUTE;
/// Wrong codes after which a flow takes no further one.
pub const MAX_FAILURES: i64 = 5;
/// Bytes of a tag: 128 bits.
const TAG_BYTES: usize = 16;
/// The codes are the numbers below this one.
const CODES: u64 = 100_000_000;

/// The purpose of a proof. A link of one purpose is no link of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The address of an account belongs to its owner.
    Verify,
    /// A new password, by a mail, which proves the address, too.
    Reset,
    /// A new password, by a link that an administrator hands over. It proves nothing about the address.
    HandOver,
    /// A role, by a mail, which proves the address, too. Its row is an invitation.
    Invite,
    /// A role, by a link that an administrator hands over. It proves nothing about the address.
    InviteHandOver,
    /// An account gets another address, which is proven thereby.
    ChangeAddress,
    /// The former address of an account is its address again.
    Undo,
    /// A notice tells of an act that is not the owner's.
    NotMe,
    /// A sign-in without a password, by a mailed code. No mail has its link.
    SignIn,
    /// The address of a registration, which makes the account.
    Register,
    /// The first second factor of an account whose roles need one, by a mailed code. No mail has its link.
    Enrol,
    /// An identity of another provider joins the account of its address, or makes one, by a mailed code. No mail has its link.
    Federate,
    /// A step-up of an account without password and second factor, by a mailed code. No mail has its link.
    StepUp,
}

impl Purpose {
    /// The name, as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::HandOver => "hand_over",
            Self::Invite => "invitation",
            Self::InviteHandOver => "invitation_hand_over",
            Self::ChangeAddress => "change_address",
            Self::Undo => "undo",
            Self::NotMe => "not_me",
            Self::SignIn => "sign_in",
            Self::Register => "register",
            Self::Enrol => "enrol",
            Self::Federate => "federate",
            Self::StepUp => "step_up",
        }
    }

    /// Does it concern accounts whose address is proven already, too?
    #[must_use]
    pub const fn concerns_proven(self) -> bool {
        match self {
            Self::Verify | Self::Register => false,
            Self::Reset
            | Self::HandOver
            | Self::SignIn
            | Self::Enrol
            | Self::Federate
            | Self::StepUp
            | Self::Invite
            | Self::InviteHandOver
            | Self::ChangeAddress
            | Self::Undo
            | Self::NotMe => true,
        }
    }

    /// Seconds for which the link is valid.
    #[must_use]
    pub const fn link_seconds(self) -> i64 {
        match self {
            Self::Verify | Self::ChangeAddress | Self::Register => DAY,
            Self::Reset | Self::HandOver => 30 * MINUTE,
            Self::SignIn | Self::Enrol | Self::Federate | Self::StepUp => CODE_SECONDS,
            Self::Invite | Self::InviteHandOver | Self::Undo | Self::NotMe => 7 * DAY,
        }
    }
}

/// The key of one `SECRET_KEY`.
#[derive(Clone)]
struct ProofKey([u8; 32]);

impl ProofKey {
    fn derive(secret: &Secret) -> Self {
        Self(Sha256::new().chain_update(b"edge-auth mail key\0").chain_update(secret.expose()).finalize().into())
    }

    /// A hash of texts without NUL. Only a part of it is ever used, so its length cannot be extended.
    fn hash(&self, label: &str, purpose: Purpose, id: ProofId) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(self.0);
        for text in [label, purpose.as_str(), &id.to_string()] {
            hash.update(text);
            hash.update([0]);
        }
        hash.finalize().into()
    }

    fn tagged(&self, label: &str, purpose: Purpose, id: ProofId) -> String {
        let hash = self.hash(label, purpose, id);
        format!("{id}.{}", hex(hash.get(..TAG_BYTES).unwrap_or_default()))
    }

    fn code(&self, purpose: Purpose, id: ProofId) -> String {
        let hash = self.hash("code", purpose, id);
        let bytes = hash.first_chunk().copied().unwrap_or_default();
        format!("{:08}", u64::from_le_bytes(bytes) % CODES)
    }
}

/// The keys of proofs: one that writes, and those that verify while `SECRET_KEY` changes.
#[derive(Clone)]
pub struct ProofKeys {
    current: ProofKey,
    others: Vec<ProofKey>,
}

impl ProofKeys {
    /// Derives the keys from the secrets.
    #[must_use]
    pub fn derive(secrets: &SecretKeys) -> Self {
        let others = secrets.verifying().skip(1).map(ProofKey::derive).collect();
        Self { current: ProofKey::derive(&secrets.current), others }
    }

    /// The token of the mailed link.
    #[must_use]
    pub fn link(&self, purpose: Purpose, id: ProofId) -> Secret {
        Secret::new(self.current.tagged("link", purpose, id))
    }

    /// The code of the mail.
    #[must_use]
    pub fn code(&self, purpose: Purpose, id: ProofId) -> Secret {
        Secret::new(self.current.code(purpose, id))
    }

    /// The flow of the response.
    #[must_use]
    pub fn flow(&self, purpose: Purpose, id: ProofId) -> Secret {
        Secret::new(self.current.tagged("flow", purpose, id))
    }

    /// The proof to which a presented link belongs.
    #[must_use]
    pub fn of_link(&self, purpose: Purpose, text: &str) -> Option<ProofId> {
        self.of_tagged("link", purpose, text)
    }

    /// The proof to which a presented flow belongs.
    #[must_use]
    pub fn of_flow(&self, purpose: Purpose, text: &str) -> Option<ProofId> {
        self.of_tagged("flow", purpose, text)
    }

    /// Is this the code of the proof? Blanks and hyphens, which people type, do not count.
    #[must_use]
    pub fn is_code(&self, purpose: Purpose, id: ProofId, text: &str) -> bool {
        let digits = ungrouped(text);
        self.all().any(|key| is_same(&key.code(purpose, id), &digits))
    }

    fn of_tagged(&self, label: &str, purpose: Purpose, text: &str) -> Option<ProofId> {
        let id = ProofId::parse(text.split_once('.')?.0)?;
        self.all().any(|key| is_same(&key.tagged(label, purpose, id), text)).then_some(id)
    }

    fn all(&self) -> impl Iterator<Item = &ProofKey> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

fn is_same(expected: &str, presented: &str) -> bool {
    expected.as_bytes().ct_eq(presented.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn keys(secret: &str) -> ProofKeys {
        ProofKeys::derive(&SecretKeys::only(Secret::new(secret)))
    }

    #[test]
    fn a_text_is_valid_for_its_kind_its_purpose_its_row_and_its_key_only() {
        let (own, id) = (keys("one"), ProofId::new(4711).unwrap());
        let link = own.link(Purpose::Reset, id);
        assert_eq!(own.of_link(Purpose::Reset, link.expose()), Some(id));
        assert_eq!(link.expose().len(), "4711.".len() + 32, "128 bits");
        assert_eq!(own.of_link(Purpose::Verify, link.expose()), None);
        assert_eq!(own.of_flow(Purpose::Reset, link.expose()), None);
        assert_eq!(keys("two").of_link(Purpose::Reset, link.expose()), None);
        let other = own.link(Purpose::Reset, ProofId::new(4712).unwrap());
        let exchanged = other.expose().replace("4712.", "4711.");
        assert_eq!(own.of_link(Purpose::Reset, &exchanged), None);
        for text in ["", ".", "4711", "4711.", &format!("0{}", link.expose()), &format!("{} ", link.expose())] {
            assert_eq!(own.of_link(Purpose::Reset, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_code_has_8_digits_and_may_be_typed_in_groups() {
        let own = keys("one");
        for number in 1..200 {
            let id = ProofId::new(number).unwrap();
            let code = own.code(Purpose::Reset, id);
            let code = code.expose();
            assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            let (left, right) = code.split_at(4);
            assert!(
                own.is_code(Purpose::Reset, id, code) && own.is_code(Purpose::Reset, id, &format!(" {left}-{right} "))
            );
            assert!(!own.is_code(Purpose::Verify, id, code) && !own.is_code(Purpose::Reset, id, left));
        }
    }

    #[test]
    fn texts_of_the_previous_key_stay_valid_unless_it_leaked() {
        use crate::domain::secret_keys::PreviousUse;
        let (id, link) = (ProofId::new(1).unwrap(), keys("old").link(Purpose::Reset, ProofId::new(1).unwrap()));
        for (previous_use, expected) in [(PreviousUse::All, Some(id)), (PreviousUse::Decrypt, None)] {
            let previous = Some(Secret::new("old"));
            let secrets = SecretKeys { previous, previous_use, ..SecretKeys::only(Secret::new("new")) };
            assert_eq!(ProofKeys::derive(&secrets).of_link(Purpose::Reset, link.expose()), expected);
        }
    }
}

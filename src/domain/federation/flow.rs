//! Flows: a sign-in at another provider, from its start to its exchange. A flow is signed, so nothing is stored at its start.
//!
//! Three texts follow from one random id. Each has a tag of its own, so none is valid in place of another.
//!
//! - The **state** goes to the provider and comes back with the browser (RFC 6749 §10.12).
//! - The **flow** stays with the client that started. A stranger that starts a flow for a victim's browser has no code, and a
//!   victim that gets a stranger's code has no flow.
//! - The **nonce** and the **code verifier** follow by a keyed hash (OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.1). A code
//!   or an ID token of another flow does not fit them.
//!
//! ```text
//!   state   kind   end   id   hash of the return URL   tag
//!   flow    kind   end   id                            tag
//!   bytes   1      8     8    8                        16
//! ```

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::ids::{FlowId, UserId};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::SecretKeys;
use crate::domain::session::token::CLOCK_SKEW_SECONDS;
use crate::domain::time::{MINUTE, Timestamp};

/// Seconds for which a flow is valid.
pub const FLOW_SECONDS: i64 = 10 * MINUTE;
const HEAD_BYTES: usize = 1 + 8 + 8;
const RETURN_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// The bit of the kind that says that an app has the ID token already.
const NATIVE: u8 = 4;

/// The result that a flow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A session of the user that has the identity.
    SignIn,
    /// A further identity of the user that started the flow.
    Link,
    /// A fresh access token for a session of the user that started the flow.
    StepUp,
}

impl Purpose {
    /// Does the flow belong to a signed-in user?
    #[must_use]
    pub const fn needs_caller(self) -> bool {
        !matches!(self, Self::SignIn)
    }

    const fn number(self) -> u8 {
        match self {
            Self::SignIn => 0,
            Self::Link => 1,
            Self::StepUp => 2,
        }
    }
}

/// A flow that the service started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Stored with the first use, so that each use happens once.
    pub id: FlowId,
    /// The result that it is for.
    pub purpose: Purpose,
    /// An app presents an ID token, without a callback.
    pub is_native: bool,
    /// The end of its validity.
    pub ends_at: Timestamp,
}

impl Flow {
    /// The moment of its start.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.ends_at.plus_seconds(-FLOW_SECONDS)
    }

    /// The end of its row: the clock of another isolate may be late.
    #[must_use]
    pub const fn kept_until(&self) -> Timestamp {
        self.ends_at.plus_seconds(CLOCK_SKEW_SECONDS)
    }

    fn head(&self) -> [u8; HEAD_BYTES] {
        let kind = self.purpose.number() | if self.is_native { NATIVE } else { 0 };
        let mut head = [kind; HEAD_BYTES];
        let numbers = self.ends_at.millis().to_be_bytes().into_iter().chain(self.id.get().to_be_bytes());
        head.iter_mut().skip(1).zip(numbers).for_each(|(to, from)| *to = from);
        head
    }

    fn read(head: &[u8]) -> Option<Self> {
        let (kind, numbers) = head.split_first()?;
        let (end, id) = numbers.split_first_chunk()?;
        let purposes = [Purpose::SignIn, Purpose::Link, Purpose::StepUp];
        let purpose = purposes.into_iter().find(|purpose| purpose.number() == kind & !NATIVE)?;
        let ends_at = Timestamp::from_millis(i64::from_be_bytes(*end));
        let id = FlowId::new(i64::from_be_bytes(id.try_into().ok()?))?;
        Some(Self { id, purpose, is_native: kind & NATIVE != 0, ends_at })
    }
}

/// The values of a flow that the provider checks, or that its ID token repeats.
#[derive(Debug, Clone)]
pub struct FlowSecrets {
    /// The code verifier of PKCE.
    pub verifier: Secret,
    /// The nonce of the ID token.
    pub nonce: String,
}

impl FlowSecrets {
    /// The code challenge of the method S256 (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.verifier.expose()))
    }
}

/// The key of one `SECRET_KEY`.
#[derive(Clone)]
struct FlowKey([u8; 32]);

impl FlowKey {
    fn derive(secret: &Secret) -> Self {
        Self(Sha256::new().chain_update(b"edge-auth federation key\0").chain_update(secret.expose()).finalize().into())
    }

    /// Labels and provider ids have no NUL, and the numbers a fixed length.
    fn hash(&self, label: &str, head: &[u8], provider: &str, user: i64) -> [u8; 32] {
        let hash = Sha256::new().chain_update(self.0).chain_update(label).chain_update([0]).chain_update(provider);
        hash.chain_update([0]).chain_update(user.to_be_bytes()).chain_update(head).finalize().into()
    }

    /// Only a part of the hash is used, so its length cannot be extended.
    fn tag(&self, label: &str, head: &[u8], provider: &str, user: i64) -> [u8; TAG_BYTES] {
        self.hash(label, head, provider, user).first_chunk().copied().unwrap_or_default()
    }

    fn secrets(&self, flow: &Flow, provider: &str) -> FlowSecrets {
        let text = |label| Base64UrlUnpadded::encode_string(&self.hash(label, &flow.head(), provider, 0));
        FlowSecrets { verifier: Secret::new(text("verifier")), nonce: text("nonce") }
    }
}

/// The keys of flows: one that makes them, and those that verify while `SECRET_KEY` changes.
#[derive(Clone)]
pub struct FlowKeys {
    current: FlowKey,
    others: Vec<FlowKey>,
}

impl FlowKeys {
    /// Derives the keys from the secrets.
    #[must_use]
    pub fn derive(secrets: &SecretKeys) -> Self {
        let others = secrets.verifying().skip(1).map(FlowKey::derive).collect();
        Self { current: FlowKey::derive(&secrets.current), others }
    }

    /// The secrets of a new flow.
    #[must_use]
    pub fn secrets(&self, flow: &Flow, provider: &str) -> FlowSecrets {
        self.current.secrets(flow, provider)
    }

    /// The state of a flow at this provider, which returns to this URL.
    #[must_use]
    pub fn state(&self, flow: &Flow, provider: &str, return_url: &str) -> String {
        let mut bytes = flow.head().to_vec();
        bytes.extend(return_tag(return_url));
        let tag = self.current.tag("state", &bytes, provider, 0);
        bytes.extend(tag);
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// The flow of a state that came back from this provider, the URL among `return_urls`, and the secrets.
    #[must_use]
    pub fn read_state<'a>(
        &self,
        text: &str,
        provider: &str,
        return_urls: &'a [String],
        now: Timestamp,
    ) -> Option<(Flow, &'a str, FlowSecrets)> {
        let bytes = decoded::<{ HEAD_BYTES + RETURN_BYTES + TAG_BYTES }>(text)?;
        let (signed, tag) = bytes.split_at_checked(HEAD_BYTES + RETURN_BYTES)?;
        let key = self.key(|key| key.tag("state", signed, provider, 0), tag)?;
        let (head, returns) = signed.split_at_checked(HEAD_BYTES)?;
        let flow = Flow::read(head).filter(|flow| flow.ends_at > now)?;
        let url = return_urls.iter().find(|url| return_tag(url) == returns)?;
        Some((flow, url, key.secrets(&flow, provider)))
    }

    /// The text of a flow for the client that started it: the user, if the purpose needs one.
    #[must_use]
    pub fn flow(&self, flow: &Flow, provider: &str, user: Option<UserId>) -> Secret {
        let mut bytes = flow.head().to_vec();
        bytes.extend(self.current.tag("flow", &bytes, provider, number(user)));
        Secret::new(Base64UrlUnpadded::encode_string(&bytes))
    }

    /// A flow as it is presented. It is worth nothing before it is [verified](Self::verify_flow).
    #[must_use]
    pub fn shown_flow(text: &str) -> Option<Flow> {
        Flow::read(decoded::<{ HEAD_BYTES + TAG_BYTES }>(text)?.get(..HEAD_BYTES)?)
    }

    /// The flow that this user started at this provider, and its secrets.
    #[must_use]
    pub fn verify_flow(
        &self,
        text: &str,
        provider: &str,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Option<(Flow, FlowSecrets)> {
        let bytes = decoded::<{ HEAD_BYTES + TAG_BYTES }>(text)?;
        let (head, tag) = bytes.split_at_checked(HEAD_BYTES)?;
        let flow = Flow::read(head).filter(|flow| flow.ends_at > now)?;
        let user = user.filter(|_| flow.purpose.needs_caller());
        let key = self.key(|key| key.tag("flow", head, provider, number(user)), tag)?;
        Some((flow, key.secrets(&flow, provider)))
    }

    fn key(&self, tag: impl Fn(&FlowKey) -> [u8; TAG_BYTES], presented: &[u8]) -> Option<&FlowKey> {
        std::iter::once(&self.current).chain(&self.others).find(|key| bool::from(tag(key).ct_eq(presented)))
    }
}

/// Users have positive ids.
fn number(user: Option<UserId>) -> i64 {
    user.map_or(0, UserId::get)
}

/// It only selects one of the listed URLs; the tag of the state protects it.
fn return_tag(url: &str) -> [u8; RETURN_BYTES] {
    let hash: [u8; 32] = Sha256::digest(url).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The bytes of a text of this length, which has one spelling.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (length == N && Base64UrlUnpadded::encode_string(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;

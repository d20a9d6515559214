//! The inputs of every use case besides its command, and the errors of all use cases.

use std::sync::Arc;

use crate::domain::factor::demand::FactorDemand;
use crate::domain::ids::{SessionId, TokenId};
use crate::domain::limits::storage::{Growth, StorageState};
use crate::domain::limits::throttle::HashKey;
use crate::domain::machine::oauth::OAuthError;
use crate::domain::password::Password;
use crate::domain::password::hash::{MalformedHash, PasswordHash, SALT_LENGTH};
use crate::domain::password::memory::NotHashed;
use crate::domain::password::queue::HashQueueFull;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::session::authority::TokenAuthority;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::domain::unicode::Normalize;
use crate::ports::{
    AwaitHashSlot, Background, Carriers, CryptoError, DbError, Encryption, Entropy, NoEntropy, Signatures,
};
use crate::service::authz::replica::NearestReplica;
use crate::service::federation::cache::ProviderCache;
use crate::service::keys::held::RingCopy;
use crate::store::Store;
use crate::store::audit::RequestInfo;

/// The inputs of every use case besides its command.
pub struct Context<'a> {
    /// The settings of the deployment.
    pub settings: &'a Settings,
    /// Issues and checks tokens.
    pub tokens: &'a TokenAuthority,
    /// The isolate's copy of the key ring.
    pub keys: &'a Arc<RingCopy>,
    /// Makes and verifies asymmetric signatures.
    pub signatures: &'a dyn Signatures,
    /// Encrypts secrets for the database.
    pub encryption: &'a dyn Encryption,
    /// Hand mails to their providers, and requests to other servers.
    pub carriers: &'a Carriers,
    /// The isolate's knowledge of identity providers.
    pub providers: &'a ProviderCache,
    /// The isolate's knowledge about the nearest replica of the database.
    pub replica: &'a NearestReplica,
    /// The database, behind the circuit breaker.
    pub store: &'a Store,
    /// The time, the client and the id of the request.
    pub request: RequestInfo<'a>,
    /// The clock, for the deadline of several requests to a provider only.
    pub clock: fn() -> Timestamp,
    /// Brings addresses of identity providers into one spelling.
    pub normalize: Normalize,
    /// Cryptographically strong random bytes.
    pub entropy: Entropy,
    /// Runs tasks behind the response.
    pub background: &'a dyn Background,
    /// Waits for a slot to hash a password.
    pub await_hash_slot: AwaitHashSlot,
}

impl Context<'_> {
    pub(in crate::service) const fn now(&self) -> Timestamp {
        self.request.now
    }

    pub(in crate::service) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes)?;
        Ok(bytes)
    }

    pub(in crate::service) fn new_token_id(&self) -> Result<TokenId, Error> {
        self.random().map(TokenId::from_random)
    }

    pub(in crate::service) fn new_session_id(&self) -> Result<SessionId, Error> {
        self.random().map(SessionId::from_random)
    }

    /// The space that is left in the database.
    pub(in crate::service) fn storage(&self) -> StorageState {
        self.store.storage(self.settings)
    }

    /// Refuses an operation that only adds rows, while the database is full.
    pub(in crate::service) fn admit_growth(&self, growth: Growth) -> Result<(), Error> {
        if self.storage() == StorageState::Full { Err(ErrorKind::NoSpaceFor(growth).into()) } else { Ok(()) }
    }

    /// The keys of hashes that are on file too, while `SECRET_KEY` changes.
    pub(in crate::service) fn other_throttle_keys(&self) -> Vec<HashKey> {
        self.settings.secret_keys.verifying().skip(1).map(HashKey::derive).collect()
    }

    pub(in crate::service) fn new_salt(&self) -> Result<[u8; SALT_LENGTH], Error> {
        self.random()
    }

    /// Hashes a password that is to be stored.
    pub(in crate::service) async fn hash(&self, password: &Password) -> Result<String, Error> {
        (self.await_hash_slot)(self.request.peer.network()).await?;
        let hash = PasswordHash::derive(password, &self.new_salt()?, self.settings.password_work)?;
        hash.to_phc().map_err(|cause| ErrorKind::NewHash(cause).into())
    }
}

impl Context<'_> {
    /// A stored hash that no password matches. A sign-in gets the answer of a wrong password, after the same work.
    pub(in crate::service) fn hash_of_no_password(&self) -> Result<String, Error> {
        let hash = PasswordHash::of_no_password(&self.new_salt()?, self.random()?, self.settings.password_work);
        hash.to_phc().map_err(|cause| ErrorKind::NewHash(cause).into())
    }
}

/// Why a use case did not succeed. It is one pointer, because most functions of this floor may return one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// The error behind the pointer.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Takes the error out of its box.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// The code of an error that the caller receives.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        if let ErrorKind::Refused(problem) = self.kind() { Some(problem.code) } else { None }
    }
}

impl<T: Into<ErrorKind>> From<T> for Error {
    fn from(kind: T) -> Self {
        Self(Box::new(kind.into()))
    }
}

/// The caller's fault, or one of ours.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The error that the caller receives.
    #[error("{}", .0.code.as_str())]
    Refused(Problem),
    /// The database refused, failed, or was not asked.
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// The database is full, and the operation only adds rows.
    #[error("the database is full: no {}", .0.as_str())]
    NoSpaceFor(Growth),
    /// An operator's command did not reach the circuit breaker.
    #[error("the circuit breaker is out of reach")]
    BreakerOutOfReach,
    /// The runtime gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A stored password hash that cannot be used.
    #[error("user {user_id}: {cause}")]
    StoredHash {
        /// The id of the user.
        user_id: i64,
        /// The fault of the PHC string.
        cause: MalformedHash,
    },
    /// A password could not be hashed.
    #[error("password hash: {0}")]
    Hashing(#[from] NotHashed),
    /// Too many wait to hash a password.
    #[error("password hash: {0}")]
    HashQueueFull(#[from] HashQueueFull),
    /// A password hash that could not be written.
    #[error("new password hash: {0}")]
    NewHash(MalformedHash),
    /// A signature or an encryption failed.
    #[error(transparent)]
    Cryptography(#[from] CryptoError),
    /// The ring has no key that can sign.
    #[error("no signing key can be used")]
    NoSigningKey,
    /// A token names a key that this isolate does not know, and that it may not look up yet.
    #[error("the key of the token is not known yet")]
    KeyNotKnownYet,
    /// An error that only the OAuth endpoints have.
    #[error("{}", .0.as_str())]
    OAuth(OAuthError),
    /// The act needs a more recent or a stronger sign-in.
    #[error("AUTH_STEP_UP_REQUIRED")]
    StepUpRequired(Box<FactorDemand>),
    /// The address of an asserted identity has to be proven: a code was mailed to it, and this is its flow.
    #[error("AUTH_INVALID_CREDENTIALS")]
    CodeMailed(Secret),
    /// A token could not be written.
    #[error("signing: {0}")]
    Signing(#[from] jwt_compact::CreationError),
}

impl From<Problem> for ErrorKind {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Code> for ErrorKind {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

//! The use cases: one read, one pure decision, one batch of writes.
//!
//! Each use case documents its round trips to the database, and a test holds it to them.

pub mod account;
pub mod authz;
#[cfg(feature = "campus")]
pub mod campus;
pub mod password;
pub mod platform;
pub mod session;
pub mod tenant;

pub use session::tokens::TokenPair;

use crate::domain::ids::{SessionId, TokenId};
use crate::domain::password::Password;
use crate::domain::password::argon2id::NotHashed;
use crate::domain::password::hash::{MalformedHash, PasswordHash, SALT_LENGTH};
use crate::domain::password::queue::HashQueueFull;
use crate::domain::problem::{Code, Problem};
use crate::domain::session::token::TokenAuthority;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::ports::{AwaitHashSlot, DbError, Entropy, NoEntropy};
use crate::store::Store;
use crate::store::audit::RequestInfo;

/// What a use case works with.
pub struct Context<'a> {
    /// The settings of the deployment.
    pub settings: &'a Settings,
    /// Issues and checks tokens.
    pub tokens: &'a TokenAuthority,
    /// The database.
    pub store: &'a Store,
    /// The moment of the request, who sent it, and its name.
    pub request: RequestInfo<'a>,
    /// Random bytes.
    pub entropy: Entropy,
    /// Waits for a slot to hash a password.
    pub await_hash_slot: AwaitHashSlot,
}

impl Context<'_> {
    const fn now(&self) -> Timestamp {
        self.request.now
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes)?;
        Ok(bytes)
    }

    fn new_token_id(&self) -> Result<TokenId, Error> {
        self.random().map(TokenId::from_random)
    }

    fn new_session_id(&self) -> Result<SessionId, Error> {
        self.random().map(SessionId::from_random)
    }

    fn new_salt(&self) -> Result<[u8; SALT_LENGTH], Error> {
        self.random()
    }

    /// Hashes a password that is to be stored.
    async fn hash(&self, password: &Password) -> Result<String, Error> {
        (self.await_hash_slot)().await?;
        let hash = PasswordHash::derive(password, &self.new_salt()?, self.settings.password_work)?;
        hash.to_phc().map_err(Error::NewHash)
    }
}

/// Why a use case did not succeed: the caller's fault, or one of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the caller is told.
    #[error("{}", .0.code.as_str())]
    Refused(Problem),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// An operator's command did not reach the circuit breaker.
    #[error("the circuit breaker is out of reach")]
    BreakerOutOfReach,
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A stored password hash that cannot be used.
    #[error("user {user_id}: {cause}")]
    StoredHash {
        /// Whose.
        user_id: i64,
        /// What is wrong with it.
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
    /// A token could not be written.
    #[error("signing: {0}")]
    Signing(#[from] jwt_compact::CreationError),
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

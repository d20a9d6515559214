//! The caller of a request, as the statements know it that run before access is decided.
//!
//! A token names its user. A key names only itself, so a statement looks its owner up. It does so only for a key whose
//! secret is right: the rows of other users must not be read for a client that guesses ids of keys. A verified token of a
//! service account names its key, and proves as much as the secret does.

use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::keys::ring::SignedBy;
use crate::domain::machine::api_key::{ApiKey, KeyHash};
use crate::domain::machine::service_token::ServiceTokenClaims;
use crate::ports::Statement;

/// The caller of a request, before the database confirms it.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// The user that a verified token names.
    User(UserId),
    /// The owner of a presented key.
    Key(PresentedKey),
}

/// A key that a client presented, or that its verified token names.
#[derive(Debug, Clone)]
pub struct PresentedKey {
    pub(in crate::store) id: ApiKeyId,
    pub(in crate::store) proof: KeyProof,
    /// The client id that the client claims beside the key.
    pub(in crate::store) claimed_client: Option<String>,
}

/// The proof that a client has a key.
#[derive(Debug, Clone)]
pub enum KeyProof {
    /// The hash of the presented secret.
    Secret(KeyHash),
    /// A verified token, with the key and the time of its signature.
    Token(ServiceTokenClaims, SignedBy),
}

impl PresentedKey {
    /// The key that a client presented.
    #[must_use]
    pub fn new(key: &ApiKey) -> Self {
        Self { id: key.id(), proof: KeyProof::Secret(key.hash()), claimed_client: None }
    }

    /// The key that a verified token of a service account names.
    #[must_use]
    pub fn of_token(claims: ServiceTokenClaims, signed_by: SignedBy) -> Self {
        let claimed_client = Some(claims.client_id.clone());
        Self { id: claims.key_id, proof: KeyProof::Token(claims, signed_by), claimed_client }
    }

    /// The same key, of a client that also names itself.
    #[must_use]
    pub fn claimed_by(self, client_id: &str) -> Self {
        Self { claimed_client: Some(client_id.to_owned()), ..self }
    }

    /// The proof of the key.
    #[must_use]
    pub const fn proof(&self) -> &KeyProof {
        &self.proof
    }

    pub(in crate::store) const fn hash(&self) -> Option<&KeyHash> {
        match &self.proof {
            KeyProof::Secret(hash) => Some(hash),
            KeyProof::Token(..) => None,
        }
    }

    /// The id in the key.
    #[must_use]
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }
}

/// The id of the user: that of the token, or of the key's owner. NULL for the key of a service account.
macro_rules! caller_id {
    () => {
        "coalesce(:caller_id, (
             SELECT presented.user_id FROM api_keys AS presented
             WHERE presented.id = :caller_key_id
               AND (presented.secret_hash = :caller_key_hash OR :caller_key_is_proven = 1)
         ))"
    };
}
pub(in crate::store) use caller_id;

/// 1 if the presented key belongs to an active service account with this scope, otherwise 0.
macro_rules! caller_is_service_with {
    ($scope:literal) => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM api_keys AS presented
                 JOIN service_accounts AS account ON account.id = presented.service_account_id
                 WHERE presented.id = :caller_key_id
                   AND (presented.secret_hash = :caller_key_hash OR :caller_key_is_proven = 1)
                   AND account.is_active = 1 AND instr(account.scopes, '\"",
            $scope,
            "\"') > 0
             )"
        )
    };
}
pub(in crate::store) use caller_is_service_with;

impl Viewer {
    /// Binds the parameters of [`caller_id!`] and of the conditions that contain it.
    pub(in crate::store) fn bind(&self, statement: Statement) -> Statement {
        Self::bind_any(Some(self), statement)
    }

    /// The same for a request that needs no caller.
    pub(in crate::store) fn bind_any(viewer: Option<&Self>, statement: Statement) -> Statement {
        let (user, key) = match viewer {
            None => (None, None),
            Some(Self::User(id)) => (Some(*id), None),
            Some(Self::Key(key)) => (None, Some(key)),
        };
        statement
            .bind("caller_id", user)
            .bind("caller_key_id", key.map(|key| key.id))
            .bind("caller_key_hash", key.and_then(PresentedKey::hash))
            .bind("caller_key_is_proven", key.is_some_and(|key| key.hash().is_none()))
    }
}

//! The caller of a request, as the statements know it that run before access is decided.
//!
//! A token names its user. A key names only itself, so a statement looks its owner up. It does so only for a key whose
//! secret is right: the rows of other users must not be read for a client that guesses ids of keys. A verified token of a
//! service account names its key, and proves as much as the secret does.

use crate::domain::authz::Role;
use crate::domain::authz::role::names_text;
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::keys::ring::SignedBy;
use crate::domain::machine::api_key::{ApiKey, KeyHash};
use crate::domain::machine::service_token::ServiceTokenClaims;
use crate::ports::Statement;

/// The caller of a request, before the database confirms it.
#[derive(Debug, Clone)]
pub struct Viewer {
    credential: PresentedCredential,
    /// The names of roles that do not count, as `:roles` of a list: empty, unless roles need a second factor.
    withheld: String,
}

#[derive(Debug, Clone)]
enum PresentedCredential {
    /// A verified token names the user.
    User(UserId),
    /// The key names its owner.
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

/// 1 if this role of the caller counts, otherwise 0. Where it needs more than one factor, a token says so by itself, and a key
/// by its row.
macro_rules! role_counts {
    ($role:literal) => {
        concat!(
            "(instr(:withheld, '\"' || ",
            $role,
            " || '\"') = 0 OR EXISTS (
                 SELECT 1 FROM api_keys AS presented WHERE presented.id = :caller_key_id AND presented.has_mfa = 1
             ))"
        )
    };
}
pub(in crate::store) use role_counts;

impl Viewer {
    /// The user that a verified token names. `withheld` are the roles that do not count in its session.
    #[must_use]
    pub fn of_user(id: UserId, withheld: &[Role]) -> Self {
        Self { credential: PresentedCredential::User(id), withheld: text(withheld) }
    }

    /// The owner of a presented key. `withheld` are the roles that do not count unless the key was made with more than one
    /// factor.
    #[must_use]
    pub fn of_key(key: &PresentedKey, withheld: &[Role]) -> Self {
        Self { credential: PresentedCredential::Key(key.clone()), withheld: text(withheld) }
    }

    /// Binds the parameters of [`caller_id!`] and [`role_counts!`], and of the conditions that contain them.
    pub(in crate::store) fn bind(&self, statement: Statement) -> Statement {
        self.bind_id(statement).bind("withheld", self.withheld.as_str())
    }

    /// Binds the parameters of [`caller_id!`], for a statement that asks for no role.
    pub(in crate::store) fn bind_id(&self, statement: Statement) -> Statement {
        Self::bind_any_id(Some(self), statement)
    }

    /// The same for a request that needs no caller.
    pub(in crate::store) fn bind_any_id(viewer: Option<&Self>, statement: Statement) -> Statement {
        let (user, key) = match viewer.map(|viewer| &viewer.credential) {
            None => (None, None),
            Some(PresentedCredential::User(id)) => (Some(*id), None),
            Some(PresentedCredential::Key(key)) => (None, Some(key)),
        };
        statement
            .bind("caller_id", user)
            .bind("caller_key_id", key.map(|key| key.id))
            .bind("caller_key_hash", key.and_then(PresentedKey::hash))
            .bind("caller_key_is_proven", key.is_some_and(|key| key.hash().is_none()))
    }
}

fn text(withheld: &[Role]) -> String {
    if withheld.is_empty() { String::new() } else { names_text(withheld) }
}

//! Asymmetric signatures, and encryption at rest. On Workers the runtime's own `WebCrypto` does both, which is several times
//! as fast as code in the Wasm and adds nothing to its size.

use crate::domain::keys::Algorithm;
use crate::domain::public_key::PublicKey;
use crate::domain::secret::Secret;
use crate::ports::PortFuture;

/// A cryptographic operation failed; the reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cryptography: {0}")]
pub struct CryptoError(pub String);

/// Key pairs and signatures.
pub trait Signatures: Send + Sync {
    /// Makes a key pair: a JSON Web Key with the private and the public members.
    fn generate(&self, algorithm: Algorithm) -> PortFuture<'_, Result<Secret, CryptoError>>;

    /// Signs a text with a private JSON Web Key; returns the signature in base64url.
    fn sign<'a>(
        &'a self,
        algorithm: Algorithm,
        private_key: &'a Secret,
        text: &'a str,
    ) -> PortFuture<'a, Result<String, CryptoError>>;

    /// Is this the signature, in base64url, of the text? The key is a public JSON Web Key. A malformed signature is none.
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        public_key: &'a str,
        text: &'a str,
        signature: &'a str,
    ) -> PortFuture<'a, Result<bool, CryptoError>>;

    /// Is this the signature of the message by the key of another party? A malformed signature is none.
    ///
    /// # Errors
    /// If the key cannot be imported: for example, if its point is not on the curve.
    fn verify_with<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> PortFuture<'a, Result<bool, CryptoError>>;
}

/// The key and the context of an encryption.
#[derive(Debug, Clone, Copy)]
pub struct Seal<'a> {
    /// The `SECRET_KEY` from which the key is derived, by HKDF with SHA-256 (RFC 5869).
    pub secret: &'a Secret,
    /// The purpose, which is the `info` of the derivation. Different purposes have unrelated keys.
    pub purpose: &'static str,
    /// The id of the row: the associated data, so that a ciphertext is valid in its own row only.
    pub row: &'a str,
}

/// One of many texts to be encrypted, with the secret and the row of its [`Seal`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields of the seal are documented")]
pub struct Sealing {
    pub secret: Secret,
    pub row: String,
    pub text: Secret,
}

/// Encryption of texts with AES-256-GCM.
pub trait Encryption: Send + Sync {
    /// Encrypts a text under a random nonce.
    fn encrypt<'a>(&'a self, seal: Seal<'a>, text: &'a Secret) -> PortFuture<'a, Result<String, CryptoError>>;

    /// Encrypts many texts for one purpose, each as [`Encryption::encrypt`] does. Returns them in the same order.
    fn encrypt_all<'a>(
        &'a self,
        purpose: &'static str,
        all: &'a [Sealing],
    ) -> PortFuture<'a, Result<Vec<String>, CryptoError>>;

    /// Decrypts a text. A text of another key, purpose or row fails.
    fn decrypt<'a>(&'a self, seal: Seal<'a>, ciphertext: &'a str) -> PortFuture<'a, Result<Secret, CryptoError>>;
}

//! Signatures and encryption by the runtime's `WebCrypto`. web-crypto.mjs keeps imported keys.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Serialize;

use crate::domain::keys::Algorithm;
use crate::domain::public_key::PublicKey;
use crate::domain::secret::Secret;
use crate::ports::{CryptoError, Encryption, PortFuture, Seal, Sealing, Signatures};
use crate::shell::tasks::ask;

/// `WebCrypto` computes in a fraction of a millisecond, so a longer wait means that it has failed.
const DEADLINE_MS: u32 = 2000;
/// The same for a thousand texts.
const DEADLINE_OF_MANY_MS: u32 = 20_000;

/// The `WebCrypto` of the runtime.
pub struct WebCrypto;

impl Signatures for WebCrypto {
    fn generate(&self, algorithm: Algorithm) -> PortFuture<'_, Result<Secret, CryptoError>> {
        Box::pin(async move { done("generate", &algorithm.as_str()).await.map(Secret::new) })
    }

    fn sign<'a>(
        &'a self,
        algorithm: Algorithm,
        private_key: &'a Secret,
        text: &'a str,
    ) -> PortFuture<'a, Result<String, CryptoError>> {
        Box::pin(async move { done("sign", &(algorithm.as_str(), private_key.expose(), text)).await })
    }

    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        public_key: &'a str,
        text: &'a str,
        signature: &'a str,
    ) -> PortFuture<'a, Result<bool, CryptoError>> {
        Box::pin(async move {
            let verified = done("verify", &(algorithm.as_str(), public_key, text, signature)).await?;
            Ok(verified == "true")
        })
    }

    fn verify_with<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> PortFuture<'a, Result<bool, CryptoError>> {
        Box::pin(async move {
            let [message, signature] = [message, signature].map(Base64UrlUnpadded::encode_string);
            let given = (key.algorithm.as_str(), &key.jwk, &message, &signature);
            Ok(done("verifyAssertion", &given).await? == "true")
        })
    }
}

impl Encryption for WebCrypto {
    fn encrypt<'a>(&'a self, seal: Seal<'a>, text: &'a Secret) -> PortFuture<'a, Result<String, CryptoError>> {
        Box::pin(async move { done("encrypt", &(seal.secret.expose(), seal.purpose, seal.row, text.expose())).await })
    }

    fn encrypt_all<'a>(
        &'a self,
        purpose: &'static str,
        all: &'a [Sealing],
    ) -> PortFuture<'a, Result<Vec<String>, CryptoError>> {
        Box::pin(async move {
            // One flat list, so that no further shape has to be serialized.
            let of = |one: &'a Sealing| [one.secret.expose(), &one.row, one.text.expose()];
            let given: Vec<&str> = std::iter::once(purpose).chain(all.iter().flat_map(of)).collect();
            let texts = within(DEADLINE_OF_MANY_MS, "encryptAll", &given.as_slice()).await?;
            serde_json::from_str(&texts).map_err(|error| CryptoError(error.to_string()))
        })
    }

    fn decrypt<'a>(&'a self, seal: Seal<'a>, ciphertext: &'a str) -> PortFuture<'a, Result<Secret, CryptoError>> {
        Box::pin(async move {
            let text = done("decrypt", &(seal.secret.expose(), seal.purpose, seal.row, ciphertext)).await?;
            Ok(Secret::new(text))
        })
    }
}

async fn done(kind: &'static str, given: &(impl Serialize + Sync)) -> Result<String, CryptoError> {
    within(DEADLINE_MS, kind, given).await
}

async fn within(deadline_ms: u32, kind: &'static str, given: &(impl Serialize + Sync)) -> Result<String, CryptoError> {
    let given = serde_json::to_string(given).map_err(|error| CryptoError(error.to_string()))?;
    ask(kind, deadline_ms, &given).await.text().map_err(|cause| CryptoError(format!("{kind}: {cause}")))
}

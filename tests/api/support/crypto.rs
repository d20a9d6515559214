//! Signatures and encryption with the crates of `RustCrypto` and dalek: the second real implementation beside `WebCrypto`.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::Signer as _;
use edge_auth::domain::keys::Algorithm;
use edge_auth::domain::public_key::{PublicKey, SignatureAlgorithm};
use edge_auth::domain::secret::Secret;
use edge_auth::ports::{CryptoError, Encryption, PortFuture, Seal, Sealing, Signatures};
use hkdf::Hkdf;
use serde_json::{Value, json};

const NONCE_BYTES: usize = 12;

pub struct NativeCrypto;

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    super::entropy(&mut bytes).unwrap();
    bytes
}

fn member(key: &Value, name: &str) -> Option<Vec<u8>> {
    BASE64.decode(key[name].as_str()?).ok()
}

/// A key pair of random bytes.
pub fn generate(algorithm: Algorithm) -> Value {
    from_bytes(algorithm, random())
}

/// A key pair of these bytes.
pub fn from_bytes(algorithm: Algorithm, secret: [u8; 32]) -> Value {
    match algorithm {
        Algorithm::EdDsa => {
            let key = ed25519_dalek::SigningKey::from_bytes(&secret);
            let (d, x) = (BASE64.encode(key.to_bytes()), BASE64.encode(key.verifying_key().to_bytes()));
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "d": d})
        }
        Algorithm::Es256 => {
            // A random number is almost never outside of the field.
            let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
            let point = key.verifying_key().to_sec1_point(false);
            let [x, y] = [point.x(), point.y()].map(|half| BASE64.encode(half.unwrap()));
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": BASE64.encode(key.to_bytes())})
        }
        Algorithm::Hs256 => panic!("no key pair"),
    }
}

/// Signs with a key that [`generate`] made.
pub fn sign(key: &Value, text: &str) -> String {
    let secret = member(key, "d").unwrap();
    let signature = if key["kty"] == "OKP" {
        ed25519_dalek::SigningKey::from_bytes(&secret.try_into().unwrap()).sign(text.as_bytes()).to_bytes().to_vec()
    } else {
        let signature: p256::ecdsa::Signature =
            p256::ecdsa::SigningKey::from_slice(&secret).unwrap().sign(text.as_bytes());
        signature.to_bytes().to_vec()
    };
    BASE64.encode(signature)
}

fn verify(algorithm: Algorithm, key: &Value, text: &[u8], signature: &[u8]) -> Option<()> {
    use p256::ecdsa::signature::Verifier as _;
    match algorithm {
        Algorithm::EdDsa => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&member(key, "x")?.try_into().ok()?).ok()?;
            key.verify(text, &ed25519_dalek::Signature::from_slice(signature).ok()?).ok()
        }
        Algorithm::Es256 => {
            let mut point = vec![4];
            point.extend(member(key, "x")?);
            point.extend(member(key, "y")?);
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
            key.verify(text, &p256::ecdsa::Signature::from_slice(signature).ok()?).ok()
        }
        Algorithm::Hs256 => None,
    }
}

/// Is this the Ed25519 signature of the text, in base64url?
pub fn is_signed(public_key: &Value, text: &str, signature: &str) -> bool {
    let signature = BASE64.decode(signature).unwrap();
    verify(Algorithm::EdDsa, public_key, text.as_bytes(), &signature).is_some()
}

fn is_importable(algorithm: Algorithm, key: &Value) -> bool {
    let x = member(key, "x").unwrap_or_default();
    if algorithm == Algorithm::EdDsa {
        return x.len() == 32;
    }
    let point = [vec![4], x, member(key, "y").unwrap_or_default()].concat();
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).is_ok()
}

impl Signatures for NativeCrypto {
    fn generate(&self, algorithm: Algorithm) -> PortFuture<'_, Result<Secret, CryptoError>> {
        Box::pin(async move { Ok(Secret::new(generate(algorithm).to_string())) })
    }

    fn sign<'a>(
        &'a self,
        _: Algorithm,
        private_key: &'a Secret,
        text: &'a str,
    ) -> PortFuture<'a, Result<String, CryptoError>> {
        Box::pin(async move { Ok(sign(&serde_json::from_str(private_key.expose()).unwrap(), text)) })
    }

    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        public_key: &'a str,
        text: &'a str,
        signature: &'a str,
    ) -> PortFuture<'a, Result<bool, CryptoError>> {
        Box::pin(async move {
            let key = serde_json::from_str(public_key).unwrap();
            let Ok(signature) = BASE64.decode(signature) else { return Ok(false) };
            Ok(verify(algorithm, &key, text.as_bytes(), &signature).is_some())
        })
    }

    /// RSA is left to the end-to-end tests: its crate would be here for them alone.
    fn verify_with<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> PortFuture<'a, Result<bool, CryptoError>> {
        Box::pin(async move {
            let jwk: Value = serde_json::from_str(&key.jwk).map_err(|error| CryptoError(error.to_string()))?;
            let algorithm = match key.algorithm {
                SignatureAlgorithm::EdDsa => Algorithm::EdDsa,
                SignatureAlgorithm::Es256 => Algorithm::Es256,
                SignatureAlgorithm::Rs256 => return Err(CryptoError("no RSA here".to_owned())),
            };
            if !is_importable(algorithm, &jwk) {
                return Err(CryptoError("no key".to_owned()));
            }
            Ok(verify(algorithm, &jwk, message, signature).is_some())
        })
    }
}

fn cipher(seal: Seal<'_>) -> Aes256Gcm {
    let mut key = [0; 32];
    Hkdf::<sha2::Sha256>::new(None, seal.secret.expose().as_bytes()).expand(seal.purpose.as_bytes(), &mut key).unwrap();
    Aes256Gcm::new(&key.into())
}

impl Encryption for NativeCrypto {
    fn encrypt<'a>(&'a self, seal: Seal<'a>, text: &'a Secret) -> PortFuture<'a, Result<String, CryptoError>> {
        Box::pin(async move {
            let nonce: [u8; NONCE_BYTES] = random();
            let payload = Payload { msg: text.expose().as_bytes(), aad: seal.row.as_bytes() };
            let ciphertext = cipher(seal).encrypt(&nonce.into(), payload).unwrap();
            Ok(BASE64.encode([&nonce[..], &ciphertext].concat()))
        })
    }

    fn encrypt_all<'a>(
        &'a self,
        purpose: &'static str,
        all: &'a [Sealing],
    ) -> PortFuture<'a, Result<Vec<String>, CryptoError>> {
        Box::pin(async move {
            let mut texts = Vec::new();
            for one in all {
                let seal = Seal { secret: &one.secret, purpose, row: &one.row };
                texts.push(self.encrypt(seal, &one.text).await?);
            }
            Ok(texts)
        })
    }

    fn decrypt<'a>(&'a self, seal: Seal<'a>, ciphertext: &'a str) -> PortFuture<'a, Result<Secret, CryptoError>> {
        Box::pin(async move {
            let refused = || CryptoError("not decrypted".to_owned());
            let bytes = BASE64.decode(ciphertext).map_err(|_| refused())?;
            let (nonce, msg) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(refused)?;
            let nonce: [u8; NONCE_BYTES] = nonce.try_into().unwrap();
            let text = cipher(seal).decrypt(&nonce.into(), Payload { msg, aad: seal.row.as_bytes() });
            let text = text.map_err(|_| refused())?;
            Ok(Secret::new(String::from_utf8(text).unwrap()))
        })
    }
}

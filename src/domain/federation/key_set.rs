//! The key set of an OpenID provider (RFC 7517 §5): the keys that may sign its ID tokens.
//!
//! A key of a type or use that the service does not know is skipped, as §5 asks. A provider can thus add keys of new
//! algorithms.

use std::ops::RangeInclusive;

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::json::{JsonText, Object};
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};

/// Keys of a set that are looked at.
const MAX_KEYS: usize = 100;

/// Bytes of a modulus: 2048 to 8192 bits.
const MODULUS_BYTES: RangeInclusive<usize> = 256..=1024;

/// A usable key of a set, and its id (RFC 7518 §6, RFC 8037 §2).
fn usable(key: JsonText) -> Option<(Option<String>, PublicKey)> {
    let mut key = key.object()?;
    let operations = key.optional("key_ops", JsonText::texts).ok()?;
    let usage = key.optional("use", JsonText::text).ok()?;
    let verifies = operations.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
    // The private half of a key that the whole world has read verifies nothing.
    if key.has("d") || !verifies || usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let (kid, alg) = (key.optional("kid", JsonText::text).ok()?, key.optional("alg", JsonText::text).ok()?);
    let (kty, crv) = (key.text("kty")?, key.optional("crv", JsonText::text).ok()?);
    let mut bytes = |name| Base64UrlUnpadded::decode_vec(&key.text(name)?).ok();
    let key = match (kty.as_str(), crv.as_deref()) {
        ("RSA", _) => PublicKey::rsa(&bytes("n")?, &bytes("e")?, MODULUS_BYTES)?,
        ("EC", Some("P-256")) => PublicKey::p256(&bytes("x")?, &bytes("y")?)?,
        ("OKP", Some("Ed25519")) => PublicKey::ed25519(&bytes("x")?)?,
        _ => return None,
    };
    alg.is_none_or(|alg| alg == key.algorithm.as_str()).then_some((kid, key))
}

/// The usable keys of a provider.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<(Option<String>, PublicKey)>);

impl KeySet {
    /// Reads a key set. `None` for text that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys = Object::parse(text)?.take("keys")?.items()?;
        Some(Self(keys.into_iter().take(MAX_KEYS).filter_map(usable).collect()))
    }

    /// The key of a token with this algorithm and `kid`. A token without `kid` has a key only if no other fits (OpenID
    /// Connect Core §10.1).
    #[must_use]
    pub fn find(&self, algorithm: SignatureAlgorithm, kid: Option<&str>) -> Option<&PublicKey> {
        let is_named = |id: &Option<String>| kid.is_none() || id.as_deref() == kid;
        let fits = |(id, key): &&(Option<String>, PublicKey)| key.algorithm == algorithm && is_named(id);
        let mut fitting = self.0.iter().filter(fits).map(|(_, key)| key);
        let first = fitting.next();
        first.filter(|_| kid.is_some() || fitting.next().is_none())
    }

    /// Has a usable key this `kid`? If not, the provider may have a new key.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.0.iter().any(|(id, _)| id.as_deref() == Some(kid))
    }
}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;

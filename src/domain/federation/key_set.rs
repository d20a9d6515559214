//! The key set of an OpenID provider (RFC 7517 §5): the keys that may sign its ID tokens.
//!
//! A key of a type or use that the service does not know is skipped, as §5 asks. A provider can thus add keys of new
//! algorithms.

use std::ops::RangeInclusive;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::json::{object, present};
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};

/// Keys of a set that are looked at.
const MAX_KEYS: usize = 100;

/// Bytes of a modulus: 2048 to 8192 bits.
const MODULUS_BYTES: RangeInclusive<usize> = 256..=1024;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members of a key that the service knows (RFC 7518 §6, RFC 8037 §2).
#[derive(Deserialize)]
struct Member {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    #[serde(default, rename = "d", deserialize_with = "present")]
    is_private: bool,
}

impl Member {
    fn key(&self) -> Option<PublicKey> {
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        // The private half of a key that the whole world has read verifies nothing.
        if self.is_private || !verifies || self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&bytes(self.n.as_ref())?, &bytes(self.e.as_ref())?, MODULUS_BYTES)?,
            ("EC", Some("P-256")) => PublicKey::p256(&bytes(self.x.as_ref())?, &bytes(self.y.as_ref())?)?,
            ("OKP", Some("Ed25519")) => PublicKey::ed25519(&bytes(self.x.as_ref())?)?,
            _ => return None,
        };
        self.alg.as_ref().is_none_or(|alg| alg == key.algorithm.as_str()).then_some(key)
    }
}

fn bytes(member: Option<&String>) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(member?).ok()
}

/// The usable keys of a provider.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<(Option<String>, PublicKey)>);

impl KeySet {
    /// Reads a key set. `None` for text that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let document: Document<'_> = object(text)?;
        let usable = |raw: &&RawValue| {
            let member: Member = object(raw.get())?;
            let key = member.key()?;
            Some((member.kid, key))
        };
        Some(Self(document.keys.iter().take(MAX_KEYS).filter_map(usable).collect()))
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

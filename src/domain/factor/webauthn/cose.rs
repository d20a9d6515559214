//! Public keys: from the form in which authenticators send them (COSE, RFC 9053 and RFC 8230) to a JSON Web Key, which
//! `WebCrypto` imports.
//!
//! Only the form is checked here. Whether a point lies on its curve is checked where the key is imported.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::webauthn::cbor::{Key, Malformed, Reader, Scalar};
use crate::domain::factor::webauthn::fault::CeremonyFault;

/// An algorithm that passkeys may sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialAlgorithm {
    /// `EdDSA` on Curve25519 (RFC 8037 §3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: older TPMs know nothing else.
    Rs256,
}

impl CredentialAlgorithm {
    /// Every algorithm, the preferred one first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The number in `pubKeyCredParams` and in keys (IANA, COSE Algorithms).
    #[must_use]
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::EdDsa => -8,
            Self::Es256 => -7,
            Self::Rs256 => -257,
        }
    }

    /// The name in a JSON Web Key and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// The public key of a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialKey {
    /// The algorithm that it is for, and for no other (RFC 8725 §3.1).
    pub algorithm: CredentialAlgorithm,
    /// The text of a JSON Web Key with the members that its type requires, and no others.
    pub jwk: String,
}

/// The parameters of a key (RFC 9052 §7.1). The negative labels mean different things for each type.
#[derive(Default)]
struct Parameters<'b> {
    /// Label 1, the key type.
    kty: Option<Scalar<'b>>,
    /// Label 3, the algorithm.
    alg: Option<Scalar<'b>>,
    /// Label -1: the curve, or the modulus.
    first: Option<Scalar<'b>>,
    /// Label -2: the x coordinate, or the exponent.
    second: Option<Scalar<'b>>,
    /// Label -3: the y coordinate.
    third: Option<Scalar<'b>>,
}

impl<'b> Parameters<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(bytes);
        reader.map(&mut |reader, key| {
            let slot = match key {
                Key::Integer(1) => &mut found.kty,
                Key::Integer(3) => &mut found.alg,
                Key::Integer(-1) => &mut found.first,
                Key::Integer(-2) => &mut found.second,
                Key::Integer(-3) => &mut found.third,
                Key::Integer(_) | Key::Text(_) => return reader.skip(),
            };
            *slot = Some(reader.scalar()?);
            Ok(())
        })?;
        reader.finish()?;
        Ok(found)
    }

    fn algorithm(&self) -> Option<CredentialAlgorithm> {
        CredentialAlgorithm::ALL.into_iter().find(|algorithm| self.alg == Some(Scalar::Integer(algorithm.cose_id())))
    }

    fn is_of_type(&self, algorithm: CredentialAlgorithm) -> bool {
        let (kty, curve) = match algorithm {
            CredentialAlgorithm::EdDsa => (1, Some(6)),
            CredentialAlgorithm::Es256 => (2, Some(1)),
            CredentialAlgorithm::Rs256 => (3, None),
        };
        let has_curve = curve.is_none_or(|curve| self.first == Some(Scalar::Integer(curve)));
        self.kty == Some(Scalar::Integer(kty)) && has_curve
    }

    fn jwk(&self, algorithm: CredentialAlgorithm) -> Option<String> {
        let (first, second, third) = (bytes(self.first), bytes(self.second), bytes(self.third));
        Some(match algorithm {
            CredentialAlgorithm::EdDsa => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, coordinate(second)?),
            CredentialAlgorithm::Es256 => {
                let (x, y) = (coordinate(second)?, coordinate(third)?);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            CredentialAlgorithm::Rs256 => {
                let (n, e) = (modulus(first?)?, exponent(second?)?);
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        })
    }
}

fn bytes(scalar: Option<Scalar<'_>>) -> Option<&[u8]> {
    match scalar {
        Some(Scalar::Bytes(bytes)) => Some(bytes),
        Some(Scalar::Integer(_)) | None => None,
    }
}

/// 32 bytes. So a point is uncompressed, as Level 3, §5.8.5 demands.
fn coordinate(bytes: Option<&[u8]>) -> Option<String> {
    bytes.filter(|bytes| bytes.len() == 32).map(Base64UrlUnpadded::encode_string)
}

/// A number of 2048 to 4096 bits, without leading zeros (RFC 8230 §4).
fn modulus(bytes: &[u8]) -> Option<String> {
    let is_long_enough = bytes.len() > 256 || bytes.first().is_some_and(|first| *first >= 0x80);
    // A product of two odd primes is odd.
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    let fits = (256..=512).contains(&bytes.len()) && is_long_enough && is_odd && bytes.first() != Some(&0);
    fits.then(|| Base64UrlUnpadded::encode_string(bytes))
}

/// An odd number from 3 on, of at most 4 bytes, without leading zeros.
fn exponent(bytes: &[u8]) -> Option<String> {
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    let fits = bytes.len() <= 4 && is_odd && bytes.first() != Some(&0) && bytes != [1];
    fits.then(|| Base64UrlUnpadded::encode_string(bytes))
}

impl CredentialKey {
    /// Reads the one CBOR map of a credential's key.
    ///
    /// # Errors
    /// The algorithm was not offered, the key is of another type, or a parameter is missing or out of bounds.
    pub(super) fn from_cose(bytes: &[u8]) -> Result<Self, CeremonyFault> {
        let parameters = Parameters::read(bytes).map_err(|Malformed| CeremonyFault::KeyParameters)?;
        // §7.1 step 20
        let algorithm = parameters.algorithm().ok_or(CeremonyFault::Algorithm)?;
        if !parameters.is_of_type(algorithm) {
            return Err(CeremonyFault::KeyType);
        }
        let jwk = parameters.jwk(algorithm).ok_or(CeremonyFault::KeyParameters)?;
        Ok(Self { algorithm, jwk })
    }
}

#[cfg(test)]
#[path = "cose_tests.rs"]
mod tests;

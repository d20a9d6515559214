//! Public keys of passkeys, from the form in which authenticators send them (COSE, RFC 9053 and RFC 8230).

use std::ops::RangeInclusive;

use crate::domain::factor::webauthn::cbor::{Key, Malformed, Reader, Scalar};
use crate::domain::factor::webauthn::fault::CeremonyFault;
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};

/// The number of an algorithm in `pubKeyCredParams` and in keys (IANA, COSE Algorithms).
#[must_use]
pub const fn cose_id(algorithm: SignatureAlgorithm) -> i64 {
    match algorithm {
        SignatureAlgorithm::EdDsa => -8,
        SignatureAlgorithm::Es256 => -7,
        SignatureAlgorithm::Rs256 => -257,
    }
}

/// Bytes of a modulus: 2048 to 4096 bits.
const MODULUS_BYTES: RangeInclusive<usize> = 256..=512;

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

    fn algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::ALL.into_iter().find(|algorithm| self.alg == Some(Scalar::Integer(cose_id(*algorithm))))
    }

    fn is_of_type(&self, algorithm: SignatureAlgorithm) -> bool {
        let (kty, curve) = match algorithm {
            SignatureAlgorithm::EdDsa => (1, Some(6)),
            SignatureAlgorithm::Es256 => (2, Some(1)),
            SignatureAlgorithm::Rs256 => (3, None),
        };
        let has_curve = curve.is_none_or(|curve| self.first == Some(Scalar::Integer(curve)));
        self.kty == Some(Scalar::Integer(kty)) && has_curve
    }

    fn key(&self, algorithm: SignatureAlgorithm) -> Option<PublicKey> {
        let (first, second, third) = (bytes(self.first), bytes(self.second), bytes(self.third));
        match algorithm {
            SignatureAlgorithm::EdDsa => PublicKey::ed25519(second?),
            SignatureAlgorithm::Es256 => PublicKey::p256(second?, third?),
            SignatureAlgorithm::Rs256 => PublicKey::rsa(first?, second?, MODULUS_BYTES),
        }
    }
}

fn bytes(scalar: Option<Scalar<'_>>) -> Option<&[u8]> {
    match scalar {
        Some(Scalar::Bytes(bytes)) => Some(bytes),
        Some(Scalar::Integer(_)) | None => None,
    }
}

/// Reads the one CBOR map of a credential's key.
///
/// # Errors
/// The algorithm was not offered, the key is of another type, or a parameter is missing or out of bounds.
pub(super) fn public_key(bytes: &[u8]) -> Result<PublicKey, CeremonyFault> {
    let parameters = Parameters::read(bytes).map_err(|Malformed| CeremonyFault::KeyParameters)?;
    // §7.1 step 20
    let algorithm = parameters.algorithm().ok_or(CeremonyFault::Algorithm)?;
    if !parameters.is_of_type(algorithm) {
        return Err(CeremonyFault::KeyType);
    }
    parameters.key(algorithm).ok_or(CeremonyFault::KeyParameters)
}

#[cfg(test)]
#[path = "cose_tests.rs"]
mod tests;

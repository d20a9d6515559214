//! The encodings of hashes: numbers, hexadecimal digits and kinds of base64, in their canonical form only.
//!
//! One value has one text. A text that a lenient decoder would accept may be cut off or damaged, and its password would
//! then never match.

use base64ct::{Base64Bcrypt, Base64Unpadded, Encoding as _};

use crate::domain::password::imported::refusal::HashRefusal;

/// Bytes of a salt, at least: NIST SP 800-63B-4 §3.1.1.2 asks for 32 bits.
const MIN_SALT: usize = 4;
/// Bytes of a hash: 128 bits at least, and no more than one block of the longest function.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// A decimal number without sign or leading zeros. Numbers beyond 32 bits are the largest one, and so beyond every bound.
pub(super) fn decimal(text: &str) -> Result<u32, HashRefusal> {
    let is_canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if is_canonical { Ok(text.parse().unwrap_or(u32::MAX)) } else { Err(HashRefusal::Malformed) }
}

/// The number behind a name and `=`.
pub(super) fn parameter(text: &str, name: &str) -> Result<u32, HashRefusal> {
    decimal(text.strip_prefix(name).ok_or(HashRefusal::Malformed)?)
}

/// Divides a text into exactly `N` parts.
pub(super) fn parts<const N: usize>(text: &str, separator: char) -> Result<[&str; N], HashRefusal> {
    let mut parts = [""; N];
    let mut rest = text.split(separator);
    for part in &mut parts {
        *part = rest.next().ok_or(HashRefusal::Malformed)?;
    }
    if rest.next().is_none() { Ok(parts) } else { Err(HashRefusal::Malformed) }
}

/// A salt of any encoding, which must be long enough.
pub(super) fn salt(bytes: Vec<u8>) -> Result<Vec<u8>, HashRefusal> {
    if bytes.len() < MIN_SALT { Err(HashRefusal::Malformed) } else { Ok(bytes) }
}

/// A hash of any encoding, whose length must be within bounds.
pub(super) fn hash(bytes: Vec<u8>) -> Result<Vec<u8>, HashRefusal> {
    if HASH_LENGTHS.contains(&bytes.len()) { Ok(bytes) } else { Err(HashRefusal::Malformed) }
}

/// A hash whose function has one length.
pub(super) fn hash_of(bytes: Vec<u8>, length: usize) -> Result<Vec<u8>, HashRefusal> {
    if bytes.len() == length { Ok(bytes) } else { Err(HashRefusal::Malformed) }
}

/// Base64 without padding, as PHC strings have it.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, HashRefusal> {
    Base64Unpadded::decode_vec(text).map_err(|_| HashRefusal::Malformed)
}

/// Base64 with padding (RFC 4648 §4).
pub(super) fn padded_base64(text: &str) -> Result<Vec<u8>, HashRefusal> {
    let digits = text.trim_end_matches('=');
    let padding = digits.len().next_multiple_of(4) - digits.len();
    if text.len() == digits.len() + padding { base64(digits) } else { Err(HashRefusal::Malformed) }
}

/// Base64 with padding, in the alphabet of RFC 4648 §4 or in that of §5.
pub(super) fn padded_base64_of_either_alphabet(text: &str) -> Result<Vec<u8>, HashRefusal> {
    if text.contains(['-', '_']) {
        let is_mixed = text.contains(['+', '/']);
        return if is_mixed {
            Err(HashRefusal::Malformed)
        } else {
            padded_base64(&text.replace('-', "+").replace('_', "/"))
        };
    }
    padded_base64(text)
}

/// Passlib's base64, which has `.` in place of `+`, and no padding.
pub(super) fn passlib_base64(text: &str) -> Result<Vec<u8>, HashRefusal> {
    if text.contains('+') { Err(HashRefusal::Malformed) } else { base64(&text.replace('.', "+")) }
}

/// The alphabet of bcrypt.
pub(super) fn bcrypt_base64(text: &str) -> Result<Vec<u8>, HashRefusal> {
    Base64Bcrypt::decode_vec(text).map_err(|_| HashRefusal::Malformed)
}

/// Hexadecimal digits in lower case.
pub(super) fn hexadecimal(text: &str) -> Result<Vec<u8>, HashRefusal> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(HashRefusal::Malformed);
    }
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect::<Option<_>>()
        .ok_or(HashRefusal::Malformed)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

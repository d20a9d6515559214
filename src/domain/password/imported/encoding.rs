//! The encodings of hashes: numbers, hexadecimal digits and kinds of base64, in their canonical form only.
//!
//! One value has one text. A text that a lenient decoder would accept may be cut off or damaged, and its password would
//! then never match.

use base64ct::{Base64Unpadded, Encoding as _};

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

/// Three numbers, each behind its name.
pub(super) fn numbers(text: &str, separator: char, names: [&str; 3]) -> Result<[u32; 3], HashRefusal> {
    let texts = parts::<3>(text, separator)?;
    let mut numbers = [0; 3];
    for ((number, text), name) in numbers.iter_mut().zip(texts).zip(names) {
        *number = parameter(text, name)?;
    }
    Ok(numbers)
}

/// Divides a text into exactly `N` parts.
pub(super) fn parts<const N: usize>(text: &str, separator: char) -> Result<[&str; N], HashRefusal> {
    let mut parts = [""; N];
    if divide(text, separator, &mut parts) { Ok(parts) } else { Err(HashRefusal::Malformed) }
}

/// Not generic, so that it is compiled once.
fn divide<'a>(text: &'a str, separator: char, parts: &mut [&'a str]) -> bool {
    let mut rest = text.split(separator);
    for part in parts {
        match rest.next() {
            Some(text) => *part = text,
            None => return false,
        }
    }
    rest.next().is_none()
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

/// The letters of base64 in order of their values: those of RFC 4648 §4, and those of bcrypt.
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BCRYPT: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Base64 in the letters of bcrypt, without padding.
pub(super) fn bcrypt_base64(text: &str) -> Result<Vec<u8>, HashRefusal> {
    base64(&translated(text, BCRYPT, STANDARD).ok_or(HashRefusal::Malformed)?)
}

/// The reverse of [`bcrypt_base64`].
pub(super) fn to_bcrypt_base64(bytes: &[u8]) -> String {
    translated(&Base64Unpadded::encode_string(bytes), STANDARD, BCRYPT).unwrap_or_default()
}

/// 32 bytes as base64 with padding.
pub(super) fn to_base64_of_32(bytes: &[u8; 32]) -> String {
    Base64Unpadded::encode_string(bytes) + "="
}

/// Replaces each letter of one alphabet by that of another with the same value.
fn translated(text: &str, from: &[u8; 64], to: &[u8; 64]) -> Option<String> {
    let letter = |byte| to.get(from.iter().position(|letter| *letter == byte)?).map(|letter| char::from(*letter));
    text.bytes().map(letter).collect()
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

//! Codes of authenticator apps: TOTP (RFC 6238) with SHA-1, 6 digits and 30 seconds.
//!
//! Other parameters are not offered: widespread apps ignore them in the URI, and then show codes that are never accepted.
//! The weakness of SHA-1 is in collisions, on which HMAC does not depend (RFC 6194 §3.3).
//!
//! Guessing is bounded by the throttle, not here. The caller stores the step that matched, so that no code is accepted
//! twice (RFC 6238 §5.2).

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use crate::domain::factor::base32::{self, Alphabet};
use crate::domain::percent_encoding::percent_encoded;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::unicode::ungrouped;

/// Bytes of a secret: 160 bits, as RFC 4226 §4 recommends.
pub const SECRET_BYTES: usize = 20;
/// Seconds of a time step.
const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
/// The codes are the numbers below this one.
const CODES: u32 = 1_000_000;
/// The block of SHA-1, to which HMAC pads a key with zeros (RFC 2104 §2).
const BLOCK_BYTES: usize = 64;
/// The base32 alphabet of RFC 4648 §6.
const ALPHABET: &Alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret that the service shares with the app of one user.
#[derive(Clone)]
pub struct TotpSecret([u8; SECRET_BYTES]);

impl TotpSecret {
    /// Makes a secret from 160 random bits.
    #[must_use]
    pub const fn from_random(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// 32 symbols without padding: to be typed into an app, and, encrypted, for the database.
    #[must_use]
    pub fn base32(&self) -> Secret {
        Secret::new(base32::encode(&self.0, ALPHABET))
    }

    /// Parses the text of [`Self::base32`], in upper case only.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base32::decode(text, ALPHABET)?.try_into().ok().map(Self)
    }

    /// The code of a time step as a number (RFC 4226 §5.3).
    fn code(&self, step: TimeStep) -> u32 {
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mac = Hmac::<Sha1>::new(&block.into()).chain_update(step.0.to_be_bytes()).finalize().into_bytes();
        let offset = mac.last().map_or(0, |byte| usize::from(byte & 0xf));
        let chosen = mac.get(offset..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        (u32::from_be_bytes(chosen) & 0x7fff_ffff) % CODES
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// The number of a time step since the Unix epoch, the counter of RFC 4226. Each has one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct TimeStep(i64);

impl TimeStep {
    /// The step with this number, as stored.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The step in which a point in time lies.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self(time.seconds().div_euclid(STEP_SECONDS))
    }

    /// The number, in the database.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    const fn plus(self, steps: i64) -> Self {
        Self(self.0 + steps)
    }
}

/// The step whose code was typed: the current one or a neighbour, as clocks differ and typing takes time (RFC 6238 §5.2).
/// A step at or before `used`, the latest one accepted, does not match. Of several with the same code, the latest is chosen:
/// otherwise that code would be valid twice. Blanks and hyphens in the code do not count.
///
/// All three codes are computed and compared in constant time, so the duration reveals neither digits nor the step.
#[must_use]
pub fn matching_step(secret: &TotpSecret, code: &str, now: Timestamp, used: Option<TimeStep>) -> Option<TimeStep> {
    let typed = number(code)?;
    let current = TimeStep::at(now);
    let mut matching = None;
    for step in [current.plus(-1), current, current.plus(1)] {
        let is_same = bool::from(secret.code(step).ct_eq(&typed));
        if is_same && used.is_none_or(|used| step > used) {
            matching = Some(step);
        }
    }
    matching
}

/// The number that a code of 6 ASCII digits stands for.
fn number(code: &str) -> Option<u32> {
    let digits = ungrouped(code);
    let is_code = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_code { digits.parse().ok() } else { None }
}

/// The URI by which an app takes the secret, usually from a QR code (Key URI Format of Google Authenticator). The names
/// are shown in the app; `account` tells several accounts of a person apart.
#[must_use]
pub fn otpauth_uri(secret: &TotpSecret, issuer: &str, account: &str) -> Secret {
    let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
    let secret = secret.base32();
    let secret = secret.expose();
    Secret::new(format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    ))
}

#[cfg(test)]
#[path = "totp_tests.rs"]
mod tests;

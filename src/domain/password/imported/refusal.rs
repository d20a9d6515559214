//! The reasons for which a hash of another system is refused, and the recognition of fast hashes.

/// Why a hash cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashRefusal {
    /// The text names a known function, but it is cut off, not canonical or not complete.
    Malformed,
    /// The function, or the version of it, is not known.
    Unknown,
    /// The hash is too weak to be kept: an attacker would guess the passwords of a stolen database in bulk.
    TooFast,
    /// Verifying would take too much time or memory.
    TooCostly,
}

impl HashRefusal {
    /// The code in the answer to an import.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "hash_malformed",
            Self::Unknown => "hash_unknown",
            Self::TooFast => "hash_too_fast",
            Self::TooCostly => "hash_too_costly",
        }
    }

    /// The reason for a text of no known form.
    pub(super) fn of_unknown_form(text: &str) -> Self {
        let is_fast = FAST.iter().any(|prefix| text.starts_with(prefix)) || is_digest(text) || is_mysql(text);
        if is_fast { Self::TooFast } else { Self::Unknown }
    }
}

/// The beginnings of hashes that take microseconds: a digest of salt and password, or thousands of MD5. They are those of
/// `crypt`, Apache, phpass, LDAP (RFC 2307 §5.3), and of old versions of Django and Werkzeug.
const FAST: [&str; 19] = [
    "$1$",
    "$apr1$",
    "$P$",
    "$H$",
    "$3$",
    "md5$",
    "sha1$",
    "sha256$",
    "sha512$",
    "unsalted_md5$",
    "unsalted_sha1$",
    "crypt$",
    "{MD5}",
    "{SMD5}",
    "{SHA}",
    "{SSHA}",
    "{SSHA256}",
    "{SSHA512}",
    "{CRYPT}",
];

/// A digest of the password alone: MD5, SHA-1 or one of SHA-2, in hexadecimal digits.
fn is_digest(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// SHA-1 of SHA-1 (`mysql_native_password`).
fn is_mysql(text: &str) -> bool {
    text.strip_prefix('*').is_some_and(|rest| rest.len() == 40 && is_digest(rest))
}

//! The settings of tokens: issuer, audience, signature, and the public URL of the service.

use crate::domain::keys::Algorithm;
use crate::domain::session::authority::Issuers;
use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::{integer, line, public_url, switch};
use crate::domain::time::MINUTE;

/// The issuer of a deployment that does not name one.
const DEFAULT_NAME: &str = "edge-auth";

/// The settings of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The origin and the base path under which clients reach the service. Discovery needs it.
    pub public_url: Option<String>,
    /// The `iss` claim of new and of accepted tokens.
    pub issuers: Issuers,
    /// The `aud` claim of every token.
    pub audience: String,
    /// The algorithm that signs access tokens. The key ring may still have another one, while a change spreads.
    pub algorithm: Algorithm,
    /// Days after which the signing key is replaced; 0 means only by command.
    pub signing_key_days: i64,
    /// Seconds for which a signing key is published before it signs.
    pub signing_key_ahead_seconds: i64,
    /// Access tokens list the roles of their user.
    pub include_roles: bool,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn tokens(&mut self, base_path: &str) -> Option<TokenSettings> {
        let public_url = self.public_url(base_path);
        let issuers = self.issuers(public_url.as_deref());
        let audience = self.or("JWT_AUDIENCE", Some(DEFAULT_NAME.into()), line);
        let algorithm = self.or("ALGORITHM", Some(Algorithm::Hs256), Algorithm::named);
        let days = self.or("SIGNING_KEY_DAYS", Some(90), |text| integer(text, 0, 3650));
        let ahead = self.or("SIGNING_KEY_AHEAD_HOURS", Some(24), |text| integer(text, 0, 720));
        let include_roles = self.or("TOKEN_ROLES", Some(false), switch);
        Some(TokenSettings {
            public_url,
            issuers,
            audience: audience?,
            algorithm: algorithm?,
            signing_key_days: days?,
            signing_key_ahead_seconds: ahead? * 60 * MINUTE,
            include_roles: include_roles?,
        })
    }

    /// A public URL whose path is another than `BASE_PATH` would name addresses that do not exist.
    fn public_url(&mut self, base_path: &str) -> Option<String> {
        self.optional("PUBLIC_URL", |text| public_url(text, base_path))
    }

    /// With a public URL, the issuer is that URL (RFC 8414 §3.3).
    fn issuers(&mut self, public_url: Option<&str>) -> Issuers {
        let is_allowed = |issuer: &String| public_url.is_none_or(|url| url == issuer);
        let chosen = self.or("JWT_ISSUER", Some(None), |text| line(text).filter(is_allowed).map(Some)).flatten();
        let current = chosen.or(public_url.map(str::to_owned)).unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let default = public_url.map(|_| DEFAULT_NAME.to_owned());
        let previous = self.optional("JWT_ISSUER_PREVIOUS", line).or(default);
        Issuers { previous: previous.filter(|name| *name != current), current }
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;

//! The claims of JSON Web Tokens, and their times (RFC 7519, RFC 9068). `authority` signs and verifies them.

use chrono::{DateTime, Utc};
use jwt_compact::Claims;

use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::replica::SealedBookmark;
use crate::domain::session::methods::AuthMethods;
use crate::domain::session::role_claims::RoleClaims;
use crate::domain::session::wire::WireClaims;
use crate::domain::time::{MINUTE, Timestamp};

/// How far in the future `iat` may lie, because the clocks of two machines at the edge differ.
pub(in crate::domain) const CLOCK_SKEW_SECONDS: i64 = MINUTE;

/// The purpose of a token. A refresh token is never accepted as an access token, nor the reverse (RFC 8725 §3.11).
/// Both `typ` in the header and `type` in the claims state the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Short-lived; sent with each request.
    Access,
    /// Usable once, in exchange for the next pair of tokens.
    Refresh,
}

impl TokenKind {
    pub(super) const fn header_type(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }

    /// The value of the `type` claim.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// The verified claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// The `jti` claim, unique per token.
    pub id: TokenId,
    /// The `sub` claim: the user the token was issued to.
    pub user_id: UserId,
    /// The `sid` claim: the session it belongs to.
    pub session_id: SessionId,
    /// The `iat` claim, in whole seconds.
    pub issued_at: Timestamp,
    /// The `exp` claim, in whole seconds; the token is invalid from then on.
    pub expires_at: Timestamp,
    /// The `auth_time` claim: the sign-in that opened the session, in whole seconds. Access tokens have it, except those of
    /// versions that did not know it.
    pub auth_time: Option<Timestamp>,
    /// The `amr` claim of a token with an `auth_time`.
    pub methods: AuthMethods,
    /// The `bmk` claim: the state of the database at the issue, encrypted. Access tokens have it where reads are replicated.
    pub bookmark: Option<SealedBookmark>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// Malformed, wrongly signed, of the wrong kind, or from another issuer.
    Invalid,
    /// Issued by this service and valid except for its `exp`. Logout still accepts it.
    Expired(TokenClaims),
}

impl TokenClaims {
    /// The claims in their wire format.
    pub(super) fn wire(
        &self,
        kind: TokenKind,
        (issuer, audience): (&str, &str),
        roles: Option<RoleClaims>,
    ) -> Claims<WireClaims> {
        let mut body = Claims::new(WireClaims {
            sub: self.user_id.to_string(),
            jti: self.id.as_str().to_owned(),
            sid: Some(self.session_id.to_string()),
            kind: kind.as_str().to_owned(),
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            auth_time: self.auth_time.map(Timestamp::seconds),
            amr: self.auth_time.map(|_| self.methods.names().map(str::to_owned).collect()),
            bmk: self.bookmark.as_ref().map(|bookmark| bookmark.as_str().to_owned()),
            roles,
            ..WireClaims::default()
        });
        body.issued_at = date_time(self.issued_at);
        body.expiration = date_time(self.expires_at);
        body
    }

    /// Claims of this kind in their wire format, with their `nbf`.
    pub(super) fn read(kind: TokenKind, claims: &Claims<WireClaims>) -> Option<(Self, Option<Timestamp>)> {
        let custom = &claims.custom;
        if custom.kind != kind.as_str() {
            return None;
        }
        let not_before = claims.not_before.map(|time| Timestamp::from_seconds(time.timestamp()));
        let claims = Self {
            id: TokenId::parse(&custom.jti)?,
            user_id: UserId::parse(&custom.sub)?,
            session_id: SessionId::parse(custom.sid.as_deref()?)?,
            issued_at: Timestamp::from_seconds(claims.issued_at?.timestamp()),
            expires_at: Timestamp::from_seconds(claims.expiration?.timestamp()),
            auth_time: custom.auth_time.map(Timestamp::from_seconds),
            methods: AuthMethods::named(custom.amr.iter().flatten().map(String::as_str)),
            bookmark: custom.bmk.as_deref().and_then(SealedBookmark::parse),
        };
        Some((claims, not_before))
    }
}

/// Checks the times of signed claims; the second part is their `nbf`.
pub(super) fn verify_times(
    (claims, not_before): (TokenClaims, Option<Timestamp>),
    now: Timestamp,
) -> Result<TokenClaims, TokenFault> {
    // No token of this service has an `nbf`, so no skew of its own clocks needs to be allowed.
    let is_early = not_before.is_some_and(|time| time > now);
    if is_early || claims.issued_at > now.plus_seconds(CLOCK_SKEW_SECONDS) {
        return Err(TokenFault::Invalid);
    }
    if claims.expires_at <= now {
        return Err(TokenFault::Expired(claims));
    }
    Ok(claims)
}

pub(in crate::domain) fn date_time(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds(), 0)
}

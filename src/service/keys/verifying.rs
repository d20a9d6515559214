//! Verifying access tokens. Database round trips: those of `copy`; 1 for an unknown `kid`, at most once in ten seconds.
//!
//! A token is judged twice: by the isolate's copy of the ring before the caller is read, and by the version that this read
//! returns. So a revoked key is refused with the next request of every isolate.

use crate::domain::keys::ring::{Ring, SignedBy};
use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::machine::service_token::ServiceTokenClaims;
use crate::domain::problem::Code;
use crate::domain::session::authority::Presented;
use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind};
use crate::domain::time::Timestamp;
use crate::service::keys::copy;
use crate::service::keys::copy::LookUp;
use crate::service::{Context, Error, ErrorKind};

/// The claims of an access token with a valid signature.
#[derive(Debug, Clone)]
pub(in crate::service) enum AccessClaims {
    /// A token of a user's session.
    User(TokenClaims),
    /// A token of a service account.
    Service(ServiceTokenClaims),
}

impl AccessClaims {
    pub(in crate::service) const fn issued_at(&self) -> Timestamp {
        match self {
            Self::User(claims) => claims.issued_at,
            Self::Service(claims) => claims.issued_at,
        }
    }

    pub(in crate::service) const fn expires_at(&self) -> Timestamp {
        match self {
            Self::User(claims) => claims.expires_at,
            Self::Service(claims) => claims.expires_at,
        }
    }
}

/// Verifies an access token, expired or not, as far as this isolate knows the ring. `None` if the token is invalid.
///
/// # Errors
/// `SERVICE_UNAVAILABLE` for a `kid` that may not be looked up yet; [`Error`] otherwise.
pub(in crate::service) async fn verify_access(
    ctx: &Context<'_>,
    presented: &Presented<'_>,
) -> Result<Option<AccessClaims>, Error> {
    let ring_check = match presented.signed_by() {
        SignedBy::SecretKey => None,
        SignedBy::Ring(id) => match verified_by(ctx, id, presented).await? {
            Some(algorithm) => Some(algorithm),
            None => return Ok(None),
        },
    };
    let Some(claims) = claims(ctx, presented, ring_check) else { return Ok(None) };
    let ring = copy::known(ctx).await?;
    Ok(accepts(ctx, &ring, presented.signed_by(), claims.issued_at()).then_some(claims))
}

fn claims(ctx: &Context<'_>, presented: &Presented<'_>, ring_check: Option<Algorithm>) -> Option<AccessClaims> {
    match ctx.tokens.claims(TokenKind::Access, presented, ring_check, ctx.now()) {
        Ok(claims) | Err(TokenFault::Expired(claims)) => Some(AccessClaims::User(claims)),
        Err(TokenFault::Invalid) => {
            ctx.tokens.service_claims(presented, ring_check, ctx.now()).map(AccessClaims::Service)
        }
    }
}

/// Judges a verified token again, by the ring of this version.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`; [`Error`] otherwise.
pub(in crate::service) async fn confirm(
    ctx: &Context<'_>,
    signed_by: SignedBy,
    issued_at: Timestamp,
    version: i64,
) -> Result<(), Error> {
    if is_accepted(ctx, signed_by, issued_at, version).await? { Ok(()) } else { Err(Code::TokenInvalid.into()) }
}

/// The same for the version that a replica of the database has. The isolate's copy may be ahead of it.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`; [`Error`] otherwise.
pub(in crate::service) async fn confirm_near(
    ctx: &Context<'_>,
    signed_by: SignedBy,
    issued_at: Timestamp,
    version: i64,
) -> Result<(), Error> {
    let ring = copy::at_least(ctx, version).await?;
    if accepts(ctx, &ring, signed_by, issued_at) { Ok(()) } else { Err(Code::TokenInvalid.into()) }
}

/// Does the ring of this version accept a verified token?
///
/// # Errors
/// [`Error`].
pub(in crate::service) async fn is_accepted(
    ctx: &Context<'_>,
    signed_by: SignedBy,
    issued_at: Timestamp,
    version: i64,
) -> Result<bool, Error> {
    let ring = copy::at_version(ctx, version).await?;
    Ok(accepts(ctx, &ring, signed_by, issued_at))
}

fn accepts(ctx: &Context<'_>, ring: &Ring, signed_by: SignedBy, issued_at: Timestamp) -> bool {
    ring.accepts(signed_by, issued_at, ctx.now(), ctx.settings.lifetimes.access_seconds)
}

/// The algorithm of the key, if its signature is valid. The algorithm belongs to the key, never to the token.
async fn verified_by(ctx: &Context<'_>, id: KeyId, presented: &Presented<'_>) -> Result<Option<Algorithm>, Error> {
    let mut ring = copy::known(ctx).await?;
    if ring.find(id).is_none() {
        let Some(claims) = presented.shown_claims() else { return Ok(None) };
        ring = match copy::look_up(ctx, id).await? {
            LookUp::Done(ring) => ring,
            // An expired token is refused whatever the ring says; only the error code depends on it.
            LookUp::NotYet if claims.exp <= ctx.now().seconds() => return Ok(None),
            LookUp::NotYet => return Err(ErrorKind::KeyNotKnownYet.into()),
        };
    }
    let key = ring.find(id).filter(|key| key.state != KeyState::Revoked && presented.is_for(key.algorithm));
    let Some(key) = key else { return Ok(None) };
    let (text, signature) = presented.signed_parts();
    let is_valid = ctx.signatures.verify(key.algorithm, &key.public_key, text, signature).await?;
    Ok(is_valid.then_some(key.algorithm))
}

//! Verifying access tokens. Database round trips: those of `copy`; 1 for an unknown `kid`, at most once in ten seconds.
//!
//! A token is judged twice: by the isolate's copy of the ring before the caller is read, and by the version that this read
//! returns. So a revoked key is refused with the next request of every isolate.

use crate::domain::keys::ring::SignedBy;
use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::problem::Code;
use crate::domain::session::authority::Presented;
use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind};
use crate::domain::time::Timestamp;
use crate::service::keys::copy;
use crate::service::keys::copy::LookUp;
use crate::service::{Context, Error};

/// Verifies an access token, as far as this isolate knows the ring.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`; `SERVICE_UNAVAILABLE` for a `kid` that may not be looked up yet; [`Error`] otherwise. A valid
/// token that has expired is no error of this kind.
pub(in crate::service) async fn verify_access(
    ctx: &Context<'_>,
    presented: &Presented<'_>,
) -> Result<Result<TokenClaims, TokenFault>, Error> {
    let ring_check = match presented.signed_by() {
        SignedBy::SecretKey => None,
        SignedBy::Ring(id) => Some(verified_by(ctx, id, presented).await?),
    };
    let verified = ctx.tokens.claims(TokenKind::Access, presented, ring_check, ctx.now());
    let claims = match &verified {
        Ok(claims) | Err(TokenFault::Expired(claims)) => claims,
        Err(TokenFault::Invalid) => return Ok(verified),
    };
    let ring = copy::known(ctx).await?;
    let is_accepted = accepts(ctx, &ring, presented.signed_by(), claims.issued_at);
    Ok(if is_accepted { verified } else { Err(TokenFault::Invalid) })
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
    let ring = copy::at_version(ctx, version).await?;
    if accepts(ctx, &ring, signed_by, issued_at) { Ok(()) } else { Err(Code::TokenInvalid.into()) }
}

fn accepts(
    ctx: &Context<'_>,
    ring: &crate::domain::keys::ring::Ring,
    signed_by: SignedBy,
    issued_at: Timestamp,
) -> bool {
    ring.accepts(signed_by, issued_at, ctx.now(), ctx.settings.lifetimes.access_seconds)
}

/// The algorithm of the key, if its signature is valid. The algorithm belongs to the key, never to the token.
async fn verified_by(ctx: &Context<'_>, id: KeyId, presented: &Presented<'_>) -> Result<Algorithm, Error> {
    let mut ring = copy::known(ctx).await?;
    if ring.find(id).is_none() {
        ring = match copy::look_up(ctx, id).await? {
            LookUp::Done(ring) => ring,
            LookUp::NotYet => return Err(Error::KeyNotKnownYet),
        };
    }
    let key = ring.find(id).filter(|key| key.state != KeyState::Revoked && presented.is_for(key.algorithm));
    let key = key.ok_or(Code::TokenInvalid)?;
    let (text, signature) = presented.signed_parts();
    if ctx.signatures.verify(key.algorithm, &key.public_key, text, signature).await? {
        Ok(key.algorithm)
    } else {
        Err(Code::TokenInvalid.into())
    }
}

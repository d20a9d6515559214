//! Signing access tokens: with `SECRET_KEY`, or with the current key of the ring. Database round trips: those of `copy`.

use std::sync::Arc;

use crate::domain::audit::EventType;
use crate::domain::keys::ring::{PrivateKey, Ring, SigningKey};
use crate::domain::keys::{Algorithm, KeyId, KeyState};
use crate::domain::machine::service_token::ServiceTokenClaims;
use crate::domain::secret::Secret;
use crate::domain::session::role_claims::RoleClaims;
use crate::domain::session::token::{TokenClaims, TokenKind};
use crate::service::keys::{copy, making};
use crate::service::{Context, Error, ErrorKind};

/// Makes sure that this isolate can sign, before a batch whose result the client learns only from the token. A failure
/// afterwards would leave the client with neither its old nor its new token.
///
/// # Errors
/// [`Error`].
pub(in crate::service) async fn prepare(ctx: &Context<'_>) -> Result<(), Error> {
    let ring = copy::known(ctx).await?;
    if ring.algorithm != Algorithm::Hs256 {
        signing_key(ctx, ring).await?;
    }
    Ok(())
}

/// Signs an access token. `version` is that of the ring in the batch that the token answers.
pub(in crate::service) async fn sign_access(
    ctx: &Context<'_>,
    claims: &TokenClaims,
    roles: Option<RoleClaims>,
    version: i64,
) -> Result<Secret, Error> {
    let ring = copy::at_version(ctx, version).await?;
    if ring.algorithm == Algorithm::Hs256 {
        return Ok(ctx.tokens.sign_with_roles(TokenKind::Access, claims, roles)?);
    }
    sign(ctx, ring, |key| ctx.tokens.to_be_signed(key, claims, roles)).await
}

/// Signs the access token of a service account. `version` as for [`sign_access`].
pub(in crate::service) async fn sign_service(
    ctx: &Context<'_>,
    claims: &ServiceTokenClaims,
    version: i64,
) -> Result<Secret, Error> {
    let ring = copy::at_version(ctx, version).await?;
    if ring.algorithm == Algorithm::Hs256 {
        return Ok(ctx.tokens.sign_service(claims)?);
    }
    sign(ctx, ring, |key| ctx.tokens.service_to_be_signed(key, claims)).await
}

/// Signs a text that names the key.
async fn sign(
    ctx: &Context<'_>,
    ring: Arc<Ring>,
    text: impl FnOnce((KeyId, Algorithm)) -> Result<String, jwt_compact::CreationError>,
) -> Result<Secret, Error> {
    let key = signing_key(ctx, ring).await?;
    let text = text((key.id, key.algorithm))?;
    let signature = ctx.signatures.sign(key.algorithm, &key.text, &text).await?;
    Ok(Secret::new(format!("{text}.{signature}")))
}

/// The current key. If no configured `SECRET_KEY` decrypts it, a new key takes its place; its public half still verifies.
async fn signing_key(ctx: &Context<'_>, ring: Arc<Ring>) -> Result<Arc<PrivateKey>, Error> {
    let current = current(&ring)?;
    if let Some(key) = private_key(ctx, current).await {
        return Ok(key);
    }
    tracing::error!(target: "app.keys", kid = current.id.text(), "No configured SECRET_KEY decrypts the signing key");
    let change = ring.replacement(ctx.now()).ok_or(ErrorKind::NoSigningKey)?;
    let replaced = making::make(ctx, &change, EventType::SigningKeyReplaced).await?;
    Ok(private_key(ctx, self::current(&replaced.ring)?).await.ok_or(ErrorKind::NoSigningKey)?)
}

fn current(ring: &Ring) -> Result<&SigningKey, Error> {
    Ok(ring.in_state(KeyState::Current).ok_or(ErrorKind::NoSigningKey)?)
}

async fn private_key(ctx: &Context<'_>, key: &SigningKey) -> Option<Arc<PrivateKey>> {
    if let Some(known) = ctx.keys.private_key(key.id) {
        return Some(known);
    }
    let text = making::unseal(ctx, key.id, key.sealed.as_ref()?).await?;
    Some(ctx.keys.hold_private_key(PrivateKey { id: key.id, algorithm: key.algorithm, text }))
}

//! Changes of the key ring: new key pairs, encrypted, and written by one guarded batch. Database round trips: 1.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::SessionId;
use crate::domain::keys::ring::{Change, NewKey, Ring, Sealed};
use crate::domain::keys::{Algorithm, KeyId};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::key_id;
use crate::ports::{CryptoError, Seal};
use crate::service::{Context, Error};
use crate::store::keys;
use crate::store::keys::{Attempt, NewKeys};

/// The label of the key that encrypts private halves. It is part of the stored format.
const PURPOSE: &str = "edge-auth signing key";

/// The members of a generated key that are published.
#[derive(Deserialize)]
struct PublicMembers {
    x: String,
    y: Option<String>,
}

/// Takes over the algorithm of the settings.
pub(super) async fn adopt(ctx: &Context<'_>, change: &Change) -> Result<Ring, Error> {
    Ok(make(ctx, change, EventType::SigningAlgorithmChanged).await?.ring)
}

/// Makes a change with the keys that it needs. If another isolate was faster, nothing is written, and the ring is that of
/// the other isolate.
pub(super) async fn make(ctx: &Context<'_>, change: &Change, event_type: EventType) -> Result<Attempt, Error> {
    let algorithm = change.algorithm;
    let current = if change.makes_current { Some(new_key(ctx, algorithm).await?) } else { None };
    let next = if change.makes_next { Some(new_key(ctx, algorithm).await?) } else { None };
    let new = NewKeys { current, next };
    // A number of 53 bits, as ids of sessions are.
    let change_id = ctx.random().map(SessionId::from_random)?.get();
    let attempt = keys::apply(ctx.store, change, &new, event_type, change_id, ctx.request).await?;
    if attempt.is_made {
        let (version, event) = (attempt.ring.version, event_type.as_str());
        let (kid, algorithm) = (change.revoked.map(KeyId::text), algorithm.as_str());
        tracing::warn!(target: "app.keys", version, event, algorithm, revoked_kid = kid, "Key ring changed");
    }
    Ok(attempt)
}

async fn new_key(ctx: &Context<'_>, algorithm: Algorithm) -> Result<NewKey, Error> {
    let id = KeyId::from_random(ctx.random()?);
    let private = ctx.signatures.generate(algorithm).await?;
    let public_key = public_key(algorithm, &private)?;
    Ok(NewKey { id, public_key, sealed: seal(ctx, id, &private).await? })
}

/// Encrypts the private half under the current `SECRET_KEY`.
pub(super) async fn seal(ctx: &Context<'_>, id: KeyId, private: &Secret) -> Result<Sealed, Error> {
    let secret = &ctx.settings.secret_keys.current;
    let seal = Seal { secret, purpose: PURPOSE, row: &id.text() };
    Ok(Sealed { text: ctx.encryption.encrypt(seal, private).await?, key_id: key_id(secret) })
}

/// Decrypts the private half; `None` if no configured key does.
pub(super) async fn unseal(ctx: &Context<'_>, id: KeyId, sealed: &Sealed) -> Option<Secret> {
    let secret = ctx.settings.secret_keys.decrypting(&sealed.key_id)?;
    let seal = Seal { secret, purpose: PURPOSE, row: &id.text() };
    let opened = ctx.encryption.decrypt(seal, &sealed.text).await;
    opened
        .inspect_err(|error| tracing::error!(target: "app.keys", kid = id.text(), cause = %error, "Not decrypted"))
        .ok()
}

/// The public members in the order of the thumbprint (RFC 7638 §3.2).
pub(in crate::service) fn public_key(algorithm: Algorithm, private: &Secret) -> Result<String, Error> {
    let malformed = |cause: &str| CryptoError(cause.to_owned());
    let kind = algorithm.key_type().ok_or_else(|| malformed("no key pair"))?;
    let members: PublicMembers =
        serde_json::from_str(private.expose()).map_err(|_| malformed("a generated key of another shape"))?;
    let (crv, kty, x) = (kind.crv, kind.kty, members.x);
    match members.y.filter(|_| kind.has_y) {
        Some(y) => Ok(format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#)),
        None if kind.has_y => Err(malformed("a generated key without y").into()),
        None => Ok(format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#)),
    }
}

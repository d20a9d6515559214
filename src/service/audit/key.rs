//! The key of the audit archive: made by the first run that needs it, and encrypted anew by the Cron Trigger. Database round
//! trips of a run: 1, 2 more for the first key, and 1 more for the encryption.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::audit::archive::{Head, thumbprint};
use crate::domain::keys::Algorithm;
use crate::domain::secret::Secret;
use crate::domain::secret_keys::key_id;
use crate::ports::{ArchiveError, Seal};
use crate::service::keys::making::public_key;
use crate::service::{Context, Error, ErrorKind};
use crate::store::audit::archive_key::{self, SealedAuditKey};

/// The labels of the keys that encrypt the private parts. They are part of the stored format.
const KEY_PURPOSE: &str = "edge-auth audit key";
const MASTER_PURPOSE: &str = "edge-auth audit master";

/// Statements of a run at most, besides those of the steps: two look-ups and the first key, or one and the encryption.
pub(super) const MAX_STATEMENTS: usize = 2 + 2;

/// The key with its private parts, decrypted.
pub(super) struct AuditKey {
    pub(super) kid: String,
    pub(super) public_key: String,
    pub(super) private: Secret,
    pub(super) master: Secret,
}

/// The key of a run: read once, and decrypted when the first object needs it.
#[derive(Default)]
pub(super) struct Key {
    stored: Option<SealedAuditKey>,
    decrypted: Option<AuditKey>,
}

impl Key {
    /// The stored key, decrypted. The first object makes it; the later ones are of the same key, so none replaces it.
    pub(super) async fn obtain(&mut self, ctx: &Context<'_>, head: &Head) -> Result<&AuditKey, Error> {
        let key = if let Some(key) = self.decrypted.take() {
            key
        } else {
            let stored = match self.load(ctx).await? {
                Some(stored) => stored,
                None if head.object == 0 => make(ctx).await?,
                None => {
                    let cause = "the register has objects, and audit_keys has no key";
                    return Err(ArchiveError(cause.to_owned()).into());
                }
            };
            unseal(ctx, stored).await?
        };
        Ok(self.decrypted.insert(key))
    }

    async fn load(&mut self, ctx: &Context<'_>) -> Result<Option<SealedAuditKey>, Error> {
        if self.stored.is_none() {
            self.stored = archive_key::load(ctx.store).await?;
        }
        Ok(self.stored.clone())
    }

    /// Encrypts the key under the current `SECRET_KEY`, if another one encrypted it. Only the Cron Trigger does, as for the
    /// signing keys.
    pub(super) async fn encrypt_anew(&mut self, ctx: &Context<'_>) -> Result<(), Error> {
        let Some(former) = self.load(ctx).await? else { return Ok(()) };
        if former.encrypted_by == key_id(&ctx.settings.secret_keys.current) {
            return Ok(());
        }
        let key = unseal(ctx, former.clone()).await?;
        Ok(archive_key::encrypt_anew(ctx.store, &former, &seal(ctx, &key).await?).await?)
    }
}

async fn make(ctx: &Context<'_>) -> Result<SealedAuditKey, Error> {
    let private = ctx.signatures.generate(Algorithm::EdDsa).await?;
    let master = Secret::new(Base64UrlUnpadded::encode_string(&ctx.random::<32>()?));
    let public_key = public_key(Algorithm::EdDsa, &private)?;
    let key = AuditKey { kid: thumbprint(&public_key), public_key, private, master };
    let stored = archive_key::add(ctx.store, &seal(ctx, &key).await?, ctx.now()).await?;
    tracing::warn!(target: "app.audit", kid = stored.kid, "The audit archive has a key");
    Ok(stored)
}

async fn seal(ctx: &Context<'_>, key: &AuditKey) -> Result<SealedAuditKey, Error> {
    let secret = &ctx.settings.secret_keys.current;
    let of = |purpose| Seal { secret, purpose, row: &key.kid };
    Ok(SealedAuditKey {
        kid: key.kid.clone(),
        public_key: key.public_key.clone(),
        private_key: ctx.encryption.encrypt(of(KEY_PURPOSE), &key.private).await?,
        master_key: ctx.encryption.encrypt(of(MASTER_PURPOSE), &key.master).await?,
        encrypted_by: key_id(secret),
    })
}

async fn unseal(ctx: &Context<'_>, sealed: SealedAuditKey) -> Result<AuditKey, Error> {
    let secret = ctx.settings.secret_keys.decrypting(&sealed.encrypted_by).ok_or(ErrorKind::NoAuditKey)?;
    let of = |purpose| Seal { secret, purpose, row: &sealed.kid };
    let private = ctx.encryption.decrypt(of(KEY_PURPOSE), &sealed.private_key).await?;
    let master = ctx.encryption.decrypt(of(MASTER_PURPOSE), &sealed.master_key).await?;
    Ok(AuditKey { kid: sealed.kid, public_key: sealed.public_key, private, master })
}

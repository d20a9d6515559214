//! Encrypts the secrets of authenticator apps under a new `SECRET_KEY`, by the Cron Trigger. Database round trips: 1, and 1
//! for each secret.

use crate::domain::secret_keys::key_id;
use crate::service::factor::totp::{seal, unseal};
use crate::service::{Context, Error};
use crate::store::factor::totp;

/// Secrets of one run at most: a run of each minute, so ten thousand take less than four hours.
const MAX_SECRETS: u16 = 50;
/// Statements of one run at most.
pub const MAX_STATEMENTS: usize = 1 + MAX_SECRETS as usize;

/// Performs one run. Failures are logged, and the next run continues.
pub async fn run(ctx: &Context<'_>) {
    if let Err(error) = encrypt_anew(ctx).await {
        tracing::error!(target: "app.keys", cause = %error, "Secrets were not encrypted anew, the next run continues");
    }
}

async fn encrypt_anew(ctx: &Context<'_>) -> Result<(), Error> {
    let keys = &ctx.settings.secret_keys;
    let [next, previous] = [&keys.next, &keys.previous].map(|key| key.as_ref().map(key_id));
    if next.is_none() && previous.is_none() {
        return Ok(());
    }
    let outdated = totp::outdated(next.as_deref(), previous.as_deref(), MAX_SECRETS.into());
    for row in ctx.store.run(outdated).await? {
        let (id, former) = row.into();
        if let Some(secret) = unseal(ctx, id, &former).await {
            let sealed = seal(ctx, id, &secret).await?;
            totp::encrypt_anew(ctx.store, id, &former, &sealed).await?;
        }
    }
    Ok(())
}

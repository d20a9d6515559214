//! Sealing an asserted identity for the client that carries it on: in the code of a return URL, or in the flow of a mailed
//! code. The two are encrypted for different purposes, so neither is valid in place of the other.

use crate::domain::federation::sealed::SealedAssertion;
use crate::domain::secret::Secret;
use crate::domain::secret_keys::key_id;
use crate::ports::Seal;
use crate::service::{Context, Error};

/// The label of the key that encrypts codes. It is part of the format.
pub(super) const CODE: &str = "edge-auth federation code";
/// The same of the flows of mailed codes.
pub(super) const MAILED: &str = "edge-auth federation mail";

/// Longest text that is decrypted: that of an assertion with the longest address, name, issuer and subject.
const MAX_LENGTH: usize = 8 * 1024;

/// Encrypts an assertion under the current `SECRET_KEY`, and names the key.
pub(super) async fn seal(ctx: &Context<'_>, purpose: &'static str, sealed: &SealedAssertion) -> Result<Secret, Error> {
    let secret = &ctx.settings.secret_keys.current;
    let text = Secret::new(sealed.text());
    let encrypted = ctx.encryption.encrypt(Seal { secret, purpose, row: "" }, &text).await?;
    Ok(Secret::new(format!("{}.{encrypted}", key_id(secret))))
}

/// Decrypts an assertion. `None` for every text that this service did not seal for this purpose, and for one whose time is
/// over.
pub(super) async fn unseal(ctx: &Context<'_>, purpose: &'static str, text: &Secret) -> Option<SealedAssertion> {
    let (key, encrypted) = text.expose().split_once('.').filter(|_| text.expose().len() <= MAX_LENGTH)?;
    let secret = ctx.settings.secret_keys.verifying().find(|secret| key_id(secret) == key)?;
    let opened = ctx.encryption.decrypt(Seal { secret, purpose, row: "" }, encrypted).await.ok()?;
    SealedAssertion::read(opened.expose(), ctx.now())
}

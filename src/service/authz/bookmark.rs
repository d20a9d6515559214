//! Bookmarks as clients hold them. They are encrypted: a plain one grows with each write of any user, so comparing two of them
//! would tell, for example, whether a request for a mail found an account.

use crate::domain::replica::{Bookmark, SealedBookmark};
use crate::domain::secret::Secret;
use crate::ports::Seal;
use crate::service::Context;

/// The label of the key. It is part of the format of tokens.
const PURPOSE: &str = "edge-auth bookmark";

/// The state of the database after the latest batch of this request. `None` where reads are not replicated, or if the
/// encryption failed: the client then reads the primary.
pub async fn seal_latest(ctx: &Context<'_>) -> Option<SealedBookmark> {
    let bookmark = Secret::new(ctx.store.bookmark()?.as_str());
    let seal = Seal { secret: &ctx.settings.secret_keys.current, purpose: PURPOSE, row: "" };
    let sealed = ctx.encryption.encrypt(seal, &bookmark).await;
    let sealed = sealed.inspect_err(|error| tracing::error!(target: "app.near", cause = %error, "Not encrypted"));
    SealedBookmark::parse(&sealed.ok()?)
}

/// The state that a bookmark names; `None` for one of another service, or of a former `SECRET_KEY`.
pub async fn open(ctx: &Context<'_>, sealed: &SealedBookmark) -> Option<Bookmark> {
    for secret in ctx.settings.secret_keys.verifying() {
        let seal = Seal { secret, purpose: PURPOSE, row: "" };
        if let Ok(opened) = ctx.encryption.decrypt(seal, sealed.as_str()).await {
            return Bookmark::parse(opened.expose());
        }
    }
    None
}

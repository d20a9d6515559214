//! The move of audit events to the archive, by the Cron Trigger. Database round trips of a step: 2, and 1 more for users
//! without a salt. A run takes a bounded number of steps; the next run continues.
//!
//! ```text
//!   read the head and the events ──▶ put object N+1, if absent ──▶ register it and delete its events
//!                                        │ it is there: an earlier run ended here, or another one was faster
//!                                        └─▶ read it, verify it ──▶ register it and delete its events
//! ```
//!
//! The head of an object is in the log before the register has it, because the answer of the registration may be lost.
//!
//! An event leaves the database only when its object is in the bucket. A run that ends anywhere leaves either the event, or
//! both; the next run finds the object, and goes on with it.

use crate::domain::audit::archive::{Draft, Entry, Head, MAX_BYTES, cutoff, first_to_stay, object_name, read};
use crate::domain::keys::Algorithm;
use crate::ports::{Archive, ArchiveError};
use crate::service::audit::key::{self, AuditKey, Key};
use crate::service::audit::sealing::{add_salts, seal};
use crate::service::{Context, Error};
use crate::store::audit::archive::{self, Due};

/// Objects that one run writes at most.
const MAX_OBJECTS: usize = 12;
/// Objects that one run deletes at most.
const MAX_DELETED: usize = 20;
/// Statements of one run at most: each step, the one that finds nothing, and the deletion.
pub const MAX_STATEMENTS: usize = key::MAX_STATEMENTS + (MAX_OBJECTS + 1) * archive::STATEMENTS_PER_STEP + 2;

/// Performs one run. Failures are logged, and the next run continues.
pub async fn run(ctx: &Context<'_>) {
    let mut key = Key::default();
    if let Err(error) = key.encrypt_anew(ctx).await {
        tracing::error!(target: "app.audit", cause = %error, "The key of the audit archive was not encrypted anew");
    }
    let Some(bucket) = ctx.archive else { return };
    if let Err(error) = move_events(ctx, bucket, key).await {
        tracing::error!(target: "app.audit", cause = %error, "Audit events were not archived, the next run continues");
    }
    if let Err(error) = delete_objects(ctx, bucket).await {
        tracing::warn!(target: "app.audit", cause = %error, "Audit objects were not deleted, the next run continues");
    }
}

async fn move_events(ctx: &Context<'_>, bucket: &dyn Archive, mut key: Key) -> Result<(), Error> {
    for _ in 0..MAX_OBJECTS {
        if !step(ctx, bucket, &mut key).await? {
            return Ok(());
        }
    }
    tracing::info!(target: "app.audit", is_complete = false, "The run of the audit archive used all its steps");
    Ok(())
}

/// Makes one object. Returns false if nothing is due.
async fn step(ctx: &Context<'_>, bucket: &dyn Archive, key: &mut Key) -> Result<bool, Error> {
    let settings = ctx.settings.audit;
    let Due { head, kept, mut events } = archive::due(ctx.store, cutoff(ctx.now(), settings.archive_days)).await?;
    let retained = settings.archive_retention_days.map(|days| cutoff(ctx.now(), days));
    let first = retained.and_then(|cutoff| first_to_stay(&kept, cutoff));
    if events.is_empty() && first.is_none() {
        return Ok(false);
    }
    add_salts(ctx, &mut events).await?;
    let first_kept = first.unwrap_or(1).max(head.first_kept);
    let key = key.obtain(ctx, &head).await?;
    let draft = Draft::new(&head, first_kept, ctx.now(), &key.public_key, &seal(ctx, key, events).await?);
    let signature = ctx.signatures.sign(Algorithm::EdDsa, &key.private, &draft.to_be_signed()).await?;
    let (text, entry) = draft.signed(&signature);
    let put = bucket.put_if_absent(&object_name(entry.head.object), &text, &entry.head.sha256).await;
    let entry = match put {
        Ok(true) => entry,
        Ok(false) => find(ctx, bucket, key, &head, None).await?,
        // The answer may be lost, and the object written.
        Err(error) => find(ctx, bucket, key, &head, Some(error)).await?,
    };
    log(&entry, key);
    archive::register(ctx.store, &head.sha256, &entry).await?;
    Ok(true)
}

fn log(entry: &Entry, key: &AuditKey) {
    tracing::info!(
        target: "app.audit",
        object = entry.head.object,
        head = entry.head.text(&key.kid),
        events = entry.ids.len(),
        total = entry.head.total,
        "Audit events archived"
    );
}

/// The object in the place of the successor of `head`, verified. Without one, the failure is that of the attempt to write it.
async fn find(
    ctx: &Context<'_>,
    bucket: &dyn Archive,
    key: &AuditKey,
    head: &Head,
    failure: Option<ArchiveError>,
) -> Result<Entry, Error> {
    let name = object_name(head.object + 1);
    let alien = || ArchiveError(format!("{name} is not the next object of this service"));
    let Some(bytes) = bucket.get(&name, MAX_BYTES).await? else { return Err(failure.unwrap_or_else(alien).into()) };
    let found = read(head, &key.public_key, &bytes).ok_or_else(alien)?;
    let (text, signature) = (&found.to_be_signed, &found.signature);
    if ctx.signatures.verify(Algorithm::EdDsa, &key.public_key, text, signature).await? {
        tracing::warn!(target: "app.audit", object = found.entry.head.object, "An audit object of an earlier run was found");
        return Ok(found.entry);
    }
    Err(alien().into())
}

/// Deletes objects that the retention does not keep, the oldest first. A lock of the bucket may keep them for longer.
async fn delete_objects(ctx: &Context<'_>, bucket: &dyn Archive) -> Result<(), Error> {
    let objects = archive::not_kept(ctx.store, MAX_DELETED).await?;
    let mut deleted = None;
    let mut failure = None;
    for object in &objects {
        if let Err(error) = bucket.delete(&object_name(*object)).await {
            failure = Some(error);
            break;
        }
        deleted = Some(*object);
    }
    if let (Some(first), Some(last)) = (objects.first(), deleted) {
        archive::forget(ctx.store, *first, last).await?;
        tracing::info!(target: "app.audit", first_object = first, last_object = last, "Audit objects deleted");
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

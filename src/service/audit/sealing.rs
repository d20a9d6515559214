//! The personal columns of events, encrypted.
//!
//! The key of an event needs the salts of its subject and of its actor. The erasure of either deletes a salt, and so no copy
//! of the object has anything personal of that event any more. It is the rule of the database, too.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::audit::archive::{ArchivedEvent, personal_secret};
use crate::domain::secret::Secret;
use crate::domain::time::HOUR;
use crate::ports::{ArchiveError, CryptoError, DbErrorKind, Sealing};
use crate::service::audit::key::AuditKey;
use crate::service::{Context, Error};
use crate::store::audit::archive::{self, DueEvent, Salt};

/// The label of the keys that encrypt personal columns. It is part of the format of an object.
const PURPOSE: &str = "edge-auth audit event";

/// Gives salts to the users that lack one. Users of events without personal columns need none, and an erased one gets none.
/// In a full database only events stay that need no new salt.
pub(super) async fn add_salts(ctx: &Context<'_>, events: &mut Vec<DueEvent>) -> Result<(), Error> {
    // Two thousand at most, so a search is as fast as a tree, and smaller.
    let mut salts: Vec<Salt> = Vec::new();
    for event in events.iter().filter(|event| event.personal.is_some()) {
        for (user_id, salt) in [(event.user_id, &event.subject_salt), (event.actor_id, &event.actor_salt)] {
            if let (Some(user_id), None) = (user_id, salt)
                && salt_of(&salts, user_id).is_none()
            {
                salts.push(Salt { user_id, salt: Base64UrlUnpadded::encode_string(&ctx.random::<16>()?) });
            }
        }
    }
    if salts.is_empty() {
        return Ok(());
    }
    let stored = match archive::add_salts(ctx.store, &salts).await {
        Err(error) if matches!(error.kind(), DbErrorKind::NoSpace(_)) => return leave_out_unsalted(events),
        stored => stored?,
    };
    for event in events {
        for (user_id, salt) in [(event.user_id, &mut event.subject_salt), (event.actor_id, &mut event.actor_salt)] {
            if let (Some(user_id), None) = (user_id, &salt) {
                *salt = salt_of(&stored, user_id);
            }
        }
    }
    Ok(())
}

/// Keeps the events that need no new salt, up to the hour of the first one that does: others rely on the order of hours. Their
/// space is free for salts then.
fn leave_out_unsalted(events: &mut Vec<DueEvent>) -> Result<(), Error> {
    let waits = |event: &DueEvent| event.personal.is_some() && lacks_salt(event);
    let hour = |event: &DueEvent| event.created_at.div_euclid(HOUR * 1000);
    let last = events.iter().find(|event| waits(event)).map(hour);
    events.retain(|event| !waits(event) && Some(hour(event)) <= last);
    if events.is_empty() {
        let cause = "the full database has no space for new salts, which the oldest events need";
        return Err(ArchiveError(cause.to_owned()).into());
    }
    Ok(())
}

fn lacks_salt(event: &DueEvent) -> bool {
    let lacks = |user_id: Option<i64>, salt: &Option<String>| user_id.is_some() && salt.is_none();
    lacks(event.user_id, &event.subject_salt) || lacks(event.actor_id, &event.actor_salt)
}

fn salt_of(salts: &[Salt], user_id: i64) -> Option<String> {
    salts.iter().find(|salt| salt.user_id == user_id).map(|salt| salt.salt.clone())
}

/// The personal columns, unless a user of the event has no salt: an erased one.
fn sealing(key: &AuditKey, event: &DueEvent) -> Option<Sealing> {
    let (subject, actor) = (event.subject_salt.as_deref(), event.actor_salt.as_deref());
    let text = event.personal.as_deref().filter(|_| !lacks_salt(event))?;
    let secret = Secret::new(personal_secret(key.master.expose(), subject, actor));
    Some(Sealing { secret, row: event.id.to_string(), text: Secret::new(text) })
}

/// The events as the object has them.
pub(super) async fn seal(
    ctx: &Context<'_>,
    key: &AuditKey,
    events: Vec<DueEvent>,
) -> Result<Vec<ArchivedEvent>, Error> {
    let sealings: Vec<Option<Sealing>> = events.iter().map(|event| sealing(key, event)).collect();
    let is_sealed: Vec<bool> = sealings.iter().map(Option::is_some).collect();
    let sealings: Vec<Sealing> = sealings.into_iter().flatten().collect();
    let texts = ctx.encryption.encrypt_all(PURPOSE, &sealings).await?;
    if texts.len() != sealings.len() {
        return Err(CryptoError("another number of ciphertexts than of texts".to_owned()).into());
    }
    let mut texts = texts.into_iter();
    let archived = events.into_iter().zip(is_sealed).map(|(event, is_sealed)| {
        let personal = if is_sealed { texts.next() } else { None };
        ArchivedEvent { id: event.id, created_at: event.created_at, columns: event.columns, personal }
    });
    Ok(archived.collect())
}

//! The lines of events, with their personal fields encrypted.
//!
//! The key of an event needs the salts of its subject and of its actor. The erasure of either deletes a salt, and so no copy
//! of the object has anything personal of that event any more. It is the rule of the database, too.

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Serialize;

use crate::domain::audit::archive::{EventLine, Personal, personal_secret};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::{CryptoError, Sealing};
use crate::service::audit::key::AuditKey;
use crate::service::{Context, Error};
use crate::store::audit::archive::{self, DueEvent, Salt};

/// The label of the keys that encrypt personal fields. It is part of the format of an object.
const PURPOSE: &str = "edge-auth audit event";

fn personal(event: &DueEvent) -> Personal<'_> {
    Personal {
        ip: event.ip.as_deref(),
        user_agent: event.user_agent.as_deref(),
        request_id: &event.request_id,
        ray: event.ray.as_deref(),
    }
}

/// Gives salts to the users that lack one. Users of events without personal fields need none, and an erased one gets none.
pub(super) async fn add_salts(ctx: &Context<'_>, events: &mut [DueEvent]) -> Result<(), Error> {
    let users = events.iter().filter(|event| !personal(event).is_empty()).flat_map(|event| {
        let subject = event.user_id.filter(|_| event.subject_salt.is_none());
        [subject, event.actor_id.filter(|_| event.actor_salt.is_none())]
    });
    let users: BTreeSet<i64> = users.flatten().collect();
    if users.is_empty() {
        return Ok(());
    }
    let salts = users
        .into_iter()
        .map(|user_id| Ok(Salt { user_id, salt: Base64UrlUnpadded::encode_string(&ctx.random::<16>()?) }));
    let salts = json(&salts.collect::<Result<Vec<_>, Error>>()?)?;
    let stored = archive::add_salts(ctx.store, &salts).await?;
    let stored: BTreeMap<i64, String> = stored.into_iter().map(|row| (row.user_id, row.salt)).collect();
    let salt_of = |user_id: Option<i64>| user_id.and_then(|id| stored.get(&id).cloned());
    for event in events {
        event.subject_salt = event.subject_salt.take().or_else(|| salt_of(event.user_id));
        event.actor_salt = event.actor_salt.take().or_else(|| salt_of(event.actor_id));
    }
    Ok(())
}

/// Has every user of the event a salt? An erased one has none.
const fn is_sealable(event: &DueEvent) -> bool {
    (event.user_id.is_none() || event.subject_salt.is_some())
        && (event.actor_id.is_none() || event.actor_salt.is_some())
}

/// The line of each event, with its time.
pub(super) async fn lines(
    ctx: &Context<'_>,
    key: &AuditKey,
    events: &[DueEvent],
) -> Result<Vec<(String, Timestamp)>, Error> {
    let is_sealed = |event: &&DueEvent| is_sealable(event) && !personal(event).is_empty();
    let sealings = events.iter().filter(is_sealed).map(|event| {
        let (subject, actor) = (event.subject_salt.as_deref(), event.actor_salt.as_deref());
        Ok(Sealing {
            secret: Secret::new(personal_secret(key.master.expose(), subject, actor)),
            row: event.id.to_string(),
            text: Secret::new(json(&personal(event))?),
        })
    });
    let sealings = sealings.collect::<Result<Vec<_>, Error>>()?;
    let sealed = ctx.encryption.encrypt_all(PURPOSE, &sealings).await?;
    if sealed.len() != sealings.len() {
        return Err(CryptoError("another number of ciphertexts than of texts".to_owned()).into());
    }
    let mut sealed = sealed.iter();
    let lines = events.iter().map(|event| {
        let personal = if is_sealed(&event) { sealed.next().map(String::as_str) } else { None };
        Ok((json(&line(event, personal))?, event.created_at))
    });
    lines.collect()
}

fn line<'a>(event: &'a DueEvent, personal: Option<&'a str>) -> EventLine<'a> {
    EventLine {
        id: event.id,
        created_at: event.created_at.millis(),
        event_type: &event.event_type,
        reason: event.reason.as_deref(),
        count: event.count,
        last_at: event.last_at.millis(),
        user_id: event.user_id,
        session_id: event.session_id,
        actor_id: event.actor_id,
        university_id: event.university_id,
        object_id: event.object_id,
        personal,
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    Ok(serde_json::to_string(value).map_err(|error| CryptoError(error.to_string()))?)
}

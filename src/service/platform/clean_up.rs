//! The clean-up: a Cron Trigger removes outdated rows, in steps of bounded size.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::ids::UserId;
use crate::domain::limits::REGISTRATION_WINDOW_MS;
use crate::domain::settings::Settings;
use crate::domain::time::{DAY, Timestamp};
use crate::ports::DbError;
use crate::service::Context;
use crate::store::Store;
use crate::store::account::erasure;
use crate::store::account::pending::REGISTRATIONS;
use crate::store::account::user_data::OWNED;
use crate::store::federation::flows::USED_FLOWS;
use crate::store::mail::counts::MAIL_COUNTS;
use crate::store::platform::clean_up::{Cutoff, REGISTRATION_COUNTS, Walk, step};
use crate::store::tenant::invitations::INVITATIONS;

/// Steps of one run for all unfinished erasures together. D1 allows an invocation 1000 queries; a test adds up those of
/// the erasures and the walks.
const MAX_ERASURE_STEPS: usize = 12;

/// Every walk: those of the register, and those of tables without an owner.
fn walks() -> impl Iterator<Item = &'static Walk> {
    let others = [&REGISTRATION_COUNTS, &MAIL_COUNTS, &INVITATIONS, &REGISTRATIONS, &USED_FLOWS];
    OWNED.iter().filter_map(|owned| owned.walk.as_ref()).chain(others)
}

/// Rows that one run removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of rows, by the name of the table.
    pub rows: Vec<(&'static str, i64)>,
    /// Erased users whose last row was deleted.
    pub users: i64,
    /// The run reached the end of every walk. If no run does, rows are written faster than they are removed.
    pub is_complete: bool,
}

impl Removed {
    /// Rows removed from a table.
    #[must_use]
    pub fn of(&self, table: &str) -> i64 {
        self.rows.iter().filter(|(name, _)| *name == table).map(|(_, count)| count).sum()
    }
}

/// Performs one run and logs its result.
pub async fn run(ctx: &Context<'_>) {
    let (store, has_archive) = (ctx.store, ctx.archive.is_some());
    let removed = clean_up(store, ctx.now(), ctx.settings, has_archive).await;
    let d1_calls = store.calls();
    match removed {
        Ok(removed) => tracing::info!(
            target: "app.clean_up",
            sessions = removed.of("sessions"),
            audit_events = removed.of("audit_events"),
            registration_counts = removed.of("registration_counts"),
            users = removed.users,
            is_complete = removed.is_complete,
            d1_calls,
            "Cleaned up"
        ),
        Err(error) => {
            tracing::error!(target: "app.clean_up", cause = %error, d1_calls, "Clean-up failed, the next one goes on");
        }
    }
}

/// Removes as many outdated rows as one run can. The next run continues where this one stopped. Concurrent runs do not
/// disturb each other, and a failing walk does not stop the others. Where there is an archive, only its mover removes audit
/// events: when they are in the bucket.
///
/// # Errors
/// The first [`DbError`]; removed rows stay removed.
pub async fn clean_up(
    store: &Store,
    now: Timestamp,
    settings: &Settings,
    has_archive: bool,
) -> Result<Removed, DbError> {
    let mut removed = Removed { is_complete: true, ..Removed::default() };
    let mut first_error = finish_erasures(store, &mut removed).await.err();
    for walk in walks().filter(|walk| !(has_archive && walk.cutoff == Cutoff::AuditRetention)) {
        let cutoff = match walk.cutoff {
            Cutoff::AccessTokens => now.plus_seconds(-settings.lifetimes.access_seconds),
            Cutoff::AuditRetention => now.plus_seconds(-settings.audit.retention_days * DAY),
            Cutoff::MailCounts => now.plus_seconds(-DAY),
            Cutoff::Now => now,
            Cutoff::RegistrationWindow => Timestamp::from_millis(now.millis() - REGISTRATION_WINDOW_MS),
        };
        let mut count = 0;
        match run_walk(store, walk, now, cutoff, &mut count).await {
            Ok(is_finished) => removed.is_complete &= is_finished,
            Err(error) => first_error = first_error.or(Some(error)),
        }
        removed.rows.push((walk.table, count));
    }
    first_error.map_or(Ok(removed), Err)
}

/// Takes the steps of one run; returns true if they reached the end of the walk.
async fn run_walk(
    store: &Store,
    walk: &Walk,
    now: Timestamp,
    cutoff: Timestamp,
    count: &mut i64,
) -> Result<bool, DbError> {
    for _ in 0..walk.max_steps {
        let step = step(store, walk, cutoff, step_number(now)).await?;
        *count += step.removed;
        if step.finished {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A number that no other step has, of this run or of another one in this isolate.
fn step_number(now: Timestamp) -> i64 {
    static STEPS: AtomicI64 = AtomicI64::new(0);
    (now.millis() << 10) + STEPS.fetch_add(1, Ordering::Relaxed) % 1024
}

/// One step for each user in turn, so that accounts with many rows do not delay the others. The next run begins behind the
/// users of this one. That is noted first, so that a run which fails or ends early does not favour the same users again.
async fn finish_erasures(store: &Store, removed: &mut Removed) -> Result<(), DbError> {
    let mut queue: VecDeque<UserId> = erasure::unfinished(store, MAX_ERASURE_STEPS).await?.into();
    if let Some(last) = queue.back() {
        erasure::set_position(store, *last).await?;
    }
    let is_all = queue.len() < MAX_ERASURE_STEPS;
    let mut first_error = None;
    for _ in 0..MAX_ERASURE_STEPS {
        let Some(user_id) = queue.pop_front() else { break };
        match erasure::step(store, user_id).await {
            Ok(true) => removed.users += 1,
            Ok(false) => queue.push_back(user_id),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    removed.is_complete &= is_all && queue.is_empty();
    first_error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_run_stays_within_the_query_limit_of_d1() {
        let sum = |walk: &Walk| walk.statements() * walk.max_steps;
        let walks: u32 = walks().map(sum).sum();
        let of_events: u32 = self::walks().filter(|walk| walk.cutoff == Cutoff::AuditRetention).map(sum).sum();
        // Two statements find the users, one sets the position.
        let erasures = 3 + u32::try_from(erasure::statements_per_step() * MAX_ERASURE_STEPS).unwrap();
        let keys = u32::try_from(crate::service::keys::upkeep::MAX_STATEMENTS).unwrap();
        // The archive takes the place of the walk through audit events.
        let archive = u32::try_from(crate::service::audit::archive::MAX_STATEMENTS).unwrap();
        let events = of_events.max(archive);
        let others = walks - of_events + erasures + keys;
        assert!(others + events <= 1000, "{others} + {events}");
    }
}

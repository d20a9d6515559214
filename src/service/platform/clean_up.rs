//! Cleaning up: what has outlived its use is removed, in steps of bounded size, as often as a timer says.

use crate::domain::limits::REGISTRATION_WINDOW_MS;
use crate::domain::time::{DAY, Timestamp};
use crate::ports::DbError;
use crate::store::Store;
use crate::store::account::erasure;
use crate::store::platform::clean_up::{Walk, step};

/// Steps of each walk in one run. With the statements of each, and of the erasures, a run stays below the thousand
/// queries that D1 allows one invocation, which a test adds up.
const MAX_STEPS: [(Walk, u32); 4] =
    [(Walk::RefreshTokens, 150), (Walk::Sessions, 50), (Walk::AuditEvents, 60), (Walk::RegistrationCounts, 5)];

/// Steps for users whose erasure is not finished, all of them together.
const MAX_ERASURE_STEPS: u32 = 16;

/// Rows that one run removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Expired, or of sessions that are over.
    pub refresh_tokens: i64,
    /// Over, with no tokens left.
    pub sessions: i64,
    /// Beyond the retention.
    pub audit_events: i64,
    /// Of windows that are over.
    pub registration_counts: i64,
    /// Erased users of whom nothing is left now.
    pub users: i64,
    /// Did the run get to everything? If none does, more is written than is cleaned up.
    pub is_complete: bool,
}

/// One run, and a line in the log about it.
pub async fn run(store: &Store, now: Timestamp, audit_retention_days: i64) {
    let removed = clean_up(store, now, audit_retention_days).await;
    let d1_calls = store.calls();
    match removed {
        Ok(Removed { refresh_tokens, sessions, audit_events, registration_counts, users, is_complete }) => {
            tracing::info!(
                target: "app.clean_up",
                refresh_tokens, sessions, audit_events, registration_counts, users, is_complete, d1_calls, "Cleaned up"
            );
        }
        Err(error) => {
            tracing::error!(target: "app.clean_up", cause = %error, d1_calls, "Clean-up failed, the next one goes on");
        }
    }
}

/// Removes what can be removed in one run. What it does not get to, the next run does: it goes on where this
/// one stopped. The runs of two timers do not get into each other's way, and a walk that fails does not keep the
/// others from theirs.
///
/// # Errors
/// The first [`DbError`]; what was removed stays removed.
pub async fn clean_up(store: &Store, now: Timestamp, audit_retention_days: i64) -> Result<Removed, DbError> {
    let mut removed = Removed { is_complete: true, ..Removed::default() };
    let mut first_error = finish_erasures(store, &mut removed).await.err();
    for (walk, max_steps) in MAX_STEPS {
        let (count, cutoff) = match walk {
            Walk::RefreshTokens => (&mut removed.refresh_tokens, now),
            Walk::Sessions => (&mut removed.sessions, now),
            Walk::AuditEvents => (&mut removed.audit_events, now.plus_seconds(-audit_retention_days * DAY)),
            Walk::RegistrationCounts => {
                (&mut removed.registration_counts, Timestamp::from_millis(now.millis() - REGISTRATION_WINDOW_MS))
            }
        };
        match go(store, walk, cutoff, max_steps, count).await {
            Ok(is_finished) => removed.is_complete &= is_finished,
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map_or(Ok(removed), Err)
}

/// Goes so many steps; true if that was the whole way.
async fn go(store: &Store, walk: Walk, cutoff: Timestamp, max_steps: u32, count: &mut i64) -> Result<bool, DbError> {
    for _ in 0..max_steps {
        let step = step(store, walk, cutoff).await?;
        *count += step.removed;
        if step.finished {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One step for each user in turn, so that nobody waits for somebody who has left a lot behind.
async fn finish_erasures(store: &Store, removed: &mut Removed) -> Result<(), DbError> {
    let mut unfinished = erasure::unfinished(store, MAX_ERASURE_STEPS.into()).await?;
    let mut steps = 0;
    while steps < MAX_ERASURE_STEPS && !unfinished.is_empty() {
        let mut rest = Vec::new();
        for user_id in unfinished {
            steps += 1;
            if erasure::step(store, user_id).await? {
                removed.users += 1;
            } else {
                rest.push(user_id);
            }
        }
        unfinished = rest;
    }
    removed.is_complete &= unfinished.is_empty();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_run_stays_within_what_d1_allows_one_invocation() {
        let walks: u32 = MAX_STEPS.iter().map(|(walk, steps)| walk.statements() * steps).sum();
        // In its last round each erasure may take one step more than is left.
        let erasures = 1 + erasure::STATEMENTS_PER_STEP * 2 * MAX_ERASURE_STEPS;
        assert!(walks + erasures <= 1000, "{walks} + {erasures}");
    }
}

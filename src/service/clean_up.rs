//! Cleaning up: what has outlived its use is removed, in steps of bounded size, as often as a timer says.

use crate::domain::limits::REGISTRATION_WINDOW_MS;
use crate::domain::time::{DAY, Timestamp};
use crate::ports::DbError;
use crate::store::clean_up::{Walk, step};
use crate::store::{Store, erasure};

/// Steps of each walk in one run: with three statements each they stay below the thousand queries that D1
/// allows one invocation, all walks together.
const MAX_STEPS: [(Walk, u32); 4] =
    [(Walk::RefreshTokens, 150), (Walk::Sessions, 50), (Walk::AuditEvents, 40), (Walk::RegistrationCounts, 10)];

/// Steps for users whose erasure is not finished, all of them together.
const MAX_ERASURE_STEPS: u32 = 20;

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
}

/// One run, and a line in the log about it.
pub async fn run(store: &Store, now: Timestamp, audit_retention_days: i64) {
    let removed = clean_up(store, now, audit_retention_days).await;
    let d1_calls = store.calls();
    match removed {
        Ok(Removed { refresh_tokens, sessions, audit_events, registration_counts, users }) => tracing::info!(
            target: "app.clean_up", refresh_tokens, sessions, audit_events, registration_counts, users, d1_calls, "Cleaned up"
        ),
        Err(error) => {
            tracing::error!(target: "app.clean_up", cause = %error, d1_calls, "Clean-up stopped, the next one goes on");
        }
    }
}

/// Removes what can be removed in one run. What it does not get to, the next run does: it goes on where this
/// one stopped. The runs of two timers do not get into each other's way.
///
/// # Errors
/// [`DbError`]; what was removed before it stays removed.
pub async fn clean_up(store: &Store, now: Timestamp, audit_retention_days: i64) -> Result<Removed, DbError> {
    let mut removed = Removed::default();
    for (walk, max_steps) in MAX_STEPS {
        let (count, cutoff) = match walk {
            Walk::RefreshTokens => (&mut removed.refresh_tokens, now),
            Walk::Sessions => (&mut removed.sessions, now),
            Walk::AuditEvents => (&mut removed.audit_events, now.plus_seconds(-audit_retention_days * DAY)),
            Walk::RegistrationCounts => {
                (&mut removed.registration_counts, Timestamp::from_millis(now.millis() - REGISTRATION_WINDOW_MS))
            }
        };
        for _ in 0..max_steps {
            let step = step(store, walk, cutoff).await?;
            *count += step.removed;
            if step.finished {
                break;
            }
        }
    }
    removed.users = finish_erasures(store).await?;
    Ok(removed)
}

async fn finish_erasures(store: &Store) -> Result<i64, DbError> {
    let mut steps = 0;
    let mut finished = 0;
    for user_id in erasure::unfinished(store, MAX_ERASURE_STEPS.into()).await? {
        while steps < MAX_ERASURE_STEPS {
            steps += 1;
            if erasure::step(store, user_id).await? {
                finished += 1;
                break;
            }
        }
    }
    Ok(finished)
}

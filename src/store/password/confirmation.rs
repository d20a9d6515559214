//! The password that stands for a recent sign-in, confirmed in the batch that it allows. It was right when it was read; wrong
//! guesses that were made concurrently count before it.
//!
//! The batch of an act begins with a statement that fails if the password does not hold any more. So the database carries
//! out nothing of the batch, and the statements of the act need no condition for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::SessionId;
use crate::domain::limits::throttle::reauthentication_key;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::replica::Bookmark;
use crate::ports::{Db, DbError, DbErrorKind, NearRows, PortFuture, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit::insertion::event_window;
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{Event, RequestInfo};
use crate::store::demand::demand;

/// The verified version of the password is current, the account active, the session live, and no wait is in force.
macro_rules! is_confirmed {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM users WHERE id = :user_id AND ",
            $crate::store::password::credentials::password_holds!(),
            ")"
        )
    };
}
pub(in crate::store) use is_confirmed;

/// Fails if the password does not hold any more. A batch that is executed again may find its own act done, which ends
/// sessions or the account, and has recorded it.
const DEMAND: &str = demand!(
    concat!(
        is_confirmed!(),
        " OR EXISTS (SELECT 1 FROM audit_events WHERE ",
        event_window!(),
        " AND nonce BETWEEN :first_nonce AND :last_nonce)"
    ),
    "password is not confirmed"
);

const COUNT_UNCONFIRMED: &str = count_refusal!(user_id: ":user_id", if: concat!("NOT (", is_confirmed!(), ")"));

/// A success resets the counter of re-authentication.
const RESET_AFTER_STEP_UP: &str = concat!(
    "UPDATE throttles SET failures = 0, recent_failures = 0, blocked_until = 0
     WHERE key = :throttle AND failures > 0 AND ",
    is_confirmed!()
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[DEMAND, COUNT_UNCONFIRMED, RESET_AFTER_STEP_UP];

/// A verified password, in a session of its user.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation {
    /// The user, and the version of the password that was right.
    pub verified: VerifiedPassword,
    /// The session of the request.
    pub session_id: Option<SessionId>,
}

impl Confirmation {
    /// A statement with the values of [`is_confirmed`].
    pub(in crate::store) fn of(self, sql: &'static str, request: RequestInfo<'_>) -> Statement {
        let user_id = self.verified.user_id;
        let of_user = query(sql).bind("user_id", user_id).bind("session_id", self.session_id).bind("now", request.now);
        of_user.bind("version", self.verified.version).bind("throttle", reauthentication_key(user_id))
    }

    fn refused(self) -> Event {
        Event::of(EventType::StepUpRefused, self.verified.user_id).because(Reason::Overtaken).within(self.session_id)
    }

    /// Resets the failures of re-authentication.
    pub(in crate::store) fn reset(self, request: RequestInfo<'_>) -> Statement {
        self.of(RESET_AFTER_STEP_UP, request)
    }

    /// Counts a refusal, if the password does not hold any more.
    pub(in crate::store) fn count_unconfirmed(self, request: RequestInfo<'_>) -> Statement {
        let user_id = self.verified.user_id;
        let count = refusals::of_user_if_recorded(request, COUNT_UNCONFIRMED, self.refused());
        let count = count
            .map(|count| count.bind("version", self.verified.version).bind("throttle", reauthentication_key(user_id)));
        count.unwrap_or_else(refusals::nothing)
    }
}

/// The store of an act that the password allows: each of its batches confirms the password first. If it does not hold any
/// more, the batch changes nothing, a further one counts the refusal, and the error is [`DbErrorKind::Unconfirmed`].
#[must_use]
pub fn confirming(store: &Store, confirmation: Confirmation, request: RequestInfo<'_>) -> Store {
    let [first, last] = request.stamp.nonces();
    let demand = confirmation
        .of(DEMAND, request)
        .bind("event_id", request.stamp.id())
        .bind("first_nonce", first)
        .bind("last_nonce", last);
    let db = Confirming {
        db: Arc::clone(&store.db),
        calls: Arc::clone(&store.calls),
        before: [demand, confirmation.reset(request)],
        refusal: refusals::count(request, confirmation.refused()),
    };
    // The statements in front of each batch write.
    store.is_change.store(true, Ordering::Relaxed);
    Store { db: Arc::new(db), ..store.clone() }
}

/// Confirms the password without an act.
///
/// # Errors
/// [`DbError`].
pub async fn confirm(confirming: &Store) -> Result<(), DbError> {
    confirming.batch([]).await.map(drop)
}

/// The second round trip of a refusal: a wrong password must not be answered sooner than a right one that was overtaken.
///
/// # Errors
/// [`DbError`].
pub async fn wait_as_overtaken(store: &Store) -> Result<(), DbError> {
    store.batch([refusals::nothing()]).await.map(drop)
}

/// The database, with the confirmation in front of each batch.
struct Confirming {
    db: Arc<dyn Db>,
    calls: Arc<AtomicU32>,
    before: [Statement; 2],
    refusal: Statement,
}

impl Confirming {
    async fn run(&self, statements: &[Statement], is_probe: bool) -> Result<Vec<Rows>, DbError> {
        let all = [self.before.as_slice(), statements].concat();
        let answer = if is_probe { self.db.probe(&all) } else { self.db.batch(&all) };
        match answer.await {
            Ok(mut results) if results.len() == all.len() => Ok(results.split_off(self.before.len())),
            Ok(_) => Err(DbError::lost_results()),
            Err(error) if *error.kind() == DbErrorKind::Unconfirmed => {
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.db.batch(std::slice::from_ref(&self.refusal)).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

impl Db for Confirming {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(self.run(statements, false))
    }

    fn probe<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(self.run(statements, true))
    }

    fn read_near<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<NearRows, DbError>> {
        self.db.read_near(statements)
    }

    fn bookmark(&self) -> Option<Bookmark> {
        self.db.bookmark()
    }

    fn size_bytes(&self) -> Option<i64> {
        self.db.size_bytes()
    }
}

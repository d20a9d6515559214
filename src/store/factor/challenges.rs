//! Wrong answers to challenges.

use crate::domain::factor::challenge::Challenge;
use crate::domain::factor::pending::MAX_WRONG_ANSWERS;
use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::audit::{Event, RequestInfo, refusals};
use crate::store::mail::notices::{Notice, notice_statements, queue_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::owned::Owned;
use crate::store::password::throttle;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};

/// A batch that is executed again finds its nonce, and counts nothing.
const COUNT: &str = "
    INSERT INTO used_challenges (id, user_id, failures, used_at, expires_at, nonce)
    SELECT :challenge_id, id, 1, NULL, :challenge_ends_at, :nonce FROM users WHERE id = :user_id AND erasure_cursor IS NULL
    ON CONFLICT (id) DO UPDATE SET failures = failures + 1, nonce = excluded.nonce
    WHERE nonce IS NOT excluded.nonce AND failures < :max_wrong AND used_at IS NULL";

/// After every fifth wrong answer in a row of the account: its password is known to someone.
const QUEUE_NOTICE: &str = queue_notice!(
    "EXISTS (
         SELECT 1 FROM throttles AS f
         WHERE f.key = :throttle AND f.nonce = :nonce AND f.failures > 0 AND f.failures % :every = 0
     )"
);

const ERASE: &str = "
    DELETE FROM used_challenges WHERE id IN (
        SELECT c.id FROM users AS u JOIN used_challenges AS c ON c.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

const DELETE_EXPIRED: &str = "
    DELETE FROM used_challenges WHERE id IN (
        SELECT id FROM used_challenges WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'used_challenges' AND nonce = :nonce)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[COUNT, QUEUE_NOTICE, ERASE, DELETE_EXPIRED];

/// Challenges that users answered: rows of five minutes, which say nothing that the events do not.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "used_challenges",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM used_challenges AS c WHERE c.user_id = users.id"],
    export: None,
    walk: Some(Walk {
        table: "used_challenges",
        cutoff: Cutoff::Now,
        order: Order::OldestFirst { delete: DELETE_EXPIRED },
        max_steps: 18,
    }),
};

/// A wrong answer of a user.
#[allow(missing_docs, reason = "the names say it")]
pub struct WrongAnswer<'a> {
    pub user_id: UserId,
    /// The challenge that it answers, if that bears only some wrong answers.
    pub challenge: Option<Challenge>,
    pub counter: &'a Counter,
    /// False for a code during a wait, which is the same work.
    pub was_guess: bool,
    pub event: Event,
}

/// Counts a wrong answer, and records it as an event.
///
/// # Errors
/// [`DbError`].
pub async fn count_wrong_answer(
    store: &Store,
    wrong: &WrongAnswer<'_>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<QueuedMail>, DbError> {
    let WrongAnswer { user_id, challenge, counter, was_guess, event } = *wrong;
    let mut statements =
        vec![throttle::count_failure(counter, was_guess.into(), request), refusals::count(request, event)];
    statements.extend(challenge.map(|challenge| {
        query(COUNT)
            .bind("challenge_id", challenge.id)
            .bind("challenge_ends_at", challenge.kept_until())
            .bind("user_id", user_id)
            .bind("nonce", request.stamp.nonce())
            .bind("max_wrong", MAX_WRONG_ANSWERS)
    }));
    statements.extend(notice.into_iter().flat_map(|notice| {
        let queue = query(QUEUE_NOTICE)
            .bind("throttle", counter.key.as_str())
            .bind("nonce", request.stamp.nonce())
            .bind("every", MAX_WRONG_ANSWERS);
        notice_statements(notice, user_id, queue, request.now)
    }));
    let results = store.batch_of(statements).await?;
    queued(notice, &results)
}

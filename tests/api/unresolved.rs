//! Refreshes that the database left unresolved: the client repeats them, and is not taken for a thief.

use std::sync::{Arc, Mutex};

use edge_auth::ports::{Db, DbError, DbErrorKind, PortFuture, Rows, Statement};

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, Service, Tokens};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// The batch never reached the database.
    Before,
    /// The batch was committed, and its answer was lost.
    After,
}

/// A database that can stall.
struct Stalling {
    db: Arc<Sqlite>,
    lost: Mutex<Option<Lost>>,
}

impl Db for Stalling {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let lost = *self.lost.lock().unwrap();
            if lost == Some(Lost::Before) {
                return Err(DbErrorKind::TimedOut(5000).into());
            }
            let answer = self.db.batch(statements).await;
            if lost == Some(Lost::After) { Err(DbErrorKind::TimedOut(5000).into()) } else { answer }
        })
    }
}

/// A service with a registered user.
struct Stage {
    service: Service,
    port: Arc<Stalling>,
    first: Tokens,
}

impl Stage {
    async fn new() -> Self {
        let db = Arc::new(Sqlite::migrated());
        let port = Arc::new(Stalling { db: db.clone(), lost: Mutex::default() });
        let service = Service::on(db, port.clone(), &[]);
        let first = service.register(EMAIL).await;
        Self { service, port, first }
    }

    /// Presents a token while the database is stalled.
    async fn refresh_in_stall(&self, lost: Lost, token: &str) {
        *self.port.lost.lock().unwrap() = Some(lost);
        self.service.refresh(token).await.expect_error(503, "SERVICE_UNAVAILABLE");
        *self.port.lost.lock().unwrap() = None;
    }

    fn thefts(&self) -> usize {
        self.service.logs("Refresh token reuse detected: session ended").len()
    }
}

#[tokio::test]
async fn a_refresh_that_was_carried_out_without_an_answer_can_be_repeated_in_strict_mode() {
    let stage = Stage::new().await;
    stage.refresh_in_stall(Lost::After, &stage.first.refresh).await;
    let second = stage.service.refresh(&stage.first.refresh).await.expect(200).tokens();
    let again = stage.service.refresh(&stage.first.refresh).await.expect(200).tokens();
    assert_eq!(again.refresh, second.refresh, "no second branch");
    stage.service.me(&again.access).await.expect(200);
    let third = stage.service.refresh(&second.refresh).await.expect(200).tokens();
    assert_eq!(stage.thefts(), 0);
    // The successor has been exchanged, so the first token is an old one like any other.
    stage.service.refresh(&stage.first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    stage.service.refresh(&third.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(stage.thefts(), 1);
}

#[tokio::test]
async fn a_refresh_that_was_not_carried_out_is_an_ordinary_one_when_it_is_repeated() {
    let stage = Stage::new().await;
    stage.refresh_in_stall(Lost::Before, &stage.first.refresh).await;
    let second = stage.service.refresh(&stage.first.refresh).await.expect(200).tokens();
    stage.service.refresh(&second.refresh).await.expect(200);
    assert_eq!(stage.thefts(), 0);
}

#[tokio::test]
async fn an_unresolved_refresh_can_be_repeated_for_two_minutes() {
    for (seconds, status, thefts) in [(119, 200, 0), (120, 401, 1)] {
        let stage = Stage::new().await;
        stage.refresh_in_stall(Lost::After, &stage.first.refresh).await;
        stage.service.advance(seconds);
        stage.service.refresh(&stage.first.refresh).await.expect(status);
        assert_eq!(stage.thefts(), thefts, "{seconds}");
    }
}

#[tokio::test]
async fn an_unresolved_refresh_excuses_no_other_token() {
    let stage = Stage::new().await;
    let second = stage.service.refresh(&stage.first.refresh).await.expect(200).tokens();
    stage.refresh_in_stall(Lost::After, &second.refresh).await;
    stage.service.refresh(&stage.first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(stage.thefts(), 1);
    stage.service.refresh(&second.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

/// The stall notes every exchange that it leaves unanswered, but this one was answered before.
#[tokio::test]
async fn a_stolen_token_that_is_presented_during_a_stall_gains_nothing() {
    for lost in [Lost::Before, Lost::After] {
        let stage = Stage::new().await;
        let second = stage.service.refresh(&stage.first.refresh).await.expect(200).tokens();
        stage.refresh_in_stall(lost, &stage.first.refresh).await;
        stage.service.refresh(&stage.first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        stage.service.refresh(&second.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(stage.thefts(), 1, "{lost:?}");
    }
}

/// The client tried several times, and the database carried out the first request after it had given up on it.
#[tokio::test]
async fn any_of_several_unanswered_requests_may_be_the_one_that_was_carried_out() {
    let stage = Stage::new().await;
    for lost in [Lost::Before, Lost::After, Lost::Before] {
        stage.refresh_in_stall(lost, &stage.first.refresh).await;
    }
    stage.service.refresh(&stage.first.refresh).await.expect(200);
    assert_eq!(stage.thefts(), 0);
}

#[tokio::test]
async fn an_unresolved_refresh_of_an_ended_session_or_a_disabled_user_stays_refused() {
    let stage = Stage::new().await;
    stage.refresh_in_stall(Lost::After, &stage.first.refresh).await;
    stage.service.db.execute("UPDATE users SET is_active = 0");
    stage.service.refresh(&stage.first.refresh).await.expect_error(403, "AUTH_INACTIVE_USER");
    let stage = Stage::new().await;
    stage.refresh_in_stall(Lost::After, &stage.first.refresh).await;
    stage.service.logout(&stage.first.refresh).await.expect(200);
    stage.service.refresh(&stage.first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

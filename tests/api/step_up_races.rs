//! The password that stands for a recent sign-in, under concurrent guesses and changes.

use std::sync::Arc;

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::json;

use crate::lost_answers::LostAnswers;
use crate::step_up::{IRREVERSIBLE, PEOPLE, RIGHT, WRONG, failures, old, refusals, state, with};
use crate::support::sqlite::Sqlite;
use crate::support::world::World;

/// The beginning of the statements that check a right password again: before an act, and for a fresh token.
const CONFIRMATION: &str = "SELECT json_extract('{}'";
const CONFIRMED_SESSION: &str = "SELECT s.expires_at";

const ERASE: &str = "DELETE /admin/users/5";
const STEP_UP: &str = "POST /auth/step-up";

/// Guesses write their outcomes after all of them were checked, the right one last.
struct Concurrent(Arc<Sqlite>);

impl Db for Concurrent {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let writes = |text: &str| statements.iter().any(|statement| statement.sql.contains(text));
            let turns =
                if writes(CONFIRMATION) || writes(CONFIRMED_SESSION) { 2 } else { u8::from(writes("INTO throttles")) };
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            self.0.batch(statements).await
        })
    }
}

#[tokio::test]
async fn parallel_wrong_guesses_all_count_and_refuse_the_right_one_behind_them() {
    for request in [ERASE, STEP_UP] {
        let world = World::through(&PEOPLE, &[], |db| Arc::new(Concurrent(db)));
        let root = old(&world, "root").await;
        let guess = async |password: &str| {
            let reply = root.ask(&format!(r#"{request} {{"password": "{password}"}}"#)).await;
            reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        };
        let five = async || tokio::join!(guess(WRONG), guess(WRONG), guess(WRONG), guess(WRONG), guess(WRONG));
        tokio::join!(five(), five(), async { guess(RIGHT).await });
        assert_eq!(failures(&world, "root"), 10, "{request}");
        let count = |reason: &str| refusals(&world).iter().filter(|event| event[0] == reason).count();
        assert_eq!(
            (count("wrong_password"), count("overtaken")),
            (10, 1),
            "{request}: the right one was checked again"
        );
        assert_eq!(world.service.db.one::<i64>("SELECT is_active FROM users WHERE id = 5"), 1);
    }
}

#[tokio::test]
async fn a_password_that_was_changed_concurrently_proves_nothing() {
    for (request, statement) in [(ERASE, CONFIRMATION), (STEP_UP, CONFIRMED_SESSION)] {
        for concurrent in [
            "UPDATE users SET password_version = password_version + 1 WHERE id = 1",
            "UPDATE users SET is_active = 0 WHERE id = 1",
            "DELETE FROM sessions WHERE user_id = 1",
            "INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/reauthentication', 6, 9007199254740991)",
        ] {
            let world = World::overtaken(&PEOPLE, statement, concurrent);
            let root = old(&world, "root").await;
            let request = format!(r#"{request} {{"password": "{RIGHT}"}}"#);
            root.ask(&request).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            assert_eq!(refusals(&world), [json!(["overtaken", 1])], "{request}, and {concurrent}");
            let calls = if request.starts_with(STEP_UP) { 2 } else { 3 };
            assert_eq!(world.service.last_d1_calls(), calls, "as many as for a wrong password");
            assert_eq!(world.service.db.one::<i64>("SELECT is_active FROM users WHERE id = 5"), 1);
        }
    }
}

#[tokio::test]
async fn nothing_of_an_act_happens_once_its_password_does_not_hold() {
    let blocked = "INSERT INTO throttles (key, failures, blocked_until)
                   SELECT 'user/' || id || '/reauthentication', 6, 9007199254740991 FROM users";
    for (caller, _, request) in IRREVERSIBLE {
        let world = World::overtaken(&PEOPLE, CONFIRMATION, blocked);
        let visitor = old(&world, caller).await;
        let before = state(&world);
        let refused = visitor.ask(&with(request, &json!(RIGHT))).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(state(&world), before, "{request}");
        assert_eq!(refusals(&world), [json!(["overtaken", world.id(caller)])], "{request}");
    }
}

/// An act may end the session or the account of its caller, so the second execution finds the password void.
#[tokio::test]
async fn an_act_succeeds_though_its_answer_was_lost() {
    for (caller, status, request) in IRREVERSIBLE {
        let world = World::through(&PEOPLE, &[], |db| Arc::new(LostAnswers(db)) as Arc<dyn Db>);
        let visitor = old(&world, caller).await;
        visitor.ask(&with(request, &json!(RIGHT))).await.expect(status);
        assert!(refusals(&world).is_empty(), "{request}");
        assert_eq!(world.service.last_d1_calls(), 2, "{request}");
    }
}

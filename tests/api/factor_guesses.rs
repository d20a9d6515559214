//! Guesses at second factors: their limits, and their effect on the owner.

use crate::support::mail::{MAIL, settle, with};
use crate::support::totp::{account, first_factor, second_factor, sign_in};
use crate::support::{EMAIL, Service};

#[tokio::test]
async fn wrong_codes_begin_a_wait_that_holds_up_neither_passkeys_nor_recovery_codes() {
    let service = Service::new();
    let (_, app, codes) = account(&service).await;
    for _ in 0..3 {
        let token = first_factor(&service).await;
        for _ in 0..2 {
            second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
        }
    }
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    second_factor(&service, &token, "recovery_code", codes[0].as_str()).await.expect(200);
    // A complete sign-in resets the wait.
    sign_in(&service, &app).await;
}

#[tokio::test]
async fn a_right_password_resets_no_wait() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    for _ in 0..6 {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
    }
    let failures = || service.db.one::<i64>("SELECT failures FROM throttles WHERE key = 'user/1/second-factor'");
    assert_eq!(failures(), 6);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect(401);
    assert_eq!(failures(), 6, "a code during a wait is no guess");
    service.advance(2);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
    assert_eq!(failures(), 0);
}

#[tokio::test]
async fn a_day_admits_a_hundred_guesses_at_a_code() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let mut guesses = 0;
    // A client that asks once in five seconds, and each time with a new token.
    for _ in 0..24 * 60 * 12 {
        let before: i64 =
            service.db.one("SELECT coalesce(max(failures), 0) FROM throttles WHERE key = 'user/1/second-factor'");
        let blocked: i64 =
            service.db.one("SELECT coalesce(max(blocked_until), 0) FROM throttles WHERE key = 'user/1/second-factor'");
        if blocked <= crate::support::clock().millis() && before < 100 {
            let token = first_factor(&service).await;
            second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
            guesses += 1;
        }
        service.advance(5);
    }
    assert_eq!(guesses, 100);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(24 * 3600);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
}

#[tokio::test]
async fn the_owner_hears_of_every_fifth_wrong_factor() {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    crate::support::totp::enrol(&service, &tokens.access).await;
    settle().await;
    let subjects =
        || -> Vec<String> { service.mailbox.take().iter().map(|letter| letter.subject().to_owned()).collect() };
    let _ = subjects();
    for round in 0..2 {
        for _ in 0..5 {
            let token = first_factor(&service).await;
            second_factor(&service, &token, "recovery_code", "wrong").await.expect(401);
            settle().await;
        }
        assert_eq!(subjects(), ["Your password for edge-auth may be known to others"], "round {round}");
    }
    let counts =
        service.db.column("SELECT count || ' ' || reason FROM audit_events WHERE type = 'second_factor_refused'");
    assert_eq!(counts, ["10 recovery_code"]);
}

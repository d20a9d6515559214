//! The outbox: a mail is sent until a provider has accepted it, refused it for good, or its time is over.

use serde_json::json;

use crate::support::mail::{MAIL, ask, forgot, reset, settle, with};
use crate::support::{EMAIL, PASSWORD, Service};

const FORGOT: &str = "/auth/password/forgot";

async fn with_queued(code: Option<&'static str>) -> Service {
    let service = with(MAIL, &[]);
    service.register(EMAIL).await;
    service.mailbox.refuse(code);
    ask(&service, FORGOT, EMAIL).await;
    service
}

fn queued(service: &Service) -> i64 {
    service.db.one("SELECT count(*) FROM mails")
}

#[tokio::test]
async fn a_provider_that_is_down_for_a_while_gets_the_mail_after_1_5_and_15_minutes() {
    let service = with_queued(Some("E_INTERNAL_SERVER_ERROR")).await;
    let mut attempts = vec![(0, service.mailbox.attempts())];
    for minute in 1..=29 {
        service.advance(60);
        service.send_mails().await;
        if service.mailbox.attempts() > attempts.last().unwrap().1 {
            attempts.push((minute, service.mailbox.attempts()));
        }
    }
    assert_eq!(attempts, [(0, 1), (1, 2), (6, 3), (21, 4)]);
    assert_eq!(queued(&service), 1);
    service.advance(60);
    service.send_mails().await;
    assert_eq!((queued(&service), service.mailbox.attempts()), (1, 4), "not due");
    service.advance(3600);
    service.mailbox.refuse(None);
    service.send_mails().await;
    assert_eq!((queued(&service), service.mailbox.take().len()), (0, 0), "its link has expired");
}

#[tokio::test]
async fn a_mail_is_accepted_once_the_provider_is_back() {
    let service = with_queued(Some("E_RATE_LIMIT_EXCEEDED")).await;
    service.mailbox.refuse(None);
    service.send_mails().await;
    assert_eq!(service.mailbox.take().len(), 0, "the attempt behind the response has it for a minute");
    service.advance(60);
    service.send_mails().await;
    let letter = service.mailbox.take_one();
    assert_eq!(queued(&service), 0);
    reset(&service, json!({"token": letter.token()}), "staple battery horse correct").await.expect(200);
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_gets_no_second_attempt() {
    let service = with_queued(Some("E_RECIPIENT_SUPPRESSED")).await;
    assert_eq!((queued(&service), service.mailbox.attempts()), (0, 1));
    assert!(service.db.one::<bool>("SELECT mail_refused_at IS NOT NULL FROM users"));
    let [line] = &service.logs("Mail refused")[..] else { panic!("one line") };
    assert_eq!(
        (&line["level"], &line["name"], &line["kind"]),
        (&json!("WARNING"), &json!("app.mail"), &json!("reset"))
    );
}

#[tokio::test]
async fn wrong_settings_are_an_error_and_lose_no_mail() {
    let service = with_queued(Some("E_SENDER_NOT_VERIFIED")).await;
    assert_eq!(queued(&service), 1);
    let [line] = &service.logs("Mail not sent yet")[..] else { panic!("one line") };
    assert_eq!((&line["outcome"], &line["level"]), (&json!("misconfigured"), &json!("ERROR")));
}

/// Neither the database nor the log holds anything that can be presented, nor does the log hold the address.
#[tokio::test]
async fn no_link_code_or_flow_is_stored_or_logged() {
    let service = with(MAIL, &[("EMAIL_VERIFICATION", "optional"), ("LOG_LEVEL", "DEBUG")]);
    service.register(EMAIL).await;
    settle().await;
    service.mailbox.take();
    let (letter, flow) = forgot(&service).await;
    service.mailbox.refuse(Some("E_INTERNAL_SERVER_ERROR"));
    service.advance(60);
    let second = ask(&service, FORGOT, EMAIL).await;
    let tables = ["users", "email_proofs", "mails", "mail_counts", "audit_events", "sessions", "throttles"];
    let rows = tables.map(|table| format!("{:?}", service.db.rows(&format!("SELECT * FROM {table}"))));
    let everything = rows.concat() + &service.log_lines().concat();
    let tag = |text: &str| text.split_once('.').unwrap().1.to_owned();
    for secret in [tag(&letter.token()), letter.code(), tag(&flow), tag(&second)] {
        assert!(!everything.contains(&secret), "{secret}");
    }
    assert!(everything.contains(EMAIL), "the address of the account");
    assert!(!service.log_lines().iter().any(|line| line.contains(EMAIL)));
}

/// A mail is sent for a change that was made, and for no other.
#[tokio::test]
async fn a_change_of_the_password_is_told() {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let change = |current: &str| json!({"current_password": current, "new_password": "staple battery horse correct"});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&change("wrong"))).await.expect(401);
    settle().await;
    assert_eq!((service.mailbox.take().len(), queued(&service)), (0, 0));
    service.call("PUT", "/users/me/password", &tokens.access, Some(&change(PASSWORD))).await.expect(200);
    settle().await;
    assert_eq!(service.mailbox.take_one().subject(), "Your password for edge-auth was changed");
}

#[tokio::test]
async fn an_erased_account_leaves_no_mail_and_no_proof() {
    let service = with_queued(Some("E_INTERNAL_SERVER_ERROR")).await;
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let body = json!({"password": PASSWORD});
    service.call("POST", "/users/me/delete", &tokens.access, Some(&body)).await.expect(204);
    for table in ["mails", "email_proofs", "notice_counts", "users"] {
        assert_eq!(service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

#[tokio::test]
async fn the_clean_up_removes_expired_proofs_and_counts() {
    let service = with_queued(None).await;
    service.tend().await;
    assert_eq!(
        service.db.one::<i64>("SELECT (SELECT count(*) FROM email_proofs) + (SELECT count(*) FROM mail_counts)"),
        6
    );
    service.advance(24 * 3600);
    service.tend().await;
    assert_eq!(
        service.db.one::<i64>("SELECT (SELECT count(*) FROM email_proofs) + (SELECT count(*) FROM mail_counts)"),
        0
    );
}

#[tokio::test]
async fn a_provider_over_http_gets_the_mail_with_its_key() {
    let service = with(MAIL, &[("MAIL", "resend"), ("MAIL_API_KEY", "re_0a7e51c2")]);
    service.register(EMAIL).await;
    ask(&service, FORGOT, EMAIL).await;
    let requests = service.server.requests.lock().unwrap();
    let [(url, body)] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(url == "https://api.resend.com/emails" && body.contains(EMAIL));
    assert_eq!(queued(&service), 0);
}

/// An isolate of another version queued it, and an isolate of that version sends it.
#[tokio::test]
async fn a_mail_of_an_unknown_kind_is_kept() {
    let service = with_queued(Some("E_INTERNAL_SERVER_ERROR")).await;
    service.db.execute("UPDATE mails SET kind = 'of the future'");
    service.mailbox.refuse(None);
    service.advance(60);
    service.send_mails().await;
    assert_eq!((queued(&service), service.mailbox.attempts()), (1, 1));
}

/// With the breaker open, and with wrong settings.
#[tokio::test]
async fn a_run_without_a_database_sends_nothing_and_keeps_everything() {
    let service = with_queued(Some("E_INTERNAL_SERVER_ERROR")).await;
    service.advance(60);
    service.gate().command(edge_auth::domain::breaker::Command::Open).await.unwrap();
    service.send_mails().await;
    assert_eq!((queued(&service), service.mailbox.attempts()), (1, 1));
    assert_eq!(service.logs("The outbox was not read, the next run continues").len(), 1);
    let wrong = with(MAIL, &[("MAIL_FROM", "")]);
    wrong.send_mails().await;
    assert_eq!(wrong.mailbox.attempts(), 0);
}

/// While `SECRET_KEY` changes, the link of a queued mail is made with the new key, and the flow was made with the old one.
#[tokio::test]
async fn a_changed_secret_key_voids_no_queued_mail() {
    let service = with(MAIL, &[]);
    service.register(EMAIL).await;
    service.mailbox.refuse(Some("E_INTERNAL_SERVER_ERROR"));
    let flow = ask(&service, FORGOT, EMAIL).await;
    let keys = [("SECRET_KEY", "another secret 0123456789 abcdefgh"), ("SECRET_KEY_PREVIOUS", crate::support::SECRET)];
    let settings: Vec<_> = keys.iter().chain(MAIL).copied().collect();
    let changed = Service::on(std::sync::Arc::clone(&service.db), service.db.clone(), &settings);
    changed.advance(60);
    changed.send_mails().await;
    let letter = changed.mailbox.take_one();
    let code = json!({"flow": flow, "code": letter.code()});
    reset(&changed, code, "staple battery horse correct").await.expect(200);
}

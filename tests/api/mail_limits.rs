//! The limits of mails: strangers cannot fill a mailbox, nor use up the mails of others.

use serde_json::json;

use crate::support::mail::{MAIL, VERIFYING, ask, forgot, reset, settle, with};
use crate::support::{EMAIL, PASSWORD, Service};

const FORGOT: &str = "/auth/password/forgot";
const VERIFICATION: &str = "/auth/email/verification";
const SIGN_IN: &str = "/auth/email/code";
const PASSWORDS: [&str; 2] = [PASSWORD, "staple battery horse correct"];

fn proven(service: &Service) {
    service.db.execute("UPDATE users SET email_verified_at = 1");
}

/// Asks from this address; returns the number of mails that it causes.
async fn mails_of(service: &Service, ip: &str, path: &str, email: &str) -> usize {
    service.post_from(ip, path, &json!({"email": email})).await.expect(202);
    settle().await;
    service.mailbox.take().len()
}

fn network(number: usize) -> String {
    format!("198.51.{}.{}", 100 + number / 250, number % 250 + 1)
}

#[tokio::test]
async fn one_address_gets_one_mail_a_minute_and_five_an_hour() {
    let service = with(MAIL, &[]);
    service.register(EMAIL).await;
    let mut mails = 0;
    for _ in 0..60 {
        ask(&service, FORGOT, EMAIL).await;
        mails += service.mailbox.take().len();
        service.advance(30);
    }
    assert_eq!(mails, 5);
    service.advance(3600);
    forgot(&service).await;
}

/// A thousand networks ask for one address: it gets 20 mails, and its owner at home still gets one.
#[tokio::test]
async fn strangers_cannot_fill_a_mailbox_nor_keep_its_owner_out() {
    let service = with(MAIL, &[]);
    service.register(EMAIL).await;
    proven(&service);
    let mut mails = 0;
    for number in 0..1000 {
        mails += mails_of(&service, &network(number), FORGOT, EMAIL).await;
    }
    assert_eq!(mails, 20);
    // The registration came without an address, from the network that requests without one share.
    assert_eq!(forgot(&service).await.0.to(), EMAIL);
    let rows = service.db.one::<i64>("SELECT count(*) FROM mail_counts WHERE key NOT LIKE 'refused/%'");
    assert!(rows < 60, "a refused request leaves no row: {rows}");
    service.advance(24 * 3600);
    assert_eq!(mails_of(&service, "203.0.113.1", FORGOT, EMAIL).await, 1, "another day");
}

/// The networks of an account whose address is not proven may be those of a stranger that registered it.
#[tokio::test]
async fn an_unproven_account_knows_no_network() {
    let service = with(MAIL, &[]);
    let mut mails = 0;
    service.register(EMAIL).await;
    for number in 0..30 {
        let credentials = json!({"email": EMAIL, "password": PASSWORD});
        service.post_from(&network(number), "/auth/login", &credentials).await.expect(200);
        mails += mails_of(&service, &network(number), FORGOT, EMAIL).await;
    }
    assert_eq!(mails, 20);
}

/// No mail goes to a proven address that asks for a proof. So these requests use up nothing that its owner misses.
#[tokio::test]
async fn requests_without_a_mail_use_up_no_reset() {
    let service = with(MAIL, &[("MAIL_PER_HOUR", "4")]);
    service.register(EMAIL).await;
    proven(&service);
    for number in 0..30 {
        assert_eq!(mails_of(&service, &network(number), VERIFICATION, EMAIL).await, 0);
        assert_eq!(mails_of(&service, &network(number), FORGOT, &format!("none-{number}@example.com")).await, 0);
    }
    assert_eq!(mails_of(&service, "203.0.113.1", FORGOT, EMAIL).await, 1);
}

/// Neither by mails to verify an address, nor by resets of other accounts: the owner's own network has a share of its own.
#[tokio::test]
async fn strangers_cannot_use_up_the_resets_of_an_hour() {
    let service = with(MAIL, &[("MAIL_PER_HOUR", "20"), ("REGISTRATIONS_PER_HOUR", "1000")]);
    service.register(EMAIL).await;
    proven(&service);
    for number in 0..20 {
        service.register(&format!("person-{number}@example.com")).await;
    }
    for (path, expected) in [(VERIFICATION, 5), (FORGOT, 5)] {
        let mut mails = 0;
        for number in 0..20 {
            mails += mails_of(&service, &network(number % 3), path, &format!("person-{number}@example.com")).await;
        }
        assert_eq!(mails, expected, "a quarter of the mails of an hour");
    }
    assert_eq!(forgot(&service).await.0.to(), EMAIL);
}

/// A sixteenth of `MAIL_PER_HOUR` is less than the hundred mails of a network.
#[tokio::test]
async fn one_network_does_not_use_up_the_sign_in_codes_of_all() {
    let service = with(MAIL, &[("EMAIL_SIGN_IN", "on")]);
    for number in 0..40 {
        service.register(&format!("person-{number}@example.com")).await;
    }
    proven(&service);
    let mut mails = 0;
    for number in 0..39 {
        mails += mails_of(&service, "203.0.113.7", SIGN_IN, &format!("person-{number}@example.com")).await;
    }
    assert_eq!(mails, 24, "two fifths of 62");
    assert_eq!(mails_of(&service, "203.0.113.8", SIGN_IN, "person-39@example.com").await, 1);
}

/// A network that asks for a hundred addresses in an hour gets no more.
#[tokio::test]
async fn one_network_cannot_ask_for_any_number_of_addresses() {
    let service = with(MAIL, &[]);
    for number in 0..120 {
        service.register(&format!("person-{number}@example.com")).await;
    }
    let mut mails = 0;
    for number in 0..120 {
        mails += mails_of(&service, "203.0.113.7", FORGOT, &format!("person-{number}@example.com")).await;
    }
    assert_eq!(mails, 100);
}

/// The clock of another isolate may be behind: a mail without a pause is not refused for that.
#[tokio::test]
async fn a_late_clock_refuses_no_mail_of_another_address() {
    let service = with(MAIL, &[]);
    for name in ["ada", "bob"] {
        service.register(&format!("{name}@example.com")).await;
    }
    assert_eq!(mails_of(&service, "203.0.113.1", FORGOT, "ada@example.com").await, 1);
    service.advance(-1);
    assert_eq!(mails_of(&service, "203.0.113.2", FORGOT, "bob@example.com").await, 1);
}

/// An address that is registered and erased again and again.
#[tokio::test]
async fn registrations_cannot_fill_a_mailbox() {
    let service = with(VERIFYING, &[("REGISTRATIONS_PER_HOUR", "1000")]);
    let mut mails = 0;
    for number in 0..40 {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let tokens = service.post_from(&network(number), "/auth/register", &body).await.expect(201).tokens();
        settle().await;
        mails += service.mailbox.take().len();
        let body = json!({"password": PASSWORD});
        service.call("POST", "/users/me/delete", &tokens.access, Some(&body)).await.expect(204);
    }
    assert_eq!(mails, 20);
}

async fn change_password(service: &Service, access: &str, number: usize) {
    let body = json!({"current_password": PASSWORDS[number % 2], "new_password": PASSWORDS[(number + 1) % 2]});
    service.call("PUT", "/users/me/password", access, Some(&body)).await.expect(200);
    settle().await;
}

/// A notice is delayed and merged, and never dropped.
#[tokio::test]
async fn a_user_gets_ten_notices_a_day_and_one_for_all_others() {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    proven(&service);
    for number in 0..14 {
        change_password(&service, &tokens.access, number).await;
    }
    assert_eq!(service.mailbox.take().len(), 10);
    service.send_mails().await;
    assert_eq!(service.mailbox.take().len(), 0, "the others wait");
    service.advance(24 * 3600);
    service.send_mails().await;
    assert_eq!(service.mailbox.take().len(), 1);
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    change_password(&service, &tokens.access, 0).await;
    assert_eq!(service.mailbox.take().len(), 1, "another day");
}

/// A stranger may have registered the address, and could do so again and again.
#[tokio::test]
async fn an_address_that_is_not_proven_gets_no_notice() {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    change_password(&service, &tokens.access, 0).await;
    assert_eq!((service.mailbox.attempts(), service.db.one::<i64>("SELECT count(*) FROM mails")), (0, 0));
}

/// A thief with the password that changes it all the time does not void the owner's link.
#[tokio::test]
async fn a_changed_password_voids_no_reset() {
    let service = with(MAIL, &[]);
    let thief = service.register(EMAIL).await;
    let (letter, _) = forgot(&service).await;
    change_password(&service, &thief.access, 0).await;
    service.mailbox.take();
    reset(&service, json!({"token": letter.token()}), "third battery horse").await.expect(200);
    service.me(&thief.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.login(EMAIL, "third battery horse").await.expect(200);
}

//! Identities that wait for a second factor: the factor adds them, together with the session, and nothing else does.

use serde_json::json;

use crate::support::change::change;
use crate::support::federation::{MAILING, confirm, federated_as, federated_sign_in, mailed_flow, with};
use crate::support::mail::settle;
use crate::support::passkey::claims;
use crate::support::provider::Person;
use crate::support::totp::{App, enrol, second_factor};
use crate::support::{PASSWORD, Reply, Service};

/// An address for which `acme` is authoritative.
const ADDRESS: &str = "ada@acme.example";
/// The providers that are not: the code is mailed.
const OTHER: &str = "google";

/// An account with a proven address and an app.
struct Account {
    service: Service,
    access: String,
    app: App,
    recovery_codes: Vec<String>,
}

async fn account() -> Account {
    let service = with(&MAILING);
    let access = service.register(ADDRESS).await.access;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let (app, recovery_codes) = enrol(&service, &access).await;
    settle().await;
    service.mailbox.take();
    Account { service, access, app, recovery_codes }
}

fn token_of(reply: Reply) -> String {
    let due = reply.expect_error(401, "AUTH_MFA_REQUIRED");
    due.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned()
}

impl Account {
    /// The token of a sign-in that waits for the factor, by the word of a provider or by a mailed code.
    async fn pending(&self, provider: &str) -> String {
        let reply = federated_sign_in(&self.service, provider, &Person::of("1", ADDRESS)).await;
        if provider != OTHER {
            return token_of(reply);
        }
        let code = self.service.mailbox.take_one().code();
        token_of(confirm(&self.service, &mailed_flow(&reply), &code).await)
    }

    async fn answer(&self, token: &str) -> Reply {
        let reply = second_factor(&self.service, token, "code", self.app.code(0)).await;
        settle().await;
        self.service.advance(30);
        reply
    }

    fn count(&self, rows: &str) -> i64 {
        self.service.db.one(&format!("SELECT count(*) FROM {rows}"))
    }

    /// Neither an identity, nor a session besides that of the owner, nor a mail.
    fn assert_unchanged(&self, case: &str) {
        assert_eq!([self.count("identities"), self.count("sessions")], [0, 1], "{case}");
        assert_eq!(self.count("audit_events WHERE type = 'identity_linked'"), 0, "{case}");
    }
}

#[tokio::test]
async fn the_factor_adds_the_identity_and_opens_the_session() {
    for provider in ["acme", OTHER] {
        let account = account().await;
        let token = account.pending(provider).await;
        account.assert_unchanged(provider);
        let wrong = second_factor(&account.service, &token, "code", account.app.wrong_code()).await;
        wrong.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        account.assert_unchanged(provider);
        let tokens = account.answer(&token).await.expect(200).tokens();
        assert_eq!(claims(&tokens.access)["amr"], json!(["otp", "mfa", "fed"]), "{provider}");
        let listed = account.service.get_as("/users/me/identities", &tokens.access).await.expect(200).body;
        let identity = &listed["identities"][0];
        let shown = ["provider", "subject", "email", "suspended"].map(|name| identity[name].clone());
        assert_eq!(json!(shown), json!([provider, "1", ADDRESS, false]));
        assert_eq!(account.count("audit_events WHERE type = 'identity_linked'"), 1);
        assert_eq!(account.service.mailbox.take_one().to(), ADDRESS, "the notice");
        account.service.me(&account.access).await.expect(200);
        // The next time it is there, and the factor is due again.
        let again = federated_sign_in(&account.service, provider, &Person::of("1", "")).await;
        let again = token_of(again);
        account.answer(&again).await.expect(200);
        assert_eq!(account.count("identities"), 1);
    }
}

#[tokio::test]
async fn a_recovery_code_adds_it_as_well_and_each_token_is_used_once() {
    let account = account().await;
    let token = account.pending("acme").await;
    let by_code = async |number: usize| {
        second_factor(&account.service, &token, "recovery_code", account.recovery_codes[number].as_str()).await
    };
    by_code(0).await.expect(200);
    assert_eq!(account.count("identities"), 1);
    let id: i64 = account.service.db.one("SELECT id FROM identities");
    let fresh = account.service.login(ADDRESS, PASSWORD).await;
    let fresh = account.answer(&token_of(fresh)).await.expect(200).tokens().access;
    account.service.call("DELETE", &format!("/users/me/identities/{id}"), &fresh, None).await.expect(204);
    by_code(1).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(account.count("identities"), 0, "a used token brings no identity back");
}

#[tokio::test]
async fn five_wrong_answers_and_five_minutes_end_the_wait() {
    for provider in ["acme", OTHER] {
        let account = account().await;
        let token = account.pending(provider).await;
        for _ in 0..5 {
            second_factor(&account.service, &token, "code", account.app.wrong_code()).await.expect(401);
        }
        account.answer(&token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        account.assert_unchanged("five wrong answers");
    }
    let account = account().await;
    let token = account.pending("acme").await;
    account.service.advance(300);
    account.answer(&token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    account.assert_unchanged("five minutes");
}

#[tokio::test]
async fn a_sign_in_by_password_adds_no_identity_that_waits() {
    let account = account().await;
    account.pending("acme").await;
    let by_password = account.service.login(ADDRESS, PASSWORD).await;
    account.answer(&token_of(by_password)).await.expect(200);
    assert_eq!(account.count("identities"), 0);
}

/// The identity is none of the account's any more, or the account none of the address.
#[tokio::test]
async fn an_account_that_changed_during_the_wait_gets_no_identity() {
    let full = "WITH RECURSIVE n AS (SELECT 100 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 119)
                INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                SELECT id, 1, 'acme', 'https://id.acme.example', 'old ' || id, 1 FROM n";
    for (sql, is_opened) in [
        ("UPDATE users SET password_version = password_version + 1 WHERE id = 1", Some(false)),
        ("UPDATE users SET is_active = 0 WHERE id = 1", Some(false)),
        ("UPDATE users SET email = 'erased:1', is_active = 0, erasure_cursor = 0 WHERE id = 1", Some(false)),
        ("UPDATE totp_secrets SET suspended_at = 1", Some(false)),
        ("DELETE FROM totp_secrets", Some(false)),
        // The factor suffices, or not.
        ("UPDATE users SET email = 'moved@example.com' WHERE id = 1", None),
        (
            "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
             SELECT 1, 2, provider, issuer, '1', 1 FROM waiting",
            None,
        ),
        (full, None),
    ] {
        for (provider, issuer) in [("acme", "https://id.acme.example"), (OTHER, "https://accounts.google.com")] {
            let account = account().await;
            account.service.register("other@example.com").await;
            let token = account.pending(provider).await;
            let db = &account.service.db;
            db.execute(&format!("CREATE TEMP TABLE waiting AS SELECT '{provider}' AS provider, '{issuer}' AS issuer"));
            db.execute(sql);
            let reply = account.answer(&token).await;
            assert!(is_opened.is_none_or(|is_opened| (reply.status == 200) == is_opened), "{sql}: {reply:?}");
            assert_eq!(account.count("identities WHERE user_id = 1 AND subject = '1'"), 0, "{sql}");
            assert_eq!(account.count("audit_events WHERE type = 'identity_linked'"), 0, "{sql}");
        }
    }
}

/// The same by the owner's own requests.
#[tokio::test]
async fn a_new_password_or_a_new_address_leaves_the_identity_out() {
    for provider in ["acme", OTHER] {
        let account = account().await;
        let fresh = account.service.login(ADDRESS, PASSWORD).await;
        let fresh = account.answer(&token_of(fresh)).await.expect(200).tokens().access;
        let token = account.pending(provider).await;
        let body = json!({"current_password": PASSWORD, "new_password": "staple battery horse correct"});
        account.service.call("PUT", "/users/me/password", &fresh, Some(&body)).await.expect(200);
        account.answer(&token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(account.count("identities"), 0, "{provider}");
        settle().await;
        account.service.mailbox.take();
        account.service.advance(60);
        let token = account.pending(provider).await;
        change(&account.service, &fresh, "next@example.com").await;
        account.answer(&token).await;
        assert_eq!(account.count("identities"), 0, "{provider}");
        // The account has another address now, and this one is reserved for it.
        let refused = federated_as_stranger(&account.service, provider).await;
        assert_eq!(refused, "error=account_exists", "{provider}");
    }
}

async fn federated_as_stranger(service: &Service, provider: &str) -> String {
    let started = crate::support::federation::start(service, provider).await;
    crate::support::federation::come_back(service, &started, &Person::of("1", ADDRESS)).await
}

/// A disabled account is told so to the owner of its factor alone.
#[tokio::test]
async fn a_disabled_account_is_told_behind_the_factor() {
    for provider in ["acme", OTHER] {
        let account = account().await;
        account.service.db.execute("UPDATE users SET is_active = 0");
        let token = account.pending(provider).await;
        let wrong = second_factor(&account.service, &token, "code", account.app.wrong_code()).await;
        wrong.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        account.answer(&token).await.expect_error(403, "AUTH_INACTIVE_USER");
        account.assert_unchanged(provider);
    }
}

/// Of the app and the provider, neither alone opens the account.
#[tokio::test]
async fn an_identity_that_waits_is_no_way_in() {
    let account = account().await;
    account.pending("acme").await;
    let unverified = Person { verified: false, ..Person::of("1", ADDRESS) };
    let started = crate::support::federation::start(&account.service, "acme").await;
    let fragment = crate::support::federation::come_back(&account.service, &started, &unverified).await;
    assert_eq!(fragment, "error=verified_email_required");
    // Another account may still link it.
    let other = account.service.register("other@example.com").await.access;
    account.service.db.execute("UPDATE users SET email_verified_at = 1");
    federated_as(&account.service, &other, "acme", "link", &unverified).await.expect(200);
}

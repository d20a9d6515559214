//! Identities that an account does not take: beyond its maximum, and by a provider's word once it administers something.

use crate::support::Service;
use crate::support::federation::{MAILING, confirm, federated_sign_in, mailed_flow, with};
use crate::support::provider::Person;
use crate::support::totp::{enrol, second_factor};

const ADA: &str = "ada@acme.example";
const FULL: &str = "WITH RECURSIVE n AS (SELECT 100 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 119)
                    INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                    SELECT id, 1, 'acme', 'https://id.acme.example', 'old ' || id, 1 FROM n";

async fn proven(service: &Service) -> String {
    let access = service.register(ADA).await.access;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    access
}

#[tokio::test]
async fn a_twenty_first_identity_is_refused_with_its_reason() {
    for provider in ["acme", "google"] {
        let service = with(&MAILING);
        proven(&service).await;
        service.db.execute(FULL);
        let mut reply = federated_sign_in(&service, provider, &Person::of("1", ADA)).await;
        if provider == "google" {
            let code = service.mailbox.take_one().code();
            reply = confirm(&service, &mailed_flow(&reply), &code).await;
        }
        let refused = reply.expect_error(409, "CONFLICT");
        assert_eq!(refused.body["error"]["details"]["reason"], "too_many");
    }
}

#[tokio::test]
async fn a_role_that_was_given_during_the_wait_for_a_factor_keeps_the_providers_word_out() {
    for (role, expected) in [(None, 1), (Some("PLATFORM_ADMIN"), 0)] {
        let service = with(&MAILING);
        let access = proven(&service).await;
        let (app, _) = enrol(&service, &access).await;
        let reply = federated_sign_in(&service, "acme", &Person::of("1", ADA)).await;
        let reply = reply.expect_error(401, "AUTH_MFA_REQUIRED");
        let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap();
        if let Some(role) = role {
            let grant = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES";
            service.db.execute(&format!("{grant} (1, '{role}', 1)"));
        }
        second_factor(&service, token, "code", app.code(0)).await.expect(200);
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities"), expected, "{role:?}");
    }
}

//! Signing in with providers where every writing batch is executed twice, because the answer to the first execution was lost:
//! the same statuses, rows, events and mails as without the loss.

use std::sync::Arc;

use edge_auth::ports::Db;
use serde_json::json;

use crate::federation_accounts::add_factors;
use crate::lost_answers::LostAnswers;
use crate::support::federation::{
    FEDERATION, MAILING, confirm, federated_as, federated_sign_in, mailed_flow, present, start_native,
};
use crate::support::mail::{settle, wrong_code};
use crate::support::provider::Person;
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, Reply, Service};

fn service(is_lossy: bool) -> Service {
    let db = Arc::new(Sqlite::migrated());
    let port: Arc<dyn Db> =
        if is_lossy { Arc::new(LostAnswers(Arc::clone(&db))) } else { Arc::clone(&db) as Arc<dyn Db> };
    Service::on(db, port, &[&MAILING[..], &FEDERATION].concat())
}

/// The rows that do not depend on random values.
fn state(service: &Service) -> Vec<String> {
    // One after another: D1 takes five terms of a compound SELECT at most.
    let parts = [
        "SELECT 'event ' || type || ' ' || coalesce(reason, '') || ' ' || coalesce(user_id, 0) || ' ' || coalesce(count, 1)
             FROM audit_events",
        "SELECT 'user ' || id || ' ' || email || ' ' || has_password || ' ' || password_version || ' '
             || coalesce(full_name, '') || ' ' || (email_verified_at IS NOT NULL) FROM users",
        "SELECT 'role ' || user_id || ' ' || role FROM user_university_roles",
        "SELECT 'key ' || user_id FROM api_keys",
        "SELECT 'factor ' || user_id FROM totp_secrets",
        "SELECT 'session ' || user_id || ' ' || count(*) FROM sessions GROUP BY user_id",
        "SELECT 'identity ' || user_id || ' ' || provider || ' ' || subject || ' ' || coalesce(email, '')
             || ' ' || created_at || ' ' || coalesce(suspended_at, '') FROM identities",
        "SELECT 'flow ' || (returned_by IS NOT NULL) || (redeemed_by IS NOT NULL) || ' ' || count(*)
             FROM used_flows GROUP BY returned_by IS NOT NULL, redeemed_by IS NOT NULL",
        "SELECT 'proof ' || purpose || ' ' || coalesce(address, '') || ' ' || failures FROM email_proofs",
        "SELECT 'throttle ' || key || ' ' || failures FROM throttles",
        "SELECT 'waiting mail ' || kind FROM mails",
    ];
    let mut rows: Vec<String> = parts.iter().flat_map(|sql| service.db.column(sql)).collect();
    rows.sort();
    rows
}

/// Every outcome of an exchange and of a confirmation. Returns the statuses, the mails and the state behind each.
async fn run(service: &Service) -> Vec<(String, u16, Vec<String>, Vec<String>)> {
    let mut states = Vec::new();
    let mut note = async |step: &str, reply: &Reply| {
        settle().await;
        let mails = service.mailbox.take();
        let mails = mails.iter().map(|mail| format!("{} to {}", mail.subject(), mail.to())).collect();
        states.push((step.to_owned(), reply.status, mails, state(service)));
        service.advance(61);
    };
    let visit =
        async |subject: &str, email: &str| federated_sign_in(service, "acme", &Person::of(subject, email)).await;
    let first = visit("1", "one@acme.example").await;
    note("a proven account", &first).await;
    note("an account that is not proven", &visit("2", "two@example.com").await).await;
    note("a linked identity", &visit("1", "one@acme.example").await).await;
    service.register("three@acme.example").await;
    service.db.execute(
        "INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
         VALUES (1, 3, 'Key', '[\"universities:view\"]', printf('%064d', 3), 1);
         INSERT INTO user_university_roles (user_id, role, university_id, created_at)
         SELECT 3, 'INSTRUCTOR', id, 1 FROM (SELECT 1 AS id) WHERE EXISTS (SELECT 1 FROM universities WHERE id = 1)",
    );
    add_factors(&service.db, 3);
    note("an emptied account", &visit("3", "three@acme.example").await).await;
    note("a joined account", &visit("4", "three@acme.example").await).await;
    add_factors(&service.db, 3);
    note("a second factor that is due", &visit("5", "three@acme.example").await).await;
    service.db.execute("UPDATE users SET is_active = 0 WHERE id = 3; DELETE FROM totp_secrets; DELETE FROM passkeys");
    note("a disabled account", &visit("5", "three@acme.example").await).await;
    service.register(EMAIL).await;
    let mailed = visit("6", EMAIL).await;
    let (flow, code) = (mailed_flow(&mailed), service.mailbox.take_one().code());
    note("a mailed code", &mailed).await;
    let wrong = wrong_code(&code);
    note("a wrong code", &confirm(service, &flow, wrong).await).await;
    note("a right code", &confirm(service, &flow, &code).await).await;
    note("the same code", &confirm(service, &flow, &code).await).await;
    let unknown = Person { email: String::new(), ..Person::of("7", EMAIL) };
    let access = visit("1", "one@acme.example").await.tokens().access;
    let linked = federated_as(service, &access, "google", "link", &unknown).await;
    note("a link", &linked).await;
    note("the same link", &federated_as(service, &access, "google", "link", &unknown).await).await;
    let person = Person::of("1", "one@acme.example");
    note("a step-up", &federated_as(service, &access, "acme", "step_up", &person).await).await;
    let path = format!("/users/me/identities/{}", linked.body["id"]);
    let fresh = visit("1", "one@acme.example").await.tokens().access;
    note("a removal", &service.call("DELETE", &path, &fresh, None).await).await;
    note("the same removal", &service.call("DELETE", &path, &fresh, None).await).await;
    let (flow, nonce) = start_native(service, "acme").await;
    let id_token = service.server.providers.id_token("acme", &nonce, &person);
    note("an ID token", &present(service, "acme", &flow, &id_token).await).await;
    note("the same ID token", &present(service, "acme", &flow, &id_token).await).await;
    let erased = service.call("DELETE", "/users/me", &fresh, Some(&json!({}))).await;
    note("an erasure", &erased).await;
    states
}

#[tokio::test]
async fn a_lost_answer_changes_nothing() {
    let expected = run(&service(false)).await;
    let found = run(&service(true)).await;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    let statuses: Vec<u16> = found.iter().map(|(_, status, ..)| *status).collect();
    let wanted = [200, 200, 200, 200, 200, 401, 403, 401, 401, 200, 401, 200, 200, 200, 204, 404, 200, 401, 204];
    assert_eq!(statuses, wanted);
}

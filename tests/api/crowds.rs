//! A full hash queue: the refused operations, their replies and the absence of side effects.

use serde_json::json;

use crate::support::hash_queue::leave_hash_slots;
use crate::support::mail::settle;
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service};

#[tokio::test]
async fn a_full_hash_queue_is_503_with_retry_after_and_leaves_no_trace() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    leave_hash_slots(0);
    let new_password = json!({"current_password": PASSWORD, "new_password": "another passphrase"});
    let stranger = json!({"email": "stranger@example.com", "password": PASSWORD});
    let replies = [
        service.post("/auth/register", &stranger).await,
        service.login(EMAIL, PASSWORD).await,
        service.login(EMAIL, "wrong password").await,
        service.login("nobody@example.com", PASSWORD).await,
        service.call("PUT", "/users/me/password", &tokens.access, Some(&new_password)).await,
        service.call("DELETE", "/users/me", &tokens.access, Some(&json!({"password": PASSWORD}))).await,
    ];
    for reply in replies {
        let reply = reply.expect_error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(reply.header("retry-after"), Some("10"));
    }
    let causes = service.logs("Request failed");
    assert_eq!(causes.len(), 6);
    assert!(causes.iter().all(|line| line["cause"] == "password hash: too many wait for their turn to compute"));
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 1);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events"), 1, "the registration's own");
    assert_eq!(service.db.one::<i64>("SELECT coalesce(max(failures), 0) FROM throttles"), 0);
    let breaker = service.gate().inspect().await.view;
    assert_eq!((breaker.failure_count, breaker.state.as_str()), (0, "closed"), "the database is not at fault");
    // Operations that hash no password still work.
    service.me(&tokens.access).await.expect(200);
    service.refresh(&tokens.refresh).await.expect(200);
    leave_hash_slots(1);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_full_hash_queue_skips_the_upgrade_of_an_old_hash_and_the_sign_in_succeeds() {
    let db = std::sync::Arc::new(Sqlite::migrated());
    {
        let old = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "10")]);
        old.register(EMAIL).await;
    }
    let stored = || db.one::<String>("SELECT substr(password_hash, 1, 22) FROM users");
    let service = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "50")]);
    leave_hash_slots(1);
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    settle().await;
    assert!(stored().starts_with("$pbkdf2-sha256$i=10,"));
    service.me(&tokens.access).await.expect(200);
    leave_hash_slots(2);
    service.login(EMAIL, PASSWORD).await.expect(200);
    settle().await;
    assert!(stored().starts_with("$pbkdf2-sha256$i=50,"));
    let upgrades: Vec<_> = service.logs("Signed in").iter().map(|line| line["hash_upgraded"].clone()).collect();
    assert_eq!(upgrades, [false, true]);
}

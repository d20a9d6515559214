//! Mail, and the proof of addresses, on a database with users from before: no user is removed, and none is locked out.

use serde_json::json;

use crate::support::mail::{VERIFYING, with};
use crate::support::world::address;
use crate::support::{PASSWORD, Service};

const PEOPLE: [&str; 4] = ["admin", "idle", "signed-in", "disabled"];

/// Users that registered without mail: an administrator, one that never came back, one with a session, and a disabled one.
async fn from_before() -> Service {
    let service = with(&[], &[]);
    for name in PEOPLE {
        service.register(&address(name)).await;
    }
    service.db.execute(
        "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1);
         UPDATE users SET is_active = 0 WHERE id = 4;
         DELETE FROM sessions WHERE user_id IN (1, 2)",
    );
    service
}

#[tokio::test]
async fn users_from_before_stay_and_sign_in() {
    for verification in ["optional", "required"] {
        let db = from_before().await.db;
        let mut settings = vec![("EMAIL_VERIFICATION", verification)];
        settings.extend(VERIFYING);
        let service = Service::on(db.clone(), db, &settings);
        for _ in 0..100 {
            service.advance(24 * 3600);
            service.tend().await;
            service.send_mails().await;
        }
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users WHERE erasure_cursor IS NULL"), 4);
        for name in &PEOPLE[..3] {
            let tokens = service.login(&address(name), PASSWORD).await.expect(200).tokens();
            let me = service.me(&tokens.access).await.expect(200).body;
            assert_eq!(me["email_verified"], false, "{name} is asked to verify");
            // Nothing but the making of keys waits for it.
            let name = json!({"full_name": "Ada"});
            service.call("PATCH", "/users/me", &tokens.access, Some(&name)).await.expect(200);
        }
        service.login(&address("disabled"), PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
        let admin = service.login(&address("admin"), PASSWORD).await.expect(200).tokens();
        service.get_as("/admin/users", &admin.access).await.expect(200);
        assert_eq!(service.mailbox.take().len(), 0, "no mail was asked for");
    }
}

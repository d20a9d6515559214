//! Erasure and the audit archive: the personal fields of archived events are lost with the salt of the user, though no object
//! ever changes.

use std::sync::Arc;

use edge_auth::ports::Archive;
use serde_json::Value;

use crate::support::archive::{Bucket, add_events, archiving, personal, verified};
use crate::support::world::{Person, World};
use crate::support::{EMAIL, SECRET, Service};

const FIRST: &str = "audit/0000000001.ndjson";
const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("stu", "")];
/// The first statement of an erasure, as a concurrent run of another isolate would execute it.
const ERASE_STU: &str = "UPDATE users SET email = 'erased:2', is_active = 0, erasure_cursor = 0 WHERE id = 2";

fn salts(service: &Service) -> i64 {
    service.db.one("SELECT count(*) FROM audit_salts")
}

/// The users whose events can be read.
async fn readable(service: &Service, events: &[Value]) -> Vec<Option<i64>> {
    let mut users = Vec::new();
    for event in events {
        if personal(&service.db, SECRET, event).await.is_ok() {
            users.push(event["user_id"].as_i64());
        }
    }
    users
}

#[tokio::test]
async fn erasure_after_the_move_makes_personal_fields_unreadable() {
    let (service, bucket) = archiving(&[]);
    let ada = service.register(EMAIL).await;
    service.register("bob@example.com").await;
    for (first, user) in [(1, "1"), (10, "2"), (20, "NULL")] {
        add_events(&service.db, (first, 1), user, 40, 1000);
    }
    service.tend().await;
    let before = bucket.text(FIRST);
    let events = verified(&bucket).remove(0).events;
    assert_eq!(readable(&service, &events).await.len(), 3);
    service.delete_account(&ada.access).await;
    assert_eq!((salts(&service), bucket.text(FIRST)), (1, before));
    let users = readable(&service, &events).await;
    assert!(users.len() == 2 && !users.contains(&Some(1)), "{users:?}");
}

/// The account is gone at once, and its events may still have personal fields for a while.
#[tokio::test]
async fn events_of_an_erased_account_move_without_personal_fields() {
    let (service, bucket) = archiving(&[]);
    let ada = service.register(EMAIL).await;
    add_events(&service.db, (1, 3), "1", 40, 1000);
    service.delete_account(&ada.access).await;
    // An unfinished erasure, and a row that is gone.
    service.db.execute(
        "INSERT INTO users (id, email, password_hash, is_active, created_at, erasure_cursor)
         VALUES (8, 'erased:8', '', 0, 1, 5);",
    );
    for (first, user) in [(10, "8"), (20, "9")] {
        add_events(&service.db, (first, 3), user, 40, 1000);
        service
            .db
            .execute(&format!("UPDATE audit_events SET ip = '192.0.2.1', request_id = 'r' WHERE user_id = {user}"));
    }
    service.tend().await;
    let events = verified(&bucket).remove(0).events;
    assert_eq!((events.len(), salts(&service)), (9, 0));
    for event in events {
        assert_eq!(event["personal"], Value::Null, "{event}");
        assert!(event["user_id"].is_i64(), "{event}");
    }
}

/// The address of an administrator's act is the administrator's.
#[tokio::test]
async fn an_event_needs_the_salts_of_its_subject_and_of_its_actor() {
    for erased in [1, 2] {
        let (service, bucket) = archiving(&[]);
        service.register(EMAIL).await;
        service.register("bob@example.com").await;
        service.register("eve@example.com").await;
        for (first, user) in [(1, "1"), (2, "2"), (3, "3"), (4, "NULL")] {
            add_events(&service.db, (first, 1), user, 40, 1000);
        }
        service.db.execute("UPDATE audit_events SET actor_id = 2 WHERE id IN (1, 4)");
        service.tend().await;
        let events = verified(&bucket).remove(0).events;
        assert_eq!((readable(&service, &events).await.len(), salts(&service)), (4, 3));
        service.db.execute(&format!("UPDATE users SET erasure_cursor = 0 WHERE id = {erased}"));
        let expected = if erased == 1 { vec![Some(2), Some(3), None] } else { vec![Some(3)] };
        assert_eq!(readable(&service, &events).await, expected, "user {erased}");
    }
}

/// Before the salt is drawn, before the object is registered, and behind it.
#[tokio::test]
async fn an_erasure_during_the_move_leaves_nothing_readable() {
    for statement in
        ["SELECT e.id, e.created_at", "INSERT INTO audit_salts", "INSERT INTO audit_keys", "INSERT INTO audit_objects"]
    {
        let mut world = World::overtaken(&PEOPLE, statement, ERASE_STU);
        let bucket = Arc::new(Bucket::default());
        world.service.archive = Some(Arc::clone(&bucket) as Arc<dyn Archive>);
        add_events(&world.service.db, (1, 2), "2", 40, 1000);
        add_events(&world.service.db, (10, 2), "1", 40, 1000);
        world.service.tend().await;
        let events = verified(&bucket).remove(0).events;
        assert_eq!(events.len(), 4);
        assert_eq!(readable(&world.service, &events).await, [Some(1), Some(1)], "{statement}");
        assert_eq!(salts(&world.service), 1, "{statement}");
    }
}

/// The trigger also guards against a statement that does not know of salts, and the erasure of the previous version.
#[tokio::test]
async fn no_salt_outlives_the_marker_of_an_erasure() {
    let service = Service::new();
    service.register(EMAIL).await;
    service.db.execute("INSERT INTO audit_salts VALUES (1, 'salt')");
    service.db.execute("UPDATE users SET full_name = 'Ada', is_active = 0");
    assert_eq!(salts(&service), 1);
    service.db.execute("UPDATE users SET erasure_cursor = 0");
    assert_eq!(salts(&service), 0);
}

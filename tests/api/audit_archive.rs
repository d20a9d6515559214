//! The audit archive: old events move into objects of a bucket, and nothing gets lost on the way.

use std::sync::Arc;

use edge_auth::domain::time::{DAY, Timestamp};
use serde_json::Value;

use crate::support::archive::{Bucket, Object, add_events, archiving, personal, personal_text, stored, verified};
use crate::support::world::World;
use crate::support::{EMAIL, SECRET, Service};

const NEXT_SECRET: &str = "another secret 0123456789 abcdefgh";

#[tokio::test]
async fn events_of_30_whole_days_ago_move_and_younger_ones_stay() {
    let (service, bucket) = archiving(&[]);
    // The clock stands at 08:00 UTC. So events of 30 days and 9 hours ago are of a day that is 30 days ago, as a whole.
    let hour = 3_600_000;
    add_events(&service.db, (1, 10), "NULL", 31, hour);
    service.tend().await;
    let objects = verified(&bucket);
    assert_eq!(bucket.names(), ["audit/0000000001.ndjson"]);
    assert_eq!(objects[0].ids(), (1..=10).collect::<Vec<_>>());
    add_events(&service.db, (20, 30), "NULL", 31, hour);
    service.tend().await;
    assert_eq!(verified(&bucket)[1].ids(), (20..36).collect::<Vec<_>>(), "up to midnight");
    assert_eq!(stored(&service.db), (36..50).collect::<Vec<_>>());
    service.advance(15 * 3600);
    service.tend().await;
    assert_eq!(bucket.names().len(), 2);
    service.advance(3600);
    service.tend().await;
    assert_eq!(stored(&service.db), Vec::<i64>::new());
    assert_eq!(verified(&bucket)[2].ids(), (36..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_object_has_all_columns_of_its_events_and_a_thousand_events_at_most() {
    let (service, bucket) = archiving(&[("AUDIT_ARCHIVE_DAYS", "1")]);
    service.register(EMAIL).await;
    add_events(&service.db, (1, 2500), "1", 40, 1000);
    service.db.execute(
        "UPDATE audit_events SET type = 'sign_in_refused', reason = 'wrong_password', count = 7,
             last_at = created_at + 5, session_id = 9, university_id = 3, object_id = 4 WHERE id = 1",
    );
    let original = service.db.rows("SELECT * FROM audit_events WHERE id = 1").remove(0);
    service.tend().await;
    let objects = verified(&bucket);
    assert_eq!(objects.iter().map(|object| object.events.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    let event = &objects[0].events[0];
    for name in ["id", "created_at", "type", "reason", "count", "last_at", "user_id", "session_id", "actor_id"] {
        assert_eq!(event[name], original[name], "{name}");
    }
    for name in ["university_id", "object_id"] {
        assert_eq!(event[name], original[name], "{name}");
    }
    let personal = personal(&service.db, SECRET, event).await.unwrap();
    for name in ["ip", "user_agent", "request_id", "ray"] {
        assert_eq!(personal[name], original[name], "{name}");
        let text = bucket.text("audit/0000000001.ndjson");
        assert!(!text.contains(original[name].as_str().unwrap()), "{name} in clear");
    }
    let plain = &objects[0].events[1];
    assert_eq!((&plain["count"], &plain["last_at"]), (&1.into(), &plain["created_at"]));
}

#[tokio::test]
async fn the_register_and_the_log_have_the_head() {
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 1500), "NULL", 40, 1000);
    service.tend().await;
    let objects = verified(&bucket);
    let rows = service.db.rows("SELECT * FROM audit_objects ORDER BY object");
    let kid: String = service.db.one("SELECT kid FROM audit_keys");
    let logged = service.logs("Audit events archived");
    assert_eq!((rows.len(), logged.len()), (2, 2));
    for ((row, object), line) in rows.iter().zip(&objects).zip(&logged) {
        assert_eq!(row["sha256"], object.sha256.as_str());
        for (column, member) in
            [("object", "object"), ("first_kept", "first"), ("events", "events"), ("total", "total")]
        {
            assert_eq!(row[column], object.header[member], "{column}");
        }
        assert_eq!(row["newest_at"], object.events.last().unwrap()["created_at"]);
        assert_eq!(line["head"], format!("{}:{}:{kid}", row["object"], object.sha256));
        assert_eq!((&line["events"], &line["total"]), (&row["events"], &row["total"]));
    }
}

#[tokio::test]
async fn the_list_names_the_archive_of_older_events() {
    let mut world = World::of(&[("root", "PLATFORM_ADMIN"), ("stu", "")]);
    let bucket = Arc::new(Bucket::default());
    world.service.archive = Some(bucket);
    let root = world.sign_in("root").await;
    let list =
        async || root.ask("GET /admin/audit-events?limit=1&type=exported").await.expect(200).body["archive"].clone();
    assert_eq!(list().await, Value::Null);
    add_events(&world.service.db, (1, 1500), "NULL", 40, 1000);
    let newest = Timestamp::from_millis(world.service.db.one("SELECT created_at FROM audit_events WHERE id = 1500"));
    world.service.tend().await;
    let expected = serde_json::json!({"first_object": 1, "last_object": 2, "events_until": newest.rfc3339()});
    assert_eq!(list().await, expected);
    world.sign_in("stu").await.ask("GET /admin/audit-events").await.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn without_a_bucket_nothing_moves_and_the_retention_deletes() {
    let service = Service::new();
    add_events(&service.db, (1, 10), "NULL", 40, 1000);
    service.tend().await;
    assert_eq!(stored(&service.db).len(), 10);
    service.advance(60 * DAY);
    service.tend().await;
    assert_eq!(stored(&service.db).len(), 0);
    assert_eq!(
        service.db.one::<i64>("SELECT (SELECT count(*) FROM audit_keys) + (SELECT count(*) FROM audit_objects)"),
        0
    );
}

/// A run moves 12 objects. The rest of a large table follows with the next runs, and the retention deletes none of it.
#[tokio::test]
async fn a_large_table_moves_in_several_runs_and_the_clean_up_takes_nothing() {
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 25_000), "NULL", 200, 60_000);
    // Encryption takes its time in a test.
    service.db.execute("UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', ray = NULL");
    service.tend().await;
    assert_eq!((stored(&service.db).len(), bucket.names().len()), (13_000, 12));
    service.tend().await;
    service.tend().await;
    assert_eq!((stored(&service.db).len(), bucket.names().len()), (0, 25));
    let ids: Vec<i64> = verified(&bucket).iter().flat_map(Object::ids).collect();
    assert_eq!(ids, (1..=25_000).collect::<Vec<_>>());
    service.tend().await;
    assert_eq!(bucket.names().len(), 25);
    let all_steps = service.logs("The run of the audit archive used all its steps");
    assert_eq!(all_steps.iter().map(|line| &line["is_complete"]).collect::<Vec<_>>(), [false, false]);
}

/// The database has those of a month, and the register a row a day.
#[tokio::test]
async fn the_database_has_as_many_events_after_a_year_as_after_two_months() {
    let (service, bucket) = archiving(&[]);
    let mut sizes = Vec::new();
    for day in 0..365 {
        add_events(&service.db, (1 + day * 20, 20), "NULL", 0, 60_000);
        service.advance(DAY);
        service.tend().await;
        if day == 60 || day == 364 {
            sizes.push((stored(&service.db).len(), service.db.one::<i64>("SELECT count(*) FROM audit_salts")));
        }
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0].0 <= 32 * 20, "{sizes:?}");
    let objects = verified(&bucket);
    assert!(objects.len() < 365, "{}", objects.len());
    let archived: usize = objects.iter().map(|object| object.events.len()).sum();
    assert_eq!(archived + sizes[1].0, 365 * 20);
}

/// The lines and the encrypted texts are made by the database. Other programs read them.
#[tokio::test]
async fn event_format_unchanged() {
    let (service, bucket) = archiving(&[]);
    service.register(EMAIL).await;
    service.db.execute(
        "DELETE FROM audit_events;
         INSERT INTO audit_events (id, created_at, type, reason, count, last_at, user_id, session_id, actor_id, university_id,
                                   object_id, ip, user_agent, request_id, ray)
         VALUES (1, 5, 'signed_in', NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, '2001:db8::1', 'a\"\\/\u{7f}é☺', 'r', NULL),
                (2, 5, 'sign_in_refused', 'wrong_password', 3, 7, NULL, 9007199254740991, 1, 3, 4, NULL, NULL, '', NULL)",
    );
    service.tend().await;
    let text = bucket.text("audit/0000000001.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    let first = r#"{"id":1,"created_at":5,"type":"signed_in","reason":null,"count":1,"last_at":5,"user_id":1,"session_id":null,"actor_id":null,"university_id":null,"object_id":null,"personal":""#;
    let second = r#"{"id":2,"created_at":5,"type":"sign_in_refused","reason":"wrong_password","count":3,"last_at":7,"user_id":null,"session_id":9007199254740991,"actor_id":1,"university_id":3,"object_id":4,"personal":null}"#;
    assert!(lines[1].starts_with(first) && lines[2] == second, "{text}");
    let event = serde_json::from_str(lines[1]).unwrap();
    let opened = personal_text(&service.db, SECRET, &event).await.unwrap();
    assert_eq!(
        opened,
        "{\"ip\":\"2001:db8::1\",\"user_agent\":\"a\\\"\\\\/\u{7f}é☺\",\"request_id\":\"r\",\"ray\":null}"
    );
}

/// The last of the refusals of an hour is counted days before they move.
#[tokio::test]
async fn refusals_move_with_their_count() {
    let (service, bucket) = archiving(&[("AUDIT_ARCHIVE_DAYS", "1")]);
    service.register(EMAIL).await;
    for _ in 0..4 {
        service.login(EMAIL, "a wrong password").await;
    }
    service.advance(3 * DAY);
    service.tend().await;
    let objects = verified(&bucket);
    let refused: Vec<_> = objects[0].events.iter().filter(|event| event["type"] == "sign_in_refused").collect();
    assert_eq!((refused.len(), &refused[0]["count"]), (1, &4.into()));
    assert_eq!(stored(&service.db).len(), 0);
}

#[tokio::test]
async fn one_key_signs_all_objects_through_a_change_of_the_secret_key() {
    let (service, bucket) = archiving(&[("OPERATOR_KEY", NEXT_SECRET)]);
    service.register(EMAIL).await;
    add_events(&service.db, (1, 3), "1", 40, 1000);
    service.tend().await;
    let keys = [("SECRET_KEY", NEXT_SECRET), ("SECRET_KEY_PREVIOUS", SECRET), ("OPERATOR_KEY", SECRET)];
    let left = async |service: &Service| {
        let ready = service.get_as("/health/ready", SECRET).await.expect(200);
        ready.body["checks"]["encryption"]["rows_left"].clone()
    };
    let mut changed = Service::on(service.db.clone(), service.db.clone(), &keys);
    changed.archive = Some(bucket.clone());
    assert_eq!(left(&changed).await, 1);
    add_events(&changed.db, (10, 3), "1", 40, 1000);
    changed.tend().await;
    assert_eq!(left(&changed).await, 0);
    let objects = verified(&bucket);
    assert_eq!(objects.len(), 2);
    for object in &objects {
        personal(&changed.db, NEXT_SECRET, &object.events[0]).await.unwrap();
    }
    assert_eq!(personal(&changed.db, SECRET, &objects[0].events[0]).await.unwrap_err(), "master");
}

/// The events stay where they are until the operator brings the key back.
#[tokio::test]
async fn without_its_secret_key_the_archive_stands_still() {
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 3), "NULL", 40, 1000);
    service.tend().await;
    let mut lost = Service::on(service.db.clone(), service.db.clone(), &[("SECRET_KEY", NEXT_SECRET)]);
    lost.archive = Some(bucket.clone());
    add_events(&lost.db, (10, 3), "NULL", 40, 1000);
    lost.tend().await;
    assert_eq!((bucket.names().len(), stored(&lost.db).len()), (1, 3));
    let [line] = <[Value; 1]>::try_from(lost.logs("Audit events were not archived, the next run continues")).unwrap();
    assert!(line["level"] == "ERROR" && line["cause"].as_str().unwrap().contains("SECRET_KEY"), "{line}");
    let back = [("SECRET_KEY", NEXT_SECRET), ("SECRET_KEY_PREVIOUS", SECRET)];
    let mut back = Service::on(service.db.clone(), service.db.clone(), &back);
    back.archive = Some(bucket.clone());
    back.tend().await;
    assert_eq!((verified(&bucket).len(), stored(&back.db).len()), (2, 0));
}

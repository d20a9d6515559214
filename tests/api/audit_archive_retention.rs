//! The retention of the audit archive: a beginning of the chain goes, and the rest still proves itself.

use edge_auth::domain::time::DAY;

use crate::support::Service;
use crate::support::archive::{Bucket, Fault, add_events, archiving, stored, verified};

const SETTINGS: &[(&str, &str)] = &[("AUDIT_RETENTION_DAYS", "1"), ("AUDIT_ARCHIVE_RETENTION_DAYS", "32")];

/// Ten events a day, moved day by day.
async fn live(service: &Service, days: std::ops::Range<i64>) {
    for day in days {
        add_events(&service.db, (1 + day * 10, 10), "NULL", 0, 1000);
        service.advance(DAY);
        service.tend().await;
    }
}

fn numbers(bucket: &Bucket) -> Vec<i64> {
    verified(bucket).iter().map(|object| object.header["object"].as_i64().unwrap()).collect()
}

fn rows(service: &Service) -> (i64, i64, i64) {
    let one = |sql| service.db.one(sql);
    (
        one("SELECT count(*) FROM audit_objects"),
        one("SELECT max(first_kept) FROM audit_objects"),
        one("SELECT max(total) FROM audit_objects"),
    )
}

#[tokio::test]
async fn objects_go_when_their_newest_event_is_old_enough() {
    let (service, bucket) = archiving(SETTINGS);
    live(&service, 0..32).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((1..=31).collect(), (31, 1, 310)));
    live(&service, 32..34).await;
    // The second day is a whole day that is 32 days ago.
    assert_eq!((numbers(&bucket), rows(&service)), ((3..=33).collect(), (31, 3, 330)));
    live(&service, 34..62).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((31..=61).collect(), (31, 31, 610)));
    let objects = verified(&bucket);
    assert_eq!(objects.last().unwrap().header["first"], 31);
    assert_eq!(objects[0].ids(), (301..=310).collect::<Vec<_>>());
}

/// When events stop, the last objects still go, behind one object without events.
#[tokio::test]
async fn an_object_without_events_ends_the_retention_of_the_last_ones() {
    let (service, bucket) = archiving(SETTINGS);
    live(&service, 0..3).await;
    service.advance(DAY);
    service.tend().await;
    assert_eq!((numbers(&bucket), stored(&service.db).len()), (vec![1, 2, 3], 0));
    for _ in 0..50 {
        service.advance(DAY);
        service.tend().await;
    }
    let objects = verified(&bucket);
    assert_eq!((numbers(&bucket), objects[0].events.len()), (vec![6], 0), "one object for each day that was due");
    assert_eq!(rows(&service), (1, 6, 30));
    for _ in 0..3 {
        service.tend().await;
    }
    assert_eq!(numbers(&bucket), [6]);
}

#[tokio::test]
async fn a_lock_of_the_bucket_keeps_objects_for_longer() {
    let (service, bucket) = archiving(SETTINGS);
    live(&service, 0..32).await;
    bucket.fail(Fault::Locked);
    live(&service, 32..37).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((1..=36).collect(), (36, 6, 360)));
    let warnings = service.logs("Audit objects were not deleted, the next run continues");
    assert_eq!((warnings.len(), warnings[0]["level"].as_str().unwrap()), (5, "WARNING"));
    bucket.fail(Fault::None);
    service.tend().await;
    assert_eq!((numbers(&bucket), rows(&service)), ((6..=36).collect(), (31, 6, 360)));
}

/// The rows of many objects go twenty a run.
#[tokio::test]
async fn a_retention_that_is_switched_on_late_deletes_in_steps() {
    let (service, bucket) = archiving(&[("AUDIT_ARCHIVE_DAYS", "1")]);
    live(&service, 0..82).await;
    assert_eq!(numbers(&bucket).len(), 81);
    let mut limited = Service::on(service.db.clone(), service.db.clone(), SETTINGS);
    limited.archive = Some(bucket.clone());
    limited.advance(82 * DAY);
    let mut left = Vec::new();
    for _ in 0..4 {
        limited.tend().await;
        left.push(numbers(&bucket).len());
    }
    assert_eq!(left, [62, 42, 32, 32]);
    assert_eq!(numbers(&bucket), (51..=82).collect::<Vec<_>>());
}

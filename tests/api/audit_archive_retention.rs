//! The retention of the audit archive: a beginning of the chain goes, and the rest still proves itself.

use edge_auth::domain::time::DAY;

use crate::support::Service;
use crate::support::archive::{Bucket, Fault, add_events, archiving, stored, verified};

const SETTINGS: &[(&str, &str)] = &[("AUDIT_ARCHIVE_DAYS", "1"), ("AUDIT_ARCHIVE_RETENTION_DAYS", "10")];

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
    live(&service, 0..10).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((1..=9).collect(), (9, 1, 90)));
    live(&service, 10..12).await;
    // The second day is a whole day that is ten days ago.
    assert_eq!((numbers(&bucket), rows(&service)), ((3..=11).collect(), (9, 3, 110)));
    live(&service, 12..40).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((31..=39).collect(), (9, 31, 390)));
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
    for _ in 0..30 {
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
    live(&service, 0..10).await;
    bucket.fail(Fault::Locked);
    live(&service, 10..15).await;
    assert_eq!((numbers(&bucket), rows(&service)), ((1..=14).collect(), (14, 6, 140)));
    let warnings = service.logs("Audit objects were not deleted, the next run continues");
    assert_eq!((warnings.len(), warnings[0]["level"].as_str().unwrap()), (5, "WARNING"));
    bucket.fail(Fault::None);
    service.tend().await;
    assert_eq!((numbers(&bucket), rows(&service)), ((6..=14).collect(), (9, 6, 140)));
}

/// The rows of many objects go twenty a run.
#[tokio::test]
async fn a_retention_that_is_switched_on_late_deletes_in_steps() {
    let (service, bucket) = archiving(&[("AUDIT_ARCHIVE_DAYS", "1")]);
    live(&service, 0..60).await;
    assert_eq!(numbers(&bucket).len(), 59);
    let mut limited = Service::on(service.db.clone(), service.db.clone(), SETTINGS);
    limited.archive = Some(bucket.clone());
    limited.advance(60 * DAY);
    let mut left = Vec::new();
    for _ in 0..4 {
        limited.tend().await;
        left.push(numbers(&bucket).len());
    }
    assert_eq!(left, [40, 20, 10, 10]);
    assert_eq!(numbers(&bucket), (51..=60).collect::<Vec<_>>());
}

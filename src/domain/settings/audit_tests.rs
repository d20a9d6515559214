//! The ages of audit events: defaults, bounds, and the order in which events pass them.

use crate::domain::settings::AuditSettings;
use crate::domain::settings::tests::{read, wrong};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn days(pairs: &[(&str, &str)]) -> AuditSettings {
    read(pairs).unwrap().audit
}

#[test]
fn events_move_after_30_days_or_sooner_if_the_database_keeps_them_for_less() {
    let default = AuditSettings { retention_days: 90, archive_days: 30, archive_retention_days: None };
    assert_eq!(days(&[]), default);
    assert_eq!(days(&[("AUDIT_RETENTION_DAYS", "7")]).archive_days, 7);
    assert_eq!(days(&[("AUDIT_RETENTION_DAYS", "3650")]).archive_days, 30);
    let set = [("AUDIT_ARCHIVE_DAYS", "90"), ("AUDIT_ARCHIVE_RETENTION_DAYS", "121")];
    let expected = AuditSettings { archive_days: 90, archive_retention_days: Some(121), ..default };
    assert_eq!(days(&set), expected);
    assert_eq!(days(&[("AUDIT_ARCHIVE_RETENTION_DAYS", "36500")]).archive_retention_days, Some(36_500));
}

#[test]
fn the_days_of_the_archive_are_numbers_within_bounds() {
    for (name, values) in [
        ("AUDIT_RETENTION_DAYS", ["0", "3651", "", "ten"]),
        ("AUDIT_ARCHIVE_DAYS", ["0", "3651", "", "ten"]),
        ("AUDIT_ARCHIVE_RETENTION_DAYS", ["-1", "36501", "", "ten"]),
    ] {
        for value in values {
            assert_eq!(wrong(name, value), [name], "{value}");
        }
    }
}

#[test]
fn an_event_moves_before_the_database_would_delete_it() {
    assert_eq!(wrong("AUDIT_ARCHIVE_DAYS", "91"), ["AUDIT_ARCHIVE_DAYS"]);
    assert!(wrong("AUDIT_ARCHIVE_DAYS", "90").is_empty());
}

/// An event may be as old as the database keeps it when it is uploaded.
#[test]
fn an_object_is_kept_for_as_long_as_a_restore_of_the_database_reaches_back() {
    const NAME: &str = "AUDIT_ARCHIVE_RETENTION_DAYS";
    for (retention, least) in [("1", 32), ("7", 38), ("90", 121), ("3650", 3681)] {
        let names = |days: i64| {
            let pairs = [("AUDIT_RETENTION_DAYS", retention), ("AUDIT_ARCHIVE_DAYS", "1"), (NAME, &days.to_string())];
            read(&pairs).err().map_or_else(Vec::new, |wrong| wrong.names)
        };
        for days in [1, least - 1] {
            assert_eq!(names(days), [NAME], "{retention} {days}");
        }
        for days in [0, least] {
            assert!(names(days).is_empty(), "{retention} {days}");
        }
    }
}

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
    let set = [("AUDIT_ARCHIVE_DAYS", "90"), ("AUDIT_ARCHIVE_RETENTION_DAYS", "91")];
    let expected = AuditSettings { archive_days: 90, archive_retention_days: Some(91), ..default };
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

/// The archive takes events before the database would delete them, and keeps them for longer than the database.
#[test]
fn an_event_moves_before_its_retention_ends() {
    assert_eq!(wrong("AUDIT_ARCHIVE_DAYS", "91"), ["AUDIT_ARCHIVE_DAYS"]);
    for value in ["1", "30"] {
        assert_eq!(wrong("AUDIT_ARCHIVE_RETENTION_DAYS", value), ["AUDIT_ARCHIVE_RETENTION_DAYS"], "{value}");
    }
    assert!(wrong("AUDIT_ARCHIVE_RETENTION_DAYS", "31").is_empty());
}

//! The retention of audit events: in the database, and in the archive if the deployment has its bucket.

use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::integer;

/// The default of `AUDIT_ARCHIVE_DAYS`, unless the database keeps events for a shorter time.
const ARCHIVE_DAYS: i64 = 30;

/// The days that D1 Time Travel reaches back, and one more, since retentions count whole days. A restored database writes the
/// objects anew that were deleted since, with other content.
const RESTORABLE_DAYS: i64 = 31;

/// The ages in days at which audit events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSettings {
    /// Events of this age are deleted from the database, in a deployment without an archive.
    pub retention_days: i64,
    /// Events of this age move to the archive.
    pub archive_days: i64,
    /// Events of this age are deleted from the archive; `None` keeps them.
    pub archive_retention_days: Option<i64>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn audit(&mut self) -> Option<AuditSettings> {
        let retention = self.or("AUDIT_RETENTION_DAYS", Some(90), |text| integer(text, 1, 3650));
        let default = retention.map_or(ARCHIVE_DAYS, |days| days.min(ARCHIVE_DAYS));
        let archive = self.or("AUDIT_ARCHIVE_DAYS", Some(default), |text| integer(text, 1, 3650));
        let archive_retention = self.or("AUDIT_ARCHIVE_RETENTION_DAYS", Some(0), |text| integer(text, 0, 36_500));
        let settings = AuditSettings {
            retention_days: retention?,
            archive_days: archive?,
            archive_retention_days: archive_retention.map(|days| (days > 0).then_some(days))?,
        };
        self.note_if(settings.archive_days > settings.retention_days, "AUDIT_ARCHIVE_DAYS");
        let least = settings.retention_days + RESTORABLE_DAYS;
        self.note_if(settings.archive_retention_days.is_some_and(|days| days < least), "AUDIT_ARCHIVE_RETENTION_DAYS");
        Some(settings)
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;

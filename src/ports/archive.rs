//! The bucket of the audit archive. Its objects are written once.

use crate::ports::PortFuture;

/// The bucket did not do its part; the reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit archive: {0}")]
pub struct ArchiveError(pub String);

/// A bucket of objects.
pub trait Archive: Send + Sync {
    /// Writes an object, unless there is one of this name. Returns false if there is. `sha256` is the hash of its bytes in
    /// hexadecimal, which the bucket compares.
    fn put_if_absent<'a>(
        &'a self,
        name: &'a str,
        text: &'a str,
        sha256: &'a str,
    ) -> PortFuture<'a, Result<bool, ArchiveError>>;

    /// Reads an object of at most `max_bytes`; `None` without one.
    fn get<'a>(&'a self, name: &'a str, max_bytes: usize) -> PortFuture<'a, Result<Option<Vec<u8>>, ArchiveError>>;

    /// Deletes an object, if there is one.
    fn delete<'a>(&'a self, name: &'a str) -> PortFuture<'a, Result<(), ArchiveError>>;
}

//! The audit archive in R2, by the binding `ARCHIVE`.

use crate::ports::{Archive, ArchiveError, PortFuture};
use crate::shell::tasks::{Answer, ask};

/// A bucket that has not answered by then may have written the object. The next attempt finds it.
const DEADLINE_MS: u32 = 15_000;

/// The binding `ARCHIVE` of the deployment.
pub struct Bucket;

impl Archive for Bucket {
    fn put_if_absent<'a>(
        &'a self,
        name: &'a str,
        text: &'a str,
        sha256: &'a str,
    ) -> PortFuture<'a, Result<bool, ArchiveError>> {
        Box::pin(async move { Ok(done("archivePut", &[name, text, sha256]).await? == b"true") })
    }

    /// An answer without bytes says that there is no object; the service writes none without bytes.
    fn get<'a>(&'a self, name: &'a str, max_bytes: usize) -> PortFuture<'a, Result<Option<Vec<u8>>, ArchiveError>> {
        Box::pin(async move {
            let bytes = done("archiveGet", &[name, &max_bytes.to_string()]).await?;
            Ok((!bytes.is_empty()).then_some(bytes))
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> PortFuture<'a, Result<(), ArchiveError>> {
        Box::pin(async move { done("archiveDelete", &[name]).await.map(drop) })
    }
}

async fn done(kind: &'static str, given: &[&str]) -> Result<Vec<u8>, ArchiveError> {
    let given = serde_json::to_string(given).map_err(|error| ArchiveError(error.to_string()))?;
    match ask(kind, DEADLINE_MS, &given).await {
        Answer::Bytes(bytes) => Ok(bytes),
        answer => answer.text().map(String::into_bytes).map_err(|cause| ArchiveError(format!("{kind}: {cause}"))),
    }
}

//! The assets binding: the static files deployed with the Worker.

use crate::ports::{AssetError, AssetStream, Assets, PortFuture};
use crate::shell::tasks::{Answer, ask};

/// The binding reads from the platform's cache, so a longer wait means that it has failed.
const DEADLINE_MS: u32 = 5_000;

/// The static files of this deployment.
pub struct DeployedAssets;

/// Marks a response whose content is the stream that JavaScript has opened for this request.
pub struct OpenedStream;

impl Assets for DeployedAssets {
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>> {
        Box::pin(read("file", path))
    }

    fn stream(&self, path: &'static str) -> PortFuture<'_, Result<AssetStream, AssetError>> {
        Box::pin(async move {
            read("stream", path).await?;
            Ok(AssetStream(Box::new(OpenedStream)))
        })
    }
}

/// Paths are constants without characters that JSON escapes.
async fn read(kind: &'static str, path: &'static str) -> Result<String, AssetError> {
    match ask(kind, DEADLINE_MS, &format!("\"{path}\"")).await {
        Answer::Text(text) => Ok(text),
        Answer::Failed(cause) => Err(AssetError { path, cause }),
        Answer::Late => Err(AssetError { path, cause: format!("no answer within {DEADLINE_MS} ms") }),
        Answer::Bytes(_) => Err(AssetError { path, cause: "no text".to_owned() }),
    }
}

//! The assets port on the file system.

use std::path::Path;

use edge_auth::ports::{AssetError, AssetStream, Assets, PortFuture};

/// The static files, as the build leaves them.
pub struct PublicFolder;

impl Assets for PublicFolder {
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("public").join(path.trim_start_matches('/'));
        let text = std::fs::read_to_string(file).map_err(|cause| AssetError { path, cause: cause.to_string() });
        Box::pin(std::future::ready(text))
    }

    fn stream(&self, path: &'static str) -> PortFuture<'_, Result<AssetStream, AssetError>> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("public").join(path.trim_start_matches('/'));
        let bytes = std::fs::read(file).map_err(|cause| AssetError { path, cause: cause.to_string() });
        Box::pin(std::future::ready(bytes.map(|bytes| AssetStream(Box::new(bytes)))))
    }
}

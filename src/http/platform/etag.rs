//! Entity tags of the static files (RFC 9110 §8.8.3), so that a browser that has a file is not sent it again.
//!
//! The build writes the digests of all files into one more file. So a tag is known without reading the file itself.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use crate::domain::ids::hex;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;

/// A line for each file: the digest, a space, the path. The files of a deployment never change, so an isolate reads it
/// once.
const DIGESTS: &str = "/digests.txt";

/// `Cache-Control` of a static file.
pub(in crate::http) const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The same for a file under a URL that no other content ever has.
pub(in crate::http) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The digest of a file.
pub(in crate::http) async fn digest_of<'a>(configured: &'a Configured, path: &str) -> Result<&'a str, Refusal> {
    let kept = configured.digests();
    let digests = if let Some(digests) = kept.get() {
        digests
    } else {
        let digests = configured.assets().text(DIGESTS).await?;
        kept.get_or_init(|| digests)
    };
    let mut lines = digests.lines().filter_map(|line| line.split_once(' '));
    let digest = lines.find(|(_, file)| *file == path).map(|(digest, _)| digest);
    digest.ok_or_else(|| Refusal::internal(format!("{DIGESTS} does not have {path}")))
}

/// The tag of a file with this digest. It covers the settings that the service inserts into some files.
pub(in crate::http) fn of(configured: &Configured, digest: &str) -> Result<HeaderValue, Refusal> {
    let presentation = &configured.settings().presentation;
    let settings = [presentation.base_path.as_str(), presentation.app_name.as_str()].join("\n");
    let tag = Sha256::new().chain_update(digest).chain_update(settings).finalize();
    let tag = format!("\"{}\"", hex(tag.get(..16).unwrap_or_default()));
    HeaderValue::try_from(tag).map_err(|error| Refusal::internal(error.to_string()))
}

/// The tag of a document that the service computes.
pub(in crate::http) fn of_text(text: &str) -> HeaderValue {
    let digest = Sha256::digest(text);
    // Hex digits between quotes are a valid value.
    HeaderValue::try_from(format!("\"{}\"", hex(digest.get(..16).unwrap_or_default())))
        .unwrap_or(HeaderValue::from_static("\"\""))
}

/// Does the client have this version? The comparison is weak (RFC 9110 §13.1.2), since a proxy that compresses a file
/// weakens its tag.
pub(in crate::http) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut known = values.map(<[u8]>::trim_ascii);
    known.any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

/// 304, with the headers that a 200 would have for caches (RFC 9110 §15.4.5).
pub(in crate::http) fn not_modified(tag: HeaderValue, cached: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, cached);
    response
}

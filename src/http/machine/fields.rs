//! Members of bodies and responses that keys of users and of service accounts share.

use serde::Serialize;

use crate::domain::machine::api_key::ApiKey;
use crate::domain::time::Timestamp;
use crate::http::kit::fields::{Fields, Invalid};

/// `expires_at`, which may be absent. Whether it is in the future is decided later, with the time of the request.
pub(super) fn expires_at(fields: &mut Fields) -> Result<Option<Timestamp>, Invalid> {
    let Some(text) = fields.optional_string("expires_at")? else {
        return Ok(None);
    };
    match Timestamp::parse_rfc3339(&text) {
        Some(time) => Ok(Some(time)),
        None => fields.refuse_value("expires_at", "value must be a date and time as in RFC 3339"),
    }
}

pub(super) fn shown(time: Option<Timestamp>) -> Option<String> {
    time.map(Timestamp::rfc3339)
}

/// A response that shows a key, the only time that it is shown.
#[derive(Serialize)]
pub(super) struct WithKey<T> {
    #[serde(flatten)]
    body: T,
    key: String,
}

impl<T> WithKey<T> {
    pub(super) fn new(body: T, key: &ApiKey) -> Self {
        Self { body, key: key.text().expose().to_owned() }
    }
}

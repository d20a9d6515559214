//! `/operator/signing-keys`: the state of the key ring, and its commands.

use axum::response::Response;
use serde::Serialize;

use crate::domain::keys::KeyId;
use crate::domain::keys::ring::{Ring, SigningKey};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::http::kit::body::{FromFields, JsonBody, json};
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::refusal::Refusal;
use crate::service::keys::operations;
use crate::service::keys::operations::KeyCommand;

#[derive(Clone, Copy)]
enum Action {
    Rotate,
    Revoke,
}

impl FromFields for KeyCommand {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        match fields.choice("action", &[("rotate", Action::Rotate), ("revoke", Action::Revoke)])? {
            Action::Rotate => Ok(Self::Rotate),
            Action::Revoke => match KeyId::parse(&fields.string("kid")?) {
                Some(id) => Ok(Self::Revoke(id)),
                None => fields.refuse_value("kid", "value must be the id of a signing key: 32 lower-case hex digits"),
            },
        }
    }
}

#[derive(Serialize)]
struct RingBody {
    algorithm: &'static str,
    keys: Vec<KeyBody>,
}

#[derive(Serialize)]
struct KeyBody {
    kid: String,
    algorithm: &'static str,
    state: &'static str,
    created_at: String,
    activated_at: Option<String>,
    ended_at: Option<String>,
}

impl From<&SigningKey> for KeyBody {
    fn from(key: &SigningKey) -> Self {
        Self {
            kid: key.id.text(),
            algorithm: key.algorithm.as_str(),
            state: key.state.as_str(),
            created_at: key.created_at.rfc3339(),
            activated_at: key.activated_at.map(Timestamp::rfc3339),
            ended_at: key.ended_at.map(Timestamp::rfc3339),
        }
    }
}

impl From<&Ring> for RingBody {
    fn from(ring: &Ring) -> Self {
        Self { algorithm: ring.algorithm.as_str(), keys: ring.keys.iter().map(KeyBody::from).collect() }
    }
}

pub(in crate::http) async fn inspect(configured: Configured) -> Result<Response, Refusal> {
    let ring = operations::inspect(&configured.service()).await?;
    Ok(json(200, &RingBody::from(&ring)))
}

pub(in crate::http) async fn command(configured: Configured, body: JsonBody<KeyCommand>) -> Result<Response, Refusal> {
    let ring = operations::command(&configured.service(), body.0).await?;
    Ok(json(200, &RingBody::from(&ring)))
}

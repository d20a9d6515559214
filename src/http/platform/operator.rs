//! `/operator`: control of the circuit breaker, which works while the database is down.

use axum::response::Response;

use crate::domain::breaker::Command;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, json};
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::refusal::Refusal;
use crate::http::platform::health::BreakerBody;
use crate::service::platform::operations::{command_breaker, inspect_breaker};

impl FromFields for Command {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.choice("state", &[("closed", Self::Closed), ("open", Self::Open), ("automatic", Self::Automatic)])
    }
}

pub(in crate::http) async fn inspect(configured: Configured) -> Result<Response, Refusal> {
    Ok(json(200, &BreakerBody::from(inspect_breaker(&configured.service()).await)))
}

pub(in crate::http) async fn command(configured: Configured, body: JsonBody<Command>) -> Result<Response, Refusal> {
    let report = command_breaker(&configured.service(), body.0).await?;
    Ok(json(200, &BreakerBody::from(report)))
}

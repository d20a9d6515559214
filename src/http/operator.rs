//! `/operator`: what must work while the database is down.

use axum::response::Response;

use super::body::{FromMembers, JsonBody, json};
use super::context::Configured;
use super::health::BreakerBody;
use super::members::{Members, Noted};
use super::refusal::Refusal;
use crate::domain::breaker::Command;
use crate::domain::settings::Settings;
use crate::service::operations::{command_breaker, inspect_breaker};

impl FromMembers for Command {
    fn read(members: &mut Members, _: &Settings) -> Result<Self, Noted> {
        members.choice("state", &[("closed", Self::Closed), ("open", Self::Open), ("automatic", Self::Automatic)])
    }
}

pub(super) async fn inspect(configured: Configured) -> Response {
    json(200, &BreakerBody::from(inspect_breaker(&configured.service()).await))
}

pub(super) async fn command(configured: Configured, body: JsonBody<Command>) -> Result<Response, Refusal> {
    let report = command_breaker(&configured.service(), body.0).await?;
    Ok(json(200, &BreakerBody::from(report)))
}

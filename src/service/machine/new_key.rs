//! Making a key: its id, its secret, and the check of its end.

use crate::domain::ids::ApiKeyId;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::domain::time::Timestamp;
use crate::service::{Context, Error};

/// Draws a key. Its text is in the response, and nowhere else.
pub(super) fn mint(ctx: &Context<'_>) -> Result<ApiKey, Error> {
    let id = ApiKeyId::draw(ctx.now(), ctx.random()?);
    Ok(ApiKey::mint(id, ctx.random()?))
}

/// Refuses an end that has passed: the key would never work.
pub(super) fn demand_future(ctx: &Context<'_>, expires_at: Option<Timestamp>) -> Result<(), Error> {
    if expires_at.is_none_or(|end| end > ctx.now()) {
        return Ok(());
    }
    let fault = Fault::of("expires_at", FaultKind::ValueError, "value must be in the future");
    Err(Problem::validation(vec![fault]).into())
}

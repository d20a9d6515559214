//! The heartbeat of the primary, by which replicas tell their age. The Cron Trigger of every minute writes it.

use crate::service::Context;
use crate::store::near;

/// Writes the heartbeat, where reads are replicated. A failure is logged, and the next minute has another one.
pub async fn beat(ctx: &Context<'_>) {
    if !ctx.settings.read_replication {
        return;
    }
    if let Err(error) = near::beat(ctx.store, ctx.now()).await {
        tracing::error!(target: "app.near", cause = %error, "The heartbeat was not written");
    }
}

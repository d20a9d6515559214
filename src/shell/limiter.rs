//! Rate limits per client network: the platform's rate-limit bindings, which count per location.

use crate::domain::limits::RateLimit;
use crate::ports::{Limiter, PortFuture};
use crate::shell::tasks::{Answer, ask};

/// The binding counts in local memory, so a longer wait means that it has failed.
const DEADLINE_MS: u32 = 250;

/// The rate-limit bindings of this deployment.
pub struct BindingLimiter;

impl Limiter for BindingLimiter {
    fn admit(&self, rate_limit: RateLimit, key: String) -> PortFuture<'_, bool> {
        Box::pin(async move {
            let binding = rate_limit.binding();
            // A client network needs no escapes in JSON.
            let cause = match ask("limit", DEADLINE_MS, &format!("[\"{binding}\",\"{key}\"]")).await {
                Answer::Text(success) => return success == "true",
                Answer::Failed(cause) => cause,
                Answer::Late | Answer::Bytes(_) => "no answer in time".to_owned(),
            };
            tracing::error!(target: "app.errors", limiter = binding, cause, "Rate limiter does not answer");
            true
        })
    }
}

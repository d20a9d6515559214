//! Rate limits per client network and per user: the platform's rate-limit bindings, which count per location.

use crate::domain::limits::Counter;
use crate::ports::{Limiter, PortFuture};
use crate::shell::tasks::{Answer, ask};

/// The binding counts in local memory, so a longer wait means that it has failed.
const DEADLINE_MS: u32 = 250;

/// The rate-limit bindings of this deployment.
pub struct BindingLimiter;

impl Limiter for BindingLimiter {
    fn admit(&self, counters: Vec<Counter>) -> PortFuture<'_, bool> {
        Box::pin(async move {
            let cause = match ask("limit", DEADLINE_MS, &message(&counters)).await {
                Answer::Text(success) => return success == "true",
                Answer::Failed(cause) => cause,
                Answer::Late | Answer::Bytes(_) => "no answer in time".to_owned(),
            };
            let limiter = counters.first().map_or("", |counter| counter.binding);
            tracing::error!(target: "app.errors", limiter, cause, "Rate limiter does not answer");
            true
        })
    }
}

/// All counters in one want, as pairs of binding and key. Keys need no escapes.
fn message(counters: &[Counter]) -> String {
    let pairs: Vec<_> = counters.iter().map(|Counter { binding, key }| format!("[\"{binding}\",\"{key}\"]")).collect();
    format!("[{}]", pairs.join(","))
}

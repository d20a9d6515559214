//! Tasks behind the response: `waitUntil` of the runtime's execution context.

use tracing::Instrument as _;
use worker::Context;

use crate::ports::{Background, PortFuture};

/// The execution context of one event.
pub(super) struct WaitUntil(Context);

impl WaitUntil {
    pub(super) const fn new(context: Context) -> Self {
        Self(context)
    }
}

impl Background for WaitUntil {
    fn spawn(&self, task: PortFuture<'static, ()>) {
        // The log lines of a task belong to the request that started it.
        self.0.wait_until(task.instrument(tracing::Span::current()));
    }
}

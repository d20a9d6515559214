//! Tasks behind the response, on the runtime of the test.

use edge_auth::ports::{Background, PortFuture};

/// Runs each task as the test's runtime gets to it.
pub struct Immediate;

impl Background for Immediate {
    fn spawn(&self, task: PortFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn spawn_behind_response(&self, task: PortFuture<'static, ()>) {
        self.spawn(task);
    }
}

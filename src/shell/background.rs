//! Tasks behind the response. JavaScript keeps the event alive while any of its wants is open.

use tracing::Instrument as _;

use crate::domain::request_id::RequestId;
use crate::ports::{Background, PortFuture};
use crate::shell::tasks;

/// The tasks of the request with this id, for their log lines.
pub struct RequestTasks(pub RequestId);

impl Background for RequestTasks {
    fn spawn(&self, task: PortFuture<'static, ()>) {
        let span = tracing::info_span!("background", request_id = self.0.as_str(), ray = self.0.ray());
        tasks::start(task.instrument(span));
    }

    fn spawn_behind_response(&self, task: PortFuture<'static, ()>) {
        self.spawn(Box::pin(async {
            // A turn of the event loop. The response is made in the present one.
            let _ = tasks::ask("pause", 0, "0").await;
            task.await;
        }));
    }
}

//! The hash queue of this isolate: `domain/password/queue.rs`, polled once per turn of the event loop.

use std::cell::RefCell;

use crate::domain::password::queue::{HashQueue, HashQueueFull, Poll};
use crate::ports::PortFuture;
use crate::shell::clock;
use crate::shell::tasks::ask;

thread_local! {
    /// Never borrowed across an await. Each request waits for itself, because another request may be abandoned.
    static QUEUE: RefCell<HashQueue> = RefCell::default();
}

/// Waits for a slot. The caller must hash before its next await.
#[must_use]
pub fn slot(network: String) -> PortFuture<'static, Result<(), HashQueueFull>> {
    Box::pin(async move {
        let mut ticket = QUEUE.with_borrow_mut(|queue| queue.join(network));
        loop {
            // One turn of the event loop, which handles due timers and pending events.
            ask("pause", 0, "null").await;
            match QUEUE.with_borrow_mut(|queue| queue.poll(ticket))? {
                Poll::Ready => {
                    clock::expect_computing();
                    return Ok(());
                }
                Poll::Pending(next) => ticket = next,
            }
        }
    })
}

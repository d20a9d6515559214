//! The hash queue of this isolate: `domain/password/queue.rs`, polled by timers.

use std::cell::RefCell;
use std::time::Duration;

use worker::Delay;
use worker::send::SendFuture;

use crate::domain::password::queue::{HashQueue, HashQueueFull, Poll};
use crate::ports::PortFuture;

thread_local! {
    /// Never borrowed across an await. Each request has its own timers, because the promise of another request might
    /// never resolve.
    static QUEUE: RefCell<HashQueue> = RefCell::default();
}

/// Waits for a slot. The caller must hash before its next await.
pub(super) fn slot(network: String) -> PortFuture<'static, Result<(), HashQueueFull>> {
    Box::pin(SendFuture::new(async move {
        let mut ticket = QUEUE.with_borrow_mut(|queue| queue.join(network));
        loop {
            // One turn of the event loop, which handles due timers and pending events.
            Delay::from(Duration::ZERO).await;
            match QUEUE.with_borrow_mut(|queue| queue.poll(ticket))? {
                Poll::Ready => return Ok(()),
                Poll::Pending(next) => ticket = next,
            }
        }
    }))
}

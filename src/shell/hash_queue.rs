//! The hash queue of this isolate: `domain/password/queue.rs`, driven by timers of the event loop.

use std::cell::RefCell;
use std::time::Duration;

use worker::Delay;
use worker::send::SendFuture;

use crate::domain::password::queue::{HashQueue, HashQueueFull, Poll};
use crate::ports::PortFuture;

thread_local! {
    /// Never borrowed across an await. No request waits for another's promise, which may never be kept: each has timers
    /// of its own.
    static QUEUE: RefCell<HashQueue> = RefCell::default();
}

/// Waits for a slot. It is taken by computing before the next await.
pub(super) fn slot() -> PortFuture<'static, Result<(), HashQueueFull>> {
    Box::pin(SendFuture::new(async {
        let mut ticket = QUEUE.with_borrow(HashQueue::join);
        loop {
            // A round of the event loop: timers that are due and whatever has arrived, once each.
            Delay::from(Duration::ZERO).await;
            match QUEUE.with_borrow_mut(|queue| queue.poll(ticket))? {
                Poll::Ready => return Ok(()),
                Poll::Pending(next) => ticket = next,
            }
        }
    }))
}

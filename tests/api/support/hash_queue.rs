//! The hash queue of the tests. A test sends one request at a time, so a slot is always free until the test fills the
//! queue.

use std::cell::Cell;

use edge_auth::domain::password::queue::HashQueueFull;
use edge_auth::ports::PortFuture;

thread_local! {
    /// Per thread, like the clock: the service takes a plain function.
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

pub fn await_hash_slot(_: String) -> PortFuture<'static, Result<(), HashQueueFull>> {
    let left = LEFT.get().checked_sub(1);
    LEFT.set(left.unwrap_or(0));
    Box::pin(std::future::ready(left.map(|_| ()).ok_or(HashQueueFull)))
}

/// Leaves this many free slots; after them the queue is full.
pub fn leave_hash_slots(slots: u32) {
    LEFT.set(slots);
}

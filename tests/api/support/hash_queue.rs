//! Slots to hash a password. A test does one thing at a time: a slot is always free, until the test says that others are in
//! front.

use std::cell::Cell;

use edge_auth::domain::password::queue::HashQueueFull;
use edge_auth::ports::PortFuture;

thread_local! {
    /// The thread's, like the clock: the service takes a plain function.
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

pub fn await_hash_slot() -> PortFuture<'static, Result<(), HashQueueFull>> {
    let left = LEFT.get().checked_sub(1);
    LEFT.set(left.unwrap_or(0));
    Box::pin(std::future::ready(left.map(|_| ()).ok_or(HashQueueFull)))
}

/// So many passwords can be hashed from now on; then too many others wait.
pub fn leave_hash_slots(turns: u32) {
    LEFT.set(turns);
}

//! Turns to hash a password. A test does one thing at a time: it is always its turn, until it says that others are in
//! front.

use std::cell::Cell;

use edge_auth::domain::password::queue::Crowded;
use edge_auth::ports::PortFuture;

thread_local! {
    /// The thread's, like the clock: the service takes a plain function.
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

pub fn take_turn() -> PortFuture<'static, Result<(), Crowded>> {
    let left = LEFT.get().checked_sub(1);
    LEFT.set(left.unwrap_or(0));
    Box::pin(std::future::ready(left.map(|_| ()).ok_or(Crowded)))
}

/// So many passwords can be hashed from now on; then too many others wait.
pub fn leave_turns(turns: u32) {
    LEFT.set(turns);
}

//! Turns to compute for long: `domain/password/queue.rs`, by the event loop of this isolate.

use std::cell::RefCell;
use std::time::Duration;

use worker::Delay;
use worker::send::SendFuture;

use crate::domain::password::queue::{Crowded, Turn, Turns};
use crate::ports::PortFuture;

thread_local! {
    /// Never borrowed across an await. No request waits for another's promise, which may never be kept: each has timers
    /// of its own.
    static TURNS: RefCell<Turns> = RefCell::default();
}

/// Waits for a turn. It is taken by computing before the next await.
pub(super) fn turn() -> PortFuture<'static, Result<(), Crowded>> {
    Box::pin(SendFuture::new(async {
        let mut ticket = TURNS.with_borrow(Turns::arrive);
        loop {
            // A round of the event loop: timers that are due and whatever has arrived, once each.
            Delay::from(Duration::ZERO).await;
            match TURNS.with_borrow_mut(|turns| turns.look(ticket))? {
                Turn::Mine => return Ok(()),
                Turn::Later(next) => ticket = next,
            }
        }
    }))
}

//! The queue for password hashes: at most one hash per turn of the event loop.
//!
//! An isolate is single-threaded, and a password hash takes hundreds of times as long as any other work. Without a
//! queue, sixty concurrent sign-ins would hash back to back. Requests that wait for the database would see its answers
//! seconds late, and report timeouts. The circuit breaker would then stop the service for all users.
//! Between two hashes the event loop therefore handles all pending work. Every waiting request polls once per turn of
//! the event loop, and only the first poll of a turn is granted.
//!
//! The queue holds no places that would have to be released: the runtime may cancel a request at any time without
//! notice. A cancelled request stops polling, which frees its slot automatically.

/// Maximum number of waiting requests. With the default hash the last one waits about twenty seconds. Clients time out
/// after thirty, so the hashes of a longer queue would be wasted.
pub const MAX_WAITING: u32 = 100;

/// The hash queue of one isolate.
#[derive(Debug, Default)]
pub struct HashQueue {
    /// Number of slots granted so far.
    taken: u32,
    /// Number of unsuccessful polls since the last granted slot.
    waiting: u32,
}

/// The value of `taken` at the last poll. A poll is granted only if no slot has been granted since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

/// [`MAX_WAITING`] requests are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for their turn to compute")]
pub struct HashQueueFull;

/// The result of polling the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// The slot is granted: hash before the next await.
    Ready,
    /// Another request has the slot. Poll again in the next turn of the event loop.
    Pending(Ticket),
}

impl HashQueue {
    /// Adds a request, which must poll from the next turn of the event loop on.
    #[must_use]
    pub const fn join(&self) -> Ticket {
        Ticket(self.taken)
    }

    /// Asks for the slot, once per turn of the event loop.
    ///
    /// # Errors
    /// [`HashQueueFull`] if too many requests wait; never if the request is alone.
    pub const fn poll(&mut self, ticket: Ticket) -> Result<Poll, HashQueueFull> {
        if ticket.0 == self.taken {
            self.taken = self.taken.wrapping_add(1);
            self.waiting = 0;
            return Ok(Poll::Ready);
        }
        if self.waiting >= MAX_WAITING {
            return Err(HashQueueFull);
        }
        self.waiting += 1;
        Ok(Poll::Pending(Ticket(self.taken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// One turn of the event loop, in which these requests poll in order: those that hashed, wait and were refused.
    fn turn(queue: &mut HashQueue, waiting: Vec<(u32, Ticket)>) -> (Vec<u32>, Vec<(u32, Ticket)>, Vec<u32>) {
        let (mut hashed, mut later, mut refused) = (vec![], vec![], vec![]);
        for (request, ticket) in waiting {
            match queue.poll(ticket) {
                Ok(Poll::Ready) => hashed.push(request),
                Ok(Poll::Pending(ticket)) => later.push((request, ticket)),
                Err(HashQueueFull) => refused.push(request),
            }
        }
        (hashed, later, refused)
    }

    fn arrived(queue: &HashQueue, count: u32) -> Vec<(u32, Ticket)> {
        (0..count).map(|request| (request, queue.join())).collect()
    }

    #[test]
    fn a_request_alone_hashes_in_the_next_turn() {
        let mut queue = HashQueue::default();
        for _ in 0..3 {
            let ticket = queue.join();
            assert_eq!(queue.poll(ticket), Ok(Poll::Ready));
        }
    }

    #[test]
    fn one_request_hashes_per_turn_in_order_of_arrival() {
        let mut queue = HashQueue::default();
        let mut waiting = arrived(&queue, 5);
        for expected in 0..5 {
            // A request that arrives while others wait polls after them.
            waiting.push((5 + expected, queue.join()));
            let (hashed, later, refused) = turn(&mut queue, waiting);
            assert_eq!((hashed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting.len(), 5);
    }

    #[test]
    fn requests_beyond_the_maximum_are_refused_and_the_others_are_served() {
        let mut queue = HashQueue::default();
        let waiting = arrived(&queue, MAX_WAITING + 3);
        let (hashed, mut waiting, refused) = turn(&mut queue, waiting);
        assert_eq!((hashed, refused), (vec![0], vec![MAX_WAITING + 1, MAX_WAITING + 2]));
        for expected in 1..=MAX_WAITING {
            let (hashed, later, refused) = turn(&mut queue, waiting);
            assert_eq!((hashed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting, vec![]);
    }

    #[test]
    fn cancelled_requests_do_not_block_the_queue() {
        let mut queue = HashQueue::default();
        let waiting = arrived(&queue, MAX_WAITING + 1);
        turn(&mut queue, waiting);
        let ticket = queue.join();
        assert_eq!(queue.poll(ticket), Ok(Poll::Ready));
    }
}

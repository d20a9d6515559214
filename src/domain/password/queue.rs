//! Whose turn it is to compute for long.
//!
//! An isolate does one thing at a time, and a password hash is hundreds of times what anything else takes. If every
//! request hashed as soon as it could, sixty sign-ins that come at once would hash one after another without a break:
//! whoever waits for the database meanwhile would find its answer seconds late, take the database for dead, and tell the
//! circuit breaker so, which stops the service for everybody. So between two hashes everything that has arrived gets its
//! turn first: whoever wants to hash looks on once per round of the event loop, and only the first to poll hashes.
//!
//! Nobody keeps a place in a queue that would have to be given back: the runtime may end a request at any moment without
//! telling it. Who does not poll any more is forgotten.

/// So many may wait; with the default hash a turn comes after some twenty seconds at most, and clients lose patience
/// after thirty. More would be hashed for nobody.
pub const MAX_WAITING: u32 = 100;

/// The queue of one isolate.
#[derive(Debug, Default)]
pub struct HashQueue {
    /// How many there have been.
    taken: u32,
    /// How many have looked in vain since the last one.
    waiting: u32,
}

/// What is needed to poll: what one has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for their turn to compute")]
pub struct HashQueueFull;

/// What one sees who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// It is one's turn: compute, now.
    Ready,
    /// It was somebody else's. Look again in the next round of the event loop.
    Pending(Ticket),
}

impl HashQueue {
    /// Somebody comes: to poll from the next round of the event loop on.
    #[must_use]
    pub const fn join(&self) -> Ticket {
        Ticket(self.taken)
    }

    /// Somebody looks, a round later.
    ///
    /// # Errors
    /// [`HashQueueFull`]; not if nobody else is there.
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

    /// A round of the event loop, in which these poll in their order: who computed, and who still waits.
    fn round(queue: &mut HashQueue, waiting: Vec<(u32, Ticket)>) -> (Vec<u32>, Vec<(u32, Ticket)>, Vec<u32>) {
        let (mut computed, mut later, mut refused) = (vec![], vec![], vec![]);
        for (who, ticket) in waiting {
            match queue.poll(ticket) {
                Ok(Poll::Ready) => computed.push(who),
                Ok(Poll::Pending(ticket)) => later.push((who, ticket)),
                Err(HashQueueFull) => refused.push(who),
            }
        }
        (computed, later, refused)
    }

    fn arrived(queue: &HashQueue, count: u32) -> Vec<(u32, Ticket)> {
        (0..count).map(|who| (who, queue.join())).collect()
    }

    #[test]
    fn who_is_alone_computes_in_the_next_round() {
        let mut queue = HashQueue::default();
        for _ in 0..3 {
            let ticket = queue.join();
            assert_eq!(queue.poll(ticket), Ok(Poll::Ready));
        }
    }

    #[test]
    fn one_computes_in_each_round_in_the_order_in_which_they_came() {
        let mut queue = HashQueue::default();
        let mut waiting = arrived(&queue, 5);
        for expected in 0..5 {
            // Who comes while others wait looks after them.
            waiting.push((5 + expected, queue.join()));
            let (computed, later, refused) = round(&mut queue, waiting);
            assert_eq!((computed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting.len(), 5);
    }

    #[test]
    fn more_than_can_be_served_are_refused_and_the_others_are_served() {
        let mut queue = HashQueue::default();
        let waiting = arrived(&queue, MAX_WAITING + 3);
        let (computed, mut waiting, refused) = round(&mut queue, waiting);
        assert_eq!((computed, refused), (vec![0], vec![MAX_WAITING + 1, MAX_WAITING + 2]));
        for expected in 1..=MAX_WAITING {
            let (computed, later, refused) = round(&mut queue, waiting);
            assert_eq!((computed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting, vec![]);
    }

    #[test]
    fn a_crowd_that_was_ended_by_the_runtime_keeps_nobody_out() {
        let mut queue = HashQueue::default();
        let waiting = arrived(&queue, MAX_WAITING + 1);
        round(&mut queue, waiting);
        let ticket = queue.join();
        assert_eq!(queue.poll(ticket), Ok(Poll::Ready));
    }
}

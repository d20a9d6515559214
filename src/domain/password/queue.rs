//! Whose turn it is to compute for long.
//!
//! An isolate does one thing at a time, and a password hash is hundreds of times what anything else takes. If every
//! request hashed as soon as it could, sixty sign-ins that come at once would hash one after another without a break:
//! whoever waits for the database meanwhile would find its answer seconds late, take the database for dead, and tell the
//! circuit breaker so, which stops the service for everybody. So between two hashes everything that has arrived gets its
//! turn first: whoever wants to hash looks on once per round of the event loop, and only the first to look hashes.
//!
//! Nobody keeps a place in a queue that would have to be given back: the runtime may end a request at any moment without
//! telling it. Who does not look any more is forgotten.

/// So many may wait; with the default hash a turn comes after some twenty seconds at most, and clients lose patience
/// after thirty. More would be hashed for nobody.
pub const MAX_WAITING: u32 = 100;

/// The turns of one isolate.
#[derive(Debug, Default)]
pub struct Turns {
    /// How many there have been.
    taken: u32,
    /// How many have looked in vain since the last one.
    waiting: u32,
}

/// What is needed to look: what one has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for their turn to compute")]
pub struct Crowded;

/// What one sees who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is one's turn: compute, now.
    Mine,
    /// It was somebody else's. Look again in the next round of the event loop.
    Later(Ticket),
}

impl Turns {
    /// Somebody comes: to look from the next round of the event loop on.
    #[must_use]
    pub const fn arrive(&self) -> Ticket {
        Ticket(self.taken)
    }

    /// Somebody looks, a round later.
    ///
    /// # Errors
    /// [`Crowded`]; not if nobody else is there.
    pub const fn look(&mut self, ticket: Ticket) -> Result<Turn, Crowded> {
        if ticket.0 == self.taken {
            self.taken = self.taken.wrapping_add(1);
            self.waiting = 0;
            return Ok(Turn::Mine);
        }
        if self.waiting >= MAX_WAITING {
            return Err(Crowded);
        }
        self.waiting += 1;
        Ok(Turn::Later(Ticket(self.taken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A round of the event loop, in which these look in their order: who computed, and who still waits.
    fn round(turns: &mut Turns, waiting: Vec<(u32, Ticket)>) -> (Vec<u32>, Vec<(u32, Ticket)>, Vec<u32>) {
        let (mut computed, mut later, mut refused) = (vec![], vec![], vec![]);
        for (who, ticket) in waiting {
            match turns.look(ticket) {
                Ok(Turn::Mine) => computed.push(who),
                Ok(Turn::Later(ticket)) => later.push((who, ticket)),
                Err(Crowded) => refused.push(who),
            }
        }
        (computed, later, refused)
    }

    fn arrived(turns: &Turns, count: u32) -> Vec<(u32, Ticket)> {
        (0..count).map(|who| (who, turns.arrive())).collect()
    }

    #[test]
    fn who_is_alone_computes_in_the_next_round() {
        let mut turns = Turns::default();
        for _ in 0..3 {
            let ticket = turns.arrive();
            assert_eq!(turns.look(ticket), Ok(Turn::Mine));
        }
    }

    #[test]
    fn one_computes_in_each_round_in_the_order_in_which_they_came() {
        let mut turns = Turns::default();
        let mut waiting = arrived(&turns, 5);
        for expected in 0..5 {
            // Who comes while others wait looks after them.
            waiting.push((5 + expected, turns.arrive()));
            let (computed, later, refused) = round(&mut turns, waiting);
            assert_eq!((computed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting.len(), 5);
    }

    #[test]
    fn more_than_can_be_served_are_refused_and_the_others_are_served() {
        let mut turns = Turns::default();
        let waiting = arrived(&turns, MAX_WAITING + 3);
        let (computed, mut waiting, refused) = round(&mut turns, waiting);
        assert_eq!((computed, refused), (vec![0], vec![MAX_WAITING + 1, MAX_WAITING + 2]));
        for expected in 1..=MAX_WAITING {
            let (computed, later, refused) = round(&mut turns, waiting);
            assert_eq!((computed, refused), (vec![expected], vec![]));
            waiting = later;
        }
        assert_eq!(waiting, vec![]);
    }

    #[test]
    fn a_crowd_that_was_ended_by_the_runtime_keeps_nobody_out() {
        let mut turns = Turns::default();
        let waiting = arrived(&turns, MAX_WAITING + 1);
        round(&mut turns, waiting);
        let ticket = turns.arrive();
        assert_eq!(turns.look(ticket), Ok(Turn::Mine));
    }
}

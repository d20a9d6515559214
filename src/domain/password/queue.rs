//! The queue for password hashes: at most one hash per turn of the event loop.
//!
//! An isolate is single-threaded, and a password hash takes hundreds of times as long as any other work. Without a
//! queue, sixty concurrent sign-ins would hash back to back. Requests that wait for the database would see its answers
//! seconds late, and report timeouts. The circuit breaker would then stop the service for all users.
//! Between two hashes the event loop therefore handles all pending work. Every waiting request polls once per turn of
//! the event loop, and only the first poll of a turn is granted.
//!
//! The queue is fair between networks: slots go to them in turns, so the flood of one network delays that network. Each
//! request gets a number when it joins, one above the last number of its network or of the last grant, whichever is
//! higher (start-time fair queueing). The lowest number of the previous turn gets the slot of this turn.
//!
//! The queue holds no places that would have to be released: the runtime may cancel a request at any time without
//! notice. A cancelled request stops polling, which costs at most one turn.

use std::collections::{BinaryHeap, HashMap};
use std::mem;

/// Maximum number of waiting requests. With the default hash the last one waits about twenty seconds. Clients time out
/// after thirty, so the hashes of a longer queue would be wasted.
pub const MAX_WAITING: usize = 100;

/// The hash queue of one isolate.
#[derive(Debug, Default)]
pub struct HashQueue {
    /// The number of the latest grant.
    granted: u64,
    /// The highest number of each network with a waiting request.
    last: HashMap<String, u64>,
    /// Number of requests that have joined.
    joined: u64,
    /// The current turn of the event loop.
    turn: u64,
    /// The places that have joined or polled in this turn. A heap is sorted by less code than a vector.
    seen: BinaryHeap<Place>,
    /// The place that gets the slot of this turn.
    next: Option<Place>,
    /// The first place that is refused in this turn.
    refused_from: Option<Place>,
}

/// The number of a request, and its rank among equal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    number: u64,
    arrival: u64,
}

/// The place of a waiting request, and the turn of its last poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    place: Place,
    turn: u64,
    network: String,
}

/// [`MAX_WAITING`] requests are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for their turn to compute")]
pub struct HashQueueFull;

/// The result of polling the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The slot is granted: hash before the next await.
    Ready,
    /// Another request has the slot. Poll again in the next turn of the event loop.
    Pending(Ticket),
}

impl HashQueue {
    /// Adds a request, which must poll from the next turn of the event loop on.
    #[must_use]
    pub fn join(&mut self, network: String) -> Ticket {
        self.joined += 1;
        let number = self.last.get(&network).copied().unwrap_or(0).max(self.granted) + 1;
        self.last.insert(network.clone(), number);
        let place = Place { number, arrival: self.joined };
        self.seen.push(place);
        Ticket { place, turn: self.turn, network }
    }

    /// Asks for the slot, once per turn of the event loop.
    ///
    /// # Errors
    /// [`HashQueueFull`] if too many requests with lower numbers wait; never if the request is alone.
    pub fn poll(&mut self, ticket: Ticket) -> Result<Poll, HashQueueFull> {
        if ticket.turn == self.turn {
            self.begin_turn();
        }
        if self.next == Some(ticket.place) {
            self.grant(ticket.place.number);
            return Ok(Poll::Ready);
        }
        if self.refused_from.is_some_and(|first| ticket.place >= first) {
            self.refuse(ticket);
            return Err(HashQueueFull);
        }
        self.seen.push(ticket.place);
        Ok(Poll::Pending(Ticket { turn: self.turn, ..ticket }))
    }

    /// A request polls for the second time, so all others have polled once.
    fn begin_turn(&mut self) {
        self.turn += 1;
        let seen = mem::take(&mut self.seen).into_sorted_vec();
        self.next = seen.first().copied();
        self.refused_from = seen.get(MAX_WAITING + 1).copied();
    }

    fn grant(&mut self, number: u64) {
        self.next = None;
        self.granted = self.granted.max(number);
        self.last.retain(|_, last| *last > self.granted);
    }

    /// Refused requests must not push back the later ones of their network.
    fn refuse(&mut self, ticket: Ticket) {
        self.last.entry(ticket.network).and_modify(|last| *last = (*last).min(ticket.place.number - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    type Waiting = Vec<(&'static str, Ticket)>;

    /// One turn of the event loop, in which these requests poll in order: those that hashed, wait and were refused.
    fn turn(queue: &mut HashQueue, waiting: Waiting) -> (Vec<&'static str>, Waiting, usize) {
        let (mut hashed, mut later, mut refused) = (vec![], vec![], 0);
        for (request, ticket) in waiting {
            match queue.poll(ticket) {
                Ok(Poll::Ready) => hashed.push(request),
                Ok(Poll::Pending(ticket)) => later.push((request, ticket)),
                Err(HashQueueFull) => refused += 1,
            }
        }
        (hashed, later, refused)
    }

    /// Requests of one network, named by it.
    fn join(queue: &mut HashQueue, network: &'static str, count: usize) -> Waiting {
        (0..count).map(|_| (network, queue.join(network.to_owned()))).collect()
    }

    /// The networks of the next `turns` grants.
    fn granted(queue: &mut HashQueue, mut waiting: Waiting, turns: usize) -> (Vec<&'static str>, Waiting) {
        let mut order = vec![];
        for _ in 0..turns {
            let (hashed, later, _) = turn(queue, waiting);
            assert!(hashed.len() <= 1, "one hash per turn");
            order.extend(hashed);
            waiting = later;
        }
        (order, waiting)
    }

    #[test]
    fn a_request_alone_hashes_in_the_next_turn() {
        let mut queue = HashQueue::default();
        for _ in 0..3 {
            let ticket = queue.join("a".to_owned());
            assert_eq!(queue.poll(ticket), Ok(Poll::Ready));
        }
    }

    #[test]
    fn one_request_hashes_per_turn_in_order_of_arrival() {
        let mut queue = HashQueue::default();
        let names = ["a", "b", "c", "d", "e"];
        let mut waiting: Waiting = names.iter().flat_map(|name| join(&mut queue, name, 1)).collect();
        for name in names {
            // A request that arrives while others wait is served after them.
            waiting.extend(join(&mut queue, "later", 1));
            let (hashed, later, refused) = turn(&mut queue, waiting);
            assert_eq!((hashed, refused), (vec![name], 0));
            waiting = later;
        }
        assert_eq!(waiting.len(), 5);
    }

    #[test]
    fn networks_take_turns_whatever_the_number_of_their_requests() {
        let mut queue = HashQueue::default();
        let mut waiting = join(&mut queue, "flood", 50);
        waiting.extend(join(&mut queue, "a", 2));
        waiting.extend(join(&mut queue, "b", 1));
        let (order, _) = granted(&mut queue, waiting, 6);
        assert_eq!(order, ["flood", "a", "b", "flood", "a", "flood"]);
    }

    #[test]
    fn an_ordinary_client_waits_for_one_hash_of_a_flood_however_long_that_goes_on() {
        let mut queue = HashQueue::default();
        let mut waiting = join(&mut queue, "flood", MAX_WAITING);
        for _ in 0..20 {
            (_, waiting) = granted(&mut queue, waiting, 3);
            waiting.extend(join(&mut queue, "flood", 3));
            waiting.extend(join(&mut queue, "client", 1));
            let order;
            (order, waiting) = granted(&mut queue, waiting, 2);
            assert!(order.contains(&"client"), "{order:?}");
        }
    }

    #[test]
    fn requests_beyond_the_maximum_are_refused_and_the_others_are_served() {
        let mut queue = HashQueue::default();
        let waiting = join(&mut queue, "a", MAX_WAITING + 3);
        let (hashed, mut waiting, refused) = turn(&mut queue, waiting);
        assert_eq!((hashed.len(), refused), (1, 2));
        for _ in 0..MAX_WAITING {
            let (hashed, later, refused) = turn(&mut queue, waiting);
            assert_eq!((hashed.len(), refused), (1, 0));
            waiting = later;
        }
        assert_eq!(waiting, vec![]);
    }

    #[test]
    fn a_full_queue_refuses_the_network_that_fills_it() {
        let mut queue = HashQueue::default();
        let mut waiting = join(&mut queue, "flood", MAX_WAITING + 50);
        waiting.extend(join(&mut queue, "client", 1));
        let (_, waiting, refused) = turn(&mut queue, waiting);
        assert_eq!(refused, 50);
        assert!(waiting.iter().any(|(network, _)| *network == "client"));
        let (order, _) = granted(&mut queue, waiting, 1);
        assert_eq!(order, ["client"]);
    }

    /// After a flood, the network is treated like any other.
    #[test]
    fn refused_requests_do_not_push_back_the_later_ones_of_their_network() {
        let mut queue = HashQueue::default();
        let waiting = join(&mut queue, "flood", 10 * MAX_WAITING);
        let (_, mut waiting, _) = turn(&mut queue, waiting);
        while !waiting.is_empty() {
            (_, waiting, _) = turn(&mut queue, waiting);
        }
        let mut waiting = join(&mut queue, "client", 3);
        waiting.extend(join(&mut queue, "flood", 1));
        assert_eq!(granted(&mut queue, waiting, 2).0, ["client", "flood"]);
        assert!(queue.last.len() <= 2, "nothing is kept of networks without a waiting request");
    }

    #[test]
    fn cancelled_requests_do_not_block_the_queue() {
        let mut queue = HashQueue::default();
        let waiting = join(&mut queue, "a", MAX_WAITING + 1);
        turn(&mut queue, waiting);
        // They have registered for the next turn and do not come back.
        let waiting = join(&mut queue, "b", 1);
        let (order, _) = granted(&mut queue, waiting, 3);
        assert_eq!(order, ["b"]);
    }
}

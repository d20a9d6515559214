//! Exchanges of refresh tokens with an unknown outcome: the database did not answer, so the exchange may have been
//! carried out or not.
//!
//! The client got a 503 and repeats the request with the same token. If the exchange was carried out, the second use
//! looks like theft, and a stall of the database would sign out every client that refreshes during it. So the exchange
//! is noted, and the token is accepted as a retry for [`NOTED_MS`] while its successor is unused, also in strict mode.
//! The breaker's object keeps the notes for all isolates; it is asked only before a session would end for reuse.
//!
//! A note names the successor that the unanswered request proposed. A thief with an exchanged token that is presented
//! during a stall gains nothing, because the session's current token is then the proposal of another request.

use std::collections::VecDeque;

use crate::domain::ids::{SessionId, TokenId};
use crate::domain::time::Timestamp;

/// Milliseconds for which an exchange stays noted.
pub const NOTED_MS: i64 = 120_000;
/// Maximum number of notes; the oldest are dropped. D1 carries out some hundred exchanges per second, so this covers
/// every request that waits when the database stalls.
pub const MAX_NOTES: usize = 10_000;

/// An exchange with an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedExchange {
    /// The session of both tokens.
    pub session_id: SessionId,
    /// The successor that the request proposed: the session's current token if the exchange was carried out.
    pub successor_id: TokenId,
}

/// Notes in the order of time, bounded in number and age.
#[derive(Debug, Default)]
pub struct UnresolvedExchanges(VecDeque<(Timestamp, UnresolvedExchange)>);

impl UnresolvedExchanges {
    /// Adds a note, and drops expired ones and those above [`MAX_NOTES`].
    pub fn note(&mut self, exchange: UnresolvedExchange, now: Timestamp) {
        while self.0.front().is_some_and(|(at, _)| self.0.len() >= MAX_NOTES || is_over(*at, now)) {
            self.0.pop_front();
        }
        self.0.push_back((now, exchange));
    }

    /// Is this exchange noted?
    #[must_use]
    pub fn contains(&self, exchange: &UnresolvedExchange, now: Timestamp) -> bool {
        self.0.iter().any(|(at, noted)| noted == exchange && !is_over(*at, now))
    }
}

const fn is_over(noted_at: Timestamp, now: Timestamp) -> bool {
    noted_at.millis() + NOTED_MS <= now.millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn exchange(number: usize) -> UnresolvedExchange {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        UnresolvedExchange { session_id: SessionId::new(7).unwrap(), successor_id: TokenId::from_random(bytes) }
    }

    #[test]
    fn a_note_holds_for_two_minutes_and_for_its_token_only() {
        let mut notes = UnresolvedExchanges::default();
        notes.note(exchange(1), NOW);
        let last = NOW.plus_seconds(120).millis() - 1;
        assert!(notes.contains(&exchange(1), Timestamp::from_millis(last)));
        assert!(!notes.contains(&exchange(1), Timestamp::from_millis(last + 1)));
        assert!(!notes.contains(&exchange(2), NOW));
        let elsewhere = UnresolvedExchange { session_id: SessionId::new(8).unwrap(), ..exchange(1) };
        assert!(!notes.contains(&elsewhere, NOW), "the same token id in another session");
    }

    #[test]
    fn the_number_of_notes_is_bounded_and_the_oldest_go_first() {
        let mut notes = UnresolvedExchanges::default();
        for number in 0..=MAX_NOTES {
            notes.note(exchange(number), NOW);
        }
        assert_eq!(notes.0.len(), MAX_NOTES);
        assert!(!notes.contains(&exchange(0), NOW));
        assert!(notes.contains(&exchange(1), NOW) && notes.contains(&exchange(MAX_NOTES), NOW));
    }

    #[test]
    fn old_notes_are_dropped() {
        let mut notes = UnresolvedExchanges::default();
        notes.note(exchange(1), NOW);
        notes.note(exchange(2), NOW.plus_seconds(120));
        assert_eq!(notes.0.len(), 1);
    }
}

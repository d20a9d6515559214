//! Repeating a call that failed for a transient reason: once, after a pause, and by few calls.
//!
//! If every call were repeated, an outage would double the load of a database that tries to recover. So at most one
//! call in ten of an isolate is repeated.

/// Calls of the isolate per repetition.
const CALLS_PER_REPETITION: u32 = 10;
/// Bounds the repetitions that a quiet time saves up: a reset of the database fails all calls that are under way.
const MAX_SAVED: u32 = 10;
/// The pause lasts between this many milliseconds and 255 more, drawn at random: calls that failed together do not
/// return together.
const MIN_PAUSE_MS: u32 = 50;

/// The repetitions that an isolate may still make.
#[derive(Debug, Default)]
pub struct RepetitionBudget {
    calls: u32,
}

impl RepetitionBudget {
    /// Counts a call. Repetitions are no calls.
    pub fn called(&mut self) {
        self.calls = (self.calls + 1).min(CALLS_PER_REPETITION * MAX_SAVED);
    }

    /// Decides about a call that failed for a transient reason, with this much of its deadline left. Returns the pause
    /// before the repetition, in milliseconds, or `None`. `random` is uniformly distributed.
    pub fn take(&mut self, left_ms: u32, random: u8) -> Option<u32> {
        let pause_ms = MIN_PAUSE_MS + u32::from(random);
        if left_ms <= pause_ms {
            return None;
        }
        self.calls = self.calls.checked_sub(CALLS_PER_REPETITION)?;
        Some(pause_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn at_most_one_call_in_ten_is_repeated() {
        let mut budget = RepetitionBudget::default();
        let mut repeated = 0;
        for call in 1..=1_000 {
            budget.called();
            repeated += u32::from(budget.take(5_000, 7).is_some());
            assert_eq!(repeated, call / 10, "after {call} calls");
        }
    }

    #[test]
    fn a_quiet_time_saves_up_ten_repetitions() {
        let mut budget = RepetitionBudget::default();
        for _ in 0..100_000 {
            budget.called();
        }
        let repeated = (0..100).filter(|_| budget.take(5_000, 7).is_some()).count();
        assert_eq!(repeated, 10);
    }

    #[test]
    fn the_pause_is_random_and_within_the_deadline() {
        let taken = |left_ms, random| {
            let mut budget = RepetitionBudget::default();
            (0..10).for_each(|_| budget.called());
            (budget.take(left_ms, random), budget.calls)
        };
        assert_eq!(taken(5_000, 0), (Some(50), 0));
        assert_eq!(taken(5_000, 255), (Some(305), 0));
        assert_eq!(taken(306, 255), (Some(305), 0));
        assert_eq!(taken(305, 255), (None, 10), "a repetition without time costs nothing");
        assert_eq!(taken(0, 0), (None, 10));
    }
}

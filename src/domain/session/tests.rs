//! Every outcome of a refresh, at its boundaries.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn lifetimes(reuse_interval_seconds: i64) -> Lifetimes {
    Lifetimes { access_seconds: 900, refresh_seconds: 7 * 86_400, session_seconds: 30 * 86_400, reuse_interval_seconds }
}

fn id(number: u8) -> TokenId {
    TokenId::from_random([number; 16])
}

/// The token that this request presents, and the successor that it proposes.
const PRESENTED: u8 = 1;
const PROPOSED: u8 = 2;

/// A session whose current token replaced its previous one at this time.
fn session(previous: u8, current: u8, issued_at: Timestamp) -> SessionState {
    SessionState {
        signed_in_at: NOW.plus_seconds(-1000),
        methods: AuthMethods::PASSWORD,
        expires_at: NOW.plus_seconds(3600),
        current: RecordedToken { id: id(current), issued_at, expires_at: NOW.plus_seconds(60) },
        previous_id: Some(id(previous)),
    }
}

/// Another request exchanged the presented token at this time.
fn exchanged_at(time: Timestamp) -> SessionState {
    session(PRESENTED, 3, time)
}

fn conclusion(session: Option<SessionState>, interval: i64) -> RefreshOutcome {
    conclusion_for(true, session, interval)
}

fn conclusion_for(user_is_active: bool, session: Option<SessionState>, interval: i64) -> RefreshOutcome {
    let state = RotationState { user_is_active, session };
    outcome(state, &id(PRESENTED), &id(PROPOSED), &lifetimes(interval).rotation(NOW, 0))
}

#[test]
fn the_winning_request_finds_its_own_successor() {
    let won = session(PRESENTED, PROPOSED, NOW);
    for interval in [0, 10] {
        assert_eq!(conclusion(Some(won.clone()), interval), RefreshOutcome::Rotated(won.clone()));
    }
}

#[test]
fn strict_mode_treats_every_reuse_as_theft() {
    for time in [NOW.plus_seconds(-5), NOW, NOW.plus_seconds(5)] {
        let state = exchanged_at(time);
        assert_eq!(conclusion(Some(state.clone()), 0), RefreshOutcome::Reused { retry: Some(state) });
    }
}

#[test]
fn the_retry_interval_includes_its_last_millisecond() {
    let edge = NOW.plus_seconds(-10);
    let past = Timestamp::from_millis(edge.millis() - 1);
    assert_eq!(conclusion(Some(exchanged_at(edge)), 10), RefreshOutcome::Retried(exchanged_at(edge)));
    assert!(matches!(conclusion(Some(exchanged_at(past)), 10), RefreshOutcome::Reused { retry: Some(_) }));
}

/// A stolen old token must not lead along the chain to the current one.
#[test]
fn a_token_whose_successor_was_exchanged_is_never_a_retry() {
    for interval in [0, 10, 60] {
        assert_eq!(conclusion(Some(session(4, 5, NOW)), interval), RefreshOutcome::Reused { retry: None });
        let first = SessionState { previous_id: None, ..session(4, 5, NOW) };
        assert_eq!(conclusion(Some(first), interval), RefreshOutcome::Reused { retry: None });
    }
}

#[test]
fn a_session_past_its_absolute_end_is_revoked() {
    for state in [exchanged_at(NOW), session(4, PRESENTED, NOW), session(4, 5, NOW)] {
        assert_eq!(conclusion(Some(SessionState { expires_at: NOW, ..state }), 10), RefreshOutcome::Revoked);
    }
}

#[test]
fn a_retry_does_not_return_an_expired_successor() {
    let mut state = exchanged_at(NOW);
    state.current.expires_at = NOW;
    assert_eq!(conclusion(Some(state.clone()), 10), RefreshOutcome::Revoked);
    assert_eq!(conclusion(Some(state), 0), RefreshOutcome::Reused { retry: None });
}

#[test]
fn a_token_that_could_not_be_rotated_is_revoked() {
    assert_eq!(conclusion(Some(session(4, PRESENTED, NOW)), 10), RefreshOutcome::Revoked);
    assert_eq!(conclusion(None, 10), RefreshOutcome::Revoked);
}

#[test]
fn a_disabled_account_gets_no_token() {
    for state in [None, Some(session(4, PRESENTED, NOW)), Some(exchanged_at(NOW))] {
        assert_eq!(conclusion_for(false, state, 10), RefreshOutcome::Inactive);
    }
    assert_eq!(conclusion_for(false, Some(exchanged_at(NOW)), 0), RefreshOutcome::Reused { retry: None });
}

#[test]
fn no_token_outlives_its_session() {
    let lifetimes = lifetimes(0);
    let soon = NOW.plus_seconds(60);
    assert_eq!(lifetimes.refresh_end(NOW, soon), soon);
    assert_eq!(lifetimes.access_end(NOW, soon), soon);
    let late = lifetimes.session_end(NOW);
    assert_eq!(lifetimes.refresh_end(NOW, late), NOW.plus_seconds(lifetimes.refresh_seconds));
    assert_eq!(lifetimes.access_end(NOW, late), NOW.plus_seconds(lifetimes.access_seconds));
}

//! Every outcome of a refresh, at its boundaries.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn lifetimes(reuse_interval_seconds: i64) -> Lifetimes {
    Lifetimes { access_seconds: 900, refresh_seconds: 7 * 86_400, session_seconds: 30 * 86_400, reuse_interval_seconds }
}

fn proposed() -> TokenId {
    TokenId::from_random([1; 16])
}

fn successor(id: TokenId) -> Successor {
    Successor { id, issued_at: NOW, expires_at: NOW.plus_seconds(60) }
}

/// A token that another request rotated at this time.
fn rotated_at(time: Timestamp) -> PresentedToken {
    PresentedToken {
        session_is_over: false,
        session_expires_at: NOW.plus_seconds(3600),
        rotated_at: Some(time),
        successor: Some(successor(TokenId::from_random([2; 16]))),
    }
}

fn conclusion(token: Option<PresentedToken>, interval: i64) -> RefreshOutcome {
    let state = RotationState { user_is_active: true, token };
    outcome(state, &proposed(), &lifetimes(interval).rotation(NOW))
}

#[test]
fn the_winning_request_finds_its_own_successor() {
    let token = PresentedToken { successor: Some(successor(proposed())), ..rotated_at(NOW) };
    for interval in [0, 10] {
        assert!(matches!(conclusion(Some(token.clone()), interval), RefreshOutcome::Rotated { .. }));
    }
}

#[test]
fn strict_mode_treats_every_reuse_as_theft() {
    for time in [NOW.plus_seconds(-5), NOW, NOW.plus_seconds(5)] {
        assert_eq!(conclusion(Some(rotated_at(time)), 0), RefreshOutcome::Reused);
    }
}

#[test]
fn the_retry_interval_includes_its_last_millisecond() {
    let edge = NOW.plus_seconds(-10);
    let past = Timestamp::from_millis(edge.millis() - 1);
    assert!(matches!(conclusion(Some(rotated_at(edge)), 10), RefreshOutcome::Retried { .. }));
    assert_eq!(conclusion(Some(rotated_at(past)), 10), RefreshOutcome::Reused);
}

#[test]
fn a_retry_in_an_ended_session_is_refused() {
    let ended = PresentedToken { session_is_over: true, ..rotated_at(NOW) };
    assert_eq!(conclusion(Some(ended), 10), RefreshOutcome::Revoked);
}

#[test]
fn a_retry_does_not_return_an_expired_successor() {
    let mut token = rotated_at(NOW);
    token.successor = token.successor.map(|next| Successor { expires_at: NOW, ..next });
    assert_eq!(conclusion(Some(token), 10), RefreshOutcome::Revoked);
}

#[test]
fn a_token_that_could_not_be_rotated_is_revoked() {
    let signed_out = PresentedToken { session_is_over: true, rotated_at: None, successor: None, ..rotated_at(NOW) };
    assert_eq!(conclusion(Some(signed_out), 10), RefreshOutcome::Revoked);
    assert_eq!(conclusion(None, 10), RefreshOutcome::Revoked);
}

#[test]
fn a_disabled_account_takes_precedence_over_every_other_outcome() {
    for token in [None, Some(rotated_at(NOW))] {
        let state = RotationState { user_is_active: false, token };
        assert_eq!(outcome(state, &proposed(), &lifetimes(0).rotation(NOW)), RefreshOutcome::Inactive);
    }
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

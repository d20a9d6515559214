//! The state machine of the key ring, and the tokens that each state accepts.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ACCESS: i64 = 900;
const AHEAD: i64 = DAY;

fn id(number: u8) -> KeyId {
    KeyId::from_random([number; 16])
}

fn key(number: u8, state: KeyState, at: Timestamp) -> SigningKey {
    let ended_at = matches!(state, KeyState::Retired | KeyState::Revoked).then_some(at);
    let in_use = matches!(state, KeyState::Next | KeyState::Current);
    SigningKey {
        id: id(number),
        algorithm: Algorithm::EdDsa,
        state,
        public_key: "{}".to_owned(),
        sealed: in_use.then(|| Sealed { text: "sealed".to_owned(), key_id: "secret".to_owned() }),
        created_at: at,
        activated_at: (state != KeyState::Next).then_some(at),
        ended_at,
    }
}

/// Key 1 signs, key 2 is next, key 3 is retired, key 4 is revoked. All of that happened now.
fn ring() -> Ring {
    let states = [KeyState::Current, KeyState::Next, KeyState::Retired, KeyState::Revoked];
    let keys = (1..).zip(states).map(|(number, state)| key(number, state, NOW)).collect();
    Ring { version: 7, algorithm: Algorithm::EdDsa, hs256_ended_at: None, keys }
}

/// The ring after a change, as the statements of the store make it.
fn after(ring: &Ring, change: Change, now: Timestamp) -> Ring {
    let mut keys = ring.keys.clone();
    keys.retain(|key| Some(key.id) != change.dropped);
    for key in &mut keys {
        let end = if Some(key.id) == change.revoked {
            Some(KeyState::Revoked)
        } else {
            (Some(key.id) == change.retired).then_some(KeyState::Retired)
        };
        if let Some(state) = end {
            (key.state, key.ended_at, key.sealed) = (state, Some(now), None);
        }
        if Some(key.id) == change.promoted {
            (key.state, key.activated_at) = (KeyState::Current, Some(now));
        }
    }
    let number = u8::try_from(keys.len()).unwrap() + 100;
    let made = [(change.makes_current, KeyState::Current), (change.makes_next, KeyState::Next)];
    for (index, (_, state)) in (0..).zip(made).filter(|(_, (is_made, _))| *is_made) {
        let new = key(number + index, state, now);
        keys.push(SigningKey { algorithm: change.algorithm, ..new });
    }
    let ended = match (ring.algorithm, change.algorithm) {
        (_, Algorithm::Hs256) => None,
        (Algorithm::Hs256, _) => Some(now),
        _ => ring.hs256_ended_at,
    };
    Ring { version: ring.version + 1, algorithm: change.algorithm, hs256_ended_at: ended, keys }
}

fn states(ring: &Ring) -> Vec<KeyState> {
    ring.keys.iter().map(|key| key.state).collect()
}

fn count(ring: &Ring, state: KeyState) -> usize {
    states(ring).into_iter().filter(|one| *one == state).count()
}

#[test]
fn a_deployment_without_key_pairs_needs_no_ring() {
    assert_eq!(Ring::default().adoption(Algorithm::Hs256), None);
    assert_eq!(ring().adoption(Algorithm::EdDsa), None);
}

#[test]
fn the_first_keys_are_a_current_and_a_next_one() {
    let first = after(&Ring::default(), Ring::default().adoption(Algorithm::EdDsa).unwrap(), NOW);
    assert_eq!(states(&first), [KeyState::Current, KeyState::Next]);
    assert_eq!((first.version, first.algorithm, first.hs256_ended_at), (1, Algorithm::EdDsa, Some(NOW)));
    assert_eq!(first.adoption(Algorithm::EdDsa), None);
}

#[test]
fn a_switch_between_any_two_algorithms_leaves_one_current_and_one_next_key_or_none() {
    let algorithms = [Algorithm::Hs256, Algorithm::EdDsa, Algorithm::Es256];
    for (from, to) in algorithms.into_iter().flat_map(|from| algorithms.map(|to| (from, to))) {
        let start =
            Ring::default().adoption(from).map_or_else(Ring::default, |first| after(&Ring::default(), first, NOW));
        let Some(change) = start.adoption(to) else {
            assert_eq!(from, to);
            continue;
        };
        let ring = after(&start, change, NOW);
        let expected = usize::from(to != Algorithm::Hs256);
        assert_eq!(
            (count(&ring, KeyState::Current), count(&ring, KeyState::Next)),
            (expected, expected),
            "{from:?} {to:?}"
        );
        assert!(ring.in_state(KeyState::Current).is_none_or(|key| key.algorithm == to));
        assert_eq!(ring.adoption(to), None);
    }
}

#[test]
fn after_a_switch_tokens_of_the_former_algorithm_are_accepted_for_one_lifetime() {
    let ring = after(&Ring::default(), Ring::default().adoption(Algorithm::EdDsa).unwrap(), NOW);
    let accepts = |issued: i64, now: i64| {
        ring.accepts(SignedBy::SecretKey, NOW.plus_seconds(issued), NOW.plus_seconds(now), ACCESS)
    };
    assert!(accepts(-1, 0) && accepts(0, ACCESS - 1) && accepts(CLOCK_SKEW_SECONDS, ACCESS - 1));
    assert!(!accepts(CLOCK_SKEW_SECONDS + 1, ACCESS - 1), "forged after the switch");
    assert!(!accepts(-1, ACCESS), "forged with an old iat");
}

#[test]
fn back_at_hs256_the_tokens_of_key_pairs_are_accepted_for_one_lifetime() {
    let ring = after(&ring(), ring().adoption(Algorithm::Hs256).unwrap(), NOW);
    assert_eq!(states(&ring), [KeyState::Retired, KeyState::Retired, KeyState::Revoked]);
    assert!(ring.accepts(SignedBy::SecretKey, NOW.plus_seconds(100), NOW.plus_seconds(100), ACCESS));
    assert!(ring.accepts(SignedBy::Ring(id(1)), NOW, NOW.plus_seconds(ACCESS - 1), ACCESS));
    assert!(!ring.accepts(SignedBy::Ring(id(1)), NOW, NOW.plus_seconds(ACCESS), ACCESS));
}

#[test]
fn each_state_accepts_what_it_may_have_signed() {
    let ring = ring();
    let accepts = |number, issued: i64, now: i64| {
        ring.accepts(SignedBy::Ring(id(number)), NOW.plus_seconds(issued), NOW.plus_seconds(now), ACCESS)
    };
    assert!(accepts(1, 100_000, 100_000), "current");
    assert!(accepts(2, 0, 0), "the next key, which a newer ring may have promoted");
    assert!(accepts(3, CLOCK_SKEW_SECONDS, ACCESS - 1), "retired");
    assert!(!accepts(3, CLOCK_SKEW_SECONDS + 1, 100) && !accepts(3, 0, ACCESS), "retired, and used afterwards");
    assert!(!accepts(4, 0, 0), "revoked");
    assert!(!accepts(9, 0, 0), "unknown");
    assert!(!ring.accepts(SignedBy::SecretKey, NOW, NOW, ACCESS), "this ring was never at HS256");
}

#[test]
fn a_rotation_promotes_the_next_key_once_caches_have_it() {
    let ring = ring();
    assert_eq!(ring.rotation(NOW.plus_seconds(AHEAD - 1), AHEAD), Err(NextIsTooYoung));
    let rotated = after(&ring, ring.rotation(NOW.plus_seconds(AHEAD), AHEAD).unwrap(), NOW.plus_seconds(AHEAD));
    assert_eq!(rotated.in_state(KeyState::Current).unwrap().id, id(2));
    assert_eq!(rotated.find(id(1)).unwrap().state, KeyState::Retired);
    assert_eq!((count(&rotated, KeyState::Current), count(&rotated, KeyState::Next)), (1, 1));
    assert_eq!(rotated.rotation(NOW.plus_seconds(AHEAD), AHEAD), Err(NextIsTooYoung), "a repeated command");
    assert_eq!(Ring::default().rotation(NOW, 0), Err(NextIsTooYoung), "there is no next key");
}

#[test]
fn the_schedule_counts_from_the_first_signature() {
    let ring = ring();
    assert!(!ring.is_due(NOW.plus_seconds(90 * DAY - 1), 90));
    assert!(ring.is_due(NOW.plus_seconds(90 * DAY), 90));
    assert!(!ring.is_due(NOW.plus_seconds(9000 * DAY), 0), "only by command");
    assert!(!Ring::default().is_due(NOW, 1));
}

#[test]
fn a_revoked_key_of_any_state_leaves_one_current_and_one_next_key() {
    let ring = ring();
    for number in 1..=4 {
        let revoked = after(&ring, ring.revocation(id(number)).unwrap(), NOW);
        assert_eq!(revoked.find(id(number)).unwrap().state, KeyState::Revoked, "{number}");
        assert_eq!((count(&revoked, KeyState::Current), count(&revoked, KeyState::Next)), (1, 1), "{number}");
        assert!(!revoked.accepts(SignedBy::Ring(id(number)), NOW, NOW, ACCESS), "{number}");
        assert!(revoked.published().iter().all(|key| key.id != id(number)), "{number}");
    }
    let current = after(&ring, ring.revocation(id(1)).unwrap(), NOW);
    assert_eq!(current.in_state(KeyState::Current).unwrap().id, id(2), "whatever its age");
    assert_eq!(ring.revocation(id(9)), None);
}

#[test]
fn keys_that_nothing_decrypts_are_replaced_once_a_minute() {
    let ring = ring();
    assert_eq!(ring.replacement(NOW.plus_seconds(REPLACEMENT_SECONDS - 1)), None);
    let replaced = after(&ring, ring.replacement(NOW.plus_seconds(REPLACEMENT_SECONDS)).unwrap(), NOW);
    assert_eq!(replaced.find(id(1)).unwrap().state, KeyState::Retired);
    assert_eq!(replaced.find(id(2)), None);
    assert_eq!((count(&replaced, KeyState::Current), count(&replaced, KeyState::Next)), (1, 1));
    assert_eq!(Ring::default().replacement(NOW), None);
}

#[test]
fn keys_are_gone_when_their_tokens_and_caches_are() {
    let ring = ring();
    assert_eq!(ring.expired(NOW.plus_seconds(ACCESS + CACHE_SECONDS - 1), ACCESS), []);
    assert_eq!(ring.expired(NOW.plus_seconds(ACCESS + CACHE_SECONDS), ACCESS), [id(3), id(4)]);
}

#[test]
fn the_published_keys_are_those_that_verify_now_or_soon() {
    let ids: Vec<KeyId> = ring().published().iter().map(|key| key.id).collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
}

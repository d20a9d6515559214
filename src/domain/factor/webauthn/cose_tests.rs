//! Public keys: each type with exactly its parameters, in the bounds of its algorithm.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::*;
use crate::domain::factor::webauthn::fixture::{bytes, ed25519_key, int, map, p256_key, rsa_key, text};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const THREES: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";
const FOURS: &str = "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ";

fn fault(key: &[u8]) -> CeremonyFault {
    public_key(key).unwrap_err()
}

/// An RSA modulus of so many bytes, which starts with this one.
fn modulus_of(length: usize, first: u8) -> Vec<u8> {
    [vec![first], vec![0xff; length - 1]].concat()
}

/// The key without the parameter at this place.
fn without(key: &[Vec<u8>], place: usize) -> Vec<u8> {
    let mut rest = key.to_vec();
    rest.drain(2 * place..2 * place + 2);
    map(&rest)
}

/// The key with another value of the parameter at this place.
fn with(key: &[Vec<u8>], place: usize, value: Vec<u8>) -> Vec<u8> {
    let mut changed = key.to_vec();
    changed[2 * place + 1] = value;
    map(&changed)
}

fn ed25519() -> Vec<Vec<u8>> {
    vec![int(1), int(1), int(3), int(-8), int(-1), int(6), int(-2), bytes(&[3; 32])]
}

fn p256() -> Vec<Vec<u8>> {
    vec![int(1), int(2), int(3), int(-7), int(-1), int(1), int(-2), bytes(&[3; 32]), int(-3), bytes(&[4; 32])]
}

fn rsa() -> Vec<Vec<u8>> {
    let n = modulus_of(256, 0x80);
    vec![int(1), int(3), int(3), int(-257), int(-1), bytes(&n), int(-2), bytes(&[1, 0, 1])]
}

#[test]
fn stored_keys_have_their_format_unchanged() {
    let key = public_key(&ed25519_key()).unwrap();
    assert_eq!(key.algorithm, SignatureAlgorithm::EdDsa);
    assert_eq!(key.jwk, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{THREES}"}}"#));
    let key = public_key(&p256_key()).unwrap();
    assert_eq!(key.algorithm, SignatureAlgorithm::Es256);
    assert_eq!(key.jwk, format!(r#"{{"crv":"P-256","kty":"EC","x":"{THREES}","y":"{FOURS}"}}"#));
    let n = modulus_of(256, 0x80);
    let key = public_key(&rsa_key(&n, &[1, 0, 1])).unwrap();
    assert_eq!(key.algorithm, SignatureAlgorithm::Rs256);
    assert_eq!(key.jwk, format!(r#"{{"e":"AQAB","kty":"RSA","n":"{}"}}"#, Base64UrlUnpadded::encode_string(&n)));
}

#[test]
fn algorithms_have_their_registered_numbers() {
    assert_eq!(SignatureAlgorithm::ALL.map(cose_id), [-8, -7, -257]);
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    for alg in [int(-35), int(-36), int(-37), int(-9), int(7), int(0), bytes(&[1])] {
        assert_eq!(fault(&with(&p256(), 1, alg)), CeremonyFault::Algorithm);
    }
    assert_eq!(fault(&without(&p256(), 1)), CeremonyFault::Algorithm);
}

#[test]
fn a_key_is_of_the_type_and_curve_of_its_algorithm() {
    for key in [ed25519(), p256(), rsa()] {
        let kty = key[1].clone();
        for other in [1, 2, 3, 4].map(int).into_iter().filter(|other| *other != kty) {
            assert_eq!(fault(&with(&key, 0, other)), CeremonyFault::KeyType);
        }
        assert_eq!(fault(&without(&key, 0)), CeremonyFault::KeyType);
    }
    for (key, algorithms) in [(ed25519(), [-7, -257]), (p256(), [-8, -257]), (rsa(), [-7, -8])] {
        for alg in algorithms {
            assert_eq!(fault(&with(&key, 1, int(alg))), CeremonyFault::KeyType);
        }
    }
    for key in [ed25519(), p256()] {
        let curve = key[5].clone();
        for other in [1, 2, 3, 4, 6, 7, 8].map(int).into_iter().filter(|other| *other != curve) {
            assert_eq!(fault(&with(&key, 2, other)), CeremonyFault::KeyType);
        }
        assert_eq!(fault(&without(&key, 2)), CeremonyFault::KeyType);
    }
}

#[test]
fn coordinates_have_32_bytes() {
    for (key, place) in [(ed25519(), 3), (p256(), 3), (p256(), 4)] {
        for length in [0, 31, 33, 64] {
            assert_eq!(fault(&with(&key, place, bytes(&vec![3; length]))), CeremonyFault::KeyParameters);
        }
        assert_eq!(fault(&with(&key, place, int(1))), CeremonyFault::KeyParameters);
        assert_eq!(fault(&without(&key, place)), CeremonyFault::KeyParameters);
    }
}

/// A compressed point has a sign in place of y.
#[test]
fn compressed_points_are_refused() {
    assert_eq!(fault(&with(&p256(), 4, vec![0xf5])), CeremonyFault::KeyParameters);
}

#[test]
fn a_modulus_has_2048_to_4096_bits() {
    let of = |n: &[u8]| public_key(&rsa_key(n, &[1, 0, 1]));
    for n in [modulus_of(256, 0x80), modulus_of(257, 1), modulus_of(512, 0xff)] {
        assert!(of(&n).is_ok());
    }
    for n in [modulus_of(256, 0x7f), modulus_of(257, 0), modulus_of(513, 1), modulus_of(128, 0xff), vec![0; 300]] {
        assert_eq!(of(&n), Err(CeremonyFault::KeyParameters));
    }
    assert_eq!(of(&[]), Err(CeremonyFault::KeyParameters));
    assert_eq!(fault(&without(&rsa(), 2)), CeremonyFault::KeyParameters);
    assert_eq!(fault(&with(&rsa(), 2, int(1))), CeremonyFault::KeyParameters);
}

#[test]
fn an_exponent_is_odd_and_at_least_3() {
    let of = |e: &[u8]| public_key(&rsa_key(&modulus_of(256, 0x80), e));
    for e in [&[3][..], &[1, 0, 1], &[1, 1], &[0xff, 0xff, 0xff, 0xff]] {
        assert!(of(e).is_ok(), "{e:?}");
    }
    for e in [&[][..], &[0], &[1], &[2], &[0, 3], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert_eq!(of(e), Err(CeremonyFault::KeyParameters), "{e:?}");
    }
    assert_eq!(fault(&without(&rsa(), 3)), CeremonyFault::KeyParameters);
}

#[test]
fn the_order_of_parameters_and_others_beside_them_do_not_matter() {
    let mut key = p256();
    key.rotate_left(4);
    key.extend([int(2), bytes(b"kid"), text("more"), map(&[])]);
    assert_eq!(public_key(&map(&key)), public_key(&p256_key()));
}

#[test]
fn a_repeated_parameter_is_refused() {
    for place in 0..5 {
        let mut key = p256();
        key.extend([key[2 * place].clone(), key[2 * place + 1].clone()]);
        assert_eq!(fault(&map(&key)), CeremonyFault::KeyParameters);
    }
}

#[test]
fn a_key_is_one_map() {
    for key in [
        Vec::new(),
        int(1),
        vec![0x80],
        [p256_key(), vec![0]].concat(),
        [vec![0xbf], p256().concat(), vec![0xff]].concat(),
    ] {
        assert_eq!(fault(&key), CeremonyFault::KeyParameters);
    }
}

//! The CBOR reader: its types, and the forms of CBOR that it refuses.

use super::*;
use crate::domain::factor::webauthn::fixture::{bytes, head, int, map, text};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Reads one value that is all of the input.
fn skip(input: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(input);
    reader.skip()?;
    reader.finish()
}

/// This many arrays within each other.
fn nested_arrays(depth: usize) -> Vec<u8> {
    [vec![0x81; depth], int(1)].concat()
}

/// This many maps within each other.
fn nested_maps(depth: usize) -> Vec<u8> {
    [[vec![0xa1], int(1)].concat().repeat(depth), int(1)].concat()
}

#[test]
fn values_of_all_types_are_skipped() {
    let values = [
        int(0),
        int(-1),
        int(1000),
        vec![0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        bytes(&[1; 300]),
        text("ü"),
        vec![0xf4],
        vec![0xf5],
        vec![0xf6],
        vec![0x82, 1, 2],
        map(&[text("a"), int(1), int(1), map(&[])]),
    ];
    for value in &values {
        assert_eq!(skip(value), Ok(()), "{value:02x?}");
    }
    assert_eq!(skip(&[head(4, values.len()), values.concat()].concat()), Ok(()));
}

#[test]
fn a_value_that_is_cut_off_is_refused() {
    let value = map(&[text("a"), bytes(&[1; 300]), int(-300), map(&[int(1), vec![0x82, 1, 0xf5]])]);
    assert_eq!(skip(&value), Ok(()));
    for length in 0..value.len() {
        assert_eq!(skip(&value[..length]), Err(Malformed), "{length} bytes");
    }
}

#[test]
fn bytes_behind_the_value_are_refused() {
    assert_eq!(skip(&[1, 0]), Err(Malformed));
    assert_eq!(skip(&[&map(&[])[..], &[0xff]].concat()), Err(Malformed));
}

#[test]
fn indefinite_lengths_are_refused() {
    for value in [&[0x5f, 0x41, 1, 0xff][..], &[0x7f, 0x61, 0x61, 0xff], &[0x9f, 1, 0xff], &[0xbf, 1, 1, 0xff], &[0xff]]
    {
        assert_eq!(skip(value), Err(Malformed), "{value:02x?}");
        assert_eq!(skip(&[&[0x81], value].concat()), Err(Malformed), "within an array: {value:02x?}");
    }
    assert_eq!(Reader::new(&[0x5f, 0x41, 1, 0xff]).bytes(), Err(Malformed));
    assert_eq!(Reader::new(&[0x7f, 0x61, 0x61, 0xff]).text(), Err(Malformed));
    assert_eq!(Reader::new(&[0xbf, 0xff]).skip_map(), Err(Malformed));
}

#[test]
fn tags_floats_and_other_simple_values_are_refused() {
    let values =
        [&[0xc0, 0x60][..], &[0xf9, 0, 0], &[0xfa, 0, 0, 0, 0], &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0], &[0xf7], &[0xe0]];
    for value in values {
        assert_eq!(skip(value), Err(Malformed), "{value:02x?}");
    }
    for reserved in [0x1c, 0x1d, 0x1e, 0x3c, 0x5d, 0x7e, 0x9c, 0xbd, 0xdc, 0xfc] {
        assert_eq!(skip(&[reserved, 0, 0]), Err(Malformed), "{reserved:02x}");
    }
}

#[test]
fn a_text_is_utf8() {
    assert_eq!(skip(&[0x61, 0x80]), Err(Malformed));
    assert_eq!(Reader::new(&[0x62, 0xc3, 0xbc]).text(), Ok("ü"));
}

#[test]
fn a_key_occurs_once() {
    assert_eq!(skip(&map(&[int(1), int(1), int(-1), int(1), text("1"), int(1)])), Ok(()));
    assert_eq!(skip(&map(&[text("a"), int(1), text("b"), int(1), text("a"), int(1)])), Err(Malformed));
    assert_eq!(skip(&map(&[int(1), int(1), int(1), int(2)])), Err(Malformed));
    assert_eq!(skip(&map(&[int(1), int(1), vec![0x18, 1], int(2)])), Err(Malformed), "in a longer form");
    let inner = map(&[int(1), int(1), int(1), int(2)]);
    assert_eq!(skip(&map(&[text("a"), inner])), Err(Malformed), "in a value");
}

#[test]
fn a_key_is_an_integer_or_a_text() {
    for key in [bytes(&[1]), vec![0xf5], map(&[]), vec![0x80]] {
        assert_eq!(skip(&map(&[key, int(1)])), Err(Malformed));
    }
}

#[test]
fn eight_levels_are_the_limit() {
    for nested in [nested_arrays, nested_maps] {
        assert_eq!(skip(&nested(8)), Ok(()));
        assert_eq!(skip(&nested(9)), Err(Malformed));
        assert_eq!(skip(&nested(100_000)), Err(Malformed), "without a deep recursion");
    }
    let mut reader = Reader::new(&[]);
    assert_eq!(reader.skip_map(), Err(Malformed), "nothing");
    let in_map = map(&[int(1), nested_arrays(8)]);
    assert_eq!(Reader::new(&in_map).skip_map(), Err(Malformed), "the map counts");
    assert_eq!(Reader::new(&map(&[int(1), nested_arrays(7)])).skip_map(), Ok(()));
}

#[test]
fn a_map_has_at_most_64_members() {
    let members = |count: i64| map(&(0..count).flat_map(|key| [int(key), int(1)]).collect::<Vec<_>>());
    assert_eq!(skip(&members(64)), Ok(()));
    assert_eq!(skip(&members(65)), Err(Malformed));
}

#[test]
fn an_announced_length_costs_nothing() {
    for major in 2..=5_u8 {
        for length in [0xffff_ffff_u64, 0x7fff_ffff_ffff_ffff, u64::MAX] {
            let value = [&[major << 5 | 0x1b][..], &length.to_be_bytes(), &[1; 16]].concat();
            assert_eq!(skip(&value), Err(Malformed), "{major} {length}");
        }
    }
}

#[test]
fn a_scalar_is_an_integer_of_64_bits_or_bytes() {
    assert_eq!(Reader::new(&int(-257)).scalar(), Ok(Scalar::Integer(-257)));
    assert_eq!(Reader::new(&bytes(&[1, 2])).scalar(), Ok(Scalar::Bytes(&[1, 2])));
    for value in [text("a"), vec![0xf5], vec![0x80], map(&[]), vec![0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0], Vec::new()] {
        assert_eq!(Reader::new(&value).scalar(), Err(Malformed), "{value:02x?}");
    }
}

//! ECDSA signatures: from DER, the form of authenticators (Level 3, §6.5.5), to the two numbers in 64 bytes that
//! `WebCrypto` takes.
//!
//! Each signature has one DER form, and only that one is accepted (X.690 §10): otherwise a stranger could make a second
//! text of a signature.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// r and s, 32 bytes each. `None` if the text is not the DER form of two positive numbers below 2^256.
pub(super) fn fixed_signature(der: &[u8]) -> Option<Vec<u8>> {
    // At most 70 bytes, so a length takes one byte.
    let (content, behind) = element(SEQUENCE, der)?;
    let (r, rest) = element(INTEGER, content)?;
    let (s, rest) = element(INTEGER, rest)?;
    let mut fixed = number(r)?.to_vec();
    fixed.extend(number(s)?);
    (behind.is_empty() && rest.is_empty()).then_some(fixed)
}

/// The content of the element at the start, and the bytes behind it. A length of 128 or more, whose form is longer, is
/// beyond every signature.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([found, length], rest) = bytes.split_first_chunk()?;
    (*found == tag && *length < 0x80).then(|| rest.split_at_checked((*length).into()))?
}

/// A positive integer without superfluous zeros, as 32 bytes.
fn number(integer: &[u8]) -> Option<[u8; 32]> {
    let digits = match integer {
        // A leading zero only keeps a number from being negative.
        [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => digits,
        [1..0x80, ..] => integer,
        _ => return None,
    };
    let mut padded = [0; 32];
    padded.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let integer = |bytes: &[u8]| [&[INTEGER, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let content = [integer(r), integer(s)].concat();
        [&[SEQUENCE, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    #[test]
    fn numbers_are_padded_to_32_bytes() {
        let fixed = fixed_signature(&der(&[1], &[2, 3])).unwrap();
        let mut expected = [0; 64];
        (expected[31], expected[62], expected[63]) = (1, 2, 3);
        assert_eq!(fixed, expected);
    }

    #[test]
    fn the_largest_numbers_have_33_bytes() {
        let largest = [&[0][..], &[0xff; 32]].concat();
        assert_eq!(fixed_signature(&der(&largest, &largest)).unwrap(), [0xff; 64]);
        assert_eq!(fixed_signature(&der(&[&[1][..], &[0xff; 32]].concat(), &[1])), None, "33 bytes of digits");
        assert_eq!(fixed_signature(&der(&[&[0][..], &[0xff; 33]].concat(), &[1])), None, "34 bytes");
    }

    #[test]
    fn numbers_are_positive_and_minimal() {
        for number in [&[][..], &[0], &[0, 0], &[0x80], &[0xff, 1], &[0, 1], &[0, 0x7f], &[0, 0, 0x80]] {
            assert_eq!(fixed_signature(&der(number, &[1])), None, "r {number:?}");
            assert_eq!(fixed_signature(&der(&[1], number)), None, "s {number:?}");
        }
        assert!(fixed_signature(&der(&[0x7f], &[0, 0x80])).is_some());
    }

    #[test]
    fn nothing_is_missing_or_superfluous() {
        let valid = der(&[1; 32], &[2; 32]);
        assert!(fixed_signature(&valid).is_some());
        for length in 0..valid.len() {
            assert_eq!(fixed_signature(&valid[..length]), None, "{length} bytes");
        }
        assert_eq!(fixed_signature(&[&valid[..], &[0]].concat()), None, "behind the sequence");
        assert_eq!(fixed_signature(&[SEQUENCE, 7, INTEGER, 1, 1, INTEGER, 1, 1, 0]), None, "within the sequence");
        assert_eq!(
            fixed_signature(&[SEQUENCE, 9, INTEGER, 1, 1, INTEGER, 1, 1, INTEGER, 1, 1]),
            None,
            "a third number"
        );
    }

    #[test]
    fn a_length_has_its_shortest_form() {
        assert!(fixed_signature(&[SEQUENCE, 6, INTEGER, 1, 1, INTEGER, 1, 1]).is_some());
        assert_eq!(fixed_signature(&[SEQUENCE, 0x81, 6, INTEGER, 1, 1, INTEGER, 1, 1]), None);
        assert_eq!(fixed_signature(&[SEQUENCE, 7, INTEGER, 0x81, 1, 1, INTEGER, 1, 1]), None);
        assert_eq!(fixed_signature(&[SEQUENCE, 0x80, INTEGER, 1, 1, INTEGER, 1, 1, 0, 0]), None, "indefinite");
    }

    #[test]
    fn other_tags_are_refused() {
        assert_eq!(fixed_signature(&[0x31, 6, INTEGER, 1, 1, INTEGER, 1, 1]), None);
        assert_eq!(fixed_signature(&[SEQUENCE, 6, 4, 1, 1, INTEGER, 1, 1]), None);
        assert_eq!(fixed_signature(&[SEQUENCE, 6, INTEGER, 1, 1, 4, 1, 1]), None);
    }
}

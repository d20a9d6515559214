//! Base32: five bits a symbol, most significant first, in the alphabet of the caller.
//!
//! There is no padding (RFC 4648 §3.2): all values here are multiples of five bytes, so their symbols have no spare bits.

/// 32 different ASCII symbols; the position of a symbol is its value.
pub(super) type Alphabet = [u8; 32];

const BITS_OF_SYMBOL: u32 = 5;
const LARGEST_SYMBOL: u32 = (1 << BITS_OF_SYMBOL) - 1;

/// Encodes bytes whose number is a multiple of five.
pub(super) fn encode(bytes: &[u8], alphabet: &Alphabet) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= BITS_OF_SYMBOL {
            held -= BITS_OF_SYMBOL;
            let symbol = alphabet.get(((bits >> held) & LARGEST_SYMBOL) as usize);
            text.push(char::from(symbol.copied().unwrap_or_default()));
        }
    }
    text
}

/// Decodes symbols of the alphabet only; none if bits are left over.
pub(super) fn decode(text: &str, alphabet: &Alphabet) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0);
    for symbol in text.bytes() {
        let value = (0_u32..).zip(alphabet).find(|(_, known)| **known == symbol)?.0;
        bits = (bits << BITS_OF_SYMBOL) | value;
        held += BITS_OF_SYMBOL;
        if let Some(rest) = held.checked_sub(8) {
            held = rest;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    (held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const RFC_4648: &Alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    #[test]
    fn the_vectors_of_rfc_4648_without_padding_hold() {
        for (bytes, text) in [("", ""), ("fooba", "MZXW6YTB"), ("foobafooba", "MZXW6YTBMZXW6YTB")] {
            assert_eq!(encode(bytes.as_bytes(), RFC_4648), text);
            assert_eq!(decode(text, RFC_4648).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn each_symbol_has_its_place() {
        let bytes = decode("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", RFC_4648).unwrap();
        assert_eq!(bytes.len(), 20);
        assert_eq!(encode(&bytes, RFC_4648).as_bytes(), RFC_4648);
    }

    #[test]
    fn other_symbols_and_left_over_bits_are_refused() {
        for text in ["A", "AA", "MZXW6YT", "MZXW6YTBA", "mzxw6ytb", "MZXW6YT=", "MZXW6YT ", "MZXW6YT1", "MZXW6YTé"] {
            assert_eq!(decode(text, RFC_4648), None, "{text}");
        }
    }
}

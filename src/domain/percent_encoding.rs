//! Percent-encoding of texts in URLs and forms (RFC 3986 §2.1).

/// Encodes all but the unreserved characters. A blank is `%20`, which is right in forms, too, and apps show a `+` as it is.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 0xf].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16));
            encoded.push('%');
            encoded.extend(digits.map(|digit| digit.to_ascii_uppercase()));
        }
    }
    encoded
}

/// The pairs of a query or of a form (`application/x-www-form-urlencoded`).
#[must_use]
pub fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(percent_encoded("aZ0-._~"), "aZ0-._~");
        assert_eq!(percent_encoded("a b&c=d+é/%"), "a%20b%26c%3Dd%2B%C3%A9%2F%25");
        assert_eq!(form(&[("a b", "1&2"), ("c", "")]), "a%20b=1%262&c=");
    }
}

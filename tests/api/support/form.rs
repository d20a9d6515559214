//! Queries and forms, read apart from the service's own code.

use std::collections::BTreeMap;

/// The pairs of a query or a form, each of them once.
pub fn form(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(pairs.insert(decoded(name), decoded(value)).is_none(), "{name} is given twice");
    }
    pairs
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            _ => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

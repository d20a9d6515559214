//! The sender of all mails, from the setting `MAIL_FROM`.

/// A name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Shown by the reader's program; empty without one.
    pub name: String,
    /// The address, of a domain that the provider knows.
    pub address: String,
}

impl Sender {
    /// Parses `Name <address>` or an address alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, address) = match text.split_once('<') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix('>')?),
            None => ("", text.trim()),
        };
        let (local, domain) = address.split_once('@')?;
        let is_visible =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"@,;:\\".contains(&byte));
        let is_address = !local.is_empty() && domain.contains('.') && is_visible(local) && is_visible(domain);
        let is_name = name.len() <= 100 && !name.chars().any(|c| c.is_control() || "<>\"@,;:\\".contains(c));
        (is_address && is_name).then(|| Self { name: name.to_owned(), address: address.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_sender_has_an_address_and_perhaps_a_name() {
        let both = Sender::parse("Example University <login@example.com>").unwrap();
        assert_eq!((both.name.as_str(), both.address.as_str()), ("Example University", "login@example.com"));
        assert_eq!(Sender::parse("login@example.com").unwrap().name, "");
        for text in ["", "login", "@example.com", "login@example", "A <login@example.com", "A\nB <a@example.com>"] {
            assert_eq!(Sender::parse(text), None, "{text:?}");
        }
        assert_eq!(Sender::parse("\"A\", b@example.com <a@example.com>"), None, "a second address in the name");
    }
}

//! The client at the other end of the connection: its IP address and user agent.
//!
//! The address comes from the header that the edge sets (`CF-Connecting-IP`). `X-Forwarded-For` and `Forwarded`
//! are ignored, because any client can forge them.

use std::net::{IpAddr, Ipv6Addr};

/// Maximum length of a kept user agent, in code points.
const MAX_USER_AGENT: usize = 256;

/// The network of every client without a known address, so they share one rate limit.
const UNKNOWN_NETWORK: &str = "unknown";

/// IP address and user agent of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Peer {
    /// Parses the two headers. Text that is not an IP address counts as none. The user agent is free text: control
    /// characters are removed, and the rest is cut to 256 code points.
    #[must_use]
    pub fn new(connecting_ip: Option<&str>, user_agent: Option<&str>) -> Self {
        let address = connecting_ip.and_then(|text| text.trim().parse().ok()).map(|address: IpAddr| {
            // An IPv4-mapped IPv6 address is the same client as the IPv4 address.
            address.to_canonical()
        });
        let user_agent = user_agent.map(printable).filter(|text| !text.is_empty());
        Self { address, user_agent }
    }

    /// The IP address as text, IPv4-mapped addresses as IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// The user agent without control characters, at most 256 code points.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The key of the rate limits: an IPv4 address, or the /64 prefix of an IPv6 address. A /64 is the smallest
    /// prefix that providers assign, so a limit per IPv6 address could be evaded 2^64 times. A client with a shorter
    /// prefix still has one limit per /64.
    #[must_use]
    pub fn network(&self) -> String {
        match self.address {
            None => UNKNOWN_NETWORK.to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let prefix = u128::from(address) & (u128::MAX << 64);
                format!("{}/64", Ipv6Addr::from(prefix))
            }
        }
    }

    /// The network by which refusals are counted: the /24 of an IPv4 address, the /48 of an IPv6 address.
    #[must_use]
    pub fn wide_network(&self) -> String {
        match self.address {
            None => UNKNOWN_NETWORK.to_owned(),
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Some(IpAddr::V6(address)) => {
                let prefix = u128::from(address) & (u128::MAX << 80);
                format!("{}/48", Ipv6Addr::from(prefix))
            }
        }
    }
}

fn printable(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn network(ip: &str) -> String {
        Peer::new(Some(ip), None).network()
    }

    #[test]
    fn ipv6_counts_by_64_bits() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:DB8:1:2::"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::1"), "::/64");
    }

    #[test]
    fn ipv4_counts_by_address_in_either_notation() {
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(Peer::new(Some("::ffff:192.0.2.7"), None).ip().as_deref(), Some("192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }

    #[test]
    fn refusals_are_counted_by_24_bits_of_ipv4_and_48_of_ipv6() {
        let wide = |ip: &str| Peer::new(Some(ip), None).wide_network();
        assert_eq!(wide("192.0.2.7"), "192.0.2.0/24");
        assert_eq!(wide("2001:db8:7:2:3:4:5:6"), "2001:db8:7::/48");
        assert_eq!(Peer::default().wide_network(), "unknown");
    }

    #[test]
    fn clients_without_a_valid_address_share_one_network() {
        for text in ["", "unknown", "192.0.2.7, 198.51.100.1", "192.0.2.7:443", "192.0.2", "fe80::1%eth0", "[::1]"] {
            let client = Peer::new(Some(text), None);
            assert_eq!((client.ip(), client.network()), (None, "unknown".to_owned()), "{text}");
        }
        assert_eq!(Peer::default().network(), "unknown");
    }

    #[test]
    fn a_user_agent_is_kept_printable_and_short() {
        let kept = |text: &str| Peer::new(None, Some(text)).user_agent().map(str::to_owned);
        assert_eq!(kept("curl/8.5.0").as_deref(), Some("curl/8.5.0"));
        assert_eq!(kept("a\u{0}b\r\nc\u{85}").as_deref(), Some("abc"));
        assert_eq!(kept(&"é".repeat(300)).unwrap().chars().count(), MAX_USER_AGENT);
        assert_eq!(kept("  "), None);
    }
}

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

    /// The client for whom this one calls. `None` for text that is no public address (RFC 6890): every user of a backend
    /// would otherwise be able to share one network.
    #[must_use]
    pub fn acting_for(&self, address: &str) -> Option<Self> {
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        is_public(address).then(|| Self { address: Some(address), user_agent: self.user_agent.clone() })
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

    /// The address as a number, if it is known; IPv4 addresses as IPv4-mapped ones.
    #[must_use]
    pub fn address_bits(&self) -> Option<u128> {
        self.address.map(bits)
    }

    /// The network of the address as a number: the first 24 bits of an IPv4 address, or 48 of an IPv6 address. So much of
    /// an address attributes a refusal, and names no person.
    #[must_use]
    pub fn network_bits(&self) -> Option<u128> {
        self.address.map(|address| match address {
            IpAddr::V4(_) => bits(address) & (u128::MAX << 8),
            IpAddr::V6(_) => bits(address) & (u128::MAX << 80),
        })
    }

    /// The text of [`Peer::network_bits`], by which refusals are counted.
    #[must_use]
    pub fn attributed_network(&self) -> String {
        self.network_bits().map_or_else(|| UNKNOWN_NETWORK.to_owned(), network_text)
    }

    /// The key of the rate limits: an IPv4 address, or the /64 prefix of an IPv6 address. A /64 is the smallest
    /// prefix that providers assign, so a limit per IPv6 address could be evaded 2^64 times. A client with a shorter
    /// prefix has one limit per /64, and the one of [`Peer::wide_network`].
    #[must_use]
    pub fn network(&self) -> String {
        match self.address {
            None => UNKNOWN_NETWORK.to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => prefix(address, 64),
        }
    }

    /// The /48 prefix of an IPv6 address: the largest prefix that a site usually gets, with 65,536 networks in it. Its
    /// limits have ten times the allowance. An IPv4 address has no such key, because its neighbours are strangers.
    #[must_use]
    pub fn wide_network(&self) -> Option<String> {
        match self.address {
            None | Some(IpAddr::V4(_)) => None,
            Some(IpAddr::V6(address)) => Some(prefix(address, 48)),
        }
    }
}

/// Is it an address of a host on the public Internet (IANA special-purpose registries, RFC 6890)?
pub(in crate::domain) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_protocol = a == 192 && b == 0 && c == 0;
            let is_benchmark = a == 198 && (b == 18 || b == 19);
            let is_special = is_shared || is_protocol || is_benchmark || a == 0 || a >= 224;
            !(is_special
                || address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_documentation())
        }
        // Global unicast is 2000::/3. Documentation (2001:db8::/32, 3fff::/20), protocol assignments such as Teredo
        // (2001::/23) and 6to4 (2002::/16) are in it.
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            let is_global = first & 0xe000 == 0x2000;
            let is_documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
            let is_protocol = first == 0x2001 && second < 0x200;
            is_global && !is_documentation && !is_protocol && first != 0x2002
        }
    }
}

/// An IPv6 prefix of this many bits, from 1 to 128.
fn prefix(address: Ipv6Addr, bits: u32) -> String {
    let kept = u128::from(address) & (u128::MAX << (128 - bits));
    format!("{}/{bits}", Ipv6Addr::from(kept))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The text of [`Peer::address_bits`].
#[must_use]
pub fn address_text(bits: u128) -> String {
    Ipv6Addr::from_bits(bits).to_canonical().to_string()
}

/// The text of [`Peer::network_bits`]: `203.0.113.0/24` or `2001:db8:7::/48`.
#[must_use]
pub fn network_text(bits: u128) -> String {
    match Ipv6Addr::from_bits(bits).to_canonical() {
        IpAddr::V4(network) => format!("{network}/24"),
        IpAddr::V6(network) => format!("{network}/48"),
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
    fn a_backend_names_public_addresses_only() {
        let backend = Peer::new(Some("198.51.100.7"), Some("agent"));
        let named = backend.acting_for("8.8.4.4").unwrap();
        assert_eq!((named.ip().as_deref(), named.user_agent()), (Some("8.8.4.4"), Some("agent")));
        for public in ["1.1.1.1", "100.63.0.1", "100.128.0.1", "198.17.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(backend.acting_for(public).is_some(), "{public}");
        }
        let others = [
            "",
            "x",
            "8.8.8.8 ",
            "8.8.8.8:80",
            "8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.0.1",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:20::1",
            "2002::1",
            "3fff::1",
            "::ffff:10.0.0.1",
            "64:ff9b::1",
        ];
        for other in others {
            assert_eq!(backend.acting_for(other), None, "{other:?}");
        }
    }

    #[test]
    fn ipv6_counts_by_64_bits() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:DB8:1:2::"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::1"), "::/64");
    }

    #[test]
    fn only_ipv6_counts_by_48_bits_too() {
        let wide = |ip: &str| Peer::new(Some(ip), None).wide_network();
        assert_eq!(wide("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(wide("2001:DB8:1:ffff::"), wide("2001:db8:1::1"));
        assert_ne!(wide("2001:db8:1::"), wide("2001:db8:2::"));
        for ip in ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:c000:0207", "0:0:0:0:0:ffff:192.0.2.7", "unknown", ""] {
            assert_eq!(wide(ip), None, "{ip}");
        }
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
        let wide = |ip: &str| Peer::new(Some(ip), None).attributed_network();
        assert_eq!(wide("192.0.2.7"), "192.0.2.0/24");
        assert_eq!(wide("2001:db8:7:2:3:4:5:6"), "2001:db8:7::/48");
        assert_eq!(Peer::default().attributed_network(), "unknown");
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
    fn a_network_in_the_log_has_24_or_48_bits() {
        for (ip, network) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("::ffff:cb00:7107", "203.0.113.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("2001:db8:7:1:2:3:4:5", "2001:db8:7::/48"),
            ("2001:DB8:7::", "2001:db8:7::/48"),
            ("ffff:ffff:ffff:ffff::1", "ffff:ffff:ffff::/48"),
            ("::1", "::/48"),
            ("::203.0.113.7", "::/48"),
        ] {
            let peer = Peer::new(Some(ip), None);
            assert_eq!(network_text(peer.network_bits().unwrap()), network, "{ip}");
            assert_eq!(Some(address_text(peer.address_bits().unwrap())), peer.ip(), "{ip}");
        }
        assert_eq!((Peer::default().network_bits(), Peer::default().address_bits()), (None, None));
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

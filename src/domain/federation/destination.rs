//! The addresses that the service may call for a provider. They come from the settings, and from documents of the provider,
//! which could name a service of the private network (server-side request forgery).
//!
//! Only one plain spelling of a URL is known here. Any other is refused, because the runtime could read it as another host
//! (URL Standard §3.5, "ends in a number" and percent-decoding). Names are not resolved: a deployed Worker has no private
//! network that one could lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::domain::peer::is_public;

/// The longest URL that is looked at, in bytes.
const MAX_LENGTH: usize = 2000;

/// The last labels of names that are no public ones: RFC 6761 §6.3, RFC 6762 with its appendix G, RFC 8375, and the one that
/// ICANN reserved.
const PRIVATE_ENDINGS: [&str; 9] =
    ["localhost", "local", "internal", "home.arpa", "intranet", "private", "corp", "home", "lan"];

/// The host of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

/// An absolute `http` or `https` URL without user information and fragment.
struct Url<'a> {
    is_https: bool,
    host: Host<'a>,
    origin: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // Characters of a URI (RFC 3986 §2), without that of a fragment.
        let is_known = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
        if text.len() > MAX_LENGTH || !text.bytes().all(is_known) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.split(['/', '?']).next()?;
        // The colons of an IPv6 address are within brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let origin = text.get(..scheme.len() + "://".len() + authority.len())?;
        port.is_none_or(is_port).then_some(Self { is_https, host: Host::parse(host)?, origin })
    }
}

impl<'a> Host<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if ends_in_number(text) {
            // Four decimal numbers without leading zeros, and no other spelling.
            return text.parse().ok().map(|address: Ipv4Addr| Self::Address(address.into()));
        }
        is_name(text).then_some(Self::Name(text))
    }

    fn is_public(self) -> bool {
        match self {
            Self::Address(address) => is_public(address),
            Self::Name(name) => {
                let is_below = |ending: &&str| {
                    name.strip_suffix(*ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                name.contains('.') && !PRIVATE_ENDINGS.iter().any(is_below)
            }
        }
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

/// Could a browser read the host as an IPv4 address (URL Standard §3.5)? No top-level domain begins with a digit.
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.starts_with(|first: char| first.is_ascii_digit())
}

/// A name of the DNS in lower case, without a dot at its end (RFC 1123 §2.1).
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A domain of mail addresses, in the form in which they are stored.
pub(in crate::domain) fn is_domain(text: &str) -> bool {
    text.contains('.') && is_name(text) && !ends_in_number(text)
}

/// May the service call this URL? It must be `https`, and its host a public one, unless the deployment
/// `allows_private` destinations.
#[must_use]
pub fn is_allowed(url: &str, allows_private: bool) -> bool {
    Url::parse(url).is_some_and(|url| allows_private || (url.is_https && url.host.is_public()))
}

/// May a browser be sent to this URL? `http` stays on the user's own machine (RFC 8252 §7.3).
pub(in crate::domain) fn is_page(url: &str) -> bool {
    let is_loopback = |host| match host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST,
    };
    Url::parse(url).is_some_and(|url| url.is_https || is_loopback(url.host))
}

/// The scheme and the authority of a URL.
#[must_use]
pub fn origin(url: &str) -> Option<&str> {
    Url::parse(url).map(|url| url.origin)
}

#[cfg(test)]
#[path = "destination_tests.rs"]
mod tests;

//! Parsers for each kind of setting; they return `None` for invalid text.

use std::net::Ipv6Addr;

use crate::domain::json::JsonText;
use crate::domain::secret::Secret;

/// The minimum severity of written log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Details for debugging, such as each refresh of the circuit breaker's copy.
    Debug,
    /// Normal events, such as each request.
    Info,
    /// Refused requests and degraded operation.
    Warning,
    /// Failures that need the operator's attention.
    Error,
}

/// The lines of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// One line when a request arrives, so that a request that never ends is visible too, and one with its result.
    Both,
    /// Only the line with the result: each line costs money.
    Finished,
}

/// The part of a client's address in the log lines of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogClient {
    /// The first 24 bits of an IPv4 address, 48 of an IPv6 address.
    Network,
    /// The whole address, which is personal data.
    Address,
    /// No part of the address.
    None,
}

/// The origins whose web pages may call the service (CORS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Exactly these origins, with credentials.
    Only(Vec<String>),
    /// Any origin, without credentials (Fetch Standard, "CORS protocol and credentials").
    Any,
}

/// Minimum length of a secret in bytes: the output length of SHA-256 (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

pub(in crate::domain) fn integer(text: &str, min: i64, max: i64) -> Option<i64> {
    text.parse().ok().filter(|value| (min..=max).contains(value))
}

/// An `https` origin with this base path, in the form in which the runtime writes URLs. `http` is allowed on the own machine.
pub(in crate::domain) fn public_url(text: &str, base_path: &str) -> Option<String> {
    let origin = text.strip_suffix(base_path)?;
    let (scheme, authority) = origin.split_once("://")?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "0"));
    let is_local = matches!(host, "localhost" | "127.0.0.1");
    let is_host = host.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    });
    let is_scheme = scheme == "https" || (scheme == "http" && is_local);
    (is_scheme && is_host && port.parse::<u16>().is_ok()).then(|| text.to_owned())
}

/// The address of a page, to which a fragment is added. `http` is allowed on the own machine.
pub(in crate::domain) fn page_url(text: &str) -> Option<String> {
    let origin_end =
        text.find("://").and_then(|scheme| text.get(scheme + 3..)?.find('/').map(|slash| scheme + 3 + slash));
    let origin = text.get(..origin_end.unwrap_or(text.len()))?;
    let is_visible =
        text.len() <= 1000 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#<>\"".contains(&byte));
    public_url(origin, "").filter(|_| is_visible).map(|_| text.to_owned())
}

/// A credential of another service, which chooses its form.
pub(in crate::domain) fn present_secret(text: &str) -> Option<Secret> {
    let is_header = text.bytes().all(|byte| byte.is_ascii_graphic());
    (text.len() >= 8 && is_header).then(|| Secret::new(text))
}

pub(in crate::domain) fn switch(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// One line of displayable text, at most 200 bytes.
pub(in crate::domain) fn line(text: &str) -> Option<String> {
    let fits = !text.trim().is_empty() && text.len() <= 200;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A secret must be long, and must not be a sample from a manual.
pub(in crate::domain) fn secret(text: &str) -> Option<Secret> {
    const SAMPLES: [&str; 9] = [
        "change-me",
        "change_me",
        "changeme",
        "change-this",
        "changethis",
        "your-secret",
        "your_secret",
        "replace-me",
        "example",
    ];
    let lower = text.to_ascii_lowercase();
    let is_sample = SAMPLES.iter().any(|sample| lower.contains(sample));
    let distinct = (0..=u8::MAX).filter(|byte| text.as_bytes().contains(byte)).count();
    // A text of only a few distinct letters is a placeholder.
    let is_repetitive = distinct < 8;
    (text.len() >= MIN_SECRET_BYTES && !is_sample && !is_repetitive).then(|| Secret::new(text))
}

/// The key is sent in a header, so it may contain only characters that a header transmits unchanged.
pub(in crate::domain) fn operator_key(text: &str) -> Option<Secret> {
    let travels = text.trim() == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    secret(text).filter(|_| travels)
}

pub(in crate::domain) fn cors_origins(text: &str) -> Option<CorsOrigins> {
    let origins = JsonText::parse_texts(text)?;
    if origins == ["*"] {
        return Some(CorsOrigins::Any);
    }
    origins.iter().all(|origin| is_origin(origin)).then_some(CorsOrigins::Only(origins))
}

/// `scheme://host[:port]` as a browser writes it (RFC 6454 §6.2): any scheme, lower case, no path, no slash at the end, and
/// no default port.
pub(in crate::domain) fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    is_scheme(scheme) && is_host(host) && port.is_none_or(|port| is_port(port) && default_port(scheme) != Some(port))
}

/// RFC 3986 §3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(allowed)
}

fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_');
    let in_brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
        None => !text.is_empty() && text.bytes().all(allowed),
    }
}

fn is_port(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Browsers leave this port out of the origin.
fn default_port(scheme: &str) -> Option<&'static str> {
    match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    }
}

/// A JSON list of header names (RFC 9110 §5.6.2). `*` is none, because browsers take it literally with credentials.
pub(in crate::domain) fn header_names(text: &str) -> Option<Box<[String]>> {
    let names = JsonText::parse_texts(text)?.into_boxed_slice();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
    names.iter().all(|name| !name.is_empty() && name.bytes().all(allowed)).then_some(names)
}

pub(in crate::domain) fn log_level(text: &str) -> Option<LogLevel> {
    match text {
        "DEBUG" => Some(LogLevel::Debug),
        "INFO" => Some(LogLevel::Info),
        "WARNING" => Some(LogLevel::Warning),
        "ERROR" => Some(LogLevel::Error),
        _ => None,
    }
}

pub(in crate::domain) fn access_log(text: &str) -> Option<AccessLog> {
    match text {
        "both" => Some(AccessLog::Both),
        "finished" => Some(AccessLog::Finished),
        _ => None,
    }
}

pub(in crate::domain) fn log_client(text: &str) -> Option<LogClient> {
    match text {
        "network" => Some(LogClient::Network),
        "address" => Some(LogClient::Address),
        "none" => Some(LogClient::None),
        _ => None,
    }
}

pub(in crate::domain) fn base_path(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(allowed);
    let valid = text.is_empty() || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
    valid.then(|| text.to_owned())
}

//! Destinations: one plain spelling of a public `https` URL, and nothing that a browser could read as another host.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn is_public(host: &str) -> bool {
    is_allowed(&format!("https://{host}/token"), false)
}

#[test]
fn public_names_and_addresses_may_be_called() {
    for url in [
        "https://accounts.google.com",
        "https://oauth2.googleapis.com/token",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://dev-1234.okta.example:8443/oauth2/default?x=1&y=%20",
        "https://id.acme.test/",
        "https://xn--bcher-kva.example/@user/a:b",
        "https://localhost.example/",
        "https://mylocal.example",
        "https://1password.example",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]:443/",
    ] {
        assert!(is_allowed(url, false) && is_allowed(url, true), "{url}");
    }
}

#[test]
fn only_one_spelling_of_a_url_is_known() {
    for url in [
        "",
        "https://",
        "https:/a.example",
        "https:a.example",
        "//a.example",
        "/token",
        "a.example",
        "HTTPS://a.example",
        "ftp://a.example",
        "file:///etc/passwd",
        "javascript://a.example/%0aalert(1)",
        "data://a.example",
        " https://a.example",
        "https://a.example ",
        "https://a.example/a b",
        "https://a.example/\n",
        "https://a.example\t/",
        "https://A.example",
        "https://a.example.",
        "https://.a.example",
        "https://a..example",
        "https://-a.example",
        "https://a-.example",
        "https://a_b.example",
        "https://bücher.example",
        "https://a.example/ü",
        "https://a%2eexample",
        "https://a.example\\@b.example",
        "https://a.example\\",
        "https://user@a.example",
        "https://user:pass@a.example",
        "https://a.example@b.example",
        "https://@a.example",
        "https://a.example#b",
        "https://a.example/#",
        "https://a.example/<x>",
        "https://a.example/{x}",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:080",
        "https://a.example:65536",
        "https://a.example:+80",
        "https://a.example:80:80",
        "https://a.example:80b",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[fe80::1%25eth0]",
        "https://[a.example]",
        "https://?x",
        "https:///a.example",
    ] {
        assert!(!is_allowed(url, true), "{url:?}");
        assert_eq!(origin(url), None, "{url:?}");
    }
    let long = |length: usize| is_allowed(&format!("https://a.example/{}", "x".repeat(length - 18)), false);
    assert!(long(MAX_LENGTH) && !long(MAX_LENGTH + 1));
    let label = "d".repeat(63);
    assert!(is_public(&format!("{label}.example")) && !is_public(&format!("{label}d.example")));
    assert!(!is_public(&format!("{}example", format!("{label}.").repeat(4))));
}

#[test]
fn names_of_private_networks_are_no_public_ones() {
    let hosts = "localhost a.localhost printer.local metadata.google.internal vault.internal router.home.arpa \
        home.arpa dc.corp nas.lan nas.home wiki.intranet x.private intranet kubernetes xn--a";
    for host in hosts.split(' ') {
        assert!(!is_public(host), "{host}");
        assert!(is_allowed(&format!("http://{host}:8080/"), true), "{host}");
    }
    for host in ["arpa.example", "local.example", "corp.example", "notlocal.example", "internal.acme.example"] {
        assert!(is_public(host), "{host}");
    }
}

#[test]
fn special_ipv4_ranges_are_refused_to_their_edges() {
    for (first, last) in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
    ] {
        assert!(!is_public(first) && !is_public(last), "{first} to {last}");
        assert!(is_allowed(&format!("http://{first}"), true));
        let [first, last] = [first, last].map(|text| text.parse::<Ipv4Addr>().unwrap().to_bits());
        for outside in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten().map(Ipv4Addr::from_bits) {
            assert!(is_public(&outside.to_string()), "{outside}");
        }
    }
    assert!(!is_public("169.254.169.254"), "the metadata of clouds");
}

#[test]
fn only_global_unicast_ipv6_is_public() {
    let hosts = ":: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:7f00:1 64:ff9b::7f00:1 \
        64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 \
        5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1";
    for host in hosts.split(' ') {
        assert!(!is_public(&format!("[{host}]")), "{host}");
        assert!(is_allowed(&format!("http://[{host}]:80/"), true), "{host}");
    }
    assert!(is_public("[2a00:1450:4001:81b::200e]"));
}

/// The URL Standard reads all of these as 127.0.0.1 or another address, or fails.
#[test]
fn other_spellings_of_ipv4_are_refused_even_where_private_ones_are_allowed() {
    let hosts = "2130706433 0x7f000001 0X7F000001 017700000001 127.1 127.0.1 0177.0.0.1 0x7f.0.0.1 127.0.0.0x1 \
        127.0.0.01 127.0.0.0x 127.0.0.1. 127.0.0.1.1 1.1.1.1.1 256.1.1.1 a.1 a.example.1 a.0x1f \
        %31%32%37.0.0.1 ①②⑦.⓪.⓪.① 127。0。0。1 1 0";
    for host in hosts.split(' ') {
        assert!(!is_allowed(&format!("https://{host}/"), true), "{host}");
        assert!(!is_allowed(&format!("https://{host}:443"), false), "{host}");
    }
}

#[test]
fn http_is_for_deployments_with_private_destinations() {
    for url in ["http://a.example/", "http://localhost:4000/token", "http://127.0.0.1:4000"] {
        assert!(!is_allowed(url, false) && is_allowed(url, true), "{url}");
    }
}

#[test]
fn an_origin_is_the_scheme_and_the_authority() {
    for (url, expected) in [
        ("https://id.acme.example", "https://id.acme.example"),
        ("https://id.acme.example/", "https://id.acme.example"),
        ("https://id.acme.example/a/b?c=https://d.example/", "https://id.acme.example"),
        ("https://id.acme.example?a:b", "https://id.acme.example"),
        ("https://id.acme.example:8443/a", "https://id.acme.example:8443"),
        ("http://[::1]:4000/a", "http://[::1]:4000"),
        ("http://[::1]/a:b", "http://[::1]"),
    ] {
        assert_eq!(origin(url), Some(expected), "{url}");
    }
}

#[test]
fn a_page_is_https_or_on_the_own_machine() {
    for url in [
        "https://app.acme.example/in?a=1",
        "https://intranet/",
        "http://localhost:3000/",
        "http://127.0.0.1/a",
        "http://[::1]:1/",
    ] {
        assert!(is_page(url), "{url}");
    }
    for url in [
        "http://app.acme.example/",
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "http://a.localhost/",
        "https://a.example/#b",
    ] {
        assert!(!is_page(url), "{url}");
    }
}

#[test]
fn a_domain_of_mail_addresses_has_a_dot_and_is_no_number() {
    for text in ["acme.example", "xn--bcher-kva.example", "a.b.c.example"] {
        assert!(is_domain(text), "{text}");
    }
    for text in [
        "",
        "acme",
        "Acme.example",
        "bücher.example",
        ".example",
        "acme.example.",
        "*.example",
        "@acme.example",
        "a.1",
        "1.1.1.1",
    ] {
        assert!(!is_domain(text), "{text}");
    }
}

/// A small generator of numbers, so that the test is the same every time (Numerical Recipes, "quick and dirty" LCG).
#[test]
fn no_combination_of_parts_leads_to_a_private_host() {
    const PARTS: [&str; 20] = [
        "https://",
        "http://",
        "a.example",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "@",
        ":",
        "/",
        "?",
        "#",
        "\\",
        ".",
        "%2e",
        "443",
        "0x7f",
        "10",
        " ",
        "é",
        "//",
    ];
    let mut state = 1_u32;
    for _ in 0..20_000 {
        let mut url = String::from("https://");
        for _ in 0..5 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            url.push_str(PARTS[(state >> 16) as usize % PARTS.len()]);
        }
        if is_allowed(&url, false) {
            let host = url["https://".len()..].split(['/', '?', ':']).next().unwrap();
            let last = host.rsplit('.').next().unwrap();
            let is_name = last.starts_with(|c: char| c.is_ascii_alphabetic());
            assert!(is_name && last != "localhost" && !url.contains(['\\', '#', ' ', 'é']), "{url}");
            assert!(origin(&url).is_some_and(|origin| url.starts_with(origin) && !origin.contains('@')), "{url}");
        }
    }
}

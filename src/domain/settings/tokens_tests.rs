//! The settings of tokens: the public URL, the issuers and the algorithm.

use super::*;
use crate::domain::settings::tests::{read, wrong};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn the_public_url_is_an_origin_with_the_base_path_and_the_issuer() {
    let url = "https://auth.example.com";
    let settings = read(&[("PUBLIC_URL", url)]).unwrap().tokens;
    assert_eq!(settings.public_url.as_deref(), Some(url));
    assert_eq!((settings.issuers.current.as_str(), settings.issuers.previous.as_deref()), (url, Some("edge-auth")));
    let named = read(&[("PUBLIC_URL", url), ("JWT_ISSUER", url), ("JWT_ISSUER_PREVIOUS", "old")]).unwrap().tokens;
    assert_eq!((named.issuers.current.as_str(), named.issuers.previous.as_deref()), (url, Some("old")));
    let unset = read(&[("PUBLIC_URL", "")]).unwrap().tokens;
    assert_eq!((unset.public_url, unset.issuers), (None, Issuers::only("edge-auth")));
    assert_eq!(read(&[("PUBLIC_URL", url), ("JWT_ISSUER", "another")]).unwrap_err().names, ["JWT_ISSUER"]);
    let below = format!("{url}/api");
    assert!(read(&[("PUBLIC_URL", &below), ("BASE_PATH", "/api")]).is_ok());
    assert_eq!(read(&[("PUBLIC_URL", url), ("BASE_PATH", "/api")]).unwrap_err().names, ["PUBLIC_URL"]);
    for good in
        ["http://localhost:8787", "http://127.0.0.1:8787", "https://xn--bcher-kva.example", "https://a.example:8443"]
    {
        assert!(wrong("PUBLIC_URL", good).is_empty(), "{good}");
    }
    for bad in [
        "auth.example.com",
        "http://auth.example.com",
        "https://auth.example.com/",
        "https://auth.example.com/api",
        "https://user@auth.example.com",
        "https://auth.example.com?x",
        "https://auth.example.com#x",
        "https://AUTH.example.com",
        "https://a..example",
        "https://a.example:99999",
        "https://",
        "ftp://a.example",
        "https://a b.example",
    ] {
        assert_eq!(wrong("PUBLIC_URL", bad), ["PUBLIC_URL"], "{bad}");
    }
}

#[test]
fn access_tokens_are_signed_with_one_of_three_algorithms() {
    let tokens = |pairs: &[(&str, &str)]| read(pairs).unwrap().tokens;
    assert_eq!(tokens(&[]).algorithm, Algorithm::Hs256);
    assert_eq!(tokens(&[("ALGORITHM", "EdDSA")]).algorithm, Algorithm::EdDsa);
    assert_eq!(tokens(&[("ALGORITHM", "ES256")]).algorithm, Algorithm::Es256);
    assert_eq!((tokens(&[]).signing_key_days, tokens(&[]).signing_key_ahead_seconds), (90, 86_400));
    assert!(!tokens(&[]).include_roles && tokens(&[("TOKEN_ROLES", "on")]).include_roles);
    for value in ["none", "hs256", "HS512", "RS256", ""] {
        assert_eq!(wrong("ALGORITHM", value), ["ALGORITHM"]);
    }
    for (name, value) in [("SIGNING_KEY_DAYS", "-1"), ("SIGNING_KEY_AHEAD_HOURS", "721"), ("TOKEN_ROLES", "yes")] {
        assert_eq!(wrong(name, value), [name]);
    }
}

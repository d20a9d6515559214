//! The settings of signing in with others: each rule, and that an error names the setting.

use super::*;
use crate::domain::settings::tests::read;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const URL: &str = "https://login.example.com";

/// Enough for the providers `google`, `github` and `acme`.
const CREDENTIALS: [(&str, &str); 5] = [
    ("PUBLIC_URL", URL),
    ("FEDERATION_GOOGLE_CLIENT_ID", "407408718192.apps.googleusercontent.com"),
    ("FEDERATION_GITHUB_CLIENT_ID", "Iv1.8a61f9b3a7aba766"),
    ("FEDERATION_GITHUB_CLIENT_SECRET", "16c7e42f292c6912e7710c838347ae178b4a"),
    ("FEDERATION_ACME_CLIENT_ID", "edge-auth"),
];

/// The settings with these before the credentials.
fn with(more: &[(&str, &str)]) -> Result<Option<Arc<FederationSettings>>, Vec<String>> {
    let pairs: Vec<_> = more.iter().chain(&CREDENTIALS).copied().collect();
    let names = |names: Vec<Cow<'static, str>>| names.into_iter().map(Cow::into_owned).collect();
    read(&pairs).map(|settings| settings.federation).map_err(|wrong| names(wrong.names))
}

fn federation(list: &str) -> Result<Arc<FederationSettings>, Vec<String>> {
    with(&[("FEDERATION", list)]).map(Option::unwrap)
}

/// The names that are wrong with this list.
fn wrong(list: &str) -> Vec<String> {
    with(&[("FEDERATION", list)]).err().unwrap_or_default()
}

fn acme(more: &str) -> String {
    format!(r#"[{{"id": "acme", "issuer": "https://id.acme.example"{more}}}]"#)
}

#[test]
fn federation_is_off_by_default() {
    assert!(read(&[]).unwrap().federation.is_none());
    for list in ["", "[]"] {
        assert!(with(&[("FEDERATION", list)]).unwrap().is_none());
    }
}

#[test]
fn known_providers_need_a_name_only_and_others_an_issuer() {
    let list = r#"[{"id": "google"}, {"id": "github"},
        {"id": "acme", "issuer": "https://id.acme.example/tenant", "name": "Acme, Inc.", "authoritative_domains": ["acme.example"]}]"#;
    let more = [
        ("FEDERATION", list),
        ("FEDERATION_GOOGLE_CLIENT_SECRET", "GOCSPX-0123456789"),
        ("FEDERATION_GOOGLE_AUDIENCES", r#"["ios.apps.googleusercontent.com"]"#),
    ];
    let settings = with(&more).unwrap().unwrap();
    assert!(!settings.allows_private && settings.callback_base == URL);
    let [google, github, acme] = &settings.providers[..] else { panic!("three providers") };
    assert_eq!((google.id.as_str(), google.name.as_str(), google.issuer()), ("google", "Google", GOOGLE_ISSUER));
    assert_eq!(google.client_id, "407408718192.apps.googleusercontent.com");
    assert!(google.client_secret.as_ref().unwrap().equals("GOCSPX-0123456789"));
    assert_eq!(google.audiences, ["ios.apps.googleusercontent.com"]);
    assert_eq!(google.authoritative_domains, ["gmail.com"]);
    assert_eq!((github.name.as_str(), &github.kind), ("GitHub", &ProviderKind::GitHub { url: GITHUB_URL.into() }));
    assert!(github.authoritative_domains.is_empty() && github.client_secret.is_some());
    let issuer = "https://id.acme.example/tenant".to_owned();
    assert_eq!((acme.name.as_str(), &acme.kind), ("Acme, Inc.", &ProviderKind::OpenId { issuer }));
    assert_eq!(acme.authoritative_domains, ["acme.example"]);
    assert!(acme.client_secret.is_none() && acme.audiences.is_empty());
    assert_eq!(federation(&self::acme("")).unwrap().providers[0].name, "acme");
}

#[test]
fn the_defaults_of_google_are_for_its_own_issuer() {
    let google = |more: &str| federation(&format!(r#"[{{"id": "google"{more}}}]"#)).unwrap().providers[0].clone();
    assert_eq!(google(r#", "issuer": "https://accounts.google.com""#).authoritative_domains, ["gmail.com"]);
    assert!(google(r#", "authoritative_domains": []"#).authoritative_domains.is_empty());
    assert!(google(r#", "issuer": "https://stand-in.example""#).authoritative_domains.is_empty());
}

#[test]
fn an_enterprise_server_is_github_with_a_url() {
    let url = |url: &str| federation(&format!(r#"[{{"id": "github", "url": "{url}"}}]"#));
    for (text, expected) in [
        ("https://github.acme.example", "https://github.acme.example"),
        ("https://github.acme.example/", "https://github.acme.example"),
        ("https://github.com/", "https://github.com"),
    ] {
        assert_eq!(url(text).unwrap().providers[0].issuer(), expected);
    }
    for text in
        ["", "github.acme.example", "http://github.acme.example", "https://10.0.0.7", "https://github.acme.example?x"]
    {
        assert_eq!(url(text).unwrap_err(), ["FEDERATION"], "{text}");
    }
}

#[test]
fn an_entry_has_an_id_and_the_members_of_its_kind() {
    for entry in [
        "{}",
        r#"{"id": "acme"}"#,
        r#"{"id": "acme", "url": "https://github.acme.example"}"#,
        r#"{"id": "acme", "issuer": "https://id.acme.example", "url": "https://github.acme.example"}"#,
        r#"{"id": "github", "issuer": "https://id.acme.example"}"#,
        r#"{"id": "github", "issuer": "https://id.acme.example", "url": "https://github.acme.example"}"#,
        r#"{"id": "google", "url": "https://accounts.google.com"}"#,
        r#"{"id": "google", "authoritative_domain": ["acme.example"]}"#,
        r#"{"id": "google", "client_id": "x"}"#,
        r#"{"id": "google", "id": "google"}"#,
        r#"{"id": "google", "name": ""}"#,
        r#"{"id": "google", "name": "a\nb"}"#,
        r#"{"id": 1}"#,
        r#""google""#,
        "null",
        "[]",
    ] {
        assert_eq!(wrong(&format!("[{entry}]")), ["FEDERATION"], "{entry}");
    }
    for list in ["google", "{}", r#"{"id": "google"}"#, "null", r#"[{"id": "google"}"#] {
        assert_eq!(wrong(list), ["FEDERATION"], "{list}");
    }
    for domain in
        ["", "acme", "Acme.example", "*.acme.example", "@acme.example", "bücher.example", "acme.example.", "1.1.1.1"]
    {
        assert_eq!(wrong(&acme(&format!(r#", "authoritative_domains": ["{domain}"]"#))), ["FEDERATION"], "{domain}");
    }
}

#[test]
fn an_id_is_short_and_none_of_the_other_routes() {
    let id = |id: &str| {
        let list = format!(r#"[{{"id": "{id}", "issuer": "https://id.acme.example"}}]"#);
        let name = format!("FEDERATION_{}_CLIENT_ID", id.to_uppercase().replace('-', "_"));
        with(&[("FEDERATION", &list), (&name, "edge-auth")])
    };
    let longest = format!("a{}", "0".repeat(31));
    for good in ["a", "acme-2_x", "googles", "exchanges", &longest] {
        assert!(id(good).is_ok(), "{good}");
    }
    let too_long = format!("{longest}0");
    for bad in
        ["", "Acme", "2acme", "-acme", "_acme", "ac me", "ac.me", "ac/me", "acmé", "exchange", "confirm", &too_long]
    {
        assert_eq!(id(bad).unwrap_err(), ["FEDERATION"], "{bad}");
    }
}

#[test]
fn ids_names_of_settings_and_issuers_are_unique() {
    let two = |[a, b]: [&str; 2], [c, d]: [&str; 2]| {
        format!(r#"[{{"id": "{a}", "issuer": "{b}"}}, {{"id": "{c}", "issuer": "{d}"}}]"#)
    };
    let (one, other) = ("https://one.example", "https://other.example");
    assert_eq!(wrong(&two(["acme", one], ["acme", other])), ["FEDERATION"]);
    assert_eq!(wrong(&two(["a-b", one], ["a_b", other])), ["FEDERATION"]);
    assert_eq!(wrong(&two(["a", one], ["b", one])), ["FEDERATION"]);
    assert_eq!(wrong(&two(["a", one], ["b", "https://one.example/"])), ["FEDERATION"]);
    assert_eq!(wrong(r#"[{"id": "google"}, {"id": "acme", "issuer": "https://accounts.google.com"}]"#), ["FEDERATION"]);
    assert_eq!(wrong(r#"[{"id": "google"}, {"id": "github"}, {"id": "google"}]"#), ["FEDERATION"]);
    let entries = |count: usize| {
        let entry = |n: usize| format!(r#"{{"id": "p{n}", "issuer": "https://p{n}.example"}}"#);
        format!("[{}]", (0..count).map(entry).collect::<Vec<_>>().join(","))
    };
    assert_eq!(wrong(&entries(20)).len(), 20, "each lacks its client id");
    assert_eq!(wrong(&entries(21)), ["FEDERATION"]);
}

#[test]
fn private_issuers_are_for_deployments_that_allow_them() {
    for issuer in [
        "http://id.acme.example",
        "http://localhost:4000",
        "https://127.0.0.1",
        "https://id.internal",
        "https://intranet",
    ] {
        let list = format!(r#"[{{"id": "acme", "issuer": "{issuer}"}}]"#);
        for switch in [None, Some("off"), Some("on")] {
            let switched = switch.map(|on| ("FEDERATION_ALLOW_PRIVATE", on));
            let more: Vec<_> = switched.into_iter().chain([("FEDERATION", list.as_str())]).collect();
            match with(&more) {
                Ok(settings) => assert!(switch == Some("on") && settings.unwrap().allows_private, "{issuer}"),
                Err(names) => assert!(switch != Some("on") && names == ["FEDERATION"], "{issuer}"),
            }
        }
        let wrong = with(&[("FEDERATION", &list), ("FEDERATION_ALLOW_PRIVATE", "yes")]).unwrap_err();
        assert_eq!(wrong, ["FEDERATION_ALLOW_PRIVATE"]);
    }
    for issuer in [
        "",
        "id.acme.example",
        "https://id.acme.example?x",
        "https://id.acme.example#x",
        "https://u@id.acme.example",
        "ftp://id.acme.example",
    ] {
        let list = format!(r#"[{{"id": "acme", "issuer": "{issuer}"}}]"#);
        let more = [("FEDERATION", list.as_str()), ("FEDERATION_ALLOW_PRIVATE", "on")];
        assert_eq!(with(&more).unwrap_err(), ["FEDERATION"], "{issuer}");
    }
}

#[test]
fn credentials_are_named_after_the_id() {
    let list = r#"[{"id": "my-idp_2", "issuer": "https://id.acme.example"}]"#;
    let own = |name: &'static str, value: &'static str| {
        with(&[("FEDERATION", list), ("FEDERATION_MY_IDP_2_CLIENT_ID", "edge-auth"), (name, value)])
    };
    assert_eq!(wrong(list), ["FEDERATION_MY_IDP_2_CLIENT_ID"]);
    assert_eq!(own("X", "").unwrap().unwrap().providers[0].client_id, "edge-auth");
    let twenty =
        r#"["01","02","03","04","05","06","07","08","09","10","11","12","13","14","15","16","17","18","19","20"]"#;
    for value in ["", "[]", r#"["ios", "android"]"#, twenty] {
        assert!(own("FEDERATION_MY_IDP_2_AUDIENCES", value).is_ok(), "{value}");
    }
    let too_many =
        r#"["01","02","03","04","05","06","07","08","09","10","11","12","13","14","15","16","17","18","19","20","21"]"#;
    for value in ["ios", "{}", "[1]", r#"[""]"#, r#"["a b"]"#, r#"["é"]"#, too_many] {
        let name = "FEDERATION_MY_IDP_2_AUDIENCES";
        assert_eq!(own(name, value).unwrap_err(), [name], "{value}");
    }
    for value in ["short", "with a blank", "hunter2\nhunter2"] {
        let name = "FEDERATION_MY_IDP_2_CLIENT_SECRET";
        assert_eq!(own(name, value).unwrap_err(), [name], "{value}");
    }
    let longest = "c".repeat(256);
    for value in ["", " ", "a b", "é", &longest] {
        let wrong = with(&[("FEDERATION", &acme("")), ("FEDERATION_ACME_CLIENT_ID", value)]).unwrap_err();
        assert_eq!(wrong, ["FEDERATION_ACME_CLIENT_ID"], "{value}");
    }
    let github = with(&[("FEDERATION", r#"[{"id": "github"}]"#), ("FEDERATION_GITHUB_CLIENT_SECRET", "")]);
    assert_eq!(github.unwrap_err(), ["FEDERATION_GITHUB_CLIENT_SECRET"], "GitHub has no public clients");
}

#[test]
fn a_public_url_is_needed_and_every_wrong_setting_is_named() {
    let names = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().names;
    let list = r#"[{"id": "google"}, {"id": "github"}]"#;
    let all =
        ["FEDERATION_GOOGLE_CLIENT_ID", "FEDERATION_GITHUB_CLIENT_ID", "FEDERATION_GITHUB_CLIENT_SECRET", "PUBLIC_URL"];
    assert_eq!(names(&[("FEDERATION", list)]), all);
    let secret = [("FEDERATION", list), ("FEDERATION_GOOGLE_CLIENT_SECRET", "hunter2"), ("PUBLIC_URL", URL)];
    assert!(!names(&secret).iter().any(|name| name.contains("hunter2")));
    assert_eq!(names(&[("FEDERATION_RETURN_URLS", "x")]), ["FEDERATION_RETURN_URLS"], "also if it has no effect");
    assert_eq!(names(&[("FEDERATION_ALLOW_PRIVATE", "")]), ["FEDERATION_ALLOW_PRIVATE"]);
    let text = format!("{:?}", with(&[("FEDERATION", r#"[{"id": "github"}]"#)]).unwrap());
    assert!(!text.contains("16c7e42f"), "secrets do not show in debug output");
}

#[test]
fn a_browser_returns_to_listed_pages_and_apps_only() {
    let urls = |list: &str| with(&[("FEDERATION", &acme("")), ("FEDERATION_RETURN_URLS", list)]);
    let own = ["account", "console"].map(|page| format!("{URL}/{page}"));
    let own = own.each_ref().map(String::as_str);
    assert_eq!(federation(&acme("")).unwrap().return_urls, own);
    let good = [
        "https://app.example.com/callback?a=1",
        "https://intranet/in",
        "http://localhost:3000/",
        "http://127.0.0.1:3000/in",
        "http://[::1]:3000/",
        "com.example.app:/callback",
        "com.example.app://callback",
        "org.example.my-app2:/in?a=b",
    ];
    let list = serde_json::to_string(&good).unwrap();
    assert_eq!(urls(&list).unwrap().unwrap().return_urls, [&good[..], &own].concat());
    assert_eq!(urls(&format!("[{:?}]", own[0])).unwrap().unwrap().return_urls, own);
    let without_pages = with(&[("FEDERATION", &acme("")), ("PAGES", "off")]).unwrap().unwrap();
    assert!(without_pages.return_urls.is_empty());
    let too_long = format!("https://app.example.com/{}", "x".repeat(1000));
    let bad = "/callback app.example.com http://app.example.com/ https://app.example.com/#x \
        https://u@app.example.com/ javascript:alert(1) javascript:/alert(1) data:text/html,x \
        file:///etc/passwd myapp:/callback myapp://callback com.example.app:callback com.example.app: \
        com.example.app:/a#b Com.example.app:/a com..app:/a .com:/a com.:/a 2com.app:/a javascript.:/a \
        com.example.app:/<x> //a.example";
    for bad in bad.split(' ').chain(["", "https://app.example.com/a b", "com.example.app:/a\nb", &too_long]) {
        let list = serde_json::to_string(&[bad]).unwrap();
        assert_eq!(urls(&list).unwrap_err(), ["FEDERATION_RETURN_URLS"], "{bad}");
    }
    for list in ["https://app.example.com", "{}", "[1]", "null"] {
        assert_eq!(urls(list).unwrap_err(), ["FEDERATION_RETURN_URLS"], "{list}");
    }
}

//! Each setting: its default, its accepted and refused values, and that an error names it.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const GOOD_SECRET: &str = "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7";

pub(super) fn read(pairs: &[(&str, &str)]) -> Result<Settings, WrongSettings> {
    Settings::read(|name| {
        let set = pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        set.or_else(|| (name == "SECRET_KEY").then(|| GOOD_SECRET.to_owned()))
    })
}

pub(super) fn wrong(name: &str, value: &str) -> Vec<Cow<'static, str>> {
    read(&[(name, value)]).err().map_or_else(Vec::new, |wrong| wrong.names)
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.lifetimes.access_seconds, 900);
    assert_eq!(settings.lifetimes.refresh_seconds, 604_800);
    assert_eq!(settings.lifetimes.session_seconds, 2_592_000);
    assert_eq!(settings.lifetimes.reuse_interval_seconds, 0);
    assert_eq!(
        (settings.tokens.issuers.current.as_str(), settings.tokens.audience.as_str()),
        ("edge-auth", "edge-auth")
    );
    assert_eq!(settings.password_work, HashWork::Pbkdf2Sha256 { rounds: 600_000 });
    assert_eq!(settings.password_min_length, 8);
    assert_eq!(settings.presentation.cors_origins, CorsOrigins::Only(vec![]));
    assert_eq!(settings.d1_timeout_ms, 5000);
    assert!(!settings.read_replication);
    assert_eq!(settings.presentation.log_level, LogLevel::Info);
    assert_eq!(settings.presentation.access_log, AccessLog::Both);
    assert_eq!((settings.presentation.app_name.as_str(), settings.presentation.base_path.as_str()), ("edge-auth", ""));
    let keys = &settings.secret_keys;
    assert!(keys.next.is_none() && keys.previous.is_none() && settings.operator_key.is_none());
    assert_eq!(keys.previous_use, PreviousUse::All);
    let breaker = Policy {
        failure_threshold: 5,
        failure_percent: 50,
        failure_window_ms: 60_000,
        recovery_timeout_ms: 30_000,
        max_probes: 1,
        probe_timeout_ms: 6_000,
    };
    assert_eq!(settings.breaker, breaker);
}

#[test]
fn the_secret_is_required_and_long_and_not_a_sample() {
    let missing = Settings::read(|_| None).unwrap_err();
    assert_eq!(missing.names, ["SECRET_KEY"]);
    let bad = [
        "",
        "short",
        "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c",
        "change-me-change-me-change-me-change-me",
        "your-secret-key-here-0123456789abcdef",
        "CHANGEME0123456789abcdefghijklmnop",
        &"a".repeat(64),
        &"abc".repeat(20),
    ];
    for value in bad {
        assert_eq!(wrong("SECRET_KEY", value), ["SECRET_KEY"], "{value}");
        if !value.is_empty() {
            for name in ["SECRET_KEY_NEXT", "SECRET_KEY_PREVIOUS", "OPERATOR_KEY"] {
                assert_eq!(wrong(name, value), [name], "{value}");
            }
        }
    }
    for value in [format!(" {GOOD_SECRET}"), format!("{GOOD_SECRET}é"), format!("{GOOD_SECRET}\n")] {
        assert_eq!(wrong("OPERATOR_KEY", &value), ["OPERATOR_KEY"], "a header would change it");
    }
}

#[test]
fn the_keys_of_a_rotation_are_optional_and_differ() {
    let (b, c) = ("another secret 0123456789 abcdefgh", "a third secret 0123456789 abcdefgh");
    let unset = read(&[("SECRET_KEY_PREVIOUS", ""), ("SECRET_KEY_NEXT", "")]).unwrap().secret_keys;
    assert!(unset.previous.is_none() && unset.next.is_none());
    let names = |next: &str, previous: &str| {
        let read = read(&[("SECRET_KEY_NEXT", next), ("SECRET_KEY_PREVIOUS", previous)]);
        read.map_or_else(
            |wrong| wrong.names,
            |settings| vec![settings.secret_keys.next.map_or("none", |_| "read").into()],
        )
    };
    assert_eq!(names(b, c), ["read"]);
    assert_eq!(names("", c), ["none"]);
    assert_eq!(names(GOOD_SECRET, ""), ["SECRET_KEY_NEXT (equal to SECRET_KEY)"]);
    assert_eq!(names("", GOOD_SECRET), ["SECRET_KEY_PREVIOUS (equal to SECRET_KEY)"]);
    assert_eq!(names(b, b), ["SECRET_KEY_NEXT (equal to SECRET_KEY_PREVIOUS)"]);
    assert_eq!(names(GOOD_SECRET, GOOD_SECRET).len(), 3);
    for (value, expected) in [("all", PreviousUse::All), ("decrypt", PreviousUse::Decrypt)] {
        assert_eq!(read(&[("SECRET_KEY_PREVIOUS_USE", value)]).unwrap().secret_keys.previous_use, expected);
    }
    for value in ["", "ALL", "verify", "none"] {
        assert_eq!(wrong("SECRET_KEY_PREVIOUS_USE", value), ["SECRET_KEY_PREVIOUS_USE"]);
    }
}

#[test]
fn every_wrong_setting_is_named_and_no_value_is_repeated() {
    let pairs = [
        ("SECRET_KEY", "hunter2"),
        ("ALGORITHM", "RS256"),
        ("SESSION_MAX_DAYS", "soon"),
        ("LOG_LEVEL", "LOUD"),
        ("BASE_PATH", "api"),
    ];
    let wrong = read(&pairs).unwrap_err();
    assert_eq!(wrong.names, ["LOG_LEVEL", "BASE_PATH", "SECRET_KEY", "ALGORITHM", "SESSION_MAX_DAYS"]);
    assert_eq!(
        wrong.to_string(),
        "missing or wrong settings: LOG_LEVEL, BASE_PATH, SECRET_KEY, ALGORITHM, SESSION_MAX_DAYS"
    );
}

#[test]
fn numbers_have_bounds() {
    let bounds = [
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "1", "10080"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "1", "365"),
        ("SESSION_MAX_DAYS", "1", "3650"),
        ("REFRESH_REUSE_INTERVAL_SECONDS", "0", "3600"),
        ("PASSWORD_ITERATIONS", "1", "10000000"),
        ("PASSWORD_MIN_LENGTH", "1", "128"),
        ("D1_TIMEOUT_MS", "1", "60000"),
        ("D1_SIZE_LIMIT_MB", "1", "1000000"),
        ("BREAKER_FAILURE_THRESHOLD", "1", "1000"),
        ("BREAKER_FAILURE_PERCENT", "1", "100"),
        ("BREAKER_FAILURE_WINDOW_SECONDS", "1", "3600"),
        ("BREAKER_RECOVERY_TIMEOUT_SECONDS", "1", "3600"),
        ("BREAKER_HALF_OPEN_MAX_CALLS", "1", "100"),
    ];
    for (name, min, max) in bounds {
        let over = (max.parse::<i64>().unwrap() + 1).to_string();
        let under = (min.parse::<i64>().unwrap() - 1).to_string();
        assert!(wrong(name, min).is_empty() && wrong(name, max).is_empty(), "{name}");
        for value in [over.as_str(), under.as_str(), "", "ten", "1.5", "1e3", " 1", "0x10"] {
            assert_eq!(wrong(name, value), [name], "{name} = {value:?}");
        }
    }
}

#[test]
fn the_access_log_has_both_lines_or_the_last() {
    let read_as = |value| read(&[("ACCESS_LOG", value)]).unwrap().presentation.access_log;
    assert_eq!((read_as("both"), read_as("finished")), (AccessLog::Both, AccessLog::Finished));
    for value in ["", "Both", "started", "none", "off", " finished"] {
        assert_eq!(wrong("ACCESS_LOG", value), ["ACCESS_LOG"], "{value:?}");
    }
}

#[test]
fn refusals_log_the_network_the_address_or_nothing() {
    let read_as = |value| read(&[("LOG_CLIENT", value)]).unwrap().presentation.log_client;
    let expected = [LogClient::Network, LogClient::Address, LogClient::None];
    assert_eq!(["network", "address", "none"].map(read_as), expected);
    assert_eq!(read(&[]).unwrap().presentation.log_client, LogClient::Network);
    for value in ["", "Network", "ip", "off", " none"] {
        assert_eq!(wrong("LOG_CLIENT", value), ["LOG_CLIENT"], "{value:?}");
    }
}

#[test]
fn request_headers_are_a_json_list_of_header_names() {
    let names = |value| read(&[("CORS_REQUEST_HEADERS", value)]).unwrap().presentation.cors_request_headers;
    assert!(names("[]").is_empty());
    assert_eq!(*names(r#"["baggage","Sentry-Trace"]"#), ["baggage", "Sentry-Trace"]);
    for value in ["", "baggage", "[1]", r#"["*"]"#, r#"[""]"#, r#"["a b"]"#, r#"["a:"]"#, r#"["ä"]"#, "[\"a\\n\"]"] {
        assert_eq!(wrong("CORS_REQUEST_HEADERS", value), ["CORS_REQUEST_HEADERS"], "{value}");
    }
}

#[test]
fn origins_are_a_json_list_of_exact_origins() {
    let good = [
        "https://app.example.com",
        "http://localhost:3000",
        "https://app.example.com:80",
        "http://[::1]:8080",
        "capacitor://localhost",
        "tauri://localhost",
        "ionic://localhost:443",
        "chrome-extension://abcdefghijklmnop",
    ];
    let list = serde_json::to_string(&good).unwrap();
    let expected = CorsOrigins::Only(good.map(str::to_owned).to_vec());
    assert_eq!(read(&[("BACKEND_CORS_ORIGINS", &list)]).unwrap().presentation.cors_origins, expected);
    assert_eq!(read(&[("BACKEND_CORS_ORIGINS", r#"["*"]"#)]).unwrap().presentation.cors_origins, CorsOrigins::Any);
    let bad = [
        "",
        "*",
        "https://a.example",
        "[1]",
        r#"["a.example"]"#,
        r#"["https://a.example/"]"#,
        r#"["https://A.example"]"#,
        r#"["https://"]"#,
        r#"["*","https://a.example"]"#,
        r#"["null"]"#,
        r#"["https://a.example:443"]"#,
        r#"["http://a.example:80"]"#,
        r#"["https://a.example:"]"#,
        r#"["https://a.example:0"]"#,
        r#"["https://a.example:08"]"#,
        r#"["https://a.example:65536"]"#,
        r#"["https://user@a.example"]"#,
        r#"["https://a.example?x"]"#,
        r#"["https://[::1"]"#,
        r#"["https://[0:0::1]"]"#,
        r#"["https://[a.example]"]"#,
        r#"["capacitor://"]"#,
        r#"["capacitor:localhost"]"#,
        r#"["Capacitor://localhost"]"#,
        r#"["1app://localhost"]"#,
        r#"["://localhost"]"#,
        r#"["https://bücher.example"]"#,
    ];
    for value in bad {
        assert_eq!(wrong("BACKEND_CORS_ORIGINS", value), ["BACKEND_CORS_ORIGINS"], "{value}");
    }
}

#[test]
fn base_path_is_empty_or_a_rooted_path_without_a_slash_at_the_end() {
    for value in ["", "/api", "/api/v1", "/a-b_c.d~e"] {
        assert!(wrong("BASE_PATH", value).is_empty(), "{value}");
    }
    for value in ["/", "api", "/api/", "//api", "/a//b", "/a b", "/{id}", "/*"] {
        assert_eq!(wrong("BASE_PATH", value), ["BASE_PATH"], "{value}");
    }
}

#[test]
fn names_have_one_line() {
    for name in ["JWT_ISSUER", "JWT_AUDIENCE", "APP_NAME"] {
        assert!(wrong(name, "Ünïversity login").is_empty());
        for value in ["", " ", "a\nb", &"x".repeat(201)] {
            assert_eq!(wrong(name, value), [name]);
        }
    }
}

#[test]
fn new_hashes_use_one_of_two_functions() {
    let work = |pairs: &[(&str, &str)]| read(pairs).unwrap().password_work;
    let rounds = ("PASSWORD_ITERATIONS", "700000");
    assert_eq!(work(&[("PASSWORD_HASH", "pbkdf2-sha256"), rounds]), HashWork::Pbkdf2Sha256 { rounds: 700_000 });
    assert_eq!(work(&[("PASSWORD_HASH", "argon2id"), rounds]), HashWork::Argon2id(Cost::RECOMMENDED));
    for value in
        ["", "argon2", "argon2i", "Argon2id", "pbkdf2", "bcrypt", " argon2id", "$argon2id$v=19$m=65536,t=2,p=1"]
    {
        assert_eq!(wrong("PASSWORD_HASH", value), ["PASSWORD_HASH"], "{value:?}");
    }
    let wrong = read(&[("PASSWORD_HASH", "argon2id"), ("PASSWORD_ITERATIONS", "many")]).unwrap_err();
    assert_eq!(wrong.names, ["PASSWORD_ITERATIONS"], "also if it has no effect");
}

#[test]
fn few_rounds_are_allowed_with_a_warning() {
    let weak = |pairs: &[(&str, &str)]| read(pairs).unwrap().weak_password_rounds();
    assert_eq!(weak(&[("PASSWORD_ITERATIONS", "99999")]), Some(99_999));
    assert_eq!(weak(&[("PASSWORD_ITERATIONS", "100000")]), None);
    assert_eq!(weak(&[("PASSWORD_ITERATIONS", "1"), ("PASSWORD_HASH", "argon2id")]), None, "Argon2id ignores them");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    assert!(!format!("{:?}", read(&[]).unwrap()).contains(GOOD_SECRET));
}

#[test]
fn presentation_is_known_even_if_other_settings_are_wrong() {
    let pairs =
        [("SECRET_KEY", "short"), ("BASE_PATH", "/api"), ("APP_NAME", "x"), ("ACCESS_LOG", "loud"), ("LOG_CLIENT", "")];
    let presentation = read(&pairs).unwrap_err().presentation;
    let expected = Presentation { base_path: "/api".into(), app_name: "x".into(), ..Presentation::default() };
    assert_eq!(*presentation, expected);
}

//! A change of `SECRET_KEY` while isolates with the old and the new settings share one database.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edge_auth::domain::ids::{SessionId, TokenId, UserId};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::domain::session::token::{TokenClaims, TokenKind};
use serde_json::{Value, json};

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, SECRET as A, START, Service, Tokens};
use crate::throttle_networks::{HOME, device_of, flood, login, network, sum};

const B: &str = "another secret 0123456789 abcdefgh";
const C: &str = "a third secret 0123456789 abcdefgh";

type Settings = &'static [(&'static str, &'static str)];

const BEFORE: Settings = &[("SECRET_KEY", A)];
const NEXT_IS_KNOWN: Settings = &[("SECRET_KEY", A), ("SECRET_KEY_NEXT", B)];
const CHANGED: Settings = &[("SECRET_KEY", B), ("SECRET_KEY_PREVIOUS", A)];
const SETTLED: Settings = &[("SECRET_KEY", B)];
const NEXT_AGAIN: Settings = &[("SECRET_KEY", B), ("SECRET_KEY_PREVIOUS", A), ("SECRET_KEY_NEXT", C)];
const CHANGED_AGAIN: Settings = &[("SECRET_KEY", C), ("SECRET_KEY_PREVIOUS", B)];
const LEAKED: Settings = &[("SECRET_KEY", B), ("SECRET_KEY_PREVIOUS", A), ("SECRET_KEY_PREVIOUS_USE", "decrypt")];

/// Each step: settings of isolates that have not learnt of it, and of those that have. A step that is taken back is the
/// same pair. The second rotation begins before the first one's previous key is removed.
const STEPS: [(Settings, Settings); 5] = [
    (BEFORE, NEXT_IS_KNOWN),
    (NEXT_IS_KNOWN, CHANGED),
    (CHANGED, SETTLED),
    (CHANGED, NEXT_AGAIN),
    (NEXT_AGAIN, CHANGED_AGAIN),
];

/// Isolates with the same database.
fn isolates<const N: usize>(settings: [Settings; N]) -> [Service; N] {
    let db = Arc::new(Sqlite::migrated());
    settings.map(|settings| {
        let settings: Vec<_> = settings.iter().copied().chain([("REFRESH_REUSE_INTERVAL_SECONDS", "60")]).collect();
        Service::on(Arc::clone(&db), db.clone(), &settings)
    })
}

/// Header and claims of a token.
pub fn decoded(token: &str) -> (Value, Value) {
    let mut parts =
        token.split('.').map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()));
    (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap())
}

async fn assert_accepted(service: &Service, tokens: &Tokens) {
    service.me(&tokens.access).await.expect(200);
    service.get_as("/auth/sessions", &tokens.access).await.expect(200);
}

#[tokio::test]
async fn at_each_step_tokens_of_every_isolate_are_accepted_by_every_isolate() {
    for (before, after) in STEPS {
        let [old, new] = isolates([before, after]);
        old.register(EMAIL).await;
        for issuing in [&old, &new] {
            let reply = issuing.login(EMAIL, PASSWORD).await.expect(200);
            let (mut tokens, device) = (reply.tokens(), device_of(&reply));
            for accepting in [&old, &new, &old, &old, &new, &new] {
                assert_accepted(accepting, &tokens).await;
                tokens = accepting.refresh(&tokens.refresh).await.expect(200).tokens();
            }
            for accepting in [&old, &new] {
                assert_accepted(accepting, &tokens).await;
                let reply = login(accepting, "198.51.100.7", PASSWORD, Some(&device)).await.expect(200);
                let [kept, first] = [&device_of(&reply), &device].map(|token| decoded(token).1["jti"].clone());
                assert_eq!(kept, first, "the device is known");
                let ended = issuing.login(EMAIL, PASSWORD).await.expect(200).tokens();
                accepting.logout(&ended.refresh).await.expect(200);
                issuing.me(&ended.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
            }
        }
    }
}

#[tokio::test]
async fn a_session_of_before_survives_the_whole_rotation_until_its_absolute_end() {
    let [before, next_is_known, changed, settled] = isolates([BEFORE, NEXT_IS_KNOWN, CHANGED, SETTLED]);
    let mut tokens = before.register(EMAIL).await;
    for isolate in [&next_is_known, &changed, &settled] {
        isolate.me(&tokens.access).await.expect(200);
        tokens = isolate.refresh(&tokens.refresh).await.expect(200).tokens();
    }
    settled.me(&tokens.access).await.expect(200);
    before.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    before.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
}

/// The key signs the text of the successor, and its claims follow from the row. So the retry at an isolate with the other
/// key is the same token with another signature: the same id, so never a second branch.
#[tokio::test]
async fn a_retry_at_an_isolate_with_the_other_key_returns_the_same_token() {
    for (before, after) in STEPS {
        for is_reversed in [false, true] {
            let [first, second] = isolates(if is_reversed { [after, before] } else { [before, after] });
            let tokens = first.register(EMAIL).await;
            let lost = first.refresh(&tokens.refresh).await.expect(200).tokens();
            let again = second.refresh(&tokens.refresh).await.expect(200).tokens();
            let claims = |tokens: &Tokens| decoded(&tokens.refresh).1;
            assert_eq!(claims(&lost), claims(&again), "one token");
            assert_eq!(lost.refresh == again.refresh, decoded(&lost.refresh).0 == decoded(&again.refresh).0);
            for isolate in [&first, &second] {
                assert_accepted(isolate, &again).await;
                assert_accepted(isolate, &lost).await;
            }
            // Both texts are used: the second use is a retry of the first.
            let successor = second.refresh(&lost.refresh).await.expect(200).tokens();
            let retried = first.refresh(&again.refresh).await.expect(200).tokens();
            assert_eq!(claims(&successor), claims(&retried));
            // The first token is two exchanges old: theft, at any isolate.
            second.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
            for token in [&successor.refresh, &retried.refresh] {
                first.refresh(token).await.expect_error(401, "AUTH_TOKEN_REVOKED");
            }
        }
    }
}

#[tokio::test]
async fn after_a_leak_nothing_that_the_old_key_signs_is_accepted() {
    let [before, changed, leaked] = isolates([BEFORE, CHANGED, LEAKED]);
    let reply = before.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    let real = reply.tokens();
    let (_, claims) = decoded(&real.refresh);
    let member = |name: &str| claims[name].as_str().unwrap().to_owned();
    let forged = TokenClaims {
        id: TokenId::parse(&member("jti")).unwrap(),
        user_id: UserId::parse(&member("sub")).unwrap(),
        session_id: SessionId::parse(&member("sid")).unwrap(),
        issued_at: START,
        expires_at: START.plus_seconds(900),
        auth_time: Some(START),
        methods: AuthMethods::PASSWORD,
        bookmark: None,
    };
    let thief = TokenAuthority::new(&SecretKeys::only(Secret::new(A)), Issuers::only("edge-auth"), "edge-auth");
    let [access, refresh] =
        [TokenKind::Access, TokenKind::Refresh].map(|kind| thief.sign(kind, &forged).unwrap().expose().to_owned());
    changed.me(&access).await.expect(200);
    for token in [&access, &real.access] {
        leaked.me(token).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    for token in [&refresh, &real.refresh] {
        leaked.refresh(token).await.expect_error(401, "AUTH_TOKEN_INVALID");
        leaked.logout(token).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    // A device token of the old key speaks for no client any more.
    flood(&leaked, 0..30).await;
    login(&leaked, "203.0.113.9", PASSWORD, Some(&device_of(&reply))).await.expect(401);
    leaked.db.execute("DELETE FROM throttles");
    let again = leaked.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_accepted(&leaked, &again).await;
}

/// Networks are stored as keyed hashes, so a new key must still find those of the old one.
#[tokio::test]
async fn known_networks_stay_known_across_the_rotation_and_have_one_row() {
    let [next_is_known, changed, settled, leaked] = isolates([NEXT_IS_KNOWN, CHANGED, SETTLED, LEAKED]);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    next_is_known.post_from(HOME, "/auth/register", &body).await.expect(201);
    login(&next_is_known, "192.0.2.2", PASSWORD, None).await.expect(200);
    flood(&changed, 0..30).await;
    let known = || sum(&changed, "count(*)", "user/1/known/%");
    for isolate in [&settled, &leaked] {
        login(isolate, HOME, PASSWORD, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        login(isolate, "192.0.2.2", PASSWORD, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(known(), 1);
    for isolate in [&changed, &next_is_known, &changed] {
        for ip in [HOME, "192.0.2.2"] {
            login(isolate, ip, PASSWORD, None).await.expect(200);
            assert_eq!(leaked.last_d1_calls(), 2, "the log is that of the last service");
        }
        login(isolate, &network(99), PASSWORD, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(known(), 2, "the row of a network gets the new hash");
    for ip in [HOME, "192.0.2.2"] {
        login(&settled, ip, PASSWORD, None).await.expect(200);
    }
}

#[tokio::test]
async fn failures_at_isolates_with_different_keys_count_together() {
    let [next_is_known, changed] = isolates([NEXT_IS_KNOWN, CHANGED]);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    next_is_known.post_from(HOME, "/auth/register", &body).await.expect(201);
    for isolate in [&next_is_known, &changed, &next_is_known, &changed, &next_is_known, &changed] {
        login(isolate, HOME, "not the password", None).await.expect(401);
    }
    assert_eq!(sum(&changed, "max(failures)", "user/1/known/%"), 6);
    for isolate in [&next_is_known, &changed] {
        login(isolate, HOME, PASSWORD, None).await.expect(401);
    }
}

#[tokio::test]
async fn two_equal_keys_are_a_configuration_error_that_names_the_setting() {
    for (name, wrong) in [
        ("SECRET_KEY_NEXT (equal to SECRET_KEY)", [("SECRET_KEY_NEXT", A), ("SECRET_KEY_PREVIOUS", B)]),
        ("SECRET_KEY_PREVIOUS (equal to SECRET_KEY)", [("SECRET_KEY_NEXT", B), ("SECRET_KEY_PREVIOUS", A)]),
        ("SECRET_KEY_NEXT (equal to SECRET_KEY_PREVIOUS)", [("SECRET_KEY_NEXT", B), ("SECRET_KEY_PREVIOUS", B)]),
    ] {
        let service = Service::with(&wrong);
        service.me("x").await.expect_error(500, "CONFIGURATION_ERROR");
        let cause = service.logs("Request failed")[0]["cause"].clone();
        assert_eq!(cause, format!("missing or wrong settings: {name}"));
    }
}

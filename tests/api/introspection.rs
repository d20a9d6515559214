//! Introspection (RFC 7662) and revocation (RFC 7009): every kind of token, alive and dead, and every kind of client.

use edge_auth::domain::keys::Algorithm;
use serde_json::{Value, json};

use crate::oauth::{basic, form, refused, token, with_machine};
use crate::signing_keys::{EDDSA, command, forged, isolate};
use crate::support::crypto::generate;
use crate::support::machine::{CLIENT_ID, ID, key};
use crate::support::{EMAIL, PASSWORD, START, Service};

async fn introspect(service: &Service, text: &str) -> Value {
    let reply = form(service, "/oauth/introspect", &basic(CLIENT_ID, &key()), &format!("token={text}")).await;
    assert_eq!(service.last_d1_calls(), 1, "one round trip");
    reply.expect(200).body
}

async fn assert_dead(service: &Service, text: &str) {
    assert_eq!(introspect(service, text).await, json!({"active": false}), "{text}");
}

async fn revoke(service: &Service, text: &str) {
    let reply = form(service, "/oauth/revoke", &format!("Bearer {}", key()), &format!("token={text}")).await;
    assert_eq!(reply.expect(200).body, json!({}));
}

/// A key of the user, by the API.
async fn user_key(service: &Service, access: &str) -> (String, i64) {
    let body = json!({"name": "Key", "permissions": ["universities:view", "roles:view"]});
    let made = service.call("POST", "/users/me/api-keys", access, Some(&body)).await.expect(201).body;
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_i64().unwrap())
}

#[tokio::test]
async fn an_active_token_of_each_kind_is_described() {
    let service = with_machine(EDDSA);
    let tokens = service.register(EMAIL).await;
    let access = introspect(&service, &tokens.access).await;
    let (seconds, sid) = (START.seconds(), access["sid"].as_str().unwrap());
    let expected = json!({
        "active": true, "token_type": "Bearer", "sub": "1", "sid": sid, "iss": "edge-auth", "aud": "edge-auth",
        "jti": access["jti"], "auth_time": seconds, "amr": ["pwd"], "iat": seconds, "exp": seconds + 900,
    });
    assert_eq!(access, expected);
    let refresh = introspect(&service, &tokens.refresh).await;
    assert_eq!(
        (&refresh["active"], &refresh["token_type"], &refresh["sid"]),
        (&json!(true), &json!("refresh_token"), &json!(sid))
    );
    // It was no use of the refresh token.
    let tokens = service.refresh(&tokens.refresh).await.expect(200).tokens();
    let own = introspect(&service, &token(&service, "introspect").await).await;
    assert_eq!(
        (&own["sub"], &own["client_id"], &own["scope"]),
        (&json!(CLIENT_ID), &json!(CLIENT_ID), &json!("introspect"))
    );
    let (text, _) = user_key(&service, &tokens.access).await;
    let expected = json!({
        "active": true, "token_type": "Bearer", "sub": "1", "scope": "universities:view roles:view",
        "iss": "edge-auth", "aud": "edge-auth", "iat": seconds,
    });
    assert_eq!(introspect(&service, &text).await, expected);
    let machine = introspect(&service, &key()).await;
    assert_eq!((&machine["sub"], &machine["scope"]), (&json!(CLIENT_ID), &json!("introspect authz:check users:read")));
}

/// Ends of tokens and keys, and which of access token, refresh token and key are dead then.
#[tokio::test]
async fn a_token_that_has_ended_in_any_way_is_inactive() {
    let (all, none) = ([true; 3], [false; 3]);
    let ends: [(&str, [bool; 3]); 7] = [
        ("SELECT 1", none),
        ("DELETE FROM sessions", [true, true, false]),
        ("UPDATE sessions SET created_at = 1, expires_at = 2", [true, true, false]),
        ("UPDATE sessions SET refresh_expires_at = 2", [false, true, false]),
        ("UPDATE users SET is_active = 0", all),
        ("DELETE FROM api_keys WHERE user_id = 1", [false, false, true]),
        ("UPDATE users SET erasure_cursor = 0, is_active = 0", all),
    ];
    for (sql, dead) in ends {
        let service = with_machine(EDDSA);
        let tokens = service.register(EMAIL).await;
        let (text, _) = user_key(&service, &tokens.access).await;
        service.db.execute(sql);
        for (text, is_dead) in [&tokens.access, &tokens.refresh, &text].into_iter().zip(dead) {
            assert_eq!(introspect(&service, text).await["active"], !is_dead, "{sql}");
        }
    }
}

#[tokio::test]
async fn expired_rotated_foreign_and_malformed_tokens_are_inactive() {
    let service = with_machine(EDDSA);
    let tokens = service.register(EMAIL).await;
    let next = service.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_dead(&service, &tokens.refresh).await;
    let stranger = Service::with(&[("SECRET_KEY", "another secret 0123456789 abcdefgh")]);
    let foreign = stranger.register(EMAIL).await;
    for text in [&foreign.access, &foreign.refresh, "nonsense", "a.b.c", "ea_sk_1_2_3", "%C3%A9", "e.e.e.e"] {
        assert_dead(&service, text).await;
    }
    // The introspection of a stolen old token does not end the session.
    assert_eq!(introspect(&service, &next.refresh).await["active"], true);
    service.advance(900);
    assert_dead(&service, &next.access).await;
    assert_eq!(introspect(&service, &next.refresh).await["active"], true);
}

#[tokio::test]
async fn a_removed_scope_is_gone_from_the_tokens_of_the_account() {
    let service = with_machine(EDDSA);
    let own = token(&service, "introspect+users:read").await;
    assert_eq!(introspect(&service, &own).await["scope"], "introspect users:read");
    service.db.execute("UPDATE service_accounts SET scopes = '[\"introspect\"]'");
    assert_eq!(introspect(&service, &own).await["scope"], "introspect");
}

/// The read of the client says whether the ring has changed, so nothing needs a look-up.
#[tokio::test]
async fn tokens_of_unknown_keys_make_neither_introspection_nor_revocation_unavailable() {
    for settings in [EDDSA, &[]] {
        let service = with_machine(settings);
        let tokens = service.register(EMAIL).await;
        let own = generate(Algorithm::EdDsa);
        for number in 0..20 {
            let stranger = forged(&tokens.access, &own, |header, _| {
                (header["alg"], header["kid"]) = (json!("EdDSA"), json!(format!("{number:032x}")));
            });
            let reply =
                form(&service, "/oauth/introspect", &basic(CLIENT_ID, &key()), &format!("token={stranger}")).await;
            assert_eq!(reply.expect(200).body, json!({"active": false}));
            assert!(service.last_d1_calls() <= 2, "the look-up of the first one, and the client");
            revoke(&service, &stranger).await;
        }
    }
}

/// An isolate that has not seen a rotation yet knows the key after the read of the client.
#[tokio::test]
async fn a_token_of_a_new_key_is_active_in_an_isolate_that_may_not_look_it_up() {
    let db = std::sync::Arc::new(crate::support::sqlite::Sqlite::migrated());
    crate::support::machine::add(&db);
    let [one, other] = [isolate(&db, EDDSA), isolate(&db, EDDSA)];
    one.register(EMAIL).await;
    assert_dead(&other, "nonsense").await;
    for _ in 0..2 {
        command(&one, &json!({"action": "rotate"})).await.expect(200);
    }
    let tokens = one.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let stranger =
        forged(&tokens.access, &generate(Algorithm::EdDsa), |header, _| header["kid"] = json!("0".repeat(32)));
    for text in [&stranger, &tokens.access] {
        form(&other, "/oauth/introspect", &basic(CLIENT_ID, &key()), &format!("token={text}")).await.expect(200);
    }
    let reply = form(&other, "/oauth/introspect", &basic(CLIENT_ID, &key()), &format!("token={}", tokens.access)).await;
    assert_eq!(reply.body["active"], true);
}

#[tokio::test]
async fn a_client_authenticates_in_three_ways_and_needs_the_scope() {
    let service = with_machine(EDDSA);
    let ways = [
        basic(CLIENT_ID, &key()),
        format!("Bearer {}", key()),
        format!("Bearer {}", token(&service, "introspect").await),
    ];
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        for way in &ways {
            form(&service, path, way, "token=x").await.expect(200);
        }
        let narrow = format!("Bearer {}", token(&service, "authz:check").await);
        refused(&form(&service, path, &narrow, "token=x").await, 403, "insufficient_scope");
        let none = form(&service, path, "", "token=x").await;
        refused(&none, 401, "invalid_client");
        assert!(none.header("WWW-Authenticate").unwrap().starts_with("Basic "));
        let bearer = form(&service, path, "Bearer nonsense", "token=x").await;
        refused(&bearer, 401, "invalid_client");
        assert!(bearer.header("WWW-Authenticate").unwrap().starts_with("Bearer "));
        assert_eq!(service.last_d1_calls(), 0);
        for body in ["", "token=", "tokn=x", "token=x&token=y"] {
            refused(&form(&service, path, &ways[0], body).await, 400, "invalid_request");
        }
        form(&service, path, &ways[0], "token=x&token_type_hint=unknown&extra=1").await.expect(200);
    }
    service.db.execute("UPDATE service_accounts SET is_active = 0");
    refused(&form(&service, "/oauth/introspect", &ways[0], "token=x").await, 401, "invalid_client");
}

#[tokio::test]
async fn a_revoked_token_ends_its_session_or_its_key() {
    let service = with_machine(EDDSA);
    service.register(EMAIL).await;
    for is_refresh in [false, true] {
        let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
        let other = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
        let text = if is_refresh { &tokens.refresh } else { &tokens.access };
        for _ in 0..2 {
            revoke(&service, text).await;
        }
        service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        service.me(&other.access).await.expect(200);
    }
    let ended = "SELECT count(*) FROM audit_events WHERE type = 'session_ended' AND reason = 'service'";
    assert_eq!(service.db.one::<i64>(ended), 2, "one event for each, although each was revoked twice");
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let (text, id) = user_key(&service, &tokens.access).await;
    for _ in 0..2 {
        revoke(&service, &text).await;
    }
    service.me(&text).await.expect_error(401, "AUTH_TOKEN_INVALID");
    let events = service.db.rows("SELECT object_id FROM audit_events WHERE type = 'api_key_withdrawn' AND user_id = 1");
    assert_eq!(events.iter().map(|row| row["object_id"].as_i64()).collect::<Vec<_>>(), [Some(id)]);
    // An expired token still names its session.
    service.advance(901);
    revoke(&service, &tokens.access).await;
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    for unknown in ["nonsense", "ea_sk_1_2_3", "a.b.c"] {
        revoke(&service, unknown).await;
    }
    let own = token(&service, "introspect").await;
    let reply = form(&service, "/oauth/revoke", &format!("Bearer {}", key()), &format!("token={own}")).await;
    refused(&reply, 400, "unsupported_token_type");
    // A key of a service account, of which the client has the text: last, because it is its own.
    revoke(&service, &key()).await;
    let events = "SELECT count(*) FROM audit_events WHERE type = 'service_account_key_withdrawn'";
    assert_eq!(service.db.one::<i64>(&format!("{events} AND reason = '{CLIENT_ID}' AND object_id = {ID}")), 1);
    let reply = form(&service, "/oauth/introspect", &basic(CLIENT_ID, &key()), "token=x").await;
    refused(&reply, 401, "invalid_client");
}

#[tokio::test]
async fn errors_outside_of_the_protocol_have_its_shape_too() {
    let (service, port) = crate::breaker::flaky(&[]);
    crate::support::machine::add(&service.db);
    port.fail(true);
    let reply = form(&service, "/oauth/introspect", &basic(CLIENT_ID, &key()), "token=x").await;
    refused(&reply, 503, "temporarily_unavailable");
    assert!(reply.header("Retry-After").is_some());
    let wrong = Service::with(&[("ALGORITHM", "RS256")]);
    refused(&form(&wrong, "/oauth/introspect", &basic(CLIENT_ID, &key()), "token=x").await, 500, "server_error");
}

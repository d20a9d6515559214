//! Changes of `ALGORITHM`, `SECRET_KEY` and `TOKEN_ROLES` while tokens of the former settings are in use.

use std::sync::Arc;

use edge_auth::domain::ids::{SessionId, TokenId, UserId};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::domain::session::token::{TokenClaims, TokenKind};
use serde_json::{Value, json};

use crate::key_rotation::decoded;
use crate::signing_keys::{EDDSA, OPERATOR_KEY, assert_works, command, isolate, kid_of};
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, SECRET, START, Service};

const OTHER_SECRET: &str = "another secret 0123456789 abcdefgh";

#[tokio::test]
async fn a_change_of_the_algorithm_signs_no_one_out_and_ends_the_former_secret() {
    let db = Arc::new(Sqlite::migrated());
    let old = isolate(&db, &[]);
    let [before, at_refresh] = [old.register(EMAIL).await, old.login(EMAIL, PASSWORD).await.expect(200).tokens()];
    let new = isolate(&db, EDDSA);
    let switched = new.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_eq!(decoded(&switched.access).0["alg"], "EdDSA");
    for isolate in [&old, &new, &old] {
        assert_works(isolate, &before).await;
        assert_works(isolate, &switched).await;
    }
    // An isolate with the former setting follows the ring.
    let refreshed = old.refresh(&at_refresh.refresh).await.expect(200).tokens();
    assert_eq!(decoded(&refreshed.access).0["alg"], "EdDSA");
    // The holder of the former secret forges with the time of today, and with the time before the switch.
    let secret = SecretKeys::only(Secret::new(SECRET));
    let issuers = Issuers::only("edge-auth");
    let thief = TokenAuthority::new(&secret, issuers, "edge-auth");
    let (_, claims) = decoded(&before.access);
    let forge = |issued_at| {
        let id = |name: &str| claims[name].as_str().unwrap().parse().unwrap();
        let claims = TokenClaims {
            id: TokenId::from_random([7; 16]),
            user_id: UserId::new(id("sub")).unwrap(),
            session_id: SessionId::new(id("sid")).unwrap(),
            issued_at,
            expires_at: START.plus_seconds(86_400),
            auth_time: None,
            methods: AuthMethods::PASSWORD,
            bookmark: None,
        };
        thief.sign(TokenKind::Access, &claims).unwrap().expose().to_owned()
    };
    new.me(&forge(START)).await.expect(200);
    new.advance(120);
    new.me(&forge(START.plus_seconds(120))).await.expect_error(401, "AUTH_TOKEN_INVALID");
    new.advance(780);
    for issued_at in [START.plus_seconds(-1), START, START.plus_seconds(900)] {
        new.me(&forge(issued_at)).await.expect_error(401, "AUTH_TOKEN_INVALID");
        old.me(&forge(issued_at)).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    let tokens = new.refresh(&before.refresh).await.expect(200).tokens();
    assert_works(&old, &tokens).await;
    // And back, with a new isolate. The others follow.
    let back = isolate(&db, &[]);
    // A ring that was changed a short time ago is left alone: the isolate may be one of the version before.
    back.advance(899);
    let login = isolate(&db, &[]).login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_eq!(decoded(&login.access).0["alg"], "EdDSA");
    back.advance(900);
    for isolate in [&back, &new, &old] {
        let login = isolate.login(EMAIL, PASSWORD).await.expect(200).tokens();
        assert_eq!(decoded(&login.access).0["alg"], "HS256");
        assert_works(isolate, &login).await;
    }
    // The Cron Trigger of a deployment proposes its setting again.
    new.tend().await;
    let login = old.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_eq!(decoded(&login.access).0["alg"], "EdDSA");
}

#[tokio::test]
async fn a_new_secret_key_encrypts_the_keys_anew_and_signs_no_one_out() {
    let db = Arc::new(Sqlite::migrated());
    let old = isolate(&db, EDDSA);
    let tokens = old.register(EMAIL).await;
    let rows_left = async |service: &Service| {
        service.get_as("/health/ready", OPERATOR_KEY).await.expect(200).body["checks"]["encryption"]["rows_left"]
            .clone()
    };
    assert_eq!(rows_left(&old).await, 0);
    let changed: Vec<_> =
        EDDSA.iter().copied().chain([("SECRET_KEY", OTHER_SECRET), ("SECRET_KEY_PREVIOUS", SECRET)]).collect();
    let changed = isolate(&db, &changed);
    assert_works(&changed, &tokens).await;
    changed.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(rows_left(&changed).await, 2);
    changed.tend().await;
    assert_eq!(rows_left(&changed).await, 0);
    assert!(changed.get("/health/ready").await.expect(200).body["checks"]["encryption"].is_null());
    let settled: Vec<_> = EDDSA.iter().copied().chain([("SECRET_KEY", OTHER_SECRET)]).collect();
    let settled = isolate(&db, &settled);
    assert_works(&settled, &tokens).await;
    let login = settled.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_eq!(kid_of(&login.access), kid_of(&tokens.access), "the key is the same");
    assert_works(&old, &login).await;
}

#[tokio::test]
async fn keys_that_no_secret_decrypts_are_replaced_and_still_verify() {
    let db = Arc::new(Sqlite::migrated());
    let tokens = isolate(&db, EDDSA).register(EMAIL).await;
    let lost: Vec<_> = EDDSA.iter().copied().chain([("SECRET_KEY", OTHER_SECRET)]).collect();
    let service = isolate(&db, &lost);
    assert_works(&service, &tokens).await;
    service.login(EMAIL, PASSWORD).await.expect_error(503, "SERVICE_UNAVAILABLE");
    service.advance(60);
    let login = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_ne!(kid_of(&login.access), kid_of(&tokens.access));
    assert_works(&service, &login).await;
    assert_works(&service, &tokens).await;
    assert_eq!(db.rows("SELECT 1 AS id FROM audit_events WHERE type = 'signing_key_replaced'").len(), 1);
}

/// Nothing is written that the service cannot answer: the client would have neither its old nor its new token.
#[tokio::test]
async fn a_service_that_cannot_sign_ends_no_session_and_makes_no_account() {
    let db = Arc::new(Sqlite::migrated());
    let tokens = isolate(&db, EDDSA).register(EMAIL).await;
    let sealed: String = db.one("SELECT private_key FROM signing_keys WHERE state = 'current'");
    db.execute("UPDATE signing_keys SET private_key = 'AAAAAAAAAAAAAAAAAAAAAAAA' WHERE private_key IS NOT NULL");
    let service = isolate(&db, EDDSA);
    service.refresh(&tokens.refresh).await.expect_error(503, "SERVICE_UNAVAILABLE");
    service.login(EMAIL, PASSWORD).await.expect_error(503, "SERVICE_UNAVAILABLE");
    let body = json!({"email": "new@example.com", "password": PASSWORD});
    service.post("/auth/register", &body).await.expect_error(503, "SERVICE_UNAVAILABLE");
    for rows in ["users", "sessions", "audit_events WHERE user_id IS NOT NULL"] {
        assert_eq!(db.one::<i64>(&format!("SELECT count(*) FROM {rows}")), 1, "{rows}");
    }
    db.execute(&format!("UPDATE signing_keys SET private_key = '{sealed}'"));
    isolate(&db, EDDSA).refresh(&tokens.refresh).await.expect(200);
}

/// The ring changes in the batch of a refresh, and the new key cannot be decrypted: the client has no new token, and is no
/// thief if it repeats the refresh.
#[tokio::test]
async fn a_refresh_that_could_not_be_signed_can_be_repeated() {
    let db = Arc::new(Sqlite::migrated());
    let [service, other] = [isolate(&db, EDDSA), isolate(&db, EDDSA)];
    let tokens = service.register(EMAIL).await;
    command(&other, &json!({"action": "rotate"})).await.expect(200);
    db.execute("UPDATE signing_keys SET private_key = 'AAAAAAAAAAAAAAAAAAAAAAAA' WHERE private_key IS NOT NULL");
    service.refresh(&tokens.refresh).await.expect_error(503, "SERVICE_UNAVAILABLE");
    // Longer than the retry interval, and long enough for a new signing key.
    service.advance(61);
    service.refresh(&tokens.refresh).await.expect(200);
}

#[tokio::test]
async fn tokens_list_roles_if_the_settings_say_so() {
    let on: Vec<_> = EDDSA.iter().copied().chain([("TOKEN_ROLES", "on")]).collect();
    let service = Service::with(&on);
    let tokens = service.register(EMAIL).await;
    assert_eq!(decoded(&tokens.access).1["roles"], json!([]));
    service.db.execute(
        "INSERT INTO universities (name, slug, created_at) VALUES ('Here', 'here', 1);
         INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (1, 1, 'STUDENT', 1)",
    );
    let roles = json!([{"university_id": 1, "department_id": null, "role": "STUDENT"}]);
    let refreshed = service.refresh(&tokens.refresh).await.expect(200).tokens();
    let login = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    for token in [&refreshed.access, &login.access] {
        let claims = decoded(token).1;
        assert_eq!((&claims["roles"], &claims["roles_truncated"]), (&roles, &Value::Null));
    }
    assert!(decoded(&refreshed.refresh).1["roles"].is_null());
    for number in 2..=21 {
        service.db.execute(&format!(
            "INSERT INTO universities (name, slug, created_at) VALUES ('U{number}', 'u{number}', 1);
             INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (1, {number}, 'TA', 1)"
        ));
    }
    let claims = decoded(&service.login(EMAIL, PASSWORD).await.expect(200).tokens().access).1;
    assert_eq!((claims["roles"].as_array().unwrap().len(), &claims["roles_truncated"]), (20, &json!(true)));
    let off = Service::with(EDDSA);
    assert!(decoded(&off.register(EMAIL).await.access).1["roles"].is_null());
}

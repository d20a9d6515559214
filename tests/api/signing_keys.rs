//! Access tokens that key pairs sign: the first keys, rotation, revocation, and encryption.

use std::sync::Arc;

use edge_auth::domain::keys::Algorithm;
use edge_auth::domain::secret::Secret;
use edge_auth::ports::{Db, DbError, Encryption as _, PortFuture, Rows, Seal, Signatures as _, Statement};
use serde_json::{Value, json};

use crate::key_rotation::decoded;
use crate::support::crypto::{NativeCrypto, sign};
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Reply, SECRET, START, Service, Tokens};

pub const OPERATOR_KEY: &str = "an-operator-key-of-32-characters";
pub const EDDSA: &[(&str, &str)] =
    &[("ALGORITHM", "EdDSA"), ("OPERATOR_KEY", OPERATOR_KEY), ("SIGNING_KEY_AHEAD_HOURS", "0")];

/// An isolate with these settings on a common database.
pub fn isolate(db: &Arc<Sqlite>, settings: &[(&str, &str)]) -> Service {
    Service::on(Arc::clone(db), db.clone(), settings)
}

pub async fn key_set(service: &Service) -> Value {
    service.get("/.well-known/jwks.json").await.expect(200).body
}

pub async fn command(service: &Service, body: &Value) -> Reply {
    service.call("POST", "/operator/signing-keys", OPERATOR_KEY, Some(body)).await
}

/// The ids of the keys in this state.
fn in_state(db: &Sqlite, state: &str) -> Vec<String> {
    let rows = db.rows(&format!("SELECT kid FROM signing_keys WHERE state = '{state}' ORDER BY kid"));
    rows.iter().map(|row| row["kid"].as_str().unwrap().to_owned()).collect()
}

fn only(mut list: Vec<String>) -> String {
    assert_eq!(list.len(), 1, "{list:?}");
    list.remove(0)
}

pub fn kid_of(token: &str) -> String {
    decoded(token).0["kid"].as_str().unwrap().to_owned()
}

/// The private half of a key, as the service decrypts it.
pub async fn private_key(db: &Sqlite, kid: &str, secret: &str) -> Value {
    let sealed: String = db.one(&format!("SELECT private_key FROM signing_keys WHERE kid = '{kid}'"));
    let secret = Secret::new(secret);
    let seal = Seal { secret: &secret, purpose: "edge-auth signing key", row: kid };
    serde_json::from_str(NativeCrypto.decrypt(seal, &sealed).await.unwrap().expose()).unwrap()
}

/// A token with the header and claims of another, after changes, signed by this key.
pub fn forged(token: &str, key: &Value, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (mut header, mut claims) = decoded(token);
    change(&mut header, &mut claims);
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = sign(key, &text);
    format!("{text}.{signature}")
}

pub async fn assert_works(service: &Service, tokens: &Tokens) {
    service.me(&tokens.access).await.expect(200);
}

#[tokio::test]
async fn a_token_is_verified_with_the_key_set_alone() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let service = Service::with(&[("ALGORITHM", algorithm.as_str())]);
        let tokens = service.register(EMAIL).await;
        let (header, claims) = decoded(&tokens.access);
        assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm.as_str()), &json!("at+jwt")));
        assert_eq!(claims["type"], "access");
        let set = key_set(&service).await;
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2, "the current and the next key");
        let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
        assert_eq!((&key["use"], &key["alg"], &key["d"]), (&json!("sig"), &header["alg"], &Value::Null));
        let (text, signature) = tokens.access.rsplit_once('.').unwrap();
        assert!(NativeCrypto.verify(algorithm, &key.to_string(), text, signature).await.unwrap());
        // Only the service reads refresh and device tokens.
        assert_eq!(decoded(&tokens.refresh).0["alg"], "HS256");
        assert_works(&service, &tokens).await;
        let tokens = service.refresh(&tokens.refresh).await.expect(200).tokens();
        assert_eq!(kid_of(&tokens.access), header["kid"]);
    }
}

/// Yields before each batch, so that concurrent isolates take turns.
struct Yielding(Arc<Sqlite>);

impl Db for Yielding {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.batch(statements).await
        })
    }
}

#[tokio::test]
async fn isolates_that_start_at_once_make_one_current_and_one_next_key() {
    let db = Arc::new(Sqlite::migrated());
    let isolates: [Service; 4] =
        std::array::from_fn(|_| Service::on(Arc::clone(&db), Arc::new(Yielding(Arc::clone(&db))), EDDSA));
    let [a, b, c, d] = &isolates;
    let tokens =
        tokio::join!(a.register("a@x.test"), b.register("b@x.test"), c.register("c@x.test"), d.register("d@x.test"));
    let kid = only(in_state(&db, "current"));
    only(in_state(&db, "next"));
    for tokens in [tokens.0, tokens.1, tokens.2, tokens.3] {
        assert_eq!(kid_of(&tokens.access), kid);
        for isolate in &isolates {
            assert_works(isolate, &tokens).await;
        }
    }
    let events = db.rows("SELECT reason FROM audit_events WHERE type = 'signing_algorithm_changed'");
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn a_rotation_refuses_no_token_in_any_isolate() {
    let db = Arc::new(Sqlite::migrated());
    let [one, other] = [isolate(&db, EDDSA), isolate(&db, EDDSA)];
    let before = one.register(EMAIL).await;
    assert_works(&other, &before).await;
    let next = only(in_state(&db, "next"));
    command(&one, &json!({"action": "rotate"})).await.expect(200);
    let after = one.login(EMAIL, PASSWORD).await.expect(200).tokens();
    assert_eq!(kid_of(&after.access), next);
    for isolate in [&other, &one, &other] {
        assert_works(isolate, &after).await;
        assert_works(isolate, &before).await;
    }
    // An isolate learns of it with the answer of its own refresh, before it signs.
    command(&one, &json!({"action": "rotate"})).await.expect(200);
    let refreshed = other.refresh(&before.refresh).await.expect(200).tokens();
    assert_eq!(kid_of(&refreshed.access), only(in_state(&db, "current")));
}

#[tokio::test]
async fn a_retired_key_signs_nothing_any_more() {
    let service = Service::with(EDDSA);
    let tokens = service.register(EMAIL).await;
    let key = private_key(&service.db, &kid_of(&tokens.access), SECRET).await;
    command(&service, &json!({"action": "rotate"})).await.expect(200);
    service.advance(120);
    let now = START.seconds() + 120;
    let late = forged(&tokens.access, &key, |_, claims| claims["iat"] = json!(now));
    service.me(&late).await.expect_error(401, "AUTH_TOKEN_INVALID");
    assert_works(&service, &tokens).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_with_the_next_request_of_every_isolate() {
    let db = Arc::new(Sqlite::migrated());
    let [one, warm] = [isolate(&db, EDDSA), isolate(&db, EDDSA)];
    let tokens = one.register(EMAIL).await;
    assert_works(&warm, &tokens).await;
    let (leaked, next) = (kid_of(&tokens.access), only(in_state(&db, "next")));
    let ring = command(&one, &json!({"action": "revoke", "kid": leaked})).await.expect(200).body;
    let state =
        |kid: &str| ring["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap()["state"].clone();
    assert_eq!((state(&leaked), state(&next)), (json!("revoked"), json!("current")));
    for isolate in [&warm, &one, &warm] {
        isolate.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    assert!(!key_set(&one).await.to_string().contains(&leaked));
    let row = db.rows(&format!("SELECT public_key, private_key FROM signing_keys WHERE kid = '{leaked}'"));
    assert_eq!((&row[0]["public_key"], &row[0]["private_key"]), (&json!(""), &Value::Null));
    let tokens = warm.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_eq!(kid_of(&tokens.access), next, "the session goes on");
    assert_works(&one, &tokens).await;
    // A repeated command changes nothing.
    let version: i64 = db.one("SELECT version FROM key_ring");
    command(&one, &json!({"action": "revoke", "kid": leaked})).await.expect(200);
    assert_eq!(db.one::<i64>("SELECT version FROM key_ring"), version);
}

#[tokio::test]
async fn commands_that_cannot_be_carried_out_say_why() {
    let service = Service::with(&[("ALGORITHM", "ES256"), ("OPERATOR_KEY", OPERATOR_KEY)]);
    service.register(EMAIL).await;
    let rotate = json!({"action": "rotate"});
    command(&service, &rotate).await.expect_error(409, "CONFLICT");
    service.advance(24 * 3600);
    command(&service, &rotate).await.expect(200);
    command(&service, &rotate).await.expect_error(409, "CONFLICT");
    let unknown = json!({"action": "revoke", "kid": "0".repeat(32)});
    command(&service, &unknown).await.expect_error(404, "NOT_FOUND");
    for body in [json!({"action": "revoke"}), json!({"action": "revoke", "kid": "X"}), json!({"action": "sign"})] {
        command(&service, &body).await.expect_error(422, "VALIDATION_ERROR");
    }
    let stranger = service.call("POST", "/operator/signing-keys", "a wrong key", Some(&rotate)).await;
    stranger.expect_error(401, "AUTH_TOKEN_INVALID");
    let hs256 = Service::with(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    command(&hs256, &rotate).await.expect_error(409, "CONFLICT");
    command(&hs256, &unknown).await.expect_error(404, "NOT_FOUND");
    assert_eq!(key_set(&hs256).await, json!({"keys": []}));
}

#[tokio::test]
async fn the_cron_trigger_rotates_and_deletes() {
    let service = Service::with(&[("ALGORITHM", "EdDSA"), ("SIGNING_KEY_DAYS", "30")]);
    service.tend().await;
    let [first, second] = ["current", "next"].map(|state| only(in_state(&service.db, state)));
    service.advance(30 * 86_400 - 1);
    service.tend().await;
    assert_eq!(only(in_state(&service.db, "current")), first);
    service.advance(1);
    service.tend().await;
    assert_eq!(only(in_state(&service.db, "current")), second);
    assert_eq!(only(in_state(&service.db, "retired")), first);
    service.advance(900 + 3900);
    service.tend().await;
    assert_eq!(in_state(&service.db, "retired"), [""; 0]);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM signing_keys"), 2);
}

/// The private halves are in the database only encrypted, each for its own row.
#[tokio::test]
async fn a_dump_of_the_database_signs_nothing() {
    let service = Service::with(EDDSA);
    let tokens = service.register(EMAIL).await;
    let kid = kid_of(&tokens.access);
    let private = private_key(&service.db, &kid, SECRET).await;
    let dump = format!("{:?}", service.db.rows("SELECT * FROM signing_keys"));
    assert!(!dump.contains(private["d"].as_str().unwrap()));
    let log = service.log_lines().join("\n");
    assert!(!log.contains(private["d"].as_str().unwrap()) && !log.contains(&tokens.access));
    let sealed: String = service.db.one(&format!("SELECT private_key FROM signing_keys WHERE kid = '{kid}'"));
    let secret = Secret::new(SECRET);
    for (purpose, row) in [("edge-auth signing key", "another row"), ("another purpose", kid.as_str())] {
        assert!(NativeCrypto.decrypt(Seal { secret: &secret, purpose, row }, &sealed).await.is_err());
    }
}

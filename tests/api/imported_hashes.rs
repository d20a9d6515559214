//! Sign-in with hashes of other systems (`domain/password/imported`).

use edge_auth::domain::password::stored::StoredHash;
use serde_json::json;

use crate::support::mail::settle;
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service};

/// Of [`PASSWORD`], by passlib 1.7.4, Django 5.2 (two) and Werkzeug 3.1.
const HASHES: [&str; 4] = [
    "$2y$06$ABCDEFGHIJKLMNOPQRSTUutjyZzFCNpbIed9Hi.n7ZKqFVlMJ6oq.",
    "bcrypt_sha256$$2b$06$ABCDEFGHIJKLMNOPQRSTUul9SJkmyz0sGJoZHhGG8P.sXOazDOmWi",
    "pbkdf2_sha256$10000$ABCDEFGHIJKLMNOPQRSTUu$T608rQhSGlAGh43J9WaTCCksFlQ2eEzEDB9v7qog2sc=",
    "scrypt:2048:8:1$saltSALTsaltSALT$b4c674bc99355f2b8075b99c5214da53f5513afc4d608dbf6d5935429d9f2e521d1aea991aba099080fc5d751a6807c49f737bc9616b858d3a50befd93ff00bb",
];
/// Of a password that NFKC changes, by argon2-cffi 25.1.
const TYPED: &str = "\u{fb01}ance\u{301} \u{2116}\u{ff11}";
const OF_TYPED: &str =
    "$argon2id$v=19$m=4096,t=3,p=1$c2l4dGVlbiBvZiBieXRlcw$qzdKaQSf8rSM2upY7LcSzLLRsMxCKkLNXhvD0AtF0ek";

fn stored(db: &Sqlite) -> String {
    db.one("SELECT password_hash FROM users")
}

/// A service with one account, which has this hash of another system.
async fn imported(hash: &str) -> Service {
    let service = Service::new();
    service.register(EMAIL).await;
    let (text, _) = StoredHash::import(hash, 1_200_000).unwrap();
    service.db.execute(&format!("UPDATE users SET password_hash = '{text}'"));
    service
}

#[tokio::test]
async fn an_imported_password_signs_in_and_its_hash_is_replaced() {
    for hash in HASHES {
        let service = imported(hash).await;
        service.login(EMAIL, PASSWORD).await.expect(200);
        settle().await;
        assert!(stored(&service.db).starts_with("$pbkdf2-sha256$i="), "{hash}");
        assert_eq!(service.logs("Signed in")[0]["hash_upgraded"], true);
        service.login(EMAIL, PASSWORD).await.expect(200);
        assert_eq!(service.logs("Signed in")[1]["hash_upgraded"], false);
    }
}

#[tokio::test]
async fn a_wrong_password_leaves_an_imported_hash() {
    let service = imported(HASHES[0]).await;
    for password in ["wrong password", "", "correct horse battery staple\0", HASHES[0]] {
        service.login(EMAIL, password).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(stored(&service.db), format!("imported:{}", HASHES[0]));
}

#[tokio::test]
async fn an_imported_password_is_normalised_with_its_replacement() {
    let service = imported(OF_TYPED).await;
    let normalised = "fianc\u{e9} No1";
    service.login(EMAIL, normalised).await.expect(401);
    service.login(EMAIL, TYPED).await.expect(200);
    settle().await;
    for spelling in [normalised, TYPED] {
        service.login(EMAIL, spelling).await.expect(200);
    }
}

#[tokio::test]
async fn an_imported_password_is_the_current_one_of_a_change() {
    let service = imported(HASHES[1]).await;
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let (text, _) = StoredHash::import(HASHES[1], 1_200_000).unwrap();
    service.db.execute(&format!("UPDATE users SET password_hash = '{text}'"));
    for (current, status) in [("wrong password", 401), (PASSWORD, 200)] {
        let body = json!({"current_password": current, "new_password": "seven green bottles on a wall"});
        service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect(status);
    }
    assert!(stored(&service.db).starts_with("$pbkdf2-sha256$i="));
}

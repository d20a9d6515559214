//! Hashes of other systems on their way through an import to the first sign-in, and the bounds of their cost.

use std::collections::BTreeSet;

use edge_auth::domain::settings::Settings;
use serde_json::{Value, json};

use crate::support::import::{ADMITTING, HASH, answers, body, created, foreseen_import, import, word};
use crate::support::mail::settle;
use crate::support::world::{Person, World};
use crate::support::{PASSWORD, SECRET};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
/// The beginnings of the hashes of [`vectors`] that are not too fast.
const ADMITTED: [&str; 7] = [
    "$2b$08$",
    "$pbkdf2$10000$",
    "$pbkdf2-sha256$10000$",
    "$pbkdf2-sha512$10000$",
    "pbkdf2_sha256$20000$",
    "$argon2id$v=19$m=65536,t=1,p=1$",
    "000102030405060708090a0b0c0d0e0f:",
];
/// Passwords and hashes of systems whose vectors are all too fast: Django and Werkzeug, the PHC string of `hashlib` of Python,
/// Django's scrypt likewise, and the published example of Firebase.
const FURTHER: [(&str, &str); 5] = [
    (PASSWORD, "bcrypt_sha256$$2b$06$ABCDEFGHIJKLMNOPQRSTUul9SJkmyz0sGJoZHhGG8P.sXOazDOmWi"),
    (
        PASSWORD,
        "scrypt:2048:8:1$saltSALTsaltSALT$b4c674bc99355f2b8075b99c5214da53f5513afc4d608dbf6d5935429d9f2e521d1aea991aba099080fc5d751a6807c49f737bc9616b858d3a50befd93ff00bb",
    ),
    (PASSWORD, "$scrypt$ln=12,r=8,p=1$c2l4dGVlbiBvZiBieXRlcw$yloB8O/b8mQr+qSv+7nICc4jG7kpi6qNfORGh7h5W1Q"),
    (
        PASSWORD,
        "scrypt$4096$ABCDEFGH$8$1$Az3s0PcK1nhJxftq+fBxdP9WeBmM5Rb14hO+rCkCK3Ok5RdrjyunvVcv/HlxmJVZeOxk023z0CRx7vCNfGstEg==",
    ),
    (
        "user1password",
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
    ),
];

/// Password and hash of each vector that an original system made, and the further ones.
fn vectors() -> Vec<(String, String)> {
    let files = [include_str!("../imported_hashes/python.json"), include_str!("../imported_hashes/node.json")];
    let vectors = files.into_iter().flat_map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let further = FURTHER.map(|(password, hash)| (password.to_owned(), hash.to_owned()));
    vectors.map(|vector| (text(&vector["password"]), text(&vector["hash"]))).chain(further).collect()
}

fn stored(world: &World, email: &str) -> String {
    world.service.db.one(&format!("SELECT password_hash FROM users WHERE email = '{email}'"))
}

#[tokio::test]
async fn a_password_of_each_system_signs_in_and_its_hash_is_replaced() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = world.sign_in("root").await;
    let vectors = vectors();
    let email = |number: usize| format!("user-{number}@example.com");
    let lines: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(number, (_, hash))| json!({"email": email(number), "password_hash": hash}))
        .collect();
    let words = foreseen_import(&world, &root, &lines).await;
    let (mut admitted, further) = (BTreeSet::new(), vectors.len() - FURTHER.len());
    for (number, ((password, hash), word)) in vectors.iter().zip(words).enumerate() {
        if word == "refused hash_too_fast" && number < further {
            continue;
        }
        assert_eq!(word, "created", "{hash}");
        admitted.extend(ADMITTED.iter().filter(|beginning| hash.starts_with(*beginning)).copied());
        let email = email(number);
        assert_eq!(stored(&world, &email), format!("imported:{hash}"));
        world.service.login(&email, &format!("x{password}")).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(stored(&world, &email), format!("imported:{hash}"), "a wrong password replaces nothing");
        world.service.login(&email, password).await.expect(200);
        settle().await;
        assert!(stored(&world, &email).starts_with("$pbkdf2-sha256$i=10,"), "{hash}");
        world.service.login(&email, password).await.expect(200);
    }
    assert_eq!(admitted, BTreeSet::from(ADMITTED));
}

/// The file of an export has the hashes of this service, whose passwords were normalised.
#[tokio::test]
async fn a_hash_of_an_export_signs_in_as_before() {
    let before = World::through(&PEOPLE, &[("PASSWORD_ITERATIONS", "10000")], |db| db);
    let typed = "\u{fb01}ance\u{301} \u{2116}\u{ff11}";
    let registration = json!({"email": "ada@example.com", "password": typed});
    before.service.post("/auth/register", &registration).await.expect(201);
    let hash = stored(&before, "ada@example.com");
    drop(before);
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = world.sign_in("root").await;
    created(&world, &root, &json!({"email": "ada@example.com", "password_hash": format!("edge-auth:{hash}")})).await;
    assert_eq!(stored(&world, "ada@example.com"), hash);
    world.service.login("ada@example.com", "fianc\u{e9} No1").await.expect(200);
    settle().await;
    world.service.login("ada@example.com", typed).await.expect(200);
    created(&world, &root, &json!({"email": "bob@example.com", "password_hash": hash})).await;
    world.service.login("bob@example.com", typed).await.expect(401);
}

/// By default a hash costs at most twice as much as a new one.
#[tokio::test]
async fn a_hash_beyond_the_bound_is_refused() {
    let line = json!({"email": "ada@example.com", "password_hash": HASH});
    for (settings, expected) in [
        (&[("PASSWORD_ITERATIONS", "5000")][..], "created"),
        (&[("PASSWORD_ITERATIONS", "4999")], "refused hash_too_costly"),
        (&[("PASSWORD_ITERATIONS", "")], "created"),
        (&[("PASSWORD_HASH", "argon2id")], "created"),
        (&[], "refused hash_too_costly"),
        (&[("IMPORT_MAX_HASH_COST", "10000")], "created"),
        (&[("IMPORT_MAX_HASH_COST", "9999")], "refused hash_too_costly"),
        (&[("PASSWORD_ITERATIONS", "600000"), ("IMPORT_MAX_HASH_COST", "9999")], "refused hash_too_costly"),
        (&[("IMPORT_MAX_HASH_COST", "10000000")], "created"),
    ] {
        let world = World::through(&PEOPLE, settings, |db| db);
        let root = world.sign_in("root").await;
        assert_eq!(import(&root, std::slice::from_ref(&line)).await, [expected], "{settings:?}");
    }
}

#[tokio::test]
async fn a_hash_that_costs_more_than_a_new_one_is_pointed_out() {
    for (iterations, is_costlier) in [("9999", true), ("10000", false), ("600000", false)] {
        let settings = [("PASSWORD_ITERATIONS", iterations), ("IMPORT_MAX_HASH_COST", "20000")];
        let world = World::through(&PEOPLE, &settings, |db| db);
        let root = world.sign_in("root").await;
        let lines = [
            json!({"email": "ada@example.com", "password_hash": HASH}),
            json!({"email": "bob@example.com"}),
            json!({"email": "ada@example.com", "password_hash": HASH}),
        ];
        let answers = answers(&root, &body(&lines)).await;
        let costlier = if is_costlier { json!(true) } else { Value::Null };
        assert_eq!(answers[0]["costlier"], costlier, "{iterations}");
        assert!(answers[1..].iter().all(|answer| answer["costlier"].is_null()), "{answers:?}");
        assert_eq!(word(&answers[2]), "exists");
    }
}

#[test]
fn the_bound_is_a_number_of_rounds() {
    let read = |value: Option<&str>| {
        Settings::read(|name| match name {
            "SECRET_KEY" => Some(SECRET.to_owned()),
            "IMPORT_MAX_HASH_COST" => value.map(str::to_owned),
            _ => None,
        })
    };
    for (value, bound) in [(None, 1_200_000), (Some("1"), 1), (Some("10000000"), 10_000_000)] {
        assert_eq!(read(value).unwrap().import_max_hash_cost, bound);
    }
    for value in ["0", "-1", "10000001", "1e6", "twice", "1.5", "1_000"] {
        let faults = format!("{:?}", read(Some(value)).unwrap_err());
        assert!(faults.contains("IMPORT_MAX_HASH_COST"), "{value}: {faults}");
    }
}

/// Guesses at an account, all of them wrong.
async fn guess(world: &World, times: usize) {
    for _ in 0..times {
        world.service.login("ada@example.com", "not the password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

/// Cost of the hash in new ones, the failures of a guess, and the guesses without a wait.
#[tokio::test]
async fn a_guess_at_a_costly_hash_counts_in_proportion() {
    for (iterations, failures, free) in
        [("20000", 1, 5), ("10000", 1, 5), ("9999", 2, 2), ("5000", 2, 2), ("3333", 4, 1), ("2500", 4, 1), ("10", 5, 1)]
    {
        let settings = [("PASSWORD_ITERATIONS", iterations), ("IMPORT_MAX_HASH_COST", "10000")];
        let world = World::through(&PEOPLE, &settings, |db| db);
        let root = world.sign_in("root").await;
        let id = created(&world, &root, &json!({"email": "ada@example.com", "password_hash": HASH})).await;
        let counted = || {
            world
                .service
                .db
                .one::<i64>(&format!("SELECT coalesce(sum(failures), 0) FROM throttles WHERE key LIKE 'user/{id}/%'"))
        };
        guess(&world, 1).await;
        assert_eq!(counted(), failures, "{iterations}");
        guess(&world, free - 1).await;
        let waits = || world.service.db.one::<i64>("SELECT count(*) FROM throttles WHERE blocked_until > 0");
        assert_eq!(waits(), 0, "{iterations}");
        guess(&world, 1).await;
        assert_eq!(waits(), 1, "{iterations}");
        world.service.login("ada@example.com", PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        world.service.advance(3600);
        world.service.login("ada@example.com", PASSWORD).await.expect(200);
        settle().await;
        assert_eq!(counted(), 0, "a success forgives them");
        guess(&world, 1).await;
        assert_eq!(counted(), 1, "the hash was replaced");
    }
}

#[tokio::test]
async fn refusals_during_a_wait_count_nothing_however_costly_the_hash() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = world.sign_in("root").await;
    created(&world, &root, &json!({"email": "ada@example.com", "password_hash": HASH})).await;
    guess(&world, 2).await;
    let counters = || {
        world.service.db.rows("SELECT key, failures, recent_failures, blocked_until, closed_until FROM throttles WHERE key LIKE 'user/2/%'")
    };
    let before = counters();
    guess(&world, 10).await;
    assert_eq!(counters(), before);
}

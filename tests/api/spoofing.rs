//! Texts that differ from their looks: passwords with control characters, and names with hidden ones.

use edge_auth::domain::account::full_name::FullName;
use edge_auth::domain::audit::EventType;
use edge_auth::domain::password::Password;
use edge_auth::domain::password::hash::PasswordHash;
use edge_auth::domain::tenant::label::Label;
use serde_json::{Value, json};

use crate::support::contract::{is_built, validator};
use crate::support::world::{Visitor, World};
use crate::support::{EMAIL, PASSWORD, Reply, Service, normalize};

/// HMAC pads its key with zeros, so each of these has the hash of the text without its final zeros.
const PADDED: [&str; 3] = ["password\0", "long enough to be a password\0\0", "\0\0\0\0\0\0\0\0"];

#[tokio::test]
async fn control_characters_are_refused_where_a_password_is_chosen() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    for control in ["\0", "\t", "\n", "\u{1b}", "\u{7f}", "\u{85}"] {
        for password in
            [format!("long enough{control}"), format!("{control}long enough"), format!("long{control}enough")]
        {
            let body = json!({"email": "eve@example.com", "password": password});
            let reply = service.post("/auth/register", &body).await.expect_error(422, "VALIDATION_ERROR");
            assert_eq!(reply.faults(), [("password".to_owned(), "value_error".to_owned())], "{password:?}");
            let body = json!({"current_password": PASSWORD, "new_password": password});
            let reply = service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await;
            assert_eq!(reply.expect(422).faults(), [("new_password".to_owned(), "value_error".to_owned())]);
        }
    }
    for password in PADDED {
        service.post("/auth/register", &json!({"email": "eve@example.com", "password": password})).await.expect(422);
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 1);
}

#[tokio::test]
async fn a_password_with_nul_never_matches_and_is_refused_like_a_wrong_one() {
    for function in ["pbkdf2-sha256", "argon2id"] {
        let service = Service::with(&[("PASSWORD_HASH", function)]);
        let tokens = service.register(EMAIL).await;
        let wrong = service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        for password in [format!("{PASSWORD}\0"), format!("{PASSWORD}\0\0\0"), "\0".to_owned(), format!("\0{PASSWORD}")]
        {
            let reply = service.login(EMAIL, &password).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            assert_eq!(reply.body["error"], wrong.body["error"]);
            assert_eq!(service.last_d1_calls(), 2, "as many as for a wrong password");
        }
        let refused = EventType::SignInRefused.as_str();
        let counted =
            format!("SELECT sum(count) FROM audit_events WHERE type = '{refused}' AND reason = 'wrong_password'");
        assert_eq!(service.db.one::<i64>(&counted), 5, "each was a guess");
        let body = json!({"password": format!("{PASSWORD}\0")});
        service.call("DELETE", "/users/me", &tokens.access, Some(&body)).await.expect(401);
        service.login(EMAIL, PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn other_control_characters_of_a_password_on_file_still_match() {
    let service = Service::new();
    service.register(EMAIL).await;
    let old = "tab\tand\u{7f}delete";
    let presented = Password::presented(old, normalize);
    let hash = PasswordHash::derive(&presented, &[1; 16], service.settings().password_work).unwrap();
    service.db.execute(&format!("UPDATE users SET password_hash = '{}'", hash.to_phc().unwrap()));
    service.login(EMAIL, old).await.expect(200);
    service.login(EMAIL, "tab\tand delete").await.expect(401);
}

/// Every operation that takes a name, with an administrator's rights: method, path, member, the other members.
fn operations_with_a_name() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let operations = [
        ("PATCH", "/users/me", "full_name", json!({})),
        ("PATCH", "/admin/users/1", "full_name", json!({})),
        ("POST", "/universities", "name", json!({"slug": "new"})),
        ("PATCH", "/universities/1", "name", json!({})),
        ("POST", "/universities/1/departments", "name", json!({})),
        ("POST", "/universities/1/courses", "title", json!({"code": "X-1", "is_public": true})),
        ("POST", "/universities/1/courses", "code", json!({"title": "New", "is_public": true})),
        ("PATCH", "/courses/1", "title", json!({})),
    ];
    operations.into_iter().filter(|(_, path, ..)| is_built(path)).collect()
}

async fn name(root: &Visitor<'_>, operation: &(&str, &str, &'static str, Value), name: &str) -> Reply {
    let (method, path, member, others) = operation;
    let mut body = others.clone();
    body[*member] = name.into();
    root.ask(&format!("{method} {path} {body}")).await
}

#[tokio::test]
async fn names_with_hidden_characters_are_refused_everywhere() {
    let world = World::of(&[("root", "PLATFORM_ADMIN")]);
    let root = world.sign_in("root").await;
    let before = world.dump();
    for operation in operations_with_a_name() {
        let hidden =
            ["\u{202e}eviL ecilA", "Ali\u{200b}ce", "Ali\u{2028}ce", "Ali\u{2066}ce", "Ali\u{feff}ce", "Ali\u{0}ce"];
        for text in hidden.into_iter().chain(["Alice\u{200d}", "\u{200c}Alice", "Al \u{200d}ice"]) {
            let reply = name(&root, &operation, text).await.expect_error(422, "VALIDATION_ERROR");
            assert_eq!(reply.faults(), [(operation.2.to_owned(), "value_error".to_owned())], "{operation:?} {text:?}");
        }
        let reply = name(&root, &operation, "\u{2800}").await.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(reply.faults(), [(operation.2.to_owned(), "string_too_short".to_owned())], "{operation:?}");
    }
    assert_eq!(world.dump(), before);
}

#[tokio::test]
async fn names_with_joiners_between_letters_or_emoji_are_kept_as_they_are() {
    let world = World::of(&[("root", "PLATFORM_ADMIN")]);
    let root = world.sign_in("root").await;
    for operation in operations_with_a_name() {
        for text in ["علی\u{200c}رضا", "ශ\u{dca}\u{200d}රී", "👩\u{200d}🔬"] {
            let reply = name(&root, &operation, text).await;
            assert!(reply.status < 300, "{operation:?} {text:?}: {reply:?}");
            assert_eq!(reply.body[operation.2], text);
            world.service.db.execute("DELETE FROM universities WHERE id > 2; DELETE FROM courses WHERE id > 5;");
        }
    }
}

/// The pattern cannot express the neighbours of joiners; the description states those in words.
#[test]
fn the_described_patterns_of_names_are_the_rules() {
    for (schema, is_label) in [("ProfileChange/properties/full_name", false), ("Name", true)] {
        let described = validator(&json!({"$ref": format!("#/components/schemas/{schema}")}));
        for code in (0..0x1_0000).filter_map(char::from_u32) {
            let (inside, alone) = (format!("a{code}b"), code.to_string());
            let in_context = matches!(code, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}');
            assert_eq!(described.is_valid(&json!(inside)), FullName::parse(&inside).is_ok(), "{inside:?}");
            let accepted = if is_label { Label::parse(&alone, 200).is_ok() } else { FullName::parse(&alone).is_ok() };
            assert_eq!(described.is_valid(&json!(alone)), accepted, "{schema} {code:?}, in context: {in_context}");
        }
    }
}

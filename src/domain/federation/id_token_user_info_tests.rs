//! The claims that the `UserInfo` endpoint adds to an ID token.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn user_info_adds_the_address_of_the_same_subject_only() {
    let token = claims(&[("email", Value::Null), ("email_verified", Value::Null), ("name", Value::Null)]);
    let bare = check_text(&token.to_string(), &expected()).unwrap();
    assert!(bare.email.is_none() && bare.verified_email().is_none());
    let with = |info: &Value| {
        let mut assertion = bare.clone();
        assertion.add_user_info(&info.to_string(), normalize).map(|()| assertion)
    };
    let info = json!({"sub": bare.subject, "email": "ada@example.com", "email_verified": true, "name": "Ada"});
    let added = with(&info).unwrap();
    assert_eq!(added.verified_email().map(Email::as_str), Some("ada@example.com"));
    assert_eq!(added.name.as_ref().map(FullName::as_str), Some("Ada"));
    let unverified = with(&json!({"sub": bare.subject, "email": "ada@example.com"})).unwrap();
    assert_eq!(unverified.name, None);
    assert!(unverified.email.is_some() && unverified.verified_email().is_none());
    for other in [json!({"sub": "another", "email": "a@example.com"}), json!({"email": "a@example.com"}), json!([])] {
        assert!(with(&other).is_none(), "{other}");
    }
    assert!(with(&json!({"sub": bare.subject, "email": 1})).is_none());
    assert!(bare.clone().add_user_info("eyJhbGciOiJSUzI1NiJ9.e30.x", normalize).is_none(), "a signed answer");
}

#[test]
fn user_info_without_a_name_keeps_the_one_of_the_id_token() {
    let token = claims(&[("email", Value::Null), ("email_verified", Value::Null), ("name", json!("Ada Lovelace"))]);
    let mut assertion = check_text(&token.to_string(), &expected()).unwrap();
    let info = json!({"sub": assertion.subject, "email": "ada@example.com", "email_verified": true});
    assertion.add_user_info(&info.to_string(), normalize).unwrap();
    assert_eq!(assertion.name.as_ref().map(FullName::as_str), Some("Ada Lovelace"));
    assert!(assertion.verified_email().is_some());
}

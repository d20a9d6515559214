//! A mailed code joins an identity to the account of its address: the outcome for every account, and for all that may happen
//! between the mail and the code.

use std::sync::Arc;

use crate::federation_accounts::{ARRIVING, OTHER, add, add_factors, both, judge, link_arriving, refusal};
use crate::support::Service;
use crate::support::federation::{FEDERATION, confirm, federated_sign_in, mailed_flow};
use crate::support::mail::wrong_code;
use crate::support::provider::Person;
use crate::support::sqlite::Sqlite;

const ADDRESS: &str = "ada@example.com";
const MAIL: [(&str, &str); 2] = [("MAIL", "binding"), ("MAIL_FROM", "login@example.com")];

/// The account that has the address when the code is mailed, the event before the code is presented, and the outcome.
const TABLE: &str = "
none                      nothing           created_proven
none                      four_wrong_codes  created_proven
none                      five_wrong_codes  401
none                      other_code        401
none                      late              401
none                      registered        joined
none                      unverified        joined_emptied
none                      reserved          account_exists
none                      linked_to_other   signed_in_as_other
none                      provider_removed  401
unverified                nothing           joined_emptied
unverified                four_wrong_codes  joined_emptied
unverified                five_wrong_codes  401
unverified                other_code        401
unverified                late              401
unverified                verified          joined
unverified                disabled          disabled
unverified                factor_added      joined_emptied
unverified                promoted          joined_emptied
unverified                new_password      joined_emptied
unverified                erasing           created_proven
unverified                erased            401
unverified                moved             created_proven
unverified                replaced          joined_as_other
unverified                linked_to_other   signed_in_as_other
unverified                linked            signed_in
unverified                suspended         401
verified                  nothing           joined
verified                  four_wrong_codes  joined
verified                  five_wrong_codes  401
verified                  other_code        401
verified                  late              401
verified                  disabled          disabled
verified                  factor_added      factor_due
verified                  promoted          joined
verified                  new_password      joined
verified                  erasing           created_proven
verified                  erased            401
verified                  moved             created_proven
verified                  moved_reserved    account_exists
verified                  replaced          joined_as_other
verified                  linked_to_other   signed_in_as_other
verified                  linked            signed_in
verified                  suspended         401
verified                  provider_removed  401
disabled                  nothing           disabled
disabled_factor           nothing           factor_due
disabled                  enabled           joined
disabled                  linked_to_other   signed_in_as_other
factor                    nothing           factor_due
factor                    factor_removed    joined
factor                    linked_to_other   signed_in_as_other
factor                    linked            factor_due
administrator             nothing           joined
administrator             demoted           joined
administrator             disabled          disabled
platform_administrator    nothing           joined
department_administrator  nothing           joined
factor_administrator      nothing           factor_due
unverified_administrator  nothing           joined_emptied
unverified_factor         nothing           joined_emptied
unverified_disabled       nothing           disabled
passwordless              nothing           joined
unverified_passwordless   nothing           joined_emptied
";

/// Without an account, a code is mailed only where each registration waits for one.
fn service(account: &str) -> Service {
    let db = Arc::new(Sqlite::migrated());
    if account != "none" {
        add(&db, 1, account, ADDRESS);
    }
    add(&db, OTHER, "verified", "other@example.com");
    on(db, if account == "none" { "required" } else { "optional" }, &[])
}

fn on(db: Arc<Sqlite>, verification: &str, settings: &[(&str, &str)]) -> Service {
    let verification = [("EMAIL_VERIFICATION", verification)];
    Service::on(Arc::clone(&db), db, &[settings, &verification, &MAIL, &FEDERATION].concat())
}

/// The change of the database that an event makes, if it makes one.
fn change(event: &str) -> String {
    let undo = format!(
        "INSERT INTO email_proofs
             (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
         VALUES (1, 'undo', 1, '{ADDRESS}', 1, 0, 1, 9007199254740991, 1)"
    );
    let moved = "UPDATE users SET email = 'moved@example.com', email_verified_at = 1 WHERE id = 1";
    match event {
        "verified" => "UPDATE users SET email_verified_at = 1 WHERE id = 1".to_owned(),
        "disabled" => "UPDATE users SET is_active = 0 WHERE id = 1".to_owned(),
        "enabled" => "UPDATE users SET is_active = 1 WHERE id = 1".to_owned(),
        "new_password" => "UPDATE users SET password_version = 2, password_hash = 'next' WHERE id = 1".to_owned(),
        "promoted" => {
            "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)".to_owned()
        }
        "demoted" => "DELETE FROM user_university_roles WHERE user_id = 1".to_owned(),
        "factor_removed" => "DELETE FROM totp_secrets; DELETE FROM passkeys; DELETE FROM recovery_codes".to_owned(),
        "erasing" => "UPDATE users SET email = 'erased:1', is_active = 0, erasure_cursor = 0 WHERE id = 1".to_owned(),
        "erased" => "DELETE FROM sessions WHERE user_id = 1; DELETE FROM user_university_roles WHERE user_id = 1;
                     DELETE FROM users WHERE id = 1"
            .to_owned(),
        "moved" => moved.to_owned(),
        "moved_reserved" => format!("{moved}; {undo}"),
        "replaced" => format!("{moved}; UPDATE users SET email = '{ADDRESS}' WHERE id = {OTHER}"),
        _ => String::new(),
    }
}

/// Lets the event happen.
fn happen(service: &Service, event: &str) {
    service.db.execute(&change(event));
    match event {
        "registered" => add(&service.db, 1, "verified", ADDRESS),
        "unverified" => add(&service.db, 1, "unverified", ADDRESS),
        "reserved" => add(&service.db, 1, "reserved", ADDRESS),
        "factor_added" => add_factors(&service.db, 1),
        "linked" => link_arriving(&service.db, 1),
        "suspended" => {
            link_arriving(&service.db, 1);
            service.db.execute("UPDATE identities SET suspended_at = 1 WHERE subject = 'arriving'");
        }
        "linked_to_other" => link_arriving(&service.db, OTHER),
        "late" => service.advance(600),
        _ => {}
    }
}

/// Asks for a code for the identity of this subject. Returns the flow and the code.
async fn mailed(service: &Service, subject: &str) -> (String, String) {
    let refused = federated_sign_in(service, "acme", &Person::of(subject, ADDRESS)).await;
    let refused = refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    (mailed_flow(&refused), service.mailbox.take_one().code())
}

#[tokio::test]
async fn a_mailed_code_joins_the_account_that_has_the_address_now() {
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [account, event, expected] = words.as_slice() else { panic!("{line}") };
        let mut service = service(account);
        let (flow, mut code) = mailed(&service, ARRIVING).await;
        let guesses = match *event {
            "four_wrong_codes" => 4,
            "five_wrong_codes" => 5,
            _ => 0,
        };
        for _ in 0..guesses {
            confirm(&service, &flow, wrong_code(&code)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
        if *event == "other_code" {
            service.advance(60);
            (_, code) = mailed(&service, "another").await;
        }
        happen(&service, event);
        if *event == "provider_removed" {
            let other = [("FEDERATION", r#"[{"id": "google"}]"#)];
            service = on(Arc::clone(&service.db), "optional", &other);
        }
        let before = both(&service.db);
        let reply = confirm(&service, &flow, &code).await;
        let (found, _) = judge(&service.db, ADDRESS, &before, Ok(reply));
        assert_eq!(found, *expected, "{line}");
        // It has had its use.
        let before = both(&service.db);
        let again = confirm(&service, &flow, &code).await;
        let refused = refusal(&again);
        assert!(refused == "401" || refused == found, "{line}: {refused}");
        assert_eq!(both(&service.db), before, "{line}");
    }
}

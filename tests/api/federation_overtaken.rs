//! Concurrent writes between the read of a sign-in by a provider and its batch: the batch asks for each condition again, and
//! an account that is not the one that was read changes in nothing.

use std::sync::{Arc, Mutex};

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};

use crate::federation_accounts::{ARRIVING, Both, OTHER, add, both, judge, link_arriving};
use crate::support::federation::{FEDERATION, MAILING, confirm, federated_sign_in, mailed_flow};
use crate::support::provider::Person;
use crate::support::sqlite::Sqlite;
use crate::support::{Reply, Service};

/// The statement that uses a flow or a mailed code up. It is in the batch that opens the session.
const REDEEM: &str = "INTO used_flows (id, redeemed_by";

const DISABLED: &str = "UPDATE users SET is_active = 0 WHERE id = 1";
/// All that an erasure does at once.
const ERASED: &str = "UPDATE users SET email = 'erased:1', is_active = 0, erasure_cursor = 0 WHERE id = 1;
                      DELETE FROM identities WHERE user_id = 1; DELETE FROM email_proofs WHERE user_id = 1";
const MOVED: &str = "UPDATE users SET email = 'moved@example.com' WHERE id = 1";
/// The address goes to the other user.
const REPLACED: &str = "UPDATE users SET email = 'moved@example.com' WHERE id = 1;
                        UPDATE users SET email = (SELECT address FROM watched) WHERE id = 2";
const FACTOR: &str = "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
                      VALUES (1, 1, 1, 'sealed', 'key', 1)";
const NEW_PASSWORD: &str = "UPDATE users SET password_version = password_version + 1 WHERE id = 1";
const PROMOTED: &str =
    "INSERT INTO user_university_roles (user_id, role, university_id, created_at) VALUES (1, 'UNIVERSITY_ADMIN', 1, 2)";
const PROMOTED_IN_A_DEPARTMENT: &str =
    "INSERT INTO user_university_roles (user_id, role, university_id, department_id, created_at)
     VALUES (1, 'DEPARTMENT_ADMIN', 1, 1, 2)";
const UNLINKED: &str = "DELETE FROM identities WHERE subject = 'arriving'";
const SUSPENDED: &str = "UPDATE identities SET suspended_at = 1 WHERE subject = 'arriving'";
const GIVEN_AWAY: &str = "UPDATE identities SET user_id = 2 WHERE subject = 'arriving'";
const LINKED_TO_OTHER: &str = "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                               VALUES (99, 2, 'acme', 'https://id.acme.example', 'arriving', 1)";
const PROVEN: &str = "UPDATE users SET email_verified_at = 1 WHERE id = 1";
const UNPROVEN: &str = "UPDATE users SET email_verified_at = NULL WHERE id = 1";
/// A link of a notice has taken the account back, and suspended a young factor.
const TAKEN_BACK: &str = "UPDATE users SET has_password = 0, password_version = password_version + 1 WHERE id = 1;
                          INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at, suspended_at)
                          VALUES (1, 1, 1, 'sealed', 'key', 1, 2)";
const REGISTERED: &str = "INSERT INTO users (id, email, password_hash, created_at)
                          SELECT 1, address, 'a hash', 1 FROM watched";
const RESERVED: &str = "INSERT INTO email_proofs
                            (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
                        SELECT 1, 'undo', 2, address, 1, 0, 1, 9007199254740991, 1 FROM watched";
/// As many identities as an account may have.
const FULL: &str = "WITH RECURSIVE n AS (SELECT 100 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 118)
                    INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                    SELECT id, 1, 'acme', 'https://id.acme.example', id, 1 FROM n";
const USED: &str = "UPDATE used_flows SET redeemed_by = 7";
const GUESSED: &str = "UPDATE email_proofs SET failures = 5";
const CODE_GONE: &str = "DELETE FROM email_proofs";

/// The address at the provider, the account that has it, the concurrent write, and the outcome. `linked` has the identity.
/// `acme` is authoritative for the address `acme.example`.
const TABLE: [(&str, &str, &str, &str); 41] = [
    ("ada@example.com", "linked", DISABLED, "disabled"),
    ("ada@example.com", "linked", ERASED, "401"),
    ("ada@example.com", "linked", MOVED, "signed_in"),
    ("ada@example.com", "linked", REPLACED, "signed_in"),
    ("ada@example.com", "linked", FACTOR, "factor_due"),
    ("ada@example.com", "linked", NEW_PASSWORD, "signed_in"),
    ("ada@example.com", "linked", UNLINKED, "401"),
    ("ada@example.com", "linked", SUSPENDED, "401"),
    ("ada@example.com", "linked", GIVEN_AWAY, "401"),
    ("ada@acme.example", "verified", DISABLED, "disabled"),
    ("ada@acme.example", "verified", ERASED, "401"),
    ("ada@acme.example", "verified", MOVED, "401"),
    ("ada@acme.example", "verified", REPLACED, "401"),
    ("ada@acme.example", "verified", FACTOR, "factor_due"),
    ("ada@acme.example", "verified", NEW_PASSWORD, "joined"),
    ("ada@acme.example", "verified", PROMOTED, "401"),
    ("ada@acme.example", "verified", PROMOTED_IN_A_DEPARTMENT, "401"),
    ("ada@acme.example", "verified", LINKED_TO_OTHER, "401"),
    ("ada@acme.example", "verified", UNPROVEN, "joined_emptied"),
    ("ada@acme.example", "verified", TAKEN_BACK, "401"),
    ("ada@acme.example", "verified", USED, "401"),
    ("ada@acme.example", "unverified", PROVEN, "joined"),
    ("ada@acme.example", "unverified", PROMOTED, "401"),
    ("ada@acme.example", "unverified", FACTOR, "joined_emptied"),
    ("ada@acme.example", "none", REGISTERED, "account_exists"),
    ("ada@acme.example", "none", RESERVED, "account_exists"),
    ("ada@acme.example", "none", USED, "401"),
    ("ada@example.com", "linked", USED, "401"),
    ("ada@example.com", "linked", TAKEN_BACK, "401"),
    ("ada@acme.example", "none", LINKED_TO_OTHER, "account_exists"),
    ("ada@acme.example", "unverified", FULL, "joined_emptied"),
    ("ada@example.com", "mailed", DISABLED, "disabled"),
    ("ada@example.com", "mailed", ERASED, "401"),
    ("ada@example.com", "mailed", MOVED, "401"),
    ("ada@example.com", "mailed", REPLACED, "401"),
    ("ada@example.com", "mailed", FACTOR, "factor_due"),
    ("ada@example.com", "mailed", PROMOTED, "joined"),
    ("ada@example.com", "mailed", LINKED_TO_OTHER, "401"),
    ("ada@example.com", "mailed", GUESSED, "401"),
    ("ada@example.com", "mailed", CODE_GONE, "401"),
    ("ada@example.com", "mailed", UNPROVEN, "joined_emptied"),
];

/// Writes once, right before the batch with a statement, and keeps the accounts as they are then.
struct Writer {
    db: Arc<Sqlite>,
    /// Not before the code of a mail is presented.
    waits_for_code: bool,
    sql: &'static str,
    before: Mutex<Option<Both>>,
}

impl Db for Writer {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let mut before = self.before.lock().unwrap();
        let is_awaited = |sql: &str| sql.contains(REDEEM) && (sql.contains("email_proofs") || !self.waits_for_code);
        if before.is_none() && statements.iter().any(|statement| is_awaited(statement.sql)) {
            self.db.execute(self.sql);
            *before = Some(both(&self.db));
        }
        self.db.batch(statements)
    }
}

async fn arrive(service: &Service, address: &str, account: &str) -> Reply {
    let reply = federated_sign_in(service, "acme", &Person::of(ARRIVING, address)).await;
    if account != "mailed" {
        return reply;
    }
    let code = service.mailbox.take_one().code();
    confirm(service, &mailed_flow(&reply), &code).await
}

#[tokio::test]
async fn the_batch_of_a_sign_in_asks_for_its_conditions_again() {
    for (address, account, sql, expected) in TABLE {
        let db = Arc::new(Sqlite::migrated());
        if account != "none" {
            add(&db, 1, if account == "unverified" { account } else { "verified" }, address);
        }
        add(&db, OTHER, "verified", "other@example.com");
        db.execute(&format!("CREATE TEMP TABLE watched AS SELECT '{address}' AS address"));
        if account == "linked" {
            link_arriving(&db, 1);
        }
        let waits_for_code = account == "mailed";
        let writer = Arc::new(Writer { db: Arc::clone(&db), waits_for_code, sql, before: Mutex::default() });
        let service = Service::on(Arc::clone(&db), writer.clone(), &[&MAILING[..], &FEDERATION].concat());
        let reply = arrive(&service, address, account).await;
        let before = writer
            .before
            .lock()
            .unwrap()
            .take()
            .unwrap_or_else(|| panic!("no batch used the evidence of {account} up"));
        let (found, _) = judge(&db, address, &before, Ok(reply));
        assert_eq!(found, expected, "{account}, and {sql}");
    }
}

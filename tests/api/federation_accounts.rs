//! Accounts in every state that an asserted identity may meet, and all that they consist of.

use std::collections::BTreeSet;

use crate::support::Reply;
use crate::support::provider::ISSUER;
use crate::support::sqlite::Sqlite;

/// The subject of the identity that signs in.
pub const ARRIVING: &str = "arriving";
/// The id of another user, whose address is of no matter.
pub const OTHER: i64 = 2;

/// Adds a user in the state that the words of `kind` say, with everything that an account can have.
pub fn add(db: &Sqlite, id: i64, kind: &str, email: &str) {
    let has = |word: &str| kind.contains(word);
    let role = match () {
        () if has("platform") => "'PLATFORM_ADMIN', NULL, NULL",
        () if has("department") => "'DEPARTMENT_ADMIN', 1, 1",
        () if has("administrator") => "'UNIVERSITY_ADMIN', 1, NULL",
        () => "'INSTRUCTOR', 1, NULL",
    };
    let address = if has("reserved") { "moved@example.com" } else { email };
    let (verified_at, active, password) =
        (if has("unverified") { "NULL" } else { "1" }, !has("disabled"), !has("passwordless"));
    db.execute(&format!(
        "INSERT INTO universities (id, name, slug, created_at) VALUES (1, 'Here', 'here', 1) ON CONFLICT DO NOTHING;
         INSERT INTO departments (id, university_id, name, created_at) VALUES (1, 1, 'Physics', 1) ON CONFLICT DO NOTHING;
         INSERT INTO users (id, email, password_hash, full_name, created_at, email_verified_at, is_active, has_password)
         VALUES ({id}, '{address}', 'a hash', 'A Name', 1, {verified_at}, {active}, {password});
         INSERT INTO user_university_roles (user_id, role, university_id, department_id, created_at)
         VALUES ({id}, {role}, 1);
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES ({id}, {id}, 1, 1, 9007199254740991);
         INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
         VALUES ({id}, {id}, 'Key', '[\"universities:view\"]', printf('%064d', {id}), 1);
         INSERT INTO throttles (key, tag, failures, blocked_until)
         VALUES ('user/{id}/known/00', 'device/0123456789abcdef0123456789abcdef', 3, 0)"
    ));
    link(db, id, "google", "https://accounts.google.com", &format!("before {id}"));
    if has("factor") {
        add_factors(db, id);
    }
    if has("reserved") {
        db.execute(&format!(
            "INSERT INTO email_proofs
                 (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
             VALUES (1, 'undo', {id}, '{email}', 1, 0, 1, 9007199254740991, 1)"
        ));
    }
}

/// Gives a user an identity.
pub fn link(db: &Sqlite, user: i64, provider: &str, issuer: &str, subject: &str) {
    db.execute(&format!(
        "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
         SELECT 1 + coalesce((SELECT max(id) FROM identities), 0), {user}, '{provider}', '{issuer}', '{subject}', 1"
    ));
}

/// Gives a user the identity that signs in.
pub fn link_arriving(db: &Sqlite, user: i64) {
    link(db, user, "acme", ISSUER, ARRIVING);
}

/// Gives a user an app, a passkey and recovery codes. None of them can be presented.
pub fn add_factors(db: &Sqlite, user: i64) {
    db.execute(&format!(
        "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
         VALUES ({user}, {user}, 1, 'sealed', 'key', 1);
         INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
             is_backup_eligible, is_backed_up, created_at)
         VALUES ({user}, {user}, 'credential-{user}', 'Phone', 'EdDSA', '{{}}', 0, '[]', 0, 0, 1);
         INSERT INTO recovery_codes (user_id, hashes, created_at) VALUES ({user}, 'hash ', 1)"
    ));
}

/// All that a user has, in words. Sessions that the test has not added are new.
pub fn contents(db: &Sqlite, user: i64) -> BTreeSet<String> {
    let of_user = db.column(&format!(
        "WITH u AS (SELECT * FROM users WHERE id = {user})
         SELECT 'address ' || email FROM u
         UNION ALL SELECT 'verified' FROM u WHERE email_verified_at IS NOT NULL
         UNION ALL SELECT 'active' FROM u WHERE is_active = 1
         UNION ALL SELECT 'password ' || password_hash || password_version FROM u WHERE has_password = 1
         UNION ALL SELECT 'name ' || full_name FROM u WHERE full_name IS NOT NULL"
    ));
    // D1 takes five terms at most.
    let of_roles = db.column(&format!(
        "SELECT 'role ' || role FROM user_university_roles WHERE user_id = {user}
         UNION ALL SELECT 'key' FROM api_keys WHERE user_id = {user}
         UNION ALL SELECT iif(id = {user}, 'session', 'new session') FROM sessions WHERE user_id = {user}
         UNION ALL SELECT 'known device' FROM throttles WHERE key LIKE 'user/{user}/known/%' AND tag LIKE 'device/%'
         UNION ALL SELECT 'identity ' || subject || iif(suspended_at IS NULL, '', ', suspended')
                   FROM identities WHERE user_id = {user}"
    ));
    let of_factors = db.column(&format!(
        "SELECT 'app' FROM totp_secrets WHERE user_id = {user}
         UNION ALL SELECT 'passkey' FROM passkeys WHERE user_id = {user}
         UNION ALL SELECT 'recovery codes' FROM recovery_codes WHERE user_id = {user}"
    ));
    let words = [of_user, of_roles, of_factors].concat();
    let count = words.len();
    let words: BTreeSet<String> = words.into_iter().collect();
    assert_eq!(words.len(), count, "{words:?}");
    words
}

/// The words of user 1, if there is one, and of the other user.
pub type Both = [BTreeSet<String>; 2];

pub fn both(db: &Sqlite) -> Both {
    [1, OTHER].map(|user| contents(db, user))
}

/// Compares the rows behind an outcome with those before. Returns the word for it, and the user that was signed in, or 0.
#[track_caller]
pub fn judge(db: &Sqlite, email: &str, before: &Both, reply: Result<Reply, String>) -> (String, i64) {
    let after = both(db);
    let (found, owner) = match reply {
        Err(error) => (error, 0),
        Ok(reply) if reply.status == 200 => opened(db, before, &after),
        Ok(reply) => (refusal(&reply), 0),
    };
    let outcome = found.trim_end_matches("_as_other");
    let expected = [1, OTHER].into_iter().zip(before);
    let expected = expected.map(|(user, words)| if user == owner { changed_by(outcome, words) } else { words.clone() });
    assert_eq!(after.to_vec(), expected.collect::<Vec<_>>(), "{found}");
    let newest: i64 = db.one("SELECT max(id) FROM users");
    assert_eq!(newest > OTHER, found.starts_with("created"), "{found}");
    if newest > OTHER {
        assert_eq!(contents(db, newest), created(email, found == "created_proven"));
    }
    (found, owner)
}

/// The word for a session that was opened, and its user.
fn opened(db: &Sqlite, before: &Both, after: &Both) -> (String, i64) {
    let user: i64 = db.one("SELECT user_id FROM sessions WHERE id > 2");
    if user > OTHER {
        let is_proven = db.one(&format!("SELECT email_verified_at IS NOT NULL FROM users WHERE id = {user}"));
        return (if is_proven { "created_proven" } else { "created_unproven" }.to_owned(), user);
    }
    let index = usize::from(user == OTHER);
    let word = match () {
        () if before[index].contains("identity arriving") => "signed_in",
        () if after[index].contains("session") => "joined",
        () => "joined_emptied",
    };
    (format!("{word}{}", if user == OTHER { "_as_other" } else { "" }), user)
}

/// The word for a refusal.
pub fn refusal(reply: &Reply) -> String {
    let error = &reply.body["error"];
    let word = match (reply.status, error["code"].as_str().unwrap_or_default()) {
        (401, "AUTH_MFA_REQUIRED") => "factor_due",
        (401, "AUTH_INVALID_CREDENTIALS") if error["details"]["flow"].is_string() => "code_mailed",
        (401, "AUTH_INVALID_CREDENTIALS") => "401",
        (403, "AUTH_INACTIVE_USER") => "disabled",
        (403, "FORBIDDEN") | (409, "CONFLICT") => error["details"]["reason"].as_str().unwrap_or_default(),
        _ => panic!("{reply:?}"),
    };
    word.to_owned()
}

/// The words, with those of an outcome. A refusal changes nothing.
fn changed_by(outcome: &str, before: &BTreeSet<String>) -> BTreeSet<String> {
    let arriving = format!("identity {ARRIVING}");
    let mut words = before.clone();
    match outcome {
        "signed_in" => drop(words.insert("new session".to_owned())),
        "joined" => words.extend(["new session".to_owned(), arriving]),
        "joined_emptied" => {
            words.retain(|word| word.starts_with("address ") || word == "active");
            words.extend(["verified".to_owned(), "new session".to_owned(), arriving]);
        }
        _ => {}
    }
    words
}

/// All that a new account has.
fn created(email: &str, is_proven: bool) -> BTreeSet<String> {
    let words = ["active", "name Ada Lovelace", "new session"].map(str::to_owned);
    let proven = is_proven.then(|| "verified".to_owned());
    words.into_iter().chain([format!("address {email}"), format!("identity {ARRIVING}")]).chain(proven).collect()
}

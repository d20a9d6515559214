//! Second factors of one user of a world, in the place of words in a request: as the user would present them now.

use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use edge_auth::domain::factor::challenge::{Challenge, ChallengeKeys, Purpose};
use edge_auth::domain::factor::pending::PendingSignIn;
use edge_auth::domain::factor::recovery_code::RecoveryCode;
use edge_auth::domain::factor::totp::TotpSecret;
use edge_auth::domain::factor::webauthn::{
    Ceremony, NewPasskey, RegistrationResponse, RelyingParty, cose_id, register,
};
use edge_auth::domain::ids::{ChallengeId, UserId};
use edge_auth::domain::mail::proof::Purpose as ProofPurpose;
use edge_auth::domain::public_key::SignatureAlgorithm;
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::{SecretKeys, key_id};
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::ports::{Encryption as _, PortFuture, Seal};
use serde_json::{Value, json};

use super::authenticator::Authenticator;
use super::crypto::NativeCrypto;
use super::mail::{MAIL, planted, planted_code, settle, with};
use super::sqlite::Sqlite;
use super::totp::App;
use super::world::address;
use super::{EMAIL, Reply, SECRET, Service, Tokens, clock};

/// The user with second factors.
pub const MIA: &str = "mia";
/// `PUBLIC_URL` of the worlds with passkeys.
const ORIGIN: &str = "https://auth.example.com";
const RP_ID: &str = "auth.example.com";
/// The label of the key that encrypts secrets of apps.
const SEAL: &str = "edge-auth totp secret";
type Evidence = fn(Owner<'_>) -> String;

/// No word is part of another one, nor of a word for a link.
const WORDS: [(&str, Evidence); 14] = [
    ("TOTP_CODE", |owner| app(owner, true).code(0)),
    ("PENDING_CODE", |owner| app(owner, false).code(0)),
    ("WRONG_CODE", |owner| app(owner, true).wrong_code()),
    ("RECOVERY_CODE", recovery_code),
    ("MFA_TOKEN", mfa_token),
    ("MFA_ASSERTION", |owner| assertion(owner, Purpose::SecondFactor(next_challenge(owner).get())).1),
    ("STEP_UP_ASSERTION", |owner| assertion(owner, Purpose::StepUp(owner.id())).1),
    ("PASSKEY_SIGN_IN", passkey_sign_in),
    ("PASSKEY_CREDENTIAL", |owner| registration(owner).1),
    ("{passkey}", passkey),
    ("VERIFY_OF_MIA", |owner| planted(owner.db, ProofPurpose::Verify, owner.email)),
    ("RESET_OF_MIA", |owner| planted(owner.db, ProofPurpose::Reset, owner.email)),
    ("UNDO_OF_MIA", |owner| planted(owner.db, ProofPurpose::Undo, owner.email)),
    ("MAILED_CODE_OF_MIA", |owner| planted_code(owner.db, ProofPurpose::SignIn, owner.email)),
];

/// A user with second factors.
#[derive(Clone, Copy)]
struct Owner<'a> {
    db: &'a Sqlite,
    email: &'a str,
}

impl Owner<'_> {
    fn id(self) -> i64 {
        self.db.one(&format!("SELECT id FROM users WHERE email = '{}'", self.email))
    }
}

/// An administrator of the platform with a proven address, and without the second factor that the role needs.
pub async fn waiting_administrator() -> (Service, Tokens) {
    let service = with(MAIL, &[("MFA_REQUIRED_ROLES", r#"["PLATFORM_ADMIN"]"#)]);
    let tokens = service.register(EMAIL).await;
    service.db.execute(
        "UPDATE users SET email_verified_at = 1;
         INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)",
    );
    settle().await;
    service.mailbox.take();
    (service, tokens)
}

/// Has the request words that stand for second factors?
pub fn has_words(request: &str) -> bool {
    WORDS.iter().any(|(word, _)| request.contains(word))
}

/// The request with evidence of mia in the place of words. A factor that she lacks is added to the database.
pub fn with_factors(db: &Sqlite, request: &str) -> String {
    with_factors_of(db, MIA, request)
}

/// The same with the evidence of another user.
pub fn with_factors_of(db: &Sqlite, name: &str, request: &str) -> String {
    let owner = Owner { db, email: &address(name) };
    WORDS
        .iter()
        .filter(|(word, _)| request.contains(word))
        .fold(request.to_owned(), |request, (word, evidence)| request.replace(word, &evidence(owner)))
}

/// Completes the sign-in of a user with a recovery code, if the reply to the right password asks for a second factor.
pub async fn complete(service: &Service, name: &str, reply: Reply) -> Reply {
    if reply.body["error"]["code"] != "AUTH_MFA_REQUIRED" {
        return reply;
    }
    let token = &reply.body["error"]["details"]["mfa_token"];
    let code = with_factors_of(&service.db, name, "RECOVERY_CODE");
    service.post("/auth/mfa", &json!({"mfa_token": token, "recovery_code": code})).await
}

/// Is mia asked for a second factor?
pub fn are_due(db: &Sqlite) -> bool {
    let of_user = "user_id = (SELECT id FROM users WHERE email = 'mia@example.com') AND suspended_at IS NULL";
    db.one::<bool>(&format!(
        "SELECT EXISTS (SELECT 1 FROM totp_secrets WHERE {of_user} AND is_confirmed = 1)
             OR EXISTS (SELECT 1 FROM passkeys WHERE {of_user})"
    ))
}

fn keys() -> SecretKeys {
    SecretKeys::only(Secret::new(SECRET))
}

/// The futures of the tests' ports are ready at once.
fn ready<T>(mut future: PortFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a port of the tests waits"),
    }
}

/// The app whose secret is stored, with an unused present code.
fn app(owner: Owner<'_>, is_confirmed: bool) -> App {
    let (user, key) = (owner.id(), Secret::new(SECRET));
    let select = format!(
        "SELECT id, secret FROM totp_secrets
         WHERE user_id = {user} AND is_confirmed = {is_confirmed} AND suspended_at IS NULL"
    );
    let seal = |id: &str| ready(NativeCrypto.encrypt(Seal { secret: &key, purpose: SEAL, row: id }, &secret()));
    if owner.db.rows(&select).is_empty() {
        let id: i64 = owner.db.one("SELECT 1 + coalesce(max(id), 0) FROM totp_secrets");
        owner.db.execute(&format!(
            "INSERT OR REPLACE INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
             VALUES ({id}, {user}, {is_confirmed}, '{}', '{}', {})",
            seal(&id.to_string()).unwrap(),
            key_id(&key),
            clock().millis()
        ));
    }
    owner.db.execute(&format!("UPDATE totp_secrets SET used_step = NULL WHERE user_id = {user}"));
    let row = owner.db.rows(&select).remove(0);
    let seal = Seal { secret: &key, purpose: SEAL, row: &row["id"].to_string() };
    App::of(ready(NativeCrypto.decrypt(seal, row["secret"].as_str().unwrap())).unwrap().expose())
}

fn secret() -> Secret {
    TotpSecret::from_random([0x5a; 20]).base32()
}

/// The one unused code. Those that the service gave are lost.
fn recovery_code(owner: Owner<'_>) -> String {
    let code = RecoveryCode::from_random([0xa5; 15]);
    owner.db.execute(&format!(
        "INSERT OR REPLACE INTO recovery_codes (user_id, hashes, created_at) VALUES ({}, '{} ', {})",
        owner.id(),
        code.hash(),
        clock().millis()
    ));
    code.text().expose().to_owned()
}

fn next_challenge(owner: Owner<'_>) -> ChallengeId {
    ChallengeId::new(owner.db.one("SELECT 1 + coalesce(max(id), 0) FROM used_challenges")).unwrap()
}

/// The token of a sign-in by password from a network that the account does not know. An app or a passkey is due.
fn mfa_token(owner: Owner<'_>) -> String {
    app(owner, true);
    let pending = PendingSignIn {
        id: next_challenge(owner),
        user_id: UserId::new(owner.id()).unwrap(),
        password_version: owner.db.one(&format!("SELECT password_version FROM users WHERE id = {}", owner.id())),
        methods: AuthMethods::PASSWORD,
        device: None,
        link: None,
        is_new_client: true,
        expires_at: clock().plus_seconds(300),
    };
    // The issuer of a deployment without a public URL, which the others accept.
    let authority = TokenAuthority::new(&keys(), Issuers::only("edge-auth"), "edge-auth");
    authority.sign_pending(&pending, clock()).unwrap().expose().to_owned()
}

fn challenge(owner: Owner<'_>, purpose: Purpose) -> Vec<u8> {
    let challenge = Challenge { id: next_challenge(owner), expires_at: clock().plus_seconds(300) };
    ChallengeKeys::derive(&keys()).make(purpose, challenge)
}

/// A new credential of a new authenticator.
fn registration(owner: Owner<'_>) -> (Authenticator, String) {
    let user = owner.id();
    let handle = BASE64.encode([9; 32]);
    owner
        .db
        .execute(&format!("UPDATE users SET passkey_handle = coalesce(passkey_handle, '{handle}') WHERE id = {user}"));
    let handle: String = owner.db.one(&format!("SELECT passkey_handle FROM users WHERE id = {user}"));
    let mut authenticator = Authenticator::new(SignatureAlgorithm::EdDsa);
    let options = json!({
        "challenge": BASE64.encode(challenge(owner, Purpose::Register(user))),
        "rp": {"id": RP_ID, "name": "Example"},
        "user": {"id": handle, "name": owner.email, "displayName": "Owner"},
        "pubKeyCredParams": [{"type": "public-key", "alg": cose_id(SignatureAlgorithm::EdDsa)}],
        "excludeCredentials": [],
    });
    let credential = authenticator.register(&options, ORIGIN);
    (authenticator, credential)
}

/// The row of a credential, as the service would write it. The former passkeys are lost.
fn plant(owner: Owner<'_>, credential: &str) {
    let new = verified(&serde_json::from_str(credential).unwrap());
    let user = owner.id();
    let id: i64 = owner.db.one("SELECT 1 + coalesce(max(id), 0) FROM passkeys");
    owner.db.execute(&format!("DELETE FROM passkeys WHERE user_id = {user}"));
    owner.db.execute(&format!(
        "INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
             is_backup_eligible, is_backed_up, created_at)
         VALUES ({id}, {user}, '{}', 'Phone', '{}', '{}', {}, '{}', {}, {}, {})",
        BASE64.encode(&new.credential_id),
        new.key.algorithm.as_str(),
        new.key.jwk,
        new.sign_count,
        json!(new.transports),
        new.is_backup_eligible,
        new.is_backed_up,
        clock().millis()
    ));
}

fn verified(credential: &Value) -> NewPasskey {
    let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap()).unwrap();
    let response = &credential["response"];
    let response = RegistrationResponse {
        raw_id: bytes(&credential["rawId"]),
        id: credential["id"].as_str().unwrap().to_owned(),
        kind: "public-key".to_owned(),
        client_data_json: bytes(&response["clientDataJSON"]),
        attestation_object: bytes(&response["attestationObject"]),
        transports: vec!["internal".to_owned()],
    };
    let rp = RelyingParty { id: RP_ID.to_owned(), origins: vec![ORIGIN.to_owned()] };
    register(&response, &Ceremony { rp: &rp, is_challenge: &|_| true }).unwrap()
}

/// An assertion of a new passkey, behind the challenge that it answers.
fn assertion(owner: Owner<'_>, purpose: Purpose) -> (String, String) {
    let (mut authenticator, credential) = registration(owner);
    plant(owner, &credential);
    let challenge = BASE64.encode(challenge(owner, purpose));
    let options = json!({"challenge": challenge, "rpId": RP_ID, "allowCredentials": []});
    let assertion = authenticator.authenticate(&options, ORIGIN);
    (challenge, assertion)
}

/// The body of a sign-in without an address.
fn passkey_sign_in(owner: Owner<'_>) -> String {
    let (flow, assertion) = assertion(owner, Purpose::SignIn);
    format!(r#"{{"flow": "{flow}", "credential": {assertion}}}"#)
}

/// The id of the newest passkey.
fn passkey(owner: Owner<'_>) -> String {
    let select = format!("SELECT id FROM passkeys WHERE user_id = {} ORDER BY id DESC LIMIT 1", owner.id());
    if owner.db.rows(&select).is_empty() {
        let (_, credential) = registration(owner);
        plant(owner, &credential);
    }
    owner.db.rows(&select).remove(0)["id"].to_string()
}

//! Identities of one user of a world, and flows with `acme`, in the place of words in a request: as a client would present
//! them now.

use std::task::{Context, Poll, Waker};

use edge_auth::domain::account::email::Email;
use edge_auth::domain::federation::assertion::Assertion;
use edge_auth::domain::federation::flow::{FLOW_SECONDS, Flow, FlowKeys, Purpose};
use edge_auth::domain::federation::sealed::SealedAssertion;
use edge_auth::domain::ids::{FlowId, ProofId, UserId};
use edge_auth::domain::mail::proof::Purpose as ProofPurpose;
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::{SecretKeys, key_id};
use edge_auth::ports::{Encryption as _, Seal};
use serde_json::json;

use super::crypto::NativeCrypto;
use super::federation::{PUBLIC_URL, RETURN_URL};
use super::mail::plant;
use super::provider::{ISSUER, Person, Providers, visit};
use super::sqlite::Sqlite;
use super::world::address;
use super::{SECRET, clock};

/// The user with an identity, unless another one is named.
pub const FAY: &str = "fay";
const PROVIDER: &str = "acme";
/// The labels of the keys that encrypt codes, and flows of mailed codes.
const CODE: &str = "edge-auth federation code";
const MAILED: &str = "edge-auth federation mail";

type Evidence = fn(Owner<'_>) -> String;

/// No word is part of another one, nor of a word for a second factor or a link.
const WORDS: [(&str, Evidence); 11] = [
    ("CALLBACK_QUERY", callback),
    ("EXCHANGE_OF_OWNER", |owner| exchange(owner, Purpose::SignIn, &owner.person(true))),
    ("EXCHANGE_OF_STRANGER", |owner| exchange(owner, Purpose::SignIn, &stranger(owner.db))),
    ("EXCHANGE_TO_JOIN", |owner| {
        exchange(owner, Purpose::SignIn, &Person { email: address(owner.name), ..stranger(owner.db) })
    }),
    ("LINK_OF_OWNER", |owner| exchange(owner, Purpose::Link, &stranger(owner.db))),
    ("STEP_UP_OF_OWNER", |owner| exchange(owner, Purpose::StepUp, &owner.person(false))),
    ("ID_TOKEN_OF_OWNER", |owner| id_token(owner, Purpose::SignIn, &owner.person(true))),
    ("ID_TOKEN_OF_STRANGER", |owner| id_token(owner, Purpose::SignIn, &stranger(owner.db))),
    ("ID_TOKEN_TO_LINK", |owner| id_token(owner, Purpose::Link, &stranger(owner.db))),
    ("CONFIRMATION_OF_OWNER", confirmation),
    ("{identity}", |owner| owner.identity().to_string()),
];

/// A user of a world. The address is proven, as soon as evidence is made.
#[derive(Clone, Copy)]
struct Owner<'a> {
    db: &'a Sqlite,
    name: &'a str,
}

/// The request with evidence of fay in the place of words. An identity that she lacks is added to the database.
pub fn with_identities(db: &Sqlite, request: &str) -> String {
    with_identities_of(db, FAY, request)
}

/// The same with the evidence of another user.
pub fn with_identities_of(db: &Sqlite, name: &str, request: &str) -> String {
    let owner = Owner { db, name };
    let words = WORDS.iter().filter(|(word, _)| request.contains(word));
    words.fold(request.to_owned(), |request, (word, evidence)| {
        let email = address(name);
        db.execute(&format!(
            "UPDATE users SET email_verified_at = 1 WHERE email = '{email}' AND email_verified_at IS NULL"
        ));
        request.replace(word, &evidence(owner))
    })
}

impl Owner<'_> {
    fn id(self) -> i64 {
        self.db.one(&format!("SELECT id FROM users WHERE email = '{}'", address(self.name)))
    }

    /// The newest identity.
    fn identity(self) -> i64 {
        let Self { db, name } = self;
        let (user, email, now) = (self.id(), address(name), clock().millis());
        db.execute(&format!(
            "INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
             SELECT 1 + coalesce((SELECT max(id) FROM identities), 0), {user}, '{PROVIDER}', '{ISSUER}', '{name}', '{email}',
                 {now} WHERE NOT EXISTS (SELECT 1 FROM identities WHERE subject = '{name}')"
        ));
        db.one(&format!("SELECT max(id) FROM identities WHERE user_id = {user}"))
    }

    /// The user at the provider, linked to the account, which has a password or, as far as step-up is concerned, has none.
    fn person(self, has_password: bool) -> Person {
        self.identity();
        self.db.execute(&format!("UPDATE users SET has_password = {has_password} WHERE id = {}", self.id()));
        Person::of(self.name, &address(self.name))
    }
}

/// An identity that no account has, with an address that no account has.
fn stranger(db: &Sqlite) -> Person {
    let subject = format!("stranger-{}", next_flow(db).get());
    Person { email: address(&subject), subject, verified: true }
}

/// Far from the ids of proofs, which share the table.
fn next_flow(db: &Sqlite) -> FlowId {
    FlowId::new(db.one("SELECT 1 + max(1000000, coalesce(max(id), 0)) FROM used_flows")).unwrap()
}

fn secrets() -> SecretKeys {
    SecretKeys::only(Secret::new(SECRET))
}

fn flow(owner: Owner<'_>, purpose: Purpose, is_native: bool) -> (Flow, String) {
    let flow = Flow { id: next_flow(owner.db), purpose, is_native, ends_at: clock().plus_seconds(FLOW_SECONDS) };
    let user = purpose.needs_caller().then(|| UserId::new(owner.id()).unwrap());
    let text = FlowKeys::derive(&secrets()).flow(&flow, PROVIDER, user);
    (flow, text.expose().to_owned())
}

/// The parameters of a browser that comes back.
fn callback(owner: Owner<'_>) -> String {
    let (flow, _) = flow(owner, Purpose::SignIn, false);
    let keys = FlowKeys::derive(&secrets());
    let secrets = keys.secrets(&flow, PROVIDER);
    let query = [
        ("response_type", "code".to_owned()),
        ("client_id", "edge-auth-at-acme".to_owned()),
        ("code_challenge_method", "S256".to_owned()),
        ("redirect_uri", format!("{PUBLIC_URL}/auth/federated/{PROVIDER}/callback")),
        ("state", keys.state(&flow, PROVIDER, RETURN_URL)),
        ("code_challenge", secrets.challenge()),
        ("nonce", secrets.nonce),
    ];
    let query = query.map(|(name, value)| format!("{name}={value}")).join("&");
    let callback = visit(&format!("{ISSUER}/authorize?{query}"), &owner.person(true));
    callback.split_once('?').unwrap().1.to_owned()
}

fn assertion(person: &Person) -> Assertion {
    Assertion {
        issuer: ISSUER.to_owned(),
        subject: person.subject.clone(),
        email: Some(Email::stored(&person.email)),
        is_email_verified: person.verified,
        name: None,
        hosted_domain: None,
        auth_time: Some(clock()),
    }
}

fn exchange(owner: Owner<'_>, purpose: Purpose, person: &Person) -> String {
    let (flow, text) = flow(owner, purpose, false);
    json!({"flow": text, "code": seal(CODE, flow.id, None, person)}).to_string()
}

fn id_token(owner: Owner<'_>, purpose: Purpose, person: &Person) -> String {
    let (flow, text) = flow(owner, purpose, true);
    let nonce = FlowKeys::derive(&secrets()).secrets(&flow, PROVIDER).nonce;
    json!({"flow": text, "id_token": Providers::default().id_token(PROVIDER, &nonce, person)}).to_string()
}

/// A code that was mailed to the address, for an identity that no account has.
fn confirmation(owner: Owner<'_>) -> String {
    let email = address(owner.name);
    let (keys, id) = plant(owner.db, ProofPurpose::Federate, &email);
    let person = Person { email, ..stranger(owner.db) };
    let flow = seal(MAILED, next_flow(owner.db), Some(id), &person);
    json!({"flow": flow, "code": keys.code(ProofPurpose::Federate, id).expose()}).to_string()
}

fn seal(purpose: &'static str, flow_id: FlowId, proof_id: Option<ProofId>, person: &Person) -> String {
    let ends_at = clock().plus_seconds(FLOW_SECONDS);
    let sealed =
        SealedAssertion { flow_id, proof_id, provider: PROVIDER.to_owned(), assertion: assertion(person), ends_at };
    let (secret, text) = (Secret::new(SECRET), Secret::new(sealed.text()));
    let seal = Seal { secret: &secret, purpose, row: "" };
    let mut encrypted = NativeCrypto.encrypt(seal, &text);
    match encrypted.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(encrypted) => format!("{}.{}", key_id(&secret), encrypted.unwrap()),
        Poll::Pending => panic!("a port of the tests waits"),
    }
}

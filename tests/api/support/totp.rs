//! An authenticator app (RFC 6238), written apart from the service's own code.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{EMAIL, PASSWORD, Reply, Service, Tokens, clock};

/// The app of one account.
#[derive(Clone)]
pub struct App {
    secret: Vec<u8>,
}

impl App {
    /// Takes the secret of an enrolment, in Base32 (RFC 4648 §6).
    pub fn of(secret: &str) -> Self {
        let value = |letter| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
        let bits: Vec<String> = secret.chars().map(|letter| format!("{:05b}", value(letter))).collect();
        let bits = bits.concat();
        let bytes = bits.as_bytes().chunks_exact(8);
        Self { secret: bytes.map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap()).collect() }
    }

    /// The code of the present time step, or one some steps away.
    pub fn code(&self, steps: i64) -> String {
        let step = clock().seconds() / 30 + steps;
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).unwrap();
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash[19] & 0xf);
        let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// A code that no step near the present has.
    pub fn wrong_code(&self) -> String {
        let near: Vec<String> = (-3..=3).map(|steps| self.code(steps)).collect();
        (0..100).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// Enrols an app with the session of this token; returns the app and the recovery codes. The clock moves on, so that the
/// next code is a fresh one.
pub async fn enrol(service: &Service, access: &str) -> (App, Vec<String>) {
    let offer = service.call("POST", "/users/me/mfa/totp", access, None).await.expect(201);
    let app = App::of(offer.body["secret"].as_str().unwrap());
    let confirm = json!({"code": app.code(0)});
    let reply = service.call("POST", "/users/me/mfa/totp/confirm", access, Some(&confirm)).await.expect(200);
    service.advance(30);
    (app, codes(&reply))
}

pub fn codes(reply: &Reply) -> Vec<String> {
    let codes = reply.body["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// A registered account with an app.
pub async fn account(service: &Service) -> (Tokens, App, Vec<String>) {
    let tokens = service.register(EMAIL).await;
    let (app, codes) = enrol(service, &tokens.access).await;
    (tokens, app, codes)
}

/// Signs in with the password; returns the `mfa_token`.
pub async fn first_factor(service: &Service) -> String {
    let reply = service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    reply.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned()
}

/// Presents a second factor: a member and its value.
pub async fn second_factor(service: &Service, token: &str, member: &str, value: impl Into<Value>) -> Reply {
    let mut body = json!({"mfa_token": token});
    body[member] = value.into();
    service.post("/auth/mfa", &body).await
}

/// Signs in with the password and a code of the present step. The clock moves on.
pub async fn sign_in(service: &Service, app: &App) -> Tokens {
    sign_in_as(service, EMAIL, app).await
}

/// The same for the account of this address.
pub async fn sign_in_as(service: &Service, email: &str, app: &App) -> Tokens {
    let reply = service.login(email, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned();
    let tokens = second_factor(service, &token, "code", app.code(0)).await.expect(200).tokens();
    service.advance(30);
    tokens
}

//! The mailbox of the tests: it keeps every mail that it accepts.

use std::sync::{Arc, Mutex};

use edge_auth::domain::outbound::{HttpRequest, HttpResponse};
use edge_auth::ports::{BindingError, MailBinding, NoResponse, Outbound, PortFuture};
use serde_json::Value;

use super::provider::Providers;

/// Keeps the mails, or refuses them with a code.
#[derive(Default)]
pub struct Mailbox {
    accepted: Mutex<Vec<Value>>,
    refusal: Mutex<Option<&'static str>>,
    attempts: Mutex<usize>,
}

impl Mailbox {
    /// Refuses mails with this code from now on, or accepts them again.
    pub fn refuse(&self, code: Option<&'static str>) {
        *self.refusal.lock().unwrap() = code;
    }

    /// The number of mails that were handed over, accepted or not.
    pub fn attempts(&self) -> usize {
        *self.attempts.lock().unwrap()
    }

    /// Takes the accepted mails.
    pub fn take(&self) -> Vec<Letter> {
        self.accepted.lock().unwrap().drain(..).map(Letter).collect()
    }

    /// Takes the only accepted mail.
    pub fn take_one(&self) -> Letter {
        let [letter] = <[Letter; 1]>::try_from(self.take()).unwrap_or_else(|mails| panic!("{mails:?}"));
        letter
    }
}

impl MailBinding for Mailbox {
    fn send<'a>(&'a self, mail: &'a str) -> PortFuture<'a, Result<(), BindingError>> {
        *self.attempts.lock().unwrap() += 1;
        let refusal = *self.refusal.lock().unwrap();
        if refusal.is_none() {
            self.accepted.lock().unwrap().push(serde_json::from_str(mail).unwrap());
        }
        let refused = |code: &str| BindingError { code: code.to_owned(), message: "refused".to_owned() };
        let result = refusal.map_or(Ok(()), |code| Err(refused(code)));
        Box::pin(std::future::ready(result))
    }
}

/// A mail as the binding got it.
#[derive(Debug)]
pub struct Letter(pub Value);

impl Letter {
    pub fn to(&self) -> &str {
        self.0["to"].as_str().unwrap()
    }

    pub fn subject(&self) -> &str {
        self.0["subject"].as_str().unwrap()
    }

    pub fn text(&self) -> &str {
        self.0["text"].as_str().unwrap()
    }

    /// The token of the link.
    pub fn token(&self) -> String {
        let (_, rest) = self.text().split_once("#token=").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    /// The code of 8 digits.
    pub fn code(&self) -> String {
        let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text().lines().find(is_code).unwrap().to_owned()
    }
}

/// The other servers: the providers of identities, and one that answers every other request with this status, and keeps it.
pub struct Server {
    pub status: u16,
    pub requests: Arc<Mutex<Vec<(String, String)>>>,
    pub providers: Providers,
}

impl Outbound for Server {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> PortFuture<'a, Result<HttpResponse, NoResponse>> {
        if let Some(answer) = self.providers.answer(request) {
            return Box::pin(std::future::ready(answer));
        }
        self.requests.lock().unwrap().push((
            request.url.clone(),
            request.body.as_ref().map(|body| body.expose().to_owned()).unwrap_or_default(),
        ));
        Box::pin(std::future::ready(Ok(HttpResponse { status: self.status, body: "{}".to_owned(), is_cut: false })))
    }
}

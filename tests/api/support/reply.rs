//! A response, and the assertions about it.

use axum::http::HeaderMap;
use serde_json::Value;

/// A response, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Reply {
    /// Asserts the status; a failure shows the whole reply.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts status and error code; a failure shows the whole reply.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{self:?}");
        self
    }

    #[track_caller]
    pub fn tokens(&self) -> Tokens {
        let token = |name: &str| self.body[name].as_str().unwrap().to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token") }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `(last element of loc, type)` of every fault.
    pub fn faults(&self) -> Vec<(String, String)> {
        let errors = self.body["error"]["details"]["errors"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        errors
            .iter()
            .map(|fault| (text(fault["loc"].as_array().unwrap().last().unwrap()), text(&fault["type"])))
            .collect()
    }
}

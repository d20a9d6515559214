//! A browser as the service sees it: it keeps cookies, and says which page caused a request.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{EMAIL, PASSWORD, Reply, Service};

/// A cookie of a response: name, value and lifetime in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    pub max_age: i64,
}

/// The cookies that a response sets, each checked for the attributes that keep scripts and other sites away.
pub fn set_cookies(reply: &Reply) -> Vec<SetCookie> {
    let texts = reply.headers.get_all("set-cookie").iter().map(|text| text.to_str().unwrap());
    texts
        .map(|text| {
            let (pair, attributes) = text.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let (max_age, others) = attributes.split_once("; ").unwrap();
            assert_eq!(others, "Path=/; Secure; HttpOnly; SameSite=Strict");
            let max_age = max_age.strip_prefix("Max-Age=").unwrap().parse().unwrap();
            SetCookie { name: name.to_owned(), value: value.to_owned(), max_age }
        })
        .collect()
}

/// The body of a sign-in in cookie mode.
pub fn cookie_login() -> Value {
    json!({"email": EMAIL, "password": PASSWORD, "token_delivery": "cookie"})
}

/// A browser with a page of some origin.
#[derive(Debug, Clone)]
pub struct Browser {
    /// `Sec-Fetch-Site`, unless the browser does not know it.
    pub site: Option<&'static str>,
    pub origin: Option<&'static str>,
    /// The address from which it connects.
    pub ip: &'static str,
    pub cookies: Vec<(String, String)>,
}

impl Browser {
    /// A browser with a page of the service itself.
    pub fn at_home() -> Self {
        let (site, origin) = (Some("same-origin"), Some("https://auth.example.com"));
        Self { site, origin, ip: "192.0.2.1", cookies: Vec::new() }
    }

    /// A browser with a page of the service, and a session of a new user.
    pub async fn signed_in(service: &Service) -> Self {
        service.register(EMAIL).await;
        let mut browser = Self::at_home();
        browser.post(service, "/auth/login", Some(&cookie_login())).await.expect(200);
        browser
    }

    /// A browser with a page of another site.
    pub fn elsewhere() -> Self {
        Self { site: Some("cross-site"), origin: Some("https://evil.example"), ..Self::at_home() }
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Posts with the cookies, and keeps those of the response.
    pub async fn post(&mut self, service: &Service, path: &str, body: Option<&Value>) -> Reply {
        let mut request = Request::post(path).header("CF-Connecting-IP", self.ip);
        let headers = [("Sec-Fetch-Site", self.site), ("Origin", self.origin)];
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", pairs.join("; "));
        }
        let request = match body {
            Some(body) => request.header("Content-Type", "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let reply = service.send(request.unwrap()).await;
        for cookie in set_cookies(&reply) {
            self.cookies.retain(|(name, _)| *name != cookie.name);
            if cookie.max_age > 0 {
                self.cookies.push((cookie.name, cookie.value));
            }
        }
        reply
    }
}

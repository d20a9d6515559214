//! Cookie mode: refresh and device tokens in cookies that no script can read, for browsers.
//!
//! A sign-in asks for it by `"token_delivery": "cookie"`, and a token that came in a cookie is answered by a cookie only.
//! So a script that an attacker smuggles into a page cannot carry the tokens away.
//!
//! A cookie is sent by the browser, whichever page caused the request (cross-site request forgery). `SameSite=Strict`
//! withholds it from other sites. A request that relies on the cookie, or asks for it, must also come from a page of this
//! service or of a listed origin, by `Sec-Fetch-Site` and `Origin`: no script can set either. A program that is no browser
//! can, but has no cookie of another person. Asking counts, too, or a page could sign its visitors in to an account of its
//! owner (login CSRF).
//!
//! Sources: RFC 6265bis §4.1.3 (`__Host-`), Fetch Metadata §2.3, OWASP CSRF Prevention Cheat Sheet.

use axum::http::header::{COOKIE, HeaderName, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::session::device_token;
use crate::domain::settings::{CorsOrigins, Settings};
use crate::http::kit::bearer::BearerChallenge;
use crate::http::kit::body::FromFields;
use crate::http::kit::context::Configured;
use crate::http::kit::extract::FromParts;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::refusal::Refusal;
use crate::service::session::refresh::TokenStore;
use crate::service::session::tokens::SignInTokens;
use crate::service::{Error, TokenPair};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const FOREIGN_PAGE: &str = "Tokens in cookies are for pages of this service and of listed origins of the same site: \
                            application and service must share a site";

/// The names of the cookies of a deployment. Two deployments below different paths of one host have different ones.
#[derive(Debug, Clone)]
struct Names {
    refresh: String,
    device: String,
}

impl Names {
    fn of(settings: &Settings) -> Self {
        let suffix = settings.presentation.base_path.replace('/', "-");
        Self { refresh: format!("__Host-edge-auth{suffix}"), device: format!("__Host-edge-auth-device{suffix}") }
    }
}

/// The cookies of a request, and whether it comes from a page that may use them.
pub(in crate::http) struct Cookies {
    names: Names,
    refresh: Option<Secret>,
    device: Option<Secret>,
    is_own_page: bool,
}

impl FromParts for Cookies {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let configured = Configured::of(parts)?;
        let settings = configured.settings();
        let names = Names::of(settings);
        let (refresh, device) = (cookie(&parts.headers, &names.refresh), cookie(&parts.headers, &names.device));
        Ok(Self { names, refresh, device, is_own_page: is_own_page(&parts.headers, settings) })
    }
}

/// The value of a cookie, unless it is empty. Cookies of others beside it may have any bytes: a neighbour of the host can set
/// some for it.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let mut pairs = headers.get(COOKIE)?.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let value = |pair: &[u8]| Some(pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec());
    let value = pairs.find_map(|pair| value(pair).filter(|value| !value.is_empty()))?;
    String::from_utf8(value).ok().map(Secret::new)
}

/// Was the request caused by a page of this service, or of a listed origin of the same site?
fn is_own_page(headers: &HeaderMap, settings: &Settings) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(ORIGIN);
    let is_listed = || match &settings.presentation.cors_origins {
        CorsOrigins::Only(list) => origin.is_some_and(|origin| list.iter().any(|listed| listed == origin)),
        CorsOrigins::Any => false,
    };
    // A base path is no part of an origin.
    let public_url = settings.tokens.public_url.as_deref();
    let own = public_url.and_then(|url| url.strip_suffix(settings.presentation.base_path.as_str()));
    match text(SEC_FETCH_SITE) {
        Some("same-origin") => true,
        Some("same-site") => is_listed(),
        Some(_) => false,
        None => is_listed() || (origin.is_some() && origin == own),
    }
}

impl Cookies {
    fn admit(&self) -> Result<(), Refusal> {
        if self.is_own_page { Ok(()) } else { Err(Problem::forbidden(FOREIGN_PAGE).into()) }
    }

    /// The delivery of the tokens that a sign-in asks for.
    pub(in crate::http) fn delivery(&self, asked: AskedDelivery) -> Result<Delivery, Refusal> {
        match asked {
            AskedDelivery::Body => Ok(Delivery(None)),
            AskedDelivery::Cookie => self.admit().map(|()| Delivery(Some(self.names.clone()))),
        }
    }

    /// The device token of the browser, for a sign-in in cookie mode.
    pub(in crate::http) fn device_token(&mut self, delivery: &Delivery) -> Option<Secret> {
        delivery.0.as_ref().and_then(|_| self.device.take())
    }

    /// The refresh token of a request, of its body or else of the cookie, and the delivery of the answer.
    pub(super) fn refresh_token(self, of_body: Option<Secret>) -> Result<Option<(Secret, Delivery)>, Refusal> {
        if let Some(token) = of_body {
            return Ok(Some((token, Delivery(None))));
        }
        if self.refresh.is_some() {
            self.admit()?;
        }
        Ok(self.refresh.map(|token| (token, Delivery(Some(self.names)))))
    }
}

/// The member `token_delivery` of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum AskedDelivery {
    Body,
    Cookie,
}

/// The body of a sign-in, with the delivery of its tokens.
pub(in crate::http) struct Asked<T>(pub(in crate::http) T, pub(in crate::http) AskedDelivery);

impl<T: FromFields> FromFields for Asked<T> {
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        let choices = [("body", AskedDelivery::Body), ("cookie", AskedDelivery::Cookie)];
        let delivery = fields.optional_choice("token_delivery", &choices);
        let command = T::read(fields, settings);
        Ok(Self(command?, delivery?.unwrap_or(AskedDelivery::Body)))
    }
}

/// The way in which a response hands over tokens: in cookies of these names, or in its body.
#[derive(Debug, Clone)]
pub(in crate::http) struct Delivery(Option<Names>);

impl Delivery {
    /// The place from which the client takes its refresh token.
    pub(super) const fn store(&self) -> TokenStore {
        if self.0.is_some() { TokenStore::Cookies } else { TokenStore::Client }
    }

    /// A token as the body has it: not at all, if a cookie has it.
    pub(super) fn in_body<'a>(&self, token: &'a Secret) -> Option<&'a str> {
        self.0.is_none().then(|| token.expose())
    }

    /// The response, with the refresh token in its cookie.
    pub(super) fn with_refresh(&self, mut response: Response, pair: &TokenPair) -> Response {
        if let Some(names) = &self.0 {
            set(&mut response, &names.refresh, pair.refresh_token.expose(), pair.session_ends_in);
        }
        response
    }

    /// The response, with both tokens in their cookies.
    pub(super) fn with_both(&self, response: Response, tokens: &SignInTokens) -> Response {
        let mut response = self.with_refresh(response, &tokens.pair);
        if let Some(names) = &self.0 {
            set(&mut response, &names.device, tokens.device_token.expose(), device_token::LIFETIME_SECONDS);
        }
        response
    }

    /// The response, which removes the cookie of the refresh token.
    pub(super) fn without_refresh(&self, mut response: Response) -> Response {
        if let Some(names) = &self.0 {
            set(&mut response, &names.refresh, "", 0);
        }
        response
    }

    /// The refusal of a refresh token. A token that is of no more use is removed.
    pub(super) fn refusing(&self, error: Error) -> Response {
        let is_dead = matches!(error.code(), Some(Code::TokenInvalid | Code::TokenExpired | Code::TokenRevoked));
        let response = Refusal::from(error).into_response();
        if is_dead { self.without_refresh(response) } else { response }
    }
}

/// The refusal of a request without a token: none was wrong.
pub(super) fn without_token() -> Response {
    let mut response = Refusal::from(Code::TokenInvalid).into_response();
    response.extensions_mut().insert(BearerChallenge::Absent);
    response
}

fn set(response: &mut Response, name: &str, value: &str, seconds: i64) {
    let cookie = format!("{name}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Strict");
    // Signed tokens consist of characters that a header may have.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

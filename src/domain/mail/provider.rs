//! The providers that take mails: Cloudflare's binding, and two services over HTTP. For the latter this file is the table
//! of differences: the form of a mail, and the meaning of an answer.

use serde::{Deserialize, Serialize};

use crate::domain::mail::letter::Message;
use crate::domain::mail::sender::Sender;
use crate::domain::outbound::HttpRequest;
use crate::domain::secret::Secret;

/// The value of the setting `MAIL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The `send_email` binding of Cloudflare's Email Service.
    Binding,
    /// Resend: <https://resend.com/docs/api-reference/emails/send-email>, by HTTP.
    Resend,
    /// Postmark: <https://postmarkapp.com/developer/api/email-api>, by HTTP.
    Postmark,
}

impl Provider {
    /// The provider with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "binding" => Some(Self::Binding),
            "resend" => Some(Self::Resend),
            "postmark" => Some(Self::Postmark),
            _ => None,
        }
    }

    /// Does it need `MAIL_API_KEY`?
    #[must_use]
    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Binding)
    }
}

/// A mail that is ready to be sent.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The sender of the settings.
    pub from: &'a Sender,
    /// The address of the recipient.
    pub to: &'a str,
    /// The letter to be sent.
    pub message: &'a Message,
    /// The same for each attempt, so that a provider can recognise a repetition.
    pub key: &'a str,
}

/// Why a mail was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A later attempt may succeed.
    Again(String),
    /// This mail is never accepted, for example because the address does not exist.
    Never(String),
    /// No mail is accepted until the settings are corrected.
    Misconfigured(String),
}

/// A provider that has not answered by then may have accepted the mail. It gets it a second time.
const DEADLINE_MS: u32 = 10_000;

#[derive(Serialize)]
struct Address<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

#[derive(Serialize)]
struct BindingMail<'a> {
    from: Address<'a>,
    to: &'a str,
    subject: &'a str,
    text: &'a str,
    html: &'a str,
}

/// The argument of the binding's `send`, as JSON.
#[must_use]
pub fn binding_mail(mail: &Envelope<'_>) -> String {
    let Message { subject, text, html } = mail.message;
    let from = Address { email: &mail.from.address, name: &mail.from.name };
    json(&BindingMail { from, to: mail.to, subject, text, html })
}

/// The meaning of an error code of the binding.
#[must_use]
pub fn binding_refusal(code: &str, message: &str) -> Refusal {
    // The message may name the recipient.
    let cause = if code.is_empty() { "no error code".to_owned() } else { code.to_owned() };
    match code {
        "E_SENDER_NOT_VERIFIED" | "E_SENDER_DOMAIN_NOT_AVAILABLE" => Refusal::Misconfigured(cause),
        // A sender that is not among `allowed_sender_addresses`.
        "" if message.starts_with("email from ") => Refusal::Misconfigured(cause),
        code if code.starts_with("E_RECIPIENT_") => Refusal::Never(cause),
        // A fault of the form, which every mail has: no recipient is to blame.
        code if code.starts_with("E_HEADER_") || code == "E_VALIDATION_ERROR" => Refusal::Misconfigured(cause),
        // Limits, failures of the service, and codes that are added later.
        _ => Refusal::Again(cause),
    }
}

#[derive(Serialize)]
struct ResendMail<'a> {
    from: &'a str,
    to: [&'a str; 1],
    subject: &'a str,
    text: &'a str,
    html: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PostmarkMail<'a> {
    from: &'a str,
    to: &'a str,
    subject: &'a str,
    text_body: &'a str,
    html_body: &'a str,
    message_stream: &'static str,
    track_opens: bool,
    track_links: &'static str,
}

/// The request that sends a mail. `None` for the binding, which is no server.
#[must_use]
pub fn http_request(provider: Provider, api_key: &Secret, mail: &Envelope<'_>) -> Option<HttpRequest> {
    let Sender { name, address } = mail.from;
    let from = if name.is_empty() { address.clone() } else { format!("{name} <{address}>") };
    let Message { subject, text, html } = mail.message;
    let (url, credentials, body) = match provider {
        Provider::Binding => return None,
        Provider::Resend => (
            "https://api.resend.com/emails",
            vec![
                ("Authorization", Secret::new(format!("Bearer {}", api_key.expose()))),
                ("Idempotency-Key", Secret::new(mail.key)),
            ],
            json(&ResendMail { from: &from, to: [mail.to], subject, text, html }),
        ),
        Provider::Postmark => (
            "https://api.postmarkapp.com/email",
            vec![("X-Postmark-Server-Token", api_key.clone()), ("Accept", Secret::new("application/json"))],
            json(&PostmarkMail {
                from: &from,
                to: mail.to,
                subject,
                text_body: text,
                html_body: html,
                message_stream: "outbound",
                track_opens: false,
                track_links: "None",
            }),
        ),
    };
    let headers = std::iter::once(("Content-Type", Secret::new("application/json"))).chain(credentials).collect();
    Some(HttpRequest { url: url.to_owned(), headers, body: Some(Secret::new(body)), deadline_ms: DEADLINE_MS })
}

/// The members of an error body: `name` and `message` of Resend, `ErrorCode` of Postmark.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "ErrorCode")]
    code: i64,
}

/// The meaning of a response.
///
/// # Errors
/// [`Refusal`].
pub fn http_outcome(provider: Provider, status: u16, body: &str) -> Result<(), Refusal> {
    let ErrorBody { name, message, code } = serde_json::from_str(body).unwrap_or_default();
    if (200..300).contains(&status) && code == 0 {
        return Ok(());
    }
    let cause = format!("status {status} {name} {code}");
    let is_settings = match provider {
        Provider::Binding => false,
        // Their "invalid_from_address" has the status of a wrong recipient.
        Provider::Resend => {
            matches!(status, 401 | 403)
                || name.contains("from_address")
                || name.contains("api_key")
                || message.contains("API key")
        }
        // A wrong token, an unknown or unconfirmed sender, no credits, a pending account.
        Provider::Postmark => status == 401 || matches!(code, 10 | 400 | 401 | 405 | 412 | 413),
    };
    Err(match status {
        _ if is_settings => Refusal::Misconfigured(cause),
        // 409: the same mail is being sent at this moment.
        408 | 409 | 429 | 500.. => Refusal::Again(cause),
        422 => Refusal::Never(cause),
        // A redirect is not followed, and other statuses say nothing about the recipient.
        _ => Refusal::Misconfigured(cause),
    })
}

fn json(value: &impl Serialize) -> String {
    // Texts and booleans: serialization cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn message() -> Message {
        Message { subject: "S".into(), text: "T".into(), html: "H".into() }
    }

    #[test]
    fn each_provider_gets_its_own_form() {
        let from = Sender { name: "Example".into(), address: "login@example.com".into() };
        let message = message();
        let mail = Envelope { from: &from, to: "ada@example.com", message: &message, key: "4711" };
        let binding = r#"{"from":{"email":"login@example.com","name":"Example"},"to":"ada@example.com","subject":"S","text":"T","html":"H"}"#;
        assert_eq!(binding_mail(&mail), binding);
        let key = Secret::new("key");
        assert!(http_request(Provider::Binding, &key, &mail).is_none());
        let resend = http_request(Provider::Resend, &key, &mail).unwrap();
        let body =
            r#"{"from":"Example <login@example.com>","to":["ada@example.com"],"subject":"S","text":"T","html":"H"}"#;
        assert_eq!(resend.body.as_ref().unwrap().expose(), body);
        let headers: Vec<_> = resend.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
        let expected =
            [("Content-Type", "application/json"), ("Authorization", "Bearer key"), ("Idempotency-Key", "4711")];
        assert_eq!(headers, expected);
        let postmark = http_request(Provider::Postmark, &key, &mail).unwrap();
        let body = r#"{"From":"Example <login@example.com>","To":"ada@example.com","Subject":"S","TextBody":"T","HtmlBody":"H","MessageStream":"outbound","TrackOpens":false,"TrackLinks":"None"}"#;
        assert_eq!(postmark.body.unwrap().expose(), body);
    }

    #[test]
    fn an_answer_says_again_never_or_misconfigured() {
        let outcome = |provider, status, body| match http_outcome(provider, status, body) {
            Ok(()) => "accepted",
            Err(Refusal::Again(_)) => "again",
            Err(Refusal::Never(_)) => "never",
            Err(Refusal::Misconfigured(_)) => "misconfigured",
        };
        for (provider, status, body, expected) in [
            (Provider::Resend, 200, r#"{"id":"1"}"#, "accepted"),
            (Provider::Resend, 401, r#"{"name":"missing_api_key"}"#, "misconfigured"),
            (Provider::Resend, 403, r#"{"name":"validation_error"}"#, "misconfigured"),
            (Provider::Resend, 400, r#"{"name":"validation_error","message":"API key is invalid"}"#, "misconfigured"),
            (Provider::Resend, 422, r#"{"name":"invalid_from_address"}"#, "misconfigured"),
            (Provider::Resend, 422, r#"{"name":"validation_error"}"#, "never"),
            (Provider::Resend, 409, r#"{"name":"concurrent_idempotent_requests"}"#, "again"),
            (Provider::Resend, 429, r#"{"name":"daily_quota_exceeded"}"#, "again"),
            (Provider::Resend, 503, "<html>", "again"),
            (Provider::Resend, 302, "", "misconfigured"),
            (Provider::Postmark, 200, r#"{"ErrorCode":0,"Message":"OK"}"#, "accepted"),
            (Provider::Postmark, 401, r#"{"ErrorCode":10}"#, "misconfigured"),
            (Provider::Postmark, 422, r#"{"ErrorCode":400}"#, "misconfigured"),
            (Provider::Postmark, 422, r#"{"ErrorCode":406}"#, "never"),
            (Provider::Postmark, 422, r#"{"ErrorCode":300}"#, "never"),
            (Provider::Postmark, 429, "", "again"),
            (Provider::Postmark, 500, "", "again"),
        ] {
            assert_eq!(outcome(provider, status, body), expected, "{provider:?} {status} {body}");
        }
        for (code, expected) in [
            ("E_RATE_LIMIT_EXCEEDED", "again"),
            ("E_INTERNAL_SERVER_ERROR", "again"),
            ("", "again"),
            ("E_RECIPIENT_SUPPRESSED", "never"),
            ("E_HEADER_TOO_LONG", "misconfigured"),
            ("E_SENDER_NOT_VERIFIED", "misconfigured"),
        ] {
            let found = match binding_refusal(code, "") {
                Refusal::Again(_) => "again",
                Refusal::Never(_) => "never",
                Refusal::Misconfigured(_) => "misconfigured",
            };
            assert_eq!(found, expected, "{code}");
        }
    }
}

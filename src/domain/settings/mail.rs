//! The settings of mail.

use std::sync::Arc;

use crate::domain::mail::provider::Provider;
use crate::domain::mail::sender::Sender;
use crate::domain::secret::Secret;
use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::{integer, page_url, present_secret, switch};

/// The proof of its address that a registration asks for: the setting `EMAIL_VERIFICATION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailVerification {
    /// Nothing. Owners can ask for a mail.
    Off,
    /// It sends a mail to confirm the address.
    Optional,
    /// The same, and there is no account before the address is confirmed.
    Required,
}

impl EmailVerification {
    /// The name in the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Off, Self::Optional, Self::Required].into_iter().find(|verification| verification.as_str() == text)
    }
}

/// The settings of a deployment that sends mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The provider that takes the mails.
    pub provider: Provider,
    /// The credential of a provider over HTTP.
    pub api_key: Option<Secret>,
    /// The sender of every mail.
    pub from: Sender,
    /// The page that a link to confirm an address opens.
    pub verify_page: String,
    /// The page that a link to a new password opens.
    pub reset_page: String,
    /// The page that the link of an invitation opens.
    pub invite_page: String,
    /// The page that a link to undo a change of address opens.
    pub undo_page: String,
    /// The page that the link of a security notice opens.
    pub not_me_page: String,
    /// The proof that a registration asks for.
    pub verification: EmailVerification,
    /// The owner of an address can sign in with a mailed code.
    pub signs_in_by_code: bool,
    /// Mails that strangers can ask for in an hour.
    pub per_hour: i64,
    /// The name of the service.
    pub app_name: String,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// `None` without mail, or if a setting is wrong.
    pub(super) fn mail(&mut self, public_url: Option<&str>, app_name: &str) -> Option<Arc<MailSettings>> {
        let provider = self.or("MAIL", Some(None), |text| match text {
            "none" => Some(None),
            name => Provider::named(name).map(Some),
        });
        let from = self.optional("MAIL_FROM", Sender::parse);
        let api_key = self.optional("MAIL_API_KEY", present_secret);
        let verification = self.or("EMAIL_VERIFICATION", Some(None), |text| EmailVerification::named(text).map(Some));
        let signs_in_by_code = self.or("EMAIL_SIGN_IN", Some(false), switch);
        let verify_page = self.optional("VERIFY_URL", page_url);
        let reset_page = self.optional("RESET_URL", page_url);
        let invite_page = self.optional("INVITE_URL", page_url);
        let per_hour = self.or("MAIL_PER_HOUR", Some(1000), |text| integer(text, 1, 10_000_000));
        let provider = provider?;
        let Some(provider) = provider else {
            // Confirming addresses is impossible without mail.
            self.note_if(
                verification.flatten().is_some_and(|kind| kind != EmailVerification::Off),
                "EMAIL_VERIFICATION",
            );
            self.note_if(signs_in_by_code == Some(true), "EMAIL_SIGN_IN");
            return None;
        };
        self.note_if(from.is_none(), "MAIL_FROM");
        self.note_if(public_url.is_none(), "PUBLIC_URL");
        self.note_if(provider.needs_key() && api_key.is_none(), "MAIL_API_KEY");
        let page = |own: Option<String>, path: &str| own.or_else(|| Some(format!("{}{path}", public_url?)));
        Some(Arc::new(MailSettings {
            provider,
            api_key,
            from: from?,
            verify_page: page(verify_page, "/verify")?,
            reset_page: page(reset_page, "/reset")?,
            invite_page: page(invite_page, "/invite")?,
            undo_page: page(None, "/undo")?,
            not_me_page: page(None, "/not-me")?,
            verification: verification?.unwrap_or(EmailVerification::Optional),
            signs_in_by_code: signs_in_by_code?,
            per_hour: per_hour?,
            app_name: app_name.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::domain::settings::tests::read;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const COMPLETE: [(&str, &str); 3] = [
        ("MAIL", "binding"),
        ("MAIL_FROM", "Example <login@example.com>"),
        ("PUBLIC_URL", "https://login.example.com"),
    ];

    fn with(more: &[(&'static str, &'static str)]) -> Result<Option<Arc<MailSettings>>, Vec<Cow<'static, str>>> {
        let pairs: Vec<_> = more.iter().chain(&COMPLETE).copied().collect();
        read(&pairs).map(|settings| settings.mail).map_err(|wrong| wrong.names)
    }

    #[test]
    fn mail_is_off_by_default() {
        assert!(read(&[]).unwrap().mail.is_none());
        assert!(with(&[("MAIL", "none")]).unwrap().is_none());
    }

    #[test]
    fn pages_are_those_of_the_service_or_of_the_adopter() {
        let own = with(&[]).unwrap().unwrap();
        assert_eq!(
            (own.verify_page.as_str(), own.reset_page.as_str()),
            ("https://login.example.com/verify", "https://login.example.com/reset")
        );
        assert_eq!(
            (own.undo_page.as_str(), own.not_me_page.as_str()),
            ("https://login.example.com/undo", "https://login.example.com/not-me")
        );
        assert_eq!((own.verification, own.signs_in_by_code), (EmailVerification::Optional, false));
        assert!(own.per_hour == 1000 && own.provider == Provider::Binding);
        let other = with(&[("RESET_URL", "https://app.example.com/new?a=1"), ("EMAIL_VERIFICATION", "off")]);
        let other = other.unwrap().unwrap();
        assert_eq!(other.reset_page.as_str(), "https://app.example.com/new?a=1");
        assert_eq!(other.verification, EmailVerification::Off);
        let strict = with(&[("EMAIL_VERIFICATION", "required"), ("EMAIL_SIGN_IN", "on")]).unwrap().unwrap();
        assert_eq!((strict.verification, strict.signs_in_by_code), (EmailVerification::Required, true));
    }

    #[test]
    fn wrong_and_missing_settings_are_named() {
        for (name, value) in [
            ("MAIL", "smtp"),
            ("MAIL_FROM", "Example"),
            ("EMAIL_VERIFICATION", "on"),
            ("EMAIL_SIGN_IN", "yes"),
            ("VERIFY_URL", "http://app.example.com"),
            ("RESET_URL", "https://app.example.com/#a"),
            ("INVITE_URL", "invite"),
            ("MAIL_PER_HOUR", "0"),
        ] {
            assert!(with(&[(name, value)]).unwrap_err().iter().any(|wrong| wrong == name), "{name}={value}");
        }
        assert_eq!(with(&[("MAIL", "resend")]).unwrap_err(), ["MAIL_API_KEY"]);
        assert!(with(&[("MAIL", "postmark"), ("MAIL_API_KEY", "d4c1-0a7e")]).is_ok());
        assert_eq!(read(&[("MAIL", "binding")]).unwrap_err().names, ["MAIL_FROM", "PUBLIC_URL"]);
        for (name, value) in
            [("EMAIL_VERIFICATION", "optional"), ("EMAIL_VERIFICATION", "required"), ("EMAIL_SIGN_IN", "on")]
        {
            assert_eq!(read(&[(name, value)]).unwrap_err().names, [name]);
        }
    }
}

//! The identity that a provider asserts, in an ID token or by its API.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::json::{JsonText, Object};
use crate::domain::time::Timestamp;
use crate::domain::unicode::Normalize;

/// The word of a provider about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The issuer, as the settings have it.
    pub issuer: String,
    /// The user at the issuer. It never changes, unlike the address.
    pub subject: String,
    /// The address, if it is one.
    pub email: Option<Email>,
    /// Does the provider say that the mailbox is the user's?
    pub is_email_verified: bool,
    /// The name, if it can be displayed.
    pub name: Option<FullName>,
    /// Google's `hd`: the Workspace that the account belongs to.
    pub hosted_domain: Option<String>,
    /// The last time when the user signed in at the provider.
    pub auth_time: Option<Timestamp>,
}

impl Assertion {
    /// The address, if the provider says that it is verified.
    #[must_use]
    pub fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.is_email_verified)
    }

    /// Adds the answer of the `UserInfo` endpoint, where many providers have the claims of the scopes (§5.3 and §5.4). `None`, and
    /// adds nothing, if it is malformed or about another subject (§5.3.2).
    pub fn add_user_info(&mut self, text: &str, normalize: Normalize) -> Option<()> {
        let mut members = Object::parse(text)?;
        let is_own = members.text("sub")? == self.subject;
        is_own.then(|| self.describe(&mut members, normalize)).flatten()
    }

    /// Takes the address and the name.
    pub(super) fn describe(&mut self, members: &mut Object, normalize: Normalize) -> Option<()> {
        let email = members.optional("email", JsonText::text).ok()?;
        let name = members.optional("name", JsonText::text).ok()?;
        // Some providers send a text in place of a boolean.
        let is_verified = match members.take("email_verified") {
            Some(JsonText::Bool(value)) => value,
            Some(JsonText::Text(text)) => text == "true",
            _ => false,
        };
        self.email = email.and_then(|text| Email::parse(&text, normalize).ok());
        self.is_email_verified = is_verified && self.email.is_some();
        // The answer of the `UserInfo` endpoint may leave out a name that the ID token has.
        self.name = name.and_then(|text| FullName::parse(&text).ok().flatten()).or(self.name.take());
        Some(())
    }
}

//! The letters that the service sends, as plain text and as HTML.
//!
//! Both bodies are made of the same parts, so none says more than the other. The HTML has no image, no style sheet and
//! no link but those of the text, so nothing reports that it was read.

use crate::domain::mail::proof::Purpose;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// The kind of a mail, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks the owner of an account to confirm the address.
    Verify,
    /// Lets the owner of an account choose a new password.
    Reset,
    /// Tells that the password was changed.
    PasswordChanged,
    /// Offers a role to the owner of an address.
    Invitation,
    /// Asks to confirm the new address of an account.
    ChangeAddress,
    /// Tells an address which another account was to get that it has an account.
    AddressTaken,
    /// Tells the former address that the account has another one.
    EmailChanged,
    /// The same of a change that a second factor confirmed, and that has no undo.
    EmailMoved,
    /// Tells of a sign-in from a network and a device that the account did not know.
    SignedIn,
    /// Tells that a session was ended, because a refresh token was presented twice.
    ReuseDetected,
    /// Tells that an API key was made or withdrawn.
    ApiKeysChanged,
    /// Tells that a second factor was added or removed, or the recovery codes replaced.
    FactorsChanged,
    /// Tells that the second factor was wrong five times after the right password.
    SecondFactorRefused,
    /// Tells the address of an account that the account was erased.
    AccountErased,
    /// Lets the owner of an account sign in.
    SignIn,
    /// Asks the owner of an address to confirm a registration.
    Register,
    /// Tells the owner of an account that its address was registered again.
    Registered,
    /// Lets the owner of an account enrol the first second factor.
    Enrol,
    /// Lets the owner of an address sign in with another provider.
    Federate,
    /// Lets the owner of an account step up.
    StepUp,
    /// Tells that an identity of another provider was linked or unlinked.
    IdentitiesChanged,
}

impl Kind {
    /// Every kind of a mail.
    pub const ALL: [Self; 21] = [
        Self::Verify,
        Self::Reset,
        Self::PasswordChanged,
        Self::Invitation,
        Self::ChangeAddress,
        Self::AddressTaken,
        Self::EmailChanged,
        Self::EmailMoved,
        Self::SignedIn,
        Self::ReuseDetected,
        Self::ApiKeysChanged,
        Self::FactorsChanged,
        Self::SecondFactorRefused,
        Self::AccountErased,
        Self::SignIn,
        Self::Register,
        Self::Registered,
        Self::Enrol,
        Self::Federate,
        Self::StepUp,
        Self::IdentitiesChanged,
    ];

    /// The name, as stored and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::PasswordChanged => "password_changed",
            Self::Invitation => "invitation",
            Self::ChangeAddress => "change_address",
            Self::AddressTaken => "address_taken",
            Self::EmailChanged => "email_changed",
            Self::EmailMoved => "email_moved",
            Self::SignedIn => "signed_in",
            Self::ReuseDetected => "reuse_detected",
            Self::ApiKeysChanged => "api_keys_changed",
            Self::FactorsChanged => "factors_changed",
            Self::SecondFactorRefused => "second_factor_refused",
            Self::AccountErased => "account_erased",
            Self::SignIn => "sign_in",
            Self::Register => "register",
            Self::Registered => "registered",
            Self::Enrol => "enrol",
            Self::Federate => "federate",
            Self::StepUp => "step_up",
            Self::IdentitiesChanged => "identities_changed",
        }
    }

    /// The purpose of the link in a notice of this kind.
    #[must_use]
    pub const fn purpose_of_notice(self) -> Purpose {
        match self {
            Self::EmailChanged => Purpose::Undo,
            Self::Verify
            | Self::Reset
            | Self::PasswordChanged
            | Self::Invitation
            | Self::ChangeAddress
            | Self::AddressTaken
            | Self::EmailMoved
            | Self::SignedIn
            | Self::ReuseDetected
            | Self::ApiKeysChanged
            | Self::FactorsChanged
            | Self::SecondFactorRefused
            | Self::AccountErased
            | Self::SignIn
            | Self::Register
            | Self::Registered
            | Self::Enrol
            | Self::Federate
            | Self::StepUp
            | Self::IdentitiesChanged => Purpose::NotMe,
        }
    }

    /// The kind with this stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The content of a letter.
#[derive(Debug)]
pub enum Letter<'a> {
    /// The letter of [`Kind::Verify`].
    Verify(Proofs<'a>),
    /// The letter of [`Kind::Reset`].
    Reset(Proofs<'a>),
    /// The letter of a notice that has the link of [`Purpose::NotMe`].
    Notice {
        /// The event that it tells of.
        notice: Notice,
        /// The moment of the event.
        at: Timestamp,
        /// The link for an owner that was not the cause.
        link: &'a Secret,
    },
    /// The letter of [`Kind::AccountErased`].
    AccountErased {
        /// The moment of the erasure.
        at: Timestamp,
    },
    /// The letter of [`Kind::ChangeAddress`].
    ChangeAddress(Proofs<'a>),
    /// The letter of [`Kind::AddressTaken`].
    AddressTaken {
        /// The page on which the owner gets a new password.
        reset_page: &'a Secret,
    },
    /// The letter of [`Kind::EmailChanged`].
    EmailChanged {
        /// The moment of the change.
        at: Timestamp,
        /// The link that undoes it.
        link: &'a Secret,
    },
    /// The letter of [`Kind::EmailMoved`].
    EmailMoved {
        /// The moment of the change.
        at: Timestamp,
    },
    /// A letter that has only a code, of 8 digits.
    Code(CodePurpose, &'a Secret),
    /// The letter of [`Kind::Register`].
    Register(Proofs<'a>),
    /// The letter of [`Kind::Registered`].
    Registered {
        /// The page on which the owner gets a new password.
        reset_page: &'a Secret,
    },
    /// The letter of [`Kind::Invitation`].
    Invitation {
        /// The name of the role.
        role: &'a str,
        /// The name of the university, as its administrators wrote it.
        university: &'a str,
        /// The whole link, with its token.
        link: &'a Secret,
    },
}

/// An event that the owner of an account may not have caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the kinds")]
pub enum Notice {
    PasswordChanged,
    SignedIn,
    ReuseDetected,
    ApiKeysChanged,
    FactorsChanged,
    SecondFactorRefused,
    IdentitiesChanged,
}

/// The use of a code that a letter has alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the kinds")]
pub enum CodePurpose {
    SignIn,
    Enrol,
    Federate,
    StepUp,
}

/// The two forms of a proof.
#[derive(Debug)]
pub struct Proofs<'a> {
    /// The whole link, with its token.
    pub link: &'a Secret,
    /// The code of 8 digits.
    pub code: &'a Secret,
}

/// A part of a letter's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A paragraph of text.
    Paragraph(String),
    /// A link on a line of its own.
    Link(String),
    /// A code on a line of its own.
    Code(String),
}

/// A letter in the language of its reader, without its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject, one line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

impl Message {
    /// Writes both bodies of a letter.
    #[must_use]
    pub fn of(subject: String, parts: &[Part]) -> Self {
        let text: Vec<&str> = parts.iter().map(Part::as_text).collect();
        let html: Vec<String> = parts.iter().map(Part::as_html).collect();
        Self {
            subject,
            text: text.join("\n\n") + "\n",
            html: format!(
                "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"></head>\n<body>\n{}\n</body>\n</html>\n",
                html.join("\n")
            ),
        }
    }
}

impl Part {
    fn as_text(&self) -> &str {
        let (Self::Paragraph(text) | Self::Link(text) | Self::Code(text)) = self;
        text
    }

    fn as_html(&self) -> String {
        match self {
            Self::Paragraph(text) => format!("<p>{}</p>", escaped(text)),
            Self::Link(url) => format!("<p><a href=\"{0}\">{0}</a></p>", escaped(url)),
            Self::Code(code) => format!("<p><strong><code>{}</code></strong></p>", escaped(code)),
        }
    }
}

/// A name that users chose, without anything that a mail program would turn into a link.
#[must_use]
pub fn without_links(name: &str) -> String {
    let next = name.chars().skip(1).map(Some).chain([None]);
    let is_kept = |c: char, next: Option<char>| match c {
        // An abbreviation, as in `St. John's`.
        '.' => next.is_none_or(char::is_whitespace),
        c => !matches!(c, ':' | '/' | '\\' | '@'),
    };
    name.chars().zip(next).map(|(c, next)| if is_kept(c, next) { c } else { ' ' }).collect()
}

/// Text for an element or an attribute in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

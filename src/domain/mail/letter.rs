//! The letters that the service sends, as plain text and as HTML.
//!
//! Both bodies are made of the same parts, so none says more than the other. The HTML has no image, no style sheet and
//! no link but those of the text, so nothing reports that it was read.

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
    /// Lets the owner of an account sign in.
    SignIn,
    /// Asks the owner of an address to confirm a registration.
    Register,
    /// Tells the owner of an account that its address was registered again.
    Registered,
}

impl Kind {
    /// Every kind of a mail.
    pub const ALL: [Self; 6] =
        [Self::Verify, Self::Reset, Self::PasswordChanged, Self::SignIn, Self::Register, Self::Registered];

    /// The name, as stored and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::PasswordChanged => "password_changed",
            Self::SignIn => "sign_in",
            Self::Register => "register",
            Self::Registered => "registered",
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
    /// The letter of [`Kind::PasswordChanged`].
    PasswordChanged {
        /// The moment of the change.
        at: Timestamp,
        /// The page on which the owner gets a new password.
        reset_page: &'a str,
    },
    /// The letter of [`Kind::SignIn`].
    SignIn {
        /// The code of 8 digits.
        code: &'a Secret,
    },
    /// The letter of [`Kind::Register`].
    Register(Proofs<'a>),
    /// The letter of [`Kind::Registered`].
    Registered {
        /// The page on which the owner gets a new password.
        reset_page: &'a str,
    },
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

/// Text for an element or an attribute in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

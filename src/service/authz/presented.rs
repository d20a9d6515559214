//! The credential that a client presents as its bearer token, checked as far as that needs no database: a signed token, or
//! the text of an API key.

use crate::domain::machine::api_key::ApiKey;
use crate::domain::problem::Code;
use crate::service::authz::caller::{Subject, verify};
use crate::service::{Context, Error, attribution};
use crate::store::authz::viewer::{PresentedKey, Viewer};

/// A presented credential. The database may not know it any more, or at all.
#[derive(Debug, Clone)]
pub enum Presented {
    /// A verified access token.
    Token(Subject),
    /// A well-formed API key. Its secret is not compared yet.
    Key(PresentedKey),
}

impl Presented {
    /// The caller, for the statements that run before access is decided.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        match self {
            Self::Token(subject) => Viewer::User(subject.user_id),
            Self::Key(key) => Viewer::Key(key.clone()),
        }
    }
}

/// Checks a bearer token, by the isolate's copy of the key ring. A text that begins like an API key is never tried as a token.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`; [`Error`] otherwise.
pub async fn present(ctx: &Context<'_>, bearer_token: &str) -> Result<Presented, Error> {
    if ApiKey::is_claimed_by(bearer_token) {
        let key = ApiKey::parse(bearer_token).ok_or(Code::TokenInvalid)?;
        attribution::note_key(key.id());
        return Ok(Presented::Key(PresentedKey::new(&key)));
    }
    verify(ctx, bearer_token).await.map(Presented::Token)
}

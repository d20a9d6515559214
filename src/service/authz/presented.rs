//! The credential that a client presents as its bearer token, checked as far as that needs no database: a signed token, or
//! the text of an API key.

use crate::domain::keys::ring::SignedBy;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::problem::Code;
use crate::domain::replica::SealedBookmark;
use crate::domain::session::token::TokenClaims;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::service::authz::caller::Subject;
use crate::service::keys::verifying::AccessClaims;
use crate::service::{Context, Error, attribution};
use crate::store::authz::viewer::{KeyProof, PresentedKey, Viewer};

/// A presented credential. The database may not know it any more, or at all.
#[derive(Debug, Clone)]
pub enum Presented {
    /// A verified access token, with the state of the database at its issue, if reads are replicated.
    Token(Subject, Option<SealedBookmark>),
    /// A well-formed API key, whose secret is not compared yet, or the key of a service's verified token.
    Key(PresentedKey),
}

impl Presented {
    /// The key and the time of the signature, if the credential is a token.
    #[must_use]
    pub const fn signature(&self) -> Option<(SignedBy, Timestamp)> {
        match self {
            Self::Token(subject, _) => Some((subject.signed_by, subject.issued_at)),
            Self::Key(key) => match key.proof() {
                KeyProof::Secret(_) => None,
                KeyProof::Token(claims, signed_by) => Some((*signed_by, claims.issued_at)),
            },
        }
    }

    /// The caller, for the statements that run before access is decided.
    #[must_use]
    pub fn viewer(&self, settings: &Settings) -> Viewer {
        let required = &settings.factors.required_roles;
        match self {
            Self::Token(subject, _) => subject.viewer(settings),
            Self::Key(key) => Viewer::of_key(key, required),
        }
    }
}

/// Checks the id and the key of a client that names both, without the database.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`.
pub fn present_secret(client_id: &str, key: &str) -> Result<Presented, Error> {
    let key = ApiKey::parse(key).ok_or(Code::TokenInvalid)?;
    attribution::note_key(key.id());
    Ok(Presented::Key(PresentedKey::new(&key).claimed_by(client_id)))
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
    let (claims, signed_by) = attribution::verify_access(ctx, bearer_token).await?;
    Ok(match claims {
        AccessClaims::User(TokenClaims { user_id, session_id, auth_time, methods, issued_at, bookmark, .. }) => {
            Presented::Token(Subject { user_id, session_id, auth_time, methods, signed_by, issued_at }, bookmark)
        }
        AccessClaims::Service(claims) => Presented::Key(PresentedKey::of_token(claims, signed_by)),
    })
}

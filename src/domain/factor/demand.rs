//! The answer of a client that a refusal asks for: a second factor at sign-in, or a step-up.

use crate::domain::factor::webauthn::RelyingParty;
use crate::domain::secret::Secret;

/// The options of an assertion: `PublicKeyCredentialRequestOptionsJSON` (W3C WebAuthn Level 3 §5.1.9). The user must be
/// verified.
#[derive(Debug, Clone)]
pub struct PasskeyRequest {
    /// The challenge, in base64url.
    pub challenge: String,
    /// The domain of the service: the RP ID.
    pub rp_id: String,
    /// The credentials that may answer; without any, a discoverable one.
    pub allowed: Vec<CredentialHint>,
    /// Milliseconds until the challenge is void.
    pub timeout_ms: i64,
}

/// A credential, and the ways to reach its authenticator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialHint {
    /// The id of the credential, in base64url.
    pub id: String,
    /// The transports that the browser reported.
    pub transports: Vec<String>,
}

/// The options of a registration: `PublicKeyCredentialCreationOptionsJSON`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the options")]
pub struct PasskeyCreation {
    pub rp: RelyingParty,
    pub rp_name: String,
    /// The `user.id`, in base64url.
    pub user_handle: String,
    pub user_name: String,
    pub display_name: String,
    pub challenge: String,
    pub excluded: Vec<CredentialHint>,
    pub timeout_ms: i64,
}

/// The details of a refusal.
#[derive(Debug, Clone)]
pub struct FactorDemand {
    /// The `mfa_token`, of a sign-in that waits for its second factor.
    pub token: Option<Secret>,
    /// Seconds until it expires.
    pub expires_in: Option<i64>,
    /// The names of the answers that the account has.
    pub methods: Vec<&'static str>,
    /// For the answer with a passkey.
    pub passkey_options: Option<PasskeyRequest>,
    /// The providers whose identities step up, for an account without password and second factor.
    pub providers: Vec<String>,
}

impl FactorDemand {
    /// A step-up with the password, of an account without a second factor.
    #[must_use]
    pub fn password() -> Self {
        Self { token: None, expires_in: None, methods: vec!["password"], passkey_options: None, providers: Vec::new() }
    }
}

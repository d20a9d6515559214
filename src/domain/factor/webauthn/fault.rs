//! The refusals of a ceremony. The log names them; a client learns only that the credential was refused.

/// The first step that refused the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeremonyFault {
    /// The credential is not of the type `public-key`.
    CredentialType,
    /// Two forms of the credential's id differ, or another credential was expected.
    CredentialId,
    /// The id of the credential is empty, or longer than 1023 bytes.
    CredentialIdLength,
    /// The client data are no JSON object with the members of `CollectedClientData`.
    ClientData,
    /// The client data are of the other ceremony.
    CeremonyType,
    /// The challenge is not the one of this ceremony.
    Challenge,
    /// The page is of no expected origin.
    Origin,
    /// The page was in a frame of another origin.
    CrossOrigin,
    /// The client data name the origin of an outer page.
    TopOrigin,
    /// The attestation object is no CBOR map with its three members.
    AttestationObject,
    /// The authenticator data are too short or too long, or their CBOR is malformed.
    AuthenticatorData,
    /// The credential is scoped to another RP ID.
    RelyingParty,
    /// The authenticator did not test for the presence of a user.
    UserPresence,
    /// The authenticator did not verify the user.
    UserVerification,
    /// The credential is backed up and not eligible for it.
    BackupState,
    /// The credential was eligible for backup at registration and is no longer, or the reverse.
    BackupEligibility,
    /// The authenticator data of a registration have no credential.
    CredentialDataMissing,
    /// The authenticator data of an authentication have a new credential.
    CredentialDataUnexpected,
    /// The key is of an algorithm that was not offered.
    Algorithm,
    /// The type or the curve of the key is not of its algorithm.
    KeyType,
    /// The key lacks a parameter, or one has a value that its algorithm does not allow.
    KeyParameters,
    /// The credential names no user, though only it can.
    UserHandleMissing,
    /// The credential names another user.
    UserHandle,
    /// The signature does not have the form of its algorithm.
    SignatureForm,
}

impl CeremonyFault {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialType => "credential_type",
            Self::CredentialId => "credential_id",
            Self::CredentialIdLength => "credential_id_length",
            Self::ClientData => "client_data",
            Self::CeremonyType => "ceremony_type",
            Self::Challenge => "challenge",
            Self::Origin => "origin",
            Self::CrossOrigin => "cross_origin",
            Self::TopOrigin => "top_origin",
            Self::AttestationObject => "attestation_object",
            Self::AuthenticatorData => "authenticator_data",
            Self::RelyingParty => "relying_party",
            Self::UserPresence => "user_presence",
            Self::UserVerification => "user_verification",
            Self::BackupState => "backup_state",
            Self::BackupEligibility => "backup_eligibility",
            Self::CredentialDataMissing => "credential_data_missing",
            Self::CredentialDataUnexpected => "credential_data_unexpected",
            Self::Algorithm => "algorithm",
            Self::KeyType => "key_type",
            Self::KeyParameters => "key_parameters",
            Self::UserHandleMissing => "user_handle_missing",
            Self::UserHandle => "user_handle",
            Self::SignatureForm => "signature_form",
        }
    }
}

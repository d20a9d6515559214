//! The authenticator data: bytes in a fixed order, of which the flags say how many parts follow (Level 3, §6.1).

use sha2::{Digest as _, Sha256};

use crate::domain::factor::webauthn::RelyingParty;
use crate::domain::factor::webauthn::cbor::{Malformed, Reader};
use crate::domain::factor::webauthn::fault::CeremonyFault;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// The parsed data. Extensions are parsed and dropped: none is asked for.
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8; 32],
    flags: u8,
    pub(super) sign_count: u32,
    /// The new credential of a registration.
    pub(super) credential: Option<AttestedCredential<'a>>,
}

/// A credential that the authenticator has made (Level 3, §6.5.1).
pub(super) struct AttestedCredential<'a> {
    pub(super) aaguid: &'a [u8; 16],
    pub(super) id: &'a [u8],
    /// One CBOR map: a COSE key.
    pub(super) key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Parses all of the bytes.
    ///
    /// # Errors
    /// [`CeremonyFault::AuthenticatorData`] if they are fewer or more than the flags say, or their CBOR is malformed.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, CeremonyFault> {
        Self::parts(bytes).map_err(|Malformed| CeremonyFault::AuthenticatorData)
    }

    fn parts(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (rp_id_hash, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
        let (flags, rest) = rest.split_first().ok_or(Malformed)?;
        let (sign_count, mut rest) = rest.split_first_chunk().ok_or(Malformed)?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (found, behind) = AttestedCredential::split(rest)?;
            (credential, rest) = (Some(found), behind);
        }
        let mut extensions = Reader::new(rest);
        if flags & HAS_EXTENSIONS != 0 {
            extensions.skip_map()?;
        }
        extensions.finish()?;
        Ok(Self { rp_id_hash, flags: *flags, sign_count: u32::from_be_bytes(*sign_count), credential })
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// May the credential leave its authenticator, as one that is synced does?
    pub(super) const fn is_backup_eligible(&self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    pub(super) const fn is_backed_up(&self) -> bool {
        self.has(BACKED_UP)
    }

    /// The steps that both ceremonies have.
    pub(super) fn verify(&self, rp: &RelyingParty) -> Result<(), CeremonyFault> {
        // §7.1 step 14, §7.2 step 15
        if Sha256::digest(&rp.id).as_slice() != self.rp_id_hash {
            return Err(CeremonyFault::RelyingParty);
        }
        // §7.1 step 15, §7.2 step 16
        if !self.has(USER_PRESENT) {
            return Err(CeremonyFault::UserPresence);
        }
        // §7.1 step 16, §7.2 step 17
        if !self.has(USER_VERIFIED) {
            return Err(CeremonyFault::UserVerification);
        }
        // §7.1 step 17, §7.2 step 18
        if self.is_backed_up() && !self.is_backup_eligible() {
            return Err(CeremonyFault::BackupState);
        }
        Ok(())
    }
}

impl<'a> AttestedCredential<'a> {
    /// The credential at the start of these bytes, and the bytes behind it.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let (aaguid, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
        let (length, rest) = rest.split_first_chunk().ok_or(Malformed)?;
        let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(Malformed)?;
        let mut reader = Reader::new(rest);
        reader.skip_map()?;
        let (key, rest) = rest.split_at_checked(reader.position()).ok_or(Malformed)?;
        Ok((Self { aaguid, id, key }, rest))
    }
}

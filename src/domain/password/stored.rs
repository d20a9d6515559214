//! A hash as an account has it: one of this service, or one that was imported.
//!
//! The text of an imported hash is that of its system behind a prefix. PHC strings of two systems look alike and may
//! belong to different bytes: this service normalises passwords, and others do not. The prefix tells them apart.

use crate::domain::password::Password;
use crate::domain::password::hash::{MalformedHash, PasswordHash};
use crate::domain::password::imported::{HashRefusal, ImportedHash};
use crate::domain::password::memory::NotHashed;
use crate::domain::password::work::HashWork;

/// The beginning of the stored text of an imported hash.
const PREFIX: &str = "imported:";
/// The beginning of a hash of this service in the file of an export: its password was normalised.
const OWN: &str = "edge-auth:";

/// The hash of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredHash {
    /// A hash that this service made.
    Own(PasswordHash),
    /// A hash that another system made.
    Imported(ImportedHash),
}

impl StoredHash {
    /// The text to store for a hash of another system, or of another deployment of this service, and its cost. It costs at
    /// most `max_cost` to verify, in rounds of PBKDF2-SHA256.
    ///
    /// # Errors
    /// [`HashRefusal`] for a hash that cannot be imported.
    pub fn import(text: &str, max_cost: u32) -> Result<(String, u32), HashRefusal> {
        if let Some(own) = text.strip_prefix(OWN) {
            // The same bounds as for a PHC string of another system.
            let cost = ImportedHash::admit(own, max_cost)?.cost();
            return PasswordHash::parse(own).map(|_| (own.to_owned(), cost)).map_err(|_| HashRefusal::Malformed);
        }
        let cost = ImportedHash::admit(text, max_cost)?.cost();
        Ok(([PREFIX, text].concat(), cost))
    }

    /// Parses the text of an account.
    ///
    /// # Errors
    /// [`MalformedHash`] for a text that is neither this service's nor imported.
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        match text.strip_prefix(PREFIX) {
            Some(imported) => ImportedHash::parse(imported).map(Self::Imported).map_err(|_| MalformedHash),
            None => PasswordHash::parse(text).map(Self::Own),
        }
    }

    /// Is this the hash of this password?
    ///
    /// # Errors
    /// [`NotHashed`] if memory runs out or the salt is too short for Argon2id.
    pub fn verify(&self, password: &Password) -> Result<bool, NotHashed> {
        match self {
            Self::Own(hash) => hash.verify(password),
            Self::Imported(hash) => hash.verify(password),
        }
    }

    /// Should this hash be replaced by one of the `wanted` work? Always if it was imported: the new one is of the
    /// normalised password.
    #[must_use]
    pub const fn is_replaced_by(&self, wanted: HashWork) -> bool {
        match self {
            Self::Own(hash) => hash.work().is_replaced_by(wanted),
            Self::Imported(_) => true,
        }
    }

    /// The part of the `wanted` work that verifying this hash leaves; `None` if that took at least as long.
    #[must_use]
    pub fn missing_work(&self, wanted: HashWork) -> Option<HashWork> {
        match self {
            Self::Own(hash) => wanted.without(hash.work()),
            Self::Imported(hash) => wanted.without_rounds(hash.cost()),
        }
    }

    /// The number of PBKDF2-SHA256 rounds that take as long as verifying.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match self {
            Self::Own(hash) => hash.work().in_rounds(),
            Self::Imported(hash) => hash.cost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::password::argon2id::Cost;

    /// Of 80 digits with a cost of 6, by the `bcrypt` package of Python.
    const BCRYPT: &str = "$2b$06$ABCDEFGHIJKLMNOPQRSTUuN45o0I4Ux3aOCHznMM6/jLBp/pgdH6y";
    const PBKDF2: &str =
        "$pbkdf2-sha256$i=20000,l=32$c2l4dGVlbiBvZiBieXRlcw$IKHuQRBAy1sWkZ4iAbe3brzqkaKnSmd9HX3p8h5v1H8";

    fn password(text: &str) -> Password {
        Password::presented(text, crate::domain::unicode::for_tests::normalize)
    }

    /// Any change of this format would lock out the users that were imported.
    #[test]
    fn imported_format_unchanged() {
        let (stored, cost) = StoredHash::import(BCRYPT, 600_000).unwrap();
        assert_eq!((stored.as_str(), cost), (format!("imported:{BCRYPT}").as_str(), 12_800));
        let read = StoredHash::parse(&stored).unwrap();
        assert_eq!(read.verify(&password(&"0123456789".repeat(8))), Ok(true));
        assert_eq!(read.verify(&password("0123456789")), Ok(false));
    }

    #[test]
    fn a_hash_of_another_system_is_stored_only_by_an_import() {
        assert_eq!(StoredHash::parse(BCRYPT), Err(MalformedHash));
        assert_eq!(StoredHash::parse(&format!("imported:imported:{BCRYPT}")), Err(MalformedHash));
        assert_eq!(StoredHash::import(&format!("imported:{BCRYPT}"), u32::MAX), Err(HashRefusal::Unknown));
        assert_eq!(StoredHash::import(BCRYPT, 100), Err(HashRefusal::TooCostly));
        for text in ["", "imported:", "imported:$2x$06$ABCDEFGHIJKLMNOPQRSTUuN45o0I4Ux3aOCHznMM6/jLBp/pgdH6y"] {
            assert_eq!(StoredHash::parse(text), Err(MalformedHash), "{text}");
        }
    }

    /// The text of this hash is one of this service too, which would have normalised the password.
    #[test]
    fn the_prefix_decides_on_the_normalisation() {
        let typed = password("ﬁancé");
        for (text, matches) in [(PBKDF2.to_owned(), false), (StoredHash::import(PBKDF2, 20_000).unwrap().0, true)] {
            assert_eq!(StoredHash::parse(&text).unwrap().verify(&typed), Ok(matches), "{text}");
        }
    }

    /// A hash of this service stays one: its password was normalised.
    #[test]
    fn a_hash_of_an_export_is_one_of_this_service() {
        let exported = format!("edge-auth:{PBKDF2}");
        assert_eq!(StoredHash::import(&exported, 20_000), Ok((PBKDF2.to_owned(), 20_000)));
        assert_eq!(StoredHash::import(&exported, 19_999), Err(HashRefusal::TooCostly));
        for (text, refusal) in [
            (format!("edge-auth:{exported}"), HashRefusal::Unknown),
            (format!("edge-auth:imported:{PBKDF2}"), HashRefusal::Unknown),
            (format!("edge-auth:{BCRYPT}"), HashRefusal::Malformed),
            (format!("edge-auth:{}", PBKDF2.replace("20000", "2000")), HashRefusal::TooFast),
        ] {
            assert_eq!(StoredHash::import(&text, u32::MAX), Err(refusal), "{text}");
        }
    }

    #[test]
    fn an_imported_hash_is_always_replaced() {
        let imported = StoredHash::parse(&format!("imported:{PBKDF2}")).unwrap();
        let own = StoredHash::parse(PBKDF2).unwrap();
        let cheaper = HashWork::Pbkdf2Sha256 { rounds: 10 };
        assert!(imported.is_replaced_by(cheaper));
        assert!(!own.is_replaced_by(cheaper));
        assert!(own.is_replaced_by(HashWork::Argon2id(Cost::RECOMMENDED)));
    }

    #[test]
    fn missing_work_is_counted_in_time() {
        let rounds = |rounds| HashWork::Pbkdf2Sha256 { rounds };
        let imported = StoredHash::parse(&format!("imported:{PBKDF2}")).unwrap();
        assert_eq!(imported.cost(), 20_000);
        assert_eq!(imported.missing_work(rounds(20_001)), Some(rounds(1)));
        assert_eq!(imported.missing_work(rounds(20_000)), None);
        let argon2id = HashWork::Argon2id(Cost::RECOMMENDED);
        assert_eq!(imported.missing_work(argon2id), Cost::new(19_456 - 4000, 2, 1).map(HashWork::Argon2id));
        for own in [rounds(10), argon2id] {
            let stored = StoredHash::Own(PasswordHash::of_no_password(&[1; 16], [0; 32], own));
            assert_eq!(stored.cost(), own.in_rounds());
            assert_eq!(stored.missing_work(rounds(600_000)), rounds(600_000).without(own));
        }
    }
}

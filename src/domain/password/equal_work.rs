//! The same work for every refusal, so that time tells nothing.
//!
//! Whatever will be refused costs what a new hash costs: a wrong password whether the address is unknown, known, or
//! known with an old and cheaper hash; and during a wait the right one, too. Time must not tell an attacker which
//! addresses have accounts, nor which password is right (OWASP Authentication Cheat Sheet, "Authentication Responses").
//! Rounds of PBKDF2 are made up for exactly; what is or becomes Argon2id to some per cent, since how fast its blocks
//! are depends on how much memory they are in, and on the processor.
//!
//! What cannot be evened out is a stored hash that costs more than a new one: it must be run to be verified. So a
//! setting that makes hashing cheaper, fewer rounds or Argon2id after PBKDF2, lets time tell who has not signed in
//! since it was changed. To let every unknown address cost the most there ever was would give up what it was changed for.

use crate::domain::password::Password;
use crate::domain::password::argon2id::NotHashed;
use crate::domain::password::hash::{PasswordHash, SALT_LENGTH};
use crate::domain::password::work::HashWork;

/// Compares a presented password with what is stored for an address, if anything is, and does what is missing
/// then to the work of a new hash, `wanted`, if the password is wrong or `is_refused` anyway.
///
/// # Errors
/// [`NotHashed`].
pub fn verify_with_equal_work(
    stored: Option<&PasswordHash>,
    password: &Password,
    wanted: HashWork,
    is_refused: bool,
) -> Result<bool, NotHashed> {
    let matches = match stored {
        Some(hash) => hash.verify(password)?,
        None => false,
    };
    if is_refused || !matches {
        burn(password, stored.map_or(Some(wanted), |hash| wanted.without(hash.work())))?;
    }
    Ok(matches)
}

/// Does the work that an old hash saved, for a right password that is refused after all.
///
/// # Errors
/// [`NotHashed`].
pub fn burn_missing_work(hash: &PasswordHash, password: &Password, wanted: HashWork) -> Result<(), NotHashed> {
    burn(password, wanted.without(hash.work()))
}

fn burn(password: &Password, work: Option<HashWork>) -> Result<(), NotHashed> {
    if let Some(work) = work {
        // Without a use of the result the optimiser may remove the work.
        std::hint::black_box(work.run(password, &[0; SALT_LENGTH])?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::password::argon2id::Cost;

    #[test]
    fn equal_work_gives_the_same_verdict_as_verify() {
        let password = |text| Password::presented(text, crate::domain::unicode::for_tests::normalize);
        let pbkdf2 = [1, 10, 20, 10_000].map(|rounds| HashWork::Pbkdf2Sha256 { rounds });
        let argon2id = [(8, 1), (16, 2), (256, 1)].map(|(kib, passes)| Cost::new(kib, passes, 1).unwrap());
        let works: Vec<_> = pbkdf2.into_iter().chain(argon2id.map(HashWork::Argon2id)).collect();
        for made_with in &works {
            let stored = PasswordHash::derive(&password("right"), &[1; SALT_LENGTH], *made_with).unwrap();
            for wanted in &works {
                for is_refused in [false, true] {
                    let verdict = |hash, text| verify_with_equal_work(hash, &password(text), *wanted, is_refused);
                    assert_eq!(verdict(Some(&stored), "right"), Ok(true));
                    assert_eq!(verdict(Some(&stored), "wrong"), Ok(false));
                    assert_eq!(verdict(None, "right"), Ok(false));
                    assert_eq!(burn_missing_work(&stored, &password("right"), *wanted), Ok(()));
                }
            }
        }
    }
}

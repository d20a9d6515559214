//! Equal work for every refusal, against timing attacks.
//!
//! Every refusal takes the time of a new hash. That includes an unknown address, a wrong password with an old, cheaper
//! hash, and the right password of a blocked account. The response time must reveal neither which addresses have
//! accounts nor which password is right (OWASP Authentication Cheat Sheet, "Authentication Responses"). Between PBKDF2
//! hashes the match is exact. With Argon2id it is within a few per cent, because the time per block depends on the
//! amount of memory and on the processor. With imported bcrypt and PBKDF2 hashes it is within a tenth, on the processor
//! that was measured. With imported scrypt and Argon2 hashes it also depends on the other load of the processor's caches.
//!
//! Remaining risk: a stored hash that costs more than a new one must be run in full to be verified. After a setting
//! makes hashing cheaper (fewer rounds, or Argon2id after PBKDF2), the time reveals accounts without a sign-in since
//! the change. Giving every unknown address the highest cost ever used would undo the purpose of the change. The time
//! reveals imported accounts in the same way until their first sign-in, if their hashes cost more than new ones. The
//! import bounds the difference: it refuses hashes beyond a maximum.

use crate::domain::password::Password;
use crate::domain::password::hash::SALT_LENGTH;
use crate::domain::password::memory::NotHashed;
use crate::domain::password::stored::StoredHash;
use crate::domain::password::work::HashWork;

/// Verifies a presented password against the stored hash of an address, if there is one. If the password is wrong, or
/// `is_refused` anyway, it adds the work that is missing to a new hash (`wanted`). A hash that costs as much or more is not
/// verified for a refusal, which has no match.
///
/// # Errors
/// [`NotHashed`] if memory runs out or the stored salt is too short.
pub fn verify_with_equal_work(
    stored: Option<&StoredHash>,
    password: &Password,
    wanted: HashWork,
    is_refused: bool,
) -> Result<bool, NotHashed> {
    let missing = stored.map_or(Some(wanted), |hash| hash.missing_work(wanted));
    let matches = match stored {
        // A wait bounds the work too. Whether the password is right does not matter.
        Some(_) if is_refused && missing.is_none() => return burn(password, Some(wanted)).map(|()| false),
        Some(hash) => hash.verify(password)?,
        None => false,
    };
    if is_refused || !matches {
        burn(password, missing)?;
    }
    Ok(matches)
}

/// Adds the work that an old, cheaper hash saved, for a right password that a later check refuses.
///
/// # Errors
/// [`NotHashed`] if memory runs out.
pub fn burn_missing_work(hash: &StoredHash, password: &Password, wanted: HashWork) -> Result<(), NotHashed> {
    burn(password, hash.missing_work(wanted))
}

fn burn(password: &Password, work: Option<HashWork>) -> Result<(), NotHashed> {
    if let Some(work) = work {
        // The optimiser may remove work whose result is unused.
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
    use crate::domain::password::hash::PasswordHash;

    #[test]
    fn equal_work_gives_the_same_result_as_verify() {
        let password = |text| Password::presented(text, crate::domain::unicode::for_tests::normalize);
        let pbkdf2 = [1, 10, 20, 10_000].map(|rounds| HashWork::Pbkdf2Sha256 { rounds });
        let argon2id = [(8, 1), (16, 2), (256, 1)].map(|(kib, passes)| Cost::new(kib, passes, 1).unwrap());
        let works: Vec<_> = pbkdf2.into_iter().chain(argon2id.map(HashWork::Argon2id)).collect();
        let own = |work| PasswordHash::derive(&password("right"), &[1; SALT_LENGTH], work).unwrap();
        let mut hashes: Vec<_> = works.iter().map(|work| StoredHash::Own(own(*work))).collect();
        // By the `bcrypt` package of Python.
        hashes
            .push(StoredHash::parse("imported:$2b$04$ABCDEFGHIJKLMNOPQRSTUuZcpd0VY6M.0poWxHBCQeCOenUc7fDJy").unwrap());
        for stored in hashes {
            for wanted in &works {
                for is_refused in [false, true] {
                    let verdict = |hash, text| verify_with_equal_work(hash, &password(text), *wanted, is_refused);
                    let is_verified = !is_refused || stored.missing_work(*wanted).is_some();
                    assert_eq!(verdict(Some(&stored), "right"), Ok(is_verified));
                    assert_eq!(verdict(Some(&stored), "wrong"), Ok(false));
                    assert_eq!(verdict(None, "right"), Ok(false));
                    assert_eq!(burn_missing_work(&stored, &password("right"), *wanted), Ok(()));
                }
            }
        }
    }
}

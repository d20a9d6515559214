//! The texts in which other systems write their hashes.
//!
//! Each form was read in the source of its system, and has a vector made by it (`tests/imported_hashes`).

use argon2::{Algorithm, Params, Version};

use crate::domain::password::imported::ImportedHash;
use crate::domain::password::imported::bcrypt::{self, Input};
use crate::domain::password::imported::encoding::{
    base64, bcrypt_base64, decimal, hash, hash_of, hexadecimal, numbers, padded_base64,
    padded_base64_of_either_alphabet, parameter, parts, passlib_base64, salt,
};
use crate::domain::password::imported::function::{Function, Text};
use crate::domain::password::imported::pbkdf2::Digest;
use crate::domain::password::imported::refusal::HashRefusal;
use crate::domain::password::imported::scrypt;
use crate::domain::password::memory::MAX_MEMORY_KIB;

type Read = Result<ImportedHash, HashRefusal>;

/// Maximum length of a text. That of Firebase is the longest, with some 250 bytes.
const MAX_LENGTH: usize = 512;
/// Maximum number of Argon2 lanes. They are computed one after another, so more lanes take no more time.
const MAX_LANES: u32 = 64;

/// The beginning of a form, and the reader of the rest.
type Form = (&'static str, fn(&str) -> Read);

const FORMS: [Form; 24] = [
    ("$2a$", |rest| read_bcrypt(rest, Input::Password)),
    ("$2b$", |rest| read_bcrypt(rest, Input::Password)),
    ("$2y$", |rest| read_bcrypt(rest, Input::Password)),
    // Django.
    ("bcrypt$$2a$", |rest| read_bcrypt(rest, Input::Password)),
    ("bcrypt$$2b$", |rest| read_bcrypt(rest, Input::Password)),
    ("bcrypt_sha256$$2a$", |rest| read_bcrypt(rest, Input::HexSha256)),
    ("bcrypt_sha256$$2b$", |rest| read_bcrypt(rest, Input::HexSha256)),
    ("pbkdf2_sha256$", |rest| read_django_pbkdf2(rest, Digest::Sha256)),
    ("pbkdf2_sha1$", |rest| read_django_pbkdf2(rest, Digest::Sha1)),
    ("scrypt$", read_django_scrypt),
    ("argon2$argon2id$", |rest| read_argon2(rest, Algorithm::Argon2id)),
    ("argon2$argon2i$", |rest| read_argon2(rest, Algorithm::Argon2i)),
    // Passlib, and PHC strings.
    ("$bcrypt-sha256$", read_passlib_bcrypt_sha256),
    ("$pbkdf2-sha256$", |rest| read_pbkdf2(rest, Digest::Sha256)),
    ("$pbkdf2-sha512$", |rest| read_pbkdf2(rest, Digest::Sha512)),
    ("$pbkdf2-sha1$", |rest| read_pbkdf2(rest, Digest::Sha1)),
    ("$pbkdf2$", |rest| read_pbkdf2(rest, Digest::Sha1)),
    ("$scrypt$", read_scrypt),
    ("$argon2id$", |rest| read_argon2(rest, Algorithm::Argon2id)),
    ("$argon2i$", |rest| read_argon2(rest, Algorithm::Argon2i)),
    ("$argon2d$", |rest| read_argon2(rest, Algorithm::Argon2d)),
    ("$fbscrypt$v=1,", read_firebase),
    // Werkzeug.
    ("pbkdf2:", read_werkzeug_pbkdf2),
    ("scrypt:", read_werkzeug_scrypt),
];

/// Reads a text of any form.
pub(super) fn read(text: &str) -> Read {
    if text.len() > MAX_LENGTH || !text.is_ascii() {
        return Err(HashRefusal::Malformed);
    }
    let form = FORMS.iter().find_map(|(beginning, read)| Some((text.strip_prefix(beginning)?, read)));
    form.map_or_else(|| read_better_auth(text), |(rest, read)| read(rest))
}

/// The cost, 22 letters of salt and 31 of hash.
fn read_bcrypt(rest: &str, input: Input) -> Read {
    let [cost, letters] = parts(rest, '$')?;
    let (salt, hash) = letters.split_at_checked(22).ok_or(HashRefusal::Malformed)?;
    // The cost has two digits.
    let cost = if cost.len() == 2 { decimal(cost.strip_prefix('0').unwrap_or(cost))? } else { 0 };
    bcrypt_of(cost, salt, hash, input)
}

fn bcrypt_of(cost: u32, salt: &str, hash: &str, input: Input) -> Read {
    if !(4..=31).contains(&cost) {
        return Err(HashRefusal::Malformed);
    }
    Ok(ImportedHash {
        function: Function::Bcrypt { cost, input },
        salt: hash_of(bcrypt_base64(salt)?, bcrypt::SALT_LENGTH)?,
        hash: hash_of(bcrypt_base64(hash)?, bcrypt::HASH_LENGTH)?,
    })
}

/// `v=2,t=2b,r=12$salt$hash`, or `2a,12$salt$hash` of version 1.
fn read_passlib_bcrypt_sha256(rest: &str) -> Read {
    let [settings, salt, hash] = parts(rest, '$')?;
    let kind = |text: &str| if matches!(text, "2a" | "2b" | "2y") { Ok(()) } else { Err(HashRefusal::Unknown) };
    let (cost, input) = if let Some(settings) = settings.strip_prefix("v=2,t=") {
        let [letters, cost] = parts(settings, ',')?;
        kind(letters)?;
        (parameter(cost, "r=")?, Input::Base64Hmac)
    } else {
        let [letters, cost] = parts(settings, ',')?;
        kind(letters)?;
        (decimal(cost)?, Input::Base64Sha256)
    };
    bcrypt_of(cost, salt, hash, input)
}

fn pbkdf2_of(digest: Digest, rounds: u32, salt_bytes: Vec<u8>, mut hash: Vec<u8>) -> Read {
    if rounds == 0 {
        return Err(HashRefusal::Malformed);
    }
    hash.truncate(digest.length());
    Ok(ImportedHash { function: Function::Pbkdf2 { digest, rounds }, salt: salt(salt_bytes)?, hash })
}

/// Passlib's `rounds$salt$hash`, or the PHC string `i=rounds,l=length$salt$hash`, whose length may be left out. Keycloak's
/// hashes are brought into the latter form; some of them are longer than the digest.
fn read_pbkdf2(rest: &str, digest: Digest) -> Read {
    let [rounds, salt, key] = parts(rest, '$')?;
    let Some(settings) = rounds.strip_prefix("i=") else {
        let key = hash_of(passlib_base64(key)?, digest.length())?;
        return pbkdf2_of(digest, decimal(rounds)?, passlib_base64(salt)?, key);
    };
    let key = hash(base64(key)?)?;
    let rounds = match settings.split_once(',') {
        Some((_, length)) if parameter(length, "l=")? as usize != key.len() => return Err(HashRefusal::Malformed),
        Some((rounds, _)) => rounds,
        None => settings,
    };
    pbkdf2_of(digest, decimal(rounds)?, base64(salt)?, key)
}

/// `rounds$salt$hash`, where the salt is a text.
fn read_django_pbkdf2(rest: &str, digest: Digest) -> Read {
    let [rounds, salt, key] = parts(rest, '$')?;
    pbkdf2_of(digest, decimal(rounds)?, salt.into(), hash_of(padded_base64(key)?, digest.length())?)
}

/// `digest:rounds$salt$hash`, where the salt is a text. Early versions left the rounds out, and their number changed.
fn read_werkzeug_pbkdf2(rest: &str) -> Read {
    let [method, salt, key] = parts(rest, '$')?;
    let [digest, rounds] = parts(method, ':')?;
    let digest = match digest {
        "sha1" => Digest::Sha1,
        "sha256" => Digest::Sha256,
        "sha512" => Digest::Sha512,
        _ => return Err(HashRefusal::Unknown),
    };
    pbkdf2_of(digest, decimal(rounds)?, salt.into(), hash_of(hexadecimal(key)?, digest.length())?)
}

fn scrypt_of(cost: scrypt::Cost, input: Text, salt_bytes: Vec<u8>, hash: Vec<u8>) -> Read {
    Ok(ImportedHash { function: Function::Scrypt { cost, input }, salt: salt(salt_bytes)?, hash })
}

/// `ln=16,r=8,p=1$salt$hash`: PHC strings, which passlib has too.
fn read_scrypt(rest: &str) -> Read {
    let [settings, salt, key] = parts(rest, '$')?;
    let [log_n, block_size, lanes] = numbers(settings, ',', ["ln=", "r=", "p="])?;
    let cost = scrypt::Cost::new(log_n, block_size, lanes)?;
    scrypt_of(cost, Text::Typed, base64(salt)?, hash(base64(key)?)?)
}

/// `N$salt$r$p$hash`, where the salt is a text.
fn read_django_scrypt(rest: &str) -> Read {
    let [n, salt, block_size, lanes, key] = parts(rest, '$')?;
    let cost = scrypt::Cost::with_n(decimal(n)?, decimal(block_size)?, decimal(lanes)?)?;
    scrypt_of(cost, Text::Typed, salt.into(), hash_of(padded_base64(key)?, 64)?)
}

/// `N:r:p$salt$hash`, where the salt is a text.
fn read_werkzeug_scrypt(rest: &str) -> Read {
    let [settings, salt, key] = parts(rest, '$')?;
    let [n, block_size, lanes] = numbers(settings, ':', [""; 3])?;
    let cost = scrypt::Cost::with_n(n, block_size, lanes)?;
    scrypt_of(cost, Text::Typed, salt.into(), hash_of(hexadecimal(key)?, 64)?)
}

/// `salt:hash` of Better Auth, and of Lucia before it, which has no beginning of its own. The salt is the text of 32 hexadecimal digits.
fn read_better_auth(text: &str) -> Read {
    let is_of_its_form = text.len() == 32 + 1 + 128 && text.find(':') == Some(32);
    if !is_of_its_form {
        return Err(HashRefusal::of_unknown_form(text));
    }
    let [salt, key] = parts(text, ':')?;
    hexadecimal(salt)?;
    scrypt_of(scrypt::Cost::new(14, 16, 1)?, Text::Normalised, salt.into(), hexadecimal(key)?)
}

/// `v=19$m=65536,t=3,p=4$salt$hash`. Without a version it is the first one, 16.
fn read_argon2(rest: &str, algorithm: Algorithm) -> Read {
    let (version, rest) = match rest.strip_prefix("v=") {
        Some(rest) => rest.split_once('$').ok_or(HashRefusal::Malformed)?,
        None => ("16", rest),
    };
    let version = match version {
        "16" => Version::V0x10,
        "19" => Version::V0x13,
        _ => return Err(HashRefusal::Unknown),
    };
    let [settings, salt, key] = parts(rest, '$')?;
    let [memory, passes, lanes] = numbers(settings, ',', ["m=", "t=", "p="])?;
    let (salt, hash) = (base64(salt)?, hash(base64(key)?)?);
    if memory > MAX_MEMORY_KIB || lanes > MAX_LANES {
        return Err(HashRefusal::TooCostly);
    }
    if !(argon2::MIN_SALT_LEN..=64).contains(&salt.len()) {
        return Err(HashRefusal::Malformed);
    }
    let params = Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| HashRefusal::Malformed)?;
    Ok(ImportedHash { function: Function::Argon2 { algorithm, version, params }, salt, hash })
}

/// `n=14,r=8,p=1,ss=separator,sk=signer key$salt$hash`, as Supabase writes the hashes that Firebase exports.
fn read_firebase(rest: &str) -> Read {
    let [settings, salt_text, key] = parts(rest, '$')?;
    let (settings, keys) = settings.split_once(",ss=").ok_or(HashRefusal::Malformed)?;
    let [log_n, block_size, lanes] = numbers(settings, ',', ["n=", "r=", "p="])?;
    let cost = scrypt::Cost::new(log_n, block_size, lanes)?;
    let bytes = padded_base64_of_either_alphabet;
    let (separator, signer_key) = keys.split_once(",sk=").ok_or(HashRefusal::Malformed)?;
    let (separator, signer_key) = (bytes(separator)?, bytes(signer_key)?);
    let salt = [salt(bytes(salt_text)?)?, separator].concat();
    let hash = hash_of(hash(bytes(key)?)?, signer_key.len())?;
    let stream = hash.iter().zip(signer_key).map(|(byte, signer)| byte ^ signer).collect();
    Ok(ImportedHash { function: Function::Firebase { cost }, salt, hash: stream })
}

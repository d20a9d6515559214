//! The limits of mails that strangers can ask for. The batch that writes the mail decides and counts
//! (`store/mail/counts.rs`).

use crate::domain::account::email::Email;
use crate::domain::ids::{UniversityId, hex};
use crate::domain::limits::throttle::HashKey;
use crate::domain::mail::proof::Purpose;
use crate::domain::time::{DAY, HOUR, MINUTE};

/// Mails with invitations of one university in a day at most.
const MAX_INVITATION_MAILS: i64 = 200;

/// One count of mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The start of the key of its row. It holds no address, only a keyed hash.
    pub key: String,
    /// The length of its window.
    pub window_seconds: i64,
    /// Mails in a window at most.
    pub max: i64,
    /// Seconds between two mails at least; 0 for none.
    pub pause_seconds: i64,
    /// Requests of each class count apart: those to which no mail is sent, and those from networks that the account knows.
    pub has_classes: bool,
}

/// The counts of one request for a mail to this address. All must admit it, or nothing is written.
///
/// - One address and asking network: one mail a minute, five an hour.
/// - One address: 20 a day. So a thousand networks do not fill a mailbox.
/// - One asking network: 100 an hour, as many as registrations by default, and two fifths of the share of all at most. So no two networks stop the mails of others.
/// - All addresses: a quarter of `MAIL_PER_HOUR`, an eighth for changes, a sixteenth for sign-ins. So half of it is left for resets, and these mails
///   together are at most `MAIL_PER_HOUR`. Beside them, a sixteenth for codes after a visit to a provider, and one for codes that only owners ask for.
///
/// Each counts the purposes apart. The second and the last also count apart, by a suffix of their keys, the requests from
/// networks that a proven account knows, and those to which no mail is sent. So strangers use up no mail of an owner at
/// home, and addresses without an account use up none at all. The other two are the asker's own, and a request beyond them
/// is refused alike for every address. A change of address has no classes: its mail is sent in every case.
#[must_use]
pub fn counts(key: &HashKey, email: &Email, network: &str, purpose: Purpose, per_hour: i64) -> [Count; 4] {
    // Registrations count as other mails that confirm an address, and step-ups as other codes for an owner. A stranger that asks
    // for sign-in codes takes no mail from a provider's user.
    let kind = match purpose {
        Purpose::Register => Purpose::Verify,
        Purpose::StepUp => Purpose::Enrol,
        other => other,
    };
    let tag = |texts: &[&str]| hex(key.hash(texts).get(..16).unwrap_or_default());
    let count = |name: &str, texts: &[&str], window_seconds, max, pause_seconds| {
        let tag = if texts.is_empty() { String::new() } else { format!("/{}", tag(texts)) };
        // A registration, a change of address and a provider send a mail to every address.
        let is_for_all = matches!(purpose, Purpose::Register | Purpose::ChangeAddress | Purpose::Federate);
        let has_classes = matches!(name, "address" | "all") && !is_for_all;
        Count { key: format!("{name}/{}{tag}", kind.as_str()), window_seconds, max, pause_seconds, has_classes }
    };
    let of_all = (per_hour / share(purpose)).max(1);
    [
        count("network", &["mail", email.as_str(), network], HOUR, 5, MINUTE),
        count("address", &["mail", email.as_str()], DAY, 20, 0),
        count("asker", &["mail by", network], HOUR, (of_all * 2 / 5).clamp(1, 100), 0),
        count("all", &[], HOUR, of_all, 0),
    ]
}

/// The part of `MAIL_PER_HOUR` that each class of the purpose has, as a divisor.
const fn share(purpose: Purpose) -> i64 {
    match purpose {
        Purpose::SignIn | Purpose::Enrol | Purpose::Federate | Purpose::StepUp => 16,
        Purpose::ChangeAddress => 8,
        Purpose::Verify
        | Purpose::Register
        | Purpose::Reset
        | Purpose::HandOver
        | Purpose::Undo
        | Purpose::NotMe
        | Purpose::Invite
        | Purpose::InviteHandOver => 4,
    }
}

/// The counts of a mail with an invitation: 200 a day of one university, and 20 a day to one address.
#[must_use]
pub fn invitation_counts(key: &HashKey, email: &Email, university_id: UniversityId) -> [Count; 2] {
    let count = |key, max| Count { key, window_seconds: DAY, max, pause_seconds: 0, has_classes: false };
    let tag = hex(key.hash(&["mail", email.as_str()]).get(..16).unwrap_or_default());
    [count(format!("university/{university_id}"), MAX_INVITATION_MAILS), count(format!("address/invitation/{tag}"), 20)]
}

/// The key of a row that every request of this network writes, so that a refused one commits, too. Networks share 256 rows.
#[must_use]
pub fn refusal_key(key: &HashKey, network: &str) -> String {
    format!("refused/{}", hex(key.hash(&["mail refused", network]).get(..1).unwrap_or_default()))
}

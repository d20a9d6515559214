//! The decision about a line, given the accounts that it meets. The statements that write it repeat its conditions.

use std::collections::BTreeSet;

use crate::domain::account::full_name::FullName;
use crate::domain::account::import::LineRefusal;
use crate::domain::account::import::line::ImportLine;
use crate::domain::ids::UserId;

/// An account that a line meets: by the external id of its importer, or by the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetAccount {
    /// The id of the account.
    pub id: UserId,
    /// The name on file.
    pub full_name: Option<String>,
    /// This importer made the account, for no other external id than the line's.
    pub is_of_line: bool,
    /// It was imported, and never signed in.
    pub is_untouched: bool,
    /// The address was never proven, and nothing says that the account is its owner's.
    pub is_replaceable: bool,
}

/// The facts about a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineFacts {
    /// The account that this importer made with the external id.
    pub known: Option<MetAccount>,
    /// The account that has the address.
    pub holder: Option<MetAccount>,
    /// A former holder can get the address back.
    pub is_reserved: bool,
}

/// The effect of a line on the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A new account is added.
    Create,
    /// A new account, in place of the one that has the address, which is erased.
    Replace,
    /// The account gets the name of the line.
    Rename(UserId),
    /// Nothing is changed at all.
    Exists,
    /// The line breaks a rule.
    Refuse(LineRefusal),
}

impl LineFacts {
    /// Decides about a line. `seen` are the earlier lines of the request. In a deployment that does not
    /// prove addresses, an address without a proof says nothing about an account.
    #[must_use]
    pub fn decide(&self, line: &ImportLine, seen: &mut Seen, roles_exist: bool, proves_addresses: bool) -> Decision {
        let decision = match (&self.known, &self.holder) {
            _ if seen.has(line) => Decision::Exists,
            (Some(known), _) => known.rename(line),
            (None, Some(holder)) if !(holder.is_replaceable && line.is_verified && proves_addresses) => {
                holder.rename(line)
            }
            (None, None) if self.is_reserved => Decision::Exists,
            (None, _) if !roles_exist => Decision::Refuse(LineRefusal::RoleUnknown),
            (None, Some(_)) => Decision::Replace,
            (None, None) => Decision::Create,
        };
        match decision {
            Decision::Create | Decision::Replace => seen.note(line),
            // Several lines may name one account, by its external id and by its address. The first one counts, also if it
            // changes nothing: otherwise each import of the same file would change the name.
            Decision::Rename(_) | Decision::Exists => {
                let met = self.known.as_ref().or(self.holder.as_ref()).filter(|met| met.is_of_line);
                if met.is_some_and(|met| !seen.met.insert(met.id)) {
                    return Decision::Exists;
                }
            }
            Decision::Refuse(_) => {}
        }
        decision
    }
}

impl MetAccount {
    fn rename(&self, line: &ImportLine) -> Decision {
        let named = line.full_name.as_ref().map(FullName::as_str);
        let is_other = named.is_some() && named != self.full_name.as_deref();
        if self.is_of_line && self.is_untouched && is_other { Decision::Rename(self.id) } else { Decision::Exists }
    }
}

/// The external ids and addresses of the accounts that earlier lines make, and the accounts that they meet.
#[derive(Debug, Default)]
pub struct Seen {
    made: BTreeSet<String>,
    met: BTreeSet<UserId>,
}

impl Seen {
    fn has(&self, line: &ImportLine) -> bool {
        keys(line).any(|key| self.made.contains(&key))
    }

    fn note(&mut self, line: &ImportLine) {
        self.made.extend(keys(line));
    }
}

/// The address and the external id, which has a space before: no address has one.
fn keys(line: &ImportLine) -> impl Iterator<Item = String> {
    let id = line.external_id.as_ref().map(|id| format!(" {id}"));
    std::iter::once(line.email.as_str().to_owned()).chain(id)
}

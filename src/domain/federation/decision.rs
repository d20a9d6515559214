//! The meaning of an asserted identity for the accounts of the service.
//!
//! An identity is an issuer and a subject, and never joins an account by its address alone: any issuer can say
//! `email_verified`. An account is joined by a code that is mailed to the address, or by the word of a provider that the
//! settings name as authoritative for the domain, except if an administrator has the account.

use crate::domain::ids::UserId;

/// The owner of a linked identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LinkedOwner {
    pub user_id: UserId,
    /// A reset by mail has suspended the identity, and the owner has not confirmed it yet.
    pub is_suspended: bool,
    /// For the event of a refusal.
    pub is_active: bool,
}

/// The account that has the asserted address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct AddressHolder {
    /// Absent if an account can get the address back by an undo, or has it while it is being erased.
    pub user_id: Option<UserId>,
    /// For the event of a refusal.
    pub is_active: bool,
    pub is_administrator: bool,
}

/// The facts about an asserted identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact")]
pub struct Facts {
    pub linked: Option<LinkedOwner>,
    pub holder: Option<AddressHolder>,
    /// The provider asserts an address, and that it is verified.
    pub has_verified_email: bool,
    /// The settings name the provider as authoritative for the domain of the address.
    pub is_authoritative: bool,
    /// The deployment sends mail.
    pub can_mail: bool,
    /// The deployment makes no account before its address is proven.
    pub needs_proof: bool,
}

/// The outcome of a decision, to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The identity is this user's.
    SignIn(UserId),
    /// The identity is suspended, and signs no user in.
    Suspended,
    /// The provider does not assert a verified address, and without one there is no account.
    NeedsVerifiedEmail,
    /// The provider is authoritative for the address of this account.
    Join(UserId),
    /// A code is mailed to the address, which proves it.
    MailCode,
    /// The address has an account. The owner signs in, and links the identity.
    AccountExists,
    /// A new account, whose address is proven or is not.
    Create {
        /// The provider is authoritative for the address.
        is_proven: bool,
    },
}

/// Decides about an asserted identity.
#[must_use]
pub const fn decide(facts: &Facts) -> Verdict {
    match (facts.linked, facts.holder) {
        (Some(owner), _) => of_owner(owner),
        (None, _) if !facts.has_verified_email => Verdict::NeedsVerifiedEmail,
        (None, Some(AddressHolder { user_id: Some(user_id), is_administrator: false, .. }))
            if facts.is_authoritative =>
        {
            Verdict::Join(user_id)
        }
        (None, Some(AddressHolder { user_id: Some(_), .. })) if facts.can_mail => Verdict::MailCode,
        (None, Some(_)) => Verdict::AccountExists,
        (None, None) if facts.needs_proof && !facts.is_authoritative => Verdict::MailCode,
        (None, None) => Verdict::Create { is_proven: facts.is_authoritative },
    }
}

/// Decides the same after a code that was mailed to the address, and so has proven it.
#[must_use]
pub const fn decide_after_code(linked: Option<LinkedOwner>, holder: Option<AddressHolder>) -> Verdict {
    match (linked, holder) {
        (Some(owner), _) => of_owner(owner),
        (None, Some(AddressHolder { user_id: Some(user_id), .. })) => Verdict::Join(user_id),
        (None, Some(AddressHolder { user_id: None, .. })) => Verdict::AccountExists,
        (None, None) => Verdict::Create { is_proven: true },
    }
}

/// An identity that has an owner decides alone.
const fn of_owner(owner: LinkedOwner) -> Verdict {
    if owner.is_suspended { Verdict::Suspended } else { Verdict::SignIn(owner.user_id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn user(id: i64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn facts() -> Facts {
        Facts {
            linked: None,
            holder: None,
            has_verified_email: true,
            is_authoritative: false,
            can_mail: false,
            needs_proof: false,
        }
    }

    fn holder(is_administrator: bool) -> AddressHolder {
        AddressHolder { user_id: Some(user(2)), is_active: true, is_administrator }
    }

    #[test]
    fn a_linked_identity_decides_alone() {
        for (has_verified_email, is_authoritative) in [(false, false), (true, false), (true, true)] {
            for holder in [None, Some(holder(false)), Some(holder(true))] {
                let of = |is_suspended| {
                    let linked = Some(LinkedOwner { user_id: user(1), is_suspended, is_active: true });
                    decide(&Facts { linked, holder, has_verified_email, is_authoritative, can_mail: true, ..facts() })
                };
                assert_eq!(of(false), Verdict::SignIn(user(1)));
                assert_eq!(of(true), Verdict::Suspended);
            }
        }
    }

    #[test]
    fn an_unverified_address_makes_and_joins_no_account() {
        for holder in [None, Some(holder(false)), Some(holder(true))] {
            for is_authoritative in [false, true] {
                let unverified =
                    Facts { has_verified_email: false, holder, is_authoritative, can_mail: true, ..facts() };
                assert_eq!(decide(&unverified), Verdict::NeedsVerifiedEmail);
            }
        }
    }

    #[test]
    fn an_account_is_joined_by_an_authoritative_provider_or_a_mailed_code_only() {
        let of = |is_administrator, is_authoritative, can_mail| {
            decide(&Facts { holder: Some(holder(is_administrator)), is_authoritative, can_mail, ..facts() })
        };
        assert_eq!(of(false, true, false), Verdict::Join(user(2)));
        assert_eq!(of(false, true, true), Verdict::Join(user(2)));
        assert_eq!(of(false, false, true), Verdict::MailCode);
        assert_eq!(of(false, false, false), Verdict::AccountExists);
        assert_eq!(of(true, true, true), Verdict::MailCode);
        assert_eq!(of(true, true, false), Verdict::AccountExists);
        let reserved = Some(AddressHolder { user_id: None, is_active: false, is_administrator: false });
        let of_reserved = Facts { holder: reserved, is_authoritative: true, can_mail: true, ..facts() };
        assert_eq!(decide(&of_reserved), Verdict::AccountExists);
    }

    #[test]
    fn a_new_account_is_proven_by_an_authoritative_provider_only() {
        let of = |is_authoritative, needs_proof| {
            decide(&Facts { is_authoritative, needs_proof, can_mail: needs_proof, ..facts() })
        };
        assert_eq!(of(true, false), Verdict::Create { is_proven: true });
        assert_eq!(of(false, false), Verdict::Create { is_proven: false });
        assert_eq!(of(true, true), Verdict::Create { is_proven: true });
        assert_eq!(of(false, true), Verdict::MailCode);
    }
}

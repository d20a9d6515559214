//! The condition that an address is taken. It stands wherever an account gets an address.

/// An account has the address, or had it and can get it back by an undo; the account `$user` does not count for the latter. `:now` is
/// the time.
macro_rules! address_is_taken {
    ($address:literal, $user:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM users AS o WHERE o.email = ",
            $address,
            ") OR EXISTS (SELECT 1 FROM email_proofs AS r WHERE r.purpose = 'undo' AND r.address = ",
            $address,
            " AND r.expires_at > :now AND r.user_id IS NOT ",
            $user,
            "))"
        )
    };
}

/// The user that has the address, or can get it back.
macro_rules! holder_of_address {
    ($address:literal) => {
        concat!(
            "coalesce((SELECT id FROM users WHERE email = ",
            $address,
            "), (SELECT user_id FROM email_proofs WHERE purpose = 'undo' AND address = ",
            $address,
            " AND expires_at > :now LIMIT 1))"
        )
    };
}
pub(in crate::store) use {address_is_taken, holder_of_address};

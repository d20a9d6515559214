//! The condition that an address can get an account. It guards the making of one, and the mail that offers it.

/// The condition that no account has this address.
macro_rules! address_is_free {
    ($address:expr) => {
        concat!("NOT EXISTS (SELECT 1 FROM users AS holder WHERE holder.email = ", $address, ")")
    };
}
pub(in crate::store) use address_is_free;

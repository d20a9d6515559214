//! The condition of the statements that follow a new password in its batch.

/// The condition that the password was set by this request: the salt makes the hash unique.
macro_rules! is_set {
    () => {
        "EXISTS (SELECT 1 FROM users WHERE id = :user_id AND password_hash = :new_hash)"
    };
}
pub(in crate::store) use is_set;

//! Evidence that a password was checked, handed around in place of the row that it was checked against.

use crate::domain::ids::UserId;

/// A password that matched. Statements that act on it require the same version, so a concurrent change of the password
/// makes the evidence worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedPassword {
    /// The account that the password belongs to.
    pub user_id: UserId,
    /// Grows with every change of the password; a hash that is only replaced keeps it.
    pub version: i64,
}

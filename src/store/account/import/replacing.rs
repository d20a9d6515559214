//! Erasing an account whose address was never proven, for a line that proves it. The line makes another account, with
//! another id: nothing passes from the one to the other.

use crate::store::account::erasure::erased_columns;
use crate::store::audit::{insert_events, is_recorded};

/// The account `u` that the line `d` replaces.
macro_rules! is_replaced {
    () => {
        concat!(
            "d.value ->> 'replaces' = 1 AND u.email = d.value ->> 'email' AND ",
            $crate::store::account::import::is_replaceable!(),
            " AND ",
            $crate::store::account::import::line_holds!()
        )
    };
}

/// It precedes the erasure, which removes the address.
pub(super) const RECORD: &str = insert_events! {
    type: ":type", reason: ":reason", user_id: "u.id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL", object_id: ":service_id",
    from: concat!(
        "FROM json_each(:lines) AS d CROSS JOIN users AS u WHERE ", is_replaced!(), " AND NOT ", is_recorded!()
    ),
};

/// The clean-up removes the rows that refer to the account. None of them counts any more.
pub(super) const ERASE: &str =
    concat!("UPDATE users AS u SET ", erased_columns!("u"), "FROM json_each(:lines) AS d WHERE ", is_replaced!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, ERASE];

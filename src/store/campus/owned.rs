//! The enrolments of a user, for the register of user-owned data.
//!
//! The table exists in every build, and its rows refer to the user. A build without the feature `campus` exports no
//! enrolments, but it must erase those of an earlier build, or the user could not be erased.

use crate::store::owned::{Owned, Section};

const ERASE: &str = "
    DELETE FROM enrollments WHERE id IN (
        SELECT e.id FROM users AS u JOIN enrollments AS e ON e.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[ERASE];

#[cfg(feature = "campus")]
const EXPORT: Option<Section> = Some(super::enrollments::SECTION);
#[cfg(not(feature = "campus"))]
const EXPORT: Option<Section> = None;

/// Enrolments of a user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "enrollments",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM enrollments AS e WHERE e.user_id = users.id"],
    export: EXPORT,
    walk: None,
};

//! The list of users for administrators of the platform.

use crate::domain::account::email::Email;
use crate::ports::query;
use crate::store::account::users::{UserRow, user_columns};
use crate::store::authz::grants::caller_administers_or_has;
use crate::store::authz::viewer::Viewer;
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;

/// Filter of the list of users. An absent field matches every user.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// Only the user with this address.
    pub email: Option<Email>,
    /// Only active ones, or only disabled ones.
    pub is_active: Option<bool>,
}

/// The next `:examined` users under a condition that an index serves. A filter without an index would read any number of
/// other users, such as a block of disabled ones. An index of active users would be one more row per registration.
macro_rules! next_users {
    ($indexed:literal) => {
        concat!(
            "(SELECT ",
            user_columns!(),
            ", erasure_cursor FROM users WHERE ",
            $indexed,
            " AND id > :after ORDER BY id LIMIT :examined * ",
            caller_administers_or_has!("users:read"),
            ")"
        )
    };
}

/// The statements of [`PageRequest::examined`], for the users that match the filter.
macro_rules! select_users {
    ($indexed:literal, $filter:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM ",
            next_users!($indexed),
            " WHERE ",
            $filter,
            " ORDER BY id LIMIT :limit"
        )
    };
}
macro_rules! select_last {
    ($indexed:literal, $filter:literal) => {
        concat!(
            "SELECT id FROM users WHERE ",
            $indexed,
            " AND id > :after ORDER BY id LIMIT ",
            caller_administers_or_has!("users:read"),
            " * (NOT EXISTS (SELECT 1 FROM ",
            next_users!($indexed),
            " WHERE ",
            $filter,
            " LIMIT 1 OFFSET :limit - 1)) OFFSET :examined - 1"
        )
    };
}

/// The row of an erased user stays until everything that refers to it is gone.
const SELECT_USERS: &str = select_users!("TRUE", "erasure_cursor IS NULL");
const SELECT_LAST: &str = select_last!("TRUE", "erasure_cursor IS NULL");

const SELECT_ACTIVE: &str = select_users!("TRUE", "is_active = 1");
const SELECT_LAST_FOR_ACTIVE: &str = select_last!("TRUE", "is_active = 1");

const SELECT_INACTIVE: &str = select_users!("is_active = 0", "erasure_cursor IS NULL");
const SELECT_LAST_FOR_INACTIVE: &str = select_last!("is_active = 0", "erasure_cursor IS NULL");

const SELECT_BY_EMAIL: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users
     WHERE email = :email AND id > :after AND (:is_active IS NULL OR is_active = :is_active)
     ORDER BY id LIMIT :limit * ",
    caller_administers_or_has!("users:read")
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_USERS,
    SELECT_LAST,
    SELECT_ACTIVE,
    SELECT_LAST_FOR_ACTIVE,
    SELECT_INACTIVE,
    SELECT_LAST_FOR_INACTIVE,
    SELECT_BY_EMAIL,
];

/// Lists users in the order of their registration, a bounded number of them per page. The page is empty
/// unless the caller administers the platform, or is a service account with the scope `users:read`.
#[must_use]
pub fn users(filter: &UserFilter, viewer: &Viewer, page: PageRequest) -> Read<Page<UserRow>> {
    let id: fn(&UserRow) -> i64 = |row| row.id.get();
    let statements = match (&filter.email, filter.is_active) {
        (Some(email), is_active) => {
            let select = viewer.bind(page.query(SELECT_BY_EMAIL));
            let select = select.bind("email", email).bind("is_active", is_active);
            return Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, id)));
        }
        (None, None) => [SELECT_USERS, SELECT_LAST],
        (None, Some(true)) => [SELECT_ACTIVE, SELECT_LAST_FOR_ACTIVE],
        (None, Some(false)) => [SELECT_INACTIVE, SELECT_LAST_FOR_INACTIVE],
    };
    let after = page.after.unwrap_or(0);
    page.examined(statements.map(|sql| viewer.bind(query(sql)).bind("after", after)), id)
}

//! Identities of users: adding and listing them, and the entry in the register of user data.

use serde::Deserialize;

use crate::domain::federation::assertion::Assertion;
use crate::domain::ids::{IdentityId, SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{Rows, Statement, query};
use crate::store::boolean;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;

/// Maximum number of identities of a user.
pub const MAX_IDENTITIES: i64 = 20;

macro_rules! columns {
    () => {
        "id, provider, issuer, subject, email, created_at, suspended_at IS NOT NULL AS is_suspended"
    };
}
pub(super) use columns;

/// Inserts the identity for the user that meets a condition, unless it has an owner. A batch that is executed again finds it.
macro_rules! insert_identity {
    ($condition:expr) => {
        concat!(
            "INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
             SELECT :identity_id, id, :provider, :issuer, :subject, :identity_email, :now FROM users
             WHERE (SELECT count(*) FROM identities AS i WHERE i.user_id = users.id) < :max_identities AND ",
            $condition,
            " ON CONFLICT DO NOTHING"
        )
    };
}
pub(in crate::store) use insert_identity;

/// The list shows no identity to a session that has ended.
const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM identities WHERE user_id = :user_id ORDER BY id LIMIT :limit * ",
    session_is_live!()
);

const EXPORT: &str = concat!(
    "SELECT id, provider, issuer, subject, email, created_at, suspended_at
     FROM identities WHERE user_id = :user_id ORDER BY id LIMIT :limit * ",
    session_is_live!()
);

const ERASE: &str = "
    DELETE FROM identities
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step >= 20";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_ALL, EXPORT, ERASE];

/// The identities of a user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "identities",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM identities AS i WHERE i.user_id = users.id"],
    export: Some(Section { member: "identities", select: EXPORT, paging: Paging::FirstPage { limit: MAX_IDENTITIES } }),
    walk: None,
};

/// An identity of a user.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct IdentityRow {
    pub id: IdentityId,
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub created_at: Timestamp,
    #[serde(deserialize_with = "boolean")]
    pub is_suspended: bool,
}

/// An identity to be added.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct NewIdentity<'a> {
    pub id: IdentityId,
    /// The id of the provider in the settings.
    pub provider: &'a str,
    pub assertion: &'a Assertion,
}

impl NewIdentity<'_> {
    /// Binds the values of [`insert_identity`], besides `:now` and those of [`Self::bind_subject`].
    pub(in crate::store) fn bind_new(self, statement: Statement) -> Statement {
        statement
            .bind("identity_id", self.id)
            .bind("provider", self.provider)
            .bind("identity_email", self.assertion.verified_email())
            .bind("max_identities", MAX_IDENTITIES)
    }

    /// Binds the issuer and the subject.
    pub(in crate::store) fn bind_subject(self, statement: Statement) -> Statement {
        let Assertion { issuer, subject, .. } = self.assertion;
        statement.bind("issuer", issuer.as_str()).bind("subject", subject.as_str())
    }
}

/// Lists the identities of a user, the oldest first.
#[must_use]
pub fn list(user_id: UserId, session_id: SessionId, now: Timestamp) -> Read<Vec<IdentityRow>> {
    let select = query(SELECT_ALL).bind("user_id", user_id).bind("session_id", session_id).bind("now", now);
    Read::of(select.bind("limit", MAX_IDENTITIES), Rows::all)
}

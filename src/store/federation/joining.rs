//! Joining an identity to the account that has the asserted address: by the word of a provider that is authoritative for the
//! address, or by a code that was mailed to it. Both prove the address, so an account that had not proven it gets empty.

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::ports::{Statement, query};
use crate::store::audit::{self, RequestInfo, insert_event};
use crate::store::factor::due::has_factor;
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::federation::identities::{NewIdentity, insert_identity};
use crate::store::mail::sign_in::waits_for_reset;
use crate::store::password::throttle;

/// The account `:user_id`, as `u`, has the address and meets a condition, and the identity has no owner. A provider's word does
/// not suffice for an administrator.
macro_rules! may_join_if {
    ($condition:expr) => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM users AS u
                 WHERE u.id = :user_id AND u.email = :email AND u.erasure_cursor IS NULL AND ",
            $condition,
            " AND (:has_code = 1 OR NOT ",
            $crate::store::federation::facts::administers!(),
            ")
             ) AND NOT EXISTS (SELECT 1 FROM identities WHERE issuer = :issuer AND subject = :subject) AND ",
            $crate::store::federation::flows::is_redeemed!()
        )
    };
}
pub(super) use may_join_if;

macro_rules! may_join {
    () => {
        may_join_if!("u.is_active = 1")
    };
}

/// The same for an account that may be disabled, which is told after the second factor. One whose address was not proven has
/// no factor of its owner.
macro_rules! may_join_with_factor {
    () => {
        $crate::store::federation::joining::may_join_if!("u.email_verified_at IS NOT NULL")
    };
}
pub(super) use may_join_with_factor;

macro_rules! is_emptied {
    () => {
        concat!("EXISTS (SELECT 1 FROM users WHERE id = :user_id AND email_verified_at IS NULL) AND ", may_join!())
    };
}

const RECORD_EMPTIED: &str = insert_event! {
    type: ":type", reason: "'emptied'", user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("WHERE ", is_emptied!()),
};

/// Networks and devices from which a stranger signed in are none of the owner's.
const DELETE_KNOWN: &str =
    concat!("DELETE FROM throttles WHERE key > :first_key AND key < :last_key AND ", is_emptied!());

const DELETE_ROLES: &str = concat!("DELETE FROM user_university_roles WHERE user_id = :user_id AND ", is_emptied!());

/// Nothing of a registration by a stranger is the owner's, its password least of all.
const EMPTY: &str = concat!(
    "UPDATE users
     SET password_hash = :new_hash, password_version = password_version + 1, mail_refused_at = NULL, full_name = NULL,
         registered_network = NULL, email_verified_at = :now, has_password = 0
     WHERE id = :user_id AND ",
    is_emptied!()
);

/// A second factor comes first, and the identity is added with it.
const INSERT: &str = insert_identity!(concat!(
    "id = :user_id AND NOT ",
    has_factor!(),
    " AND NOT (",
    waits_for_reset!(),
    ") AND ",
    may_join!()
));

const RECORD_LINKED: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    object_id: ":identity_id",
    from: concat!("WHERE EXISTS (SELECT 1 FROM identities WHERE id = :identity_id AND user_id = :user_id) AND ", is_redeemed!()),
};

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD_EMPTIED, DELETE_KNOWN, DELETE_ROLES, EMPTY, INSERT, RECORD_LINKED];

/// An identity that joins an account.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Joining<'a> {
    pub identity: NewIdentity<'a>,
    /// The hash of no password, for an account that gets empty.
    pub no_password: &'a str,
}

/// Binds the values of [`may_join`].
pub(super) fn bind(
    statement: Statement,
    user_id: UserId,
    identity: NewIdentity<'_>,
    evidence: Evidence,
    request: RequestInfo<'_>,
) -> Statement {
    let statement = identity.bind_subject(evidence.bind(statement, request)).bind("user_id", user_id);
    let has_code = matches!(evidence, Evidence::MailedCode(_));
    statement.bind("email", identity.assertion.email.as_ref()).bind("has_code", has_code)
}

/// The statements that empty the account if its address was not proven, and add the identity unless a second factor is due.
pub(super) fn join(
    user_id: UserId,
    joining: Joining<'_>,
    evidence: Evidence,
    request: RequestInfo<'_>,
) -> [Statement; 6] {
    let Joining { identity, no_password } = joining;
    let guarded = |statement| bind(statement, user_id, identity, evidence, request);
    let linked = audit::insert(RECORD_LINKED, request, EventType::IdentityLinked).bind("user_id", user_id);
    [
        guarded(audit::insert(RECORD_EMPTIED, request, EventType::EmailVerified)),
        throttle::bind_user(guarded(query(DELETE_KNOWN)), user_id),
        guarded(query(DELETE_ROLES)),
        guarded(query(EMPTY)).bind("now", request.now).bind("new_hash", no_password),
        identity.bind_new(guarded(query(INSERT)).bind("now", request.now)),
        evidence.bind(linked, request).bind("identity_id", identity.id),
    ]
}

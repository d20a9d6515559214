//! A link to a new password that an administrator hands over, in place of a mail.

use crate::domain::audit::EventType;
use crate::domain::ids::{ProofId, UserId};
use crate::domain::mail::proof::Purpose;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::account::users;
use crate::store::account::users::UserRow;
use crate::store::audit::{self, RequestInfo, insert_event};
use crate::store::authz::grants::{actor_is_platform_admin, select_actor};
use crate::store::mail::proofs::insert_proof;
use crate::store::outcome::ActOutcome;

/// Without a code: nothing is mailed.
const INSERT: &str =
    insert_proof!(concat!("users AS u WHERE u.id = :user_id AND u.is_active = 1 AND ", actor_is_platform_admin!()));

const RECORD: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: "FROM email_proofs WHERE id = :proof_id",
};

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, RECORD];

/// Writes the proof. Returns the user; a disabled one gets none.
///
/// # Errors
/// [`DbError`].
pub async fn hand_over(
    store: &Store,
    id: ProofId,
    user_id: UserId,
    actor: UserId,
    expires_at: Timestamp,
    request: RequestInfo<'_>,
) -> Result<ActOutcome<Option<UserRow>>, DbError> {
    let insert = query(INSERT)
        .bind("proof_id", id)
        .bind("purpose", Purpose::HandOver.as_str())
        .bind("user_id", user_id)
        .bind("is_of_owner", false)
        .bind("now", request.now)
        .bind("expires_at", expires_at)
        .bind("code_expires_at", request.now)
        .bind("actor_id", actor);
    let record = audit::insert(RECORD, request, EventType::PasswordResetHandedOver)
        .bind("user_id", user_id)
        .bind("actor_id", actor)
        .bind("proof_id", id);
    let [actors, _, _, users] = store.batch([select_actor(actor), insert, record, users::select(user_id)]).await?;
    ActOutcome::read(&actors, &users, users.first()?)
}

//! The user handle of passkeys, and the passkeys that a registration must not replace.

use serde::Deserialize;

use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, query};
use crate::store::audit::refusals;
use crate::store::factor::due::{AllowedPasskey, passkey_list, read_list};
use crate::store::mail::proofs::{self, PresentedProof};
use crate::store::{IdRow, Store};

/// The user handle is drawn once, and the same for all passkeys of a user (W3C WebAuthn Level 3 §14.6.1).
const DRAW_HANDLE: &str =
    "UPDATE users SET passkey_handle = :handle WHERE id = :user_id AND passkey_handle IS NULL AND is_active = 1";

/// A discoverable credential of the same user handle would be replaced, so the known ones are excluded.
const SELECT_EXCLUDED: &str = concat!(
    "SELECT u.passkey_handle, ",
    passkey_list!("TRUE"),
    " AS excluded FROM users AS u WHERE u.id = :user_id AND u.passkey_handle IS NOT NULL"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[DRAW_HANDLE, SELECT_EXCLUDED];

/// The user handle, and the passkeys that an authenticator must not replace.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Excluded {
    pub handle: String,
    pub passkeys: Vec<AllowedPasskey>,
}

#[derive(Deserialize)]
struct ExcludedRow {
    passkey_handle: String,
    excluded: String,
}

/// The outcome of asking for the user handle.
pub enum HandleOutcome {
    /// The handle, old or new.
    Found(Excluded),
    /// The account is gone.
    NoOwner,
    /// The mailed code is no valid one of this user, or was used concurrently.
    NoCode,
}

/// Draws the user handle, unless there is one, and uses the mailed code up, if it takes one. The handle alone opens nothing.
///
/// # Errors
/// [`DbError`].
pub async fn draw(
    store: &Store,
    user_id: UserId,
    drawn: &str,
    code: Option<PresentedProof>,
    now: Timestamp,
) -> Result<HandleOutcome, DbError> {
    let draw_handle = query(DRAW_HANDLE).bind("user_id", user_id).bind("handle", drawn);
    let use_up = code.map_or_else(refusals::nothing, |proof| proofs::use_up(proof, user_id, now));
    let [used, _, rows] = store.batch([use_up, draw_handle, query(SELECT_EXCLUDED).bind("user_id", user_id)]).await?;
    let lacks_code = code.is_some() && used.all::<IdRow>()?.is_empty();
    Ok(match rows.first::<ExcludedRow>()? {
        _ if lacks_code => HandleOutcome::NoCode,
        None => HandleOutcome::NoOwner,
        Some(ExcludedRow { passkey_handle: handle, excluded }) => {
            HandleOutcome::Found(Excluded { handle, passkeys: read_list(&excluded)? })
        }
    })
}

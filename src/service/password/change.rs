//! Change of a user's own password. Database round trips: 1, after the caller's, which reads the
//! credentials too.

use crate::domain::audit::EventType;
use crate::domain::mail::letter::Kind;
use crate::domain::password::Password;
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::OwnAccount;
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::password::credentials::{self, PasswordChanged};

/// Changes the caller's password and ends all their other sessions.
///
/// The current password is required: a stolen token or an unlocked laptop must not suffice to take the account over. An
/// account without a password needs a recent sign-in instead, and one with a second factor needs both. A
/// request repeated after a lost answer gets `AUTH_INVALID_CREDENTIALS`, because the old password is no longer valid.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `VALIDATION_ERROR` without the current password; [`Error`] otherwise.
pub async fn change_password(
    ctx: &Context<'_>,
    caller: &Caller,
    own: &OwnAccount,
    current: Option<&Password>,
    new: &Password,
) -> Result<(), Error> {
    own.demand_factor(ctx, caller)?;
    if current.is_none() && own.account.credentials.has_password {
        let fault = Fault::of("current_password", FaultKind::Missing, "field is required");
        return Err(Problem::validation(vec![fault]).into());
    }
    // Hash first: hashing only after a correct password would leak that by timing.
    let new_hash = ctx.hash(new).await?;
    let verified = own.prove(ctx, caller, current, EventType::PasswordChangeRefused).await?;
    let kept_session = caller.credential.session_id();
    let notice = outbox::notice(ctx, Kind::PasswordChanged)?;
    let changed =
        credentials::change_password(ctx.store, verified, &new_hash, kept_session, notice, ctx.request).await?;
    let PasswordChanged { notice } = changed.ok_or(Code::InvalidCredentials)?;
    outbox::send_behind_response(ctx, notice);
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Password changed");
    Ok(())
}

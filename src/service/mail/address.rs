//! A change of the address of an account. Database round trips after the caller's: 1, and 1 behind the
//! response. It takes effect when the new address is proven (`verification`).

use crate::domain::account::email::Email;
use crate::domain::authz::step_up::Act;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::proof::Purpose;
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::domain::secret::Secret;
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::{Proof, demand};
use crate::service::mail::asking::{counts, draw, flow, settings};
use crate::service::mail::outbox::send_behind_response;
use crate::service::{Context, Error};
use crate::store::mail::address;
use crate::store::mail::counts::Asking;

/// Sends a mail to the new address, if the limits admit it: a proof, or the news that the address has an account. The answer, the
/// statements and the rows that they write are the same in every case; without a proof, the flow leads nowhere.
///
/// # Errors
/// `NOT_FOUND` without mail; `VALIDATION_ERROR` for the present address; `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn change_address(
    ctx: &Context<'_>,
    caller: &Caller,
    email: &Email,
    evidence: Proof<'_>,
) -> Result<Secret, Error> {
    let settings = settings(ctx)?;
    ctx.admit_growth(Growth::Mail)?;
    if email.as_str() == caller.user.email {
        let fault = Fault::of("new_email", FaultKind::ValueError, "value is the address of the account already");
        return Err(Problem::validation(vec![fault]).into());
    }
    let demanded = demand(ctx, caller, Act::ChangeAddress, evidence).await?;
    // The account has one, so the demand asked for it.
    let has_mfa = evidence.age.has_factor();
    // The code for the first second factor goes to the address: a thief of the password would have it mailed to another one.
    let is_withheld = !caller.withheld.is_empty() && !has_mfa;
    demanded.checked(if is_withheld { Err(Problem::needs_mfa().into()) } else { Ok(()) }).await?;
    let purpose = Purpose::ChangeAddress;
    let proof = draw(ctx, purpose, true)?;
    let asking = Asking { email, purpose, counts: &counts(ctx, settings, purpose, email) };
    let session = (caller.credential.session_id(), has_mfa);
    let mail = address::ask(demanded.store(), proof, caller.user.id, session, asking, ctx.request).await?;
    let is_admitted = mail.is_some();
    tracing::info!(target: "app.mail", kind = purpose.as_str(), is_admitted, "Mail asked for");
    send_behind_response(ctx, mail);
    Ok(flow(ctx, proof))
}

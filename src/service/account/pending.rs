//! Registration where the address must be proven first. There is no account before. Database round trips: 1, and 1 behind the
//! response; the proof takes 2.
//!
//! A stranger can register any address, and so can its owner afterwards. Each registration has a flow of its own, and the
//! proof makes the account with the password of the registration whose flow, or whose password, is beside it.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::limits::REGISTRATION_WINDOW_MS;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::proof::{MAX_FAILURES, ProofKeys, Purpose};
use crate::domain::password::Password;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::service::mail::asking::{counts, draw, flow, settings};
use crate::service::mail::outbox::send_behind_response;
use crate::service::password::verify::matches_registration;
use crate::service::{Context, Error};
use crate::store::account::pending;
use crate::store::account::pending::{AddOutcome, RegistrationRow};
use crate::store::account::registration::{NewUser, RegistrationLimit};
use crate::store::mail::counts::Asking;
use crate::store::mail::proofs::{Form, PresentedProof, count_wrong_code};

/// Asks the owner of the address for a proof. The answer, the work and the rows are the same for every address; the mail says
/// whether it has an account.
///
/// # Errors
/// `RATE_LIMITED` after too many attempts from one network within an hour; [`Error`] otherwise.
pub(super) async fn register(
    ctx: &Context<'_>,
    email: &Email,
    password: &Password,
    full_name: Option<&FullName>,
) -> Result<Secret, Error> {
    let password_hash = ctx.hash(password).await?;
    let user = NewUser { email, password_hash: &password_hash, full_name, federated: None };
    let proof = draw(ctx, Purpose::Register, true)?;
    let counts = counts(ctx, settings(ctx)?, Purpose::Register, email);
    let asking = Asking { email, purpose: Purpose::Register, counts: &counts };
    let network = ctx.request.peer.network();
    let tag = ctx.request.key.network_tag(&network);
    let limit = limit(ctx, &network);
    match pending::add(ctx.store, &user, &tag, limit, (proof, asking), ctx.request).await? {
        AddOutcome::TooMany { window_started_at } => Err(too_many(ctx, window_started_at)),
        AddOutcome::Added(mail) => {
            tracing::info!(target: "app.mail", kind = "register", is_admitted = mail.is_some(), "Mail asked for");
            send_behind_response(ctx, mail);
            Ok(flow(ctx, proof))
        }
    }
}

/// Makes the account of a registration, and returns its address.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn complete(
    ctx: &Context<'_>,
    proof: PresentedProof,
    flow: Option<&Secret>,
    password: Option<&Password>,
) -> Result<String, Error> {
    let row = pending::find(ctx.store, proof, ctx.now()).await?.ok_or(Code::InvalidCredentials)?;
    ctx.admit_growth(Growth::Registration)?;
    let keys = ProofKeys::derive(&ctx.settings.secret_keys);
    let of_flow = |flow: &Secret| keys.of_flow(Purpose::Register, flow.expose());
    let registration_id = match (proof.form, flow.and_then(of_flow), password) {
        (Form::Code, ..) => proof.id,
        (Form::Link, Some(id), _) => id,
        (Form::Link, None, Some(password)) if is_password(ctx, proof, &row, password).await? => proof.id,
        (Form::Link, None, _) => return Err(Code::InvalidCredentials.into()),
    };
    if !pending::complete(ctx.store, proof, registration_id, ctx.request).await? {
        return Err(Code::InvalidCredentials.into());
    }
    tracing::info!(target: "app.auth", "Registered with a proven address");
    Ok(row.address)
}

/// Is it the password of the registration? Wrong ones count as wrong codes do.
async fn is_password(
    ctx: &Context<'_>,
    proof: PresentedProof,
    row: &RegistrationRow,
    password: &Password,
) -> Result<bool, Error> {
    let is_right =
        row.failures < MAX_FAILURES && matches_registration(ctx, Some(&row.password_hash), password, false).await?;
    if !is_right {
        count_wrong_code(ctx.store, proof.id, proof.purpose, ctx.request).await?;
    }
    Ok(is_right)
}

/// The limit while rate limiting is off: more attempts than any network can make.
const UNLIMITED: i64 = (1 << 53) - 1;

/// The limit of registrations of this network.
pub(super) fn limit<'a>(ctx: &Context<'_>, network: &'a str) -> RegistrationLimit<'a> {
    let settings = ctx.settings;
    let attempts = if settings.rate_limiting { settings.registrations_per_hour } else { UNLIMITED };
    let window_cutoff = Timestamp::from_millis(ctx.now().millis() - REGISTRATION_WINDOW_MS);
    RegistrationLimit { network, attempts, window_cutoff }
}

/// The refusal of a network that exceeded its limit in this window.
pub(super) fn too_many(ctx: &Context<'_>, window_started_at: Timestamp) -> Error {
    let wait_ms = window_started_at.millis() + REGISTRATION_WINDOW_MS - ctx.now().millis();
    Problem::rate_limited(wait_ms).into()
}

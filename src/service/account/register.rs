//! Registration, which also signs the new user in, unless the address must be proven first (`pending`). Database round
//! trips: 1, and with mail 1 behind the response.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::proof::Purpose;
use crate::domain::password::Password;
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::domain::session::method::SignInMethod;
use crate::domain::settings::EmailVerification;
use crate::service::account::pending;
use crate::service::account::pending::{limit, too_many};
use crate::service::keys::signing;
use crate::service::mail::asking;
use crate::service::mail::asking::{draw, flow};
use crate::service::mail::outbox::send_behind_response;
use crate::service::session::tokens::{Opening, SignInTokens};
use crate::service::{Context, Error};
use crate::store::account::users;
use crate::store::account::users::{Created, NewUser, RegistrationOutcome, UserRow};
use crate::store::mail::counts::Asking;

/// A validated request to register.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Register {
    pub email: Email,
    pub password: Password,
    pub full_name: Option<FullName>,
}

/// A new user, and the tokens of the first session.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct Registered {
    pub user: UserRow,
    pub tokens: SignInTokens,
    /// Belongs to the mail that asks for a proof of the address.
    pub flow: Option<Secret>,
}

/// The result of a registration.
#[derive(Debug)]
pub enum Registration {
    /// The account is open.
    Complete(Box<Registered>),
    /// The address must be proven first; the flow belongs to the mail.
    Pending(Secret),
}

/// Registers a user and opens the first session, or asks for a proof of the address first.
///
/// The password is hashed before the address is looked up, so the response takes the same time whether or not it is
/// taken. A request repeated after a lost response gets `CONFLICT`, and the client signs in instead. Nothing is written
/// twice.
///
/// # Errors
/// `CONFLICT` if the address is taken; `RATE_LIMITED` after too many attempts from one network within an hour, decided
/// before the address is looked up; [`Error`] otherwise.
pub async fn register(ctx: &Context<'_>, command: &Register) -> Result<Registration, Error> {
    ctx.admit_growth(Growth::Registration)?;
    if ctx.settings.verification() == EmailVerification::Required {
        let Register { email, password, full_name } = command;
        return pending::register(ctx, email, password, full_name.as_ref()).await.map(Registration::Pending);
    }
    signing::prepare(ctx).await?;
    let password_hash = ctx.hash(&command.password).await?;
    let opening = Opening::draw(ctx, SignInMethod::Password)?;
    let user = NewUser { email: &command.email, password_hash: &password_hash, full_name: command.full_name.as_ref() };
    let network = ctx.request.peer.network();
    let limit = limit(ctx, &network);
    // A proof of the new address, in a deployment that asks for one.
    let verifying = ctx.settings.mail.as_deref().filter(|mail| mail.verification != EmailVerification::Off);
    let proof = verifying.map(|_| draw(ctx, Purpose::Verify, true)).transpose()?;
    let counts = verifying.map(|mail| asking::counts(ctx, mail, Purpose::Verify, &command.email));
    let asking = counts.as_ref().map(|counts| Asking { email: &command.email, purpose: Purpose::Verify, counts });
    let session = opening.as_row(ctx.request);
    let outcome = users::register(ctx.store, &user, &session, limit, proof.zip(asking)).await?;
    let Created { user, inputs, mail } = match outcome {
        RegistrationOutcome::Created(created) => *created,
        RegistrationOutcome::EmailTaken => {
            return Err(Error::Refused(Problem::conflict("Email is already registered")));
        }
        RegistrationOutcome::TooMany { window_started_at } => {
            return Err(too_many(ctx, window_started_at));
        }
    };
    tracing::info!(target: "app.auth", user_id = user.id.get(), session_id = opening.session_id.get(), "Registered");
    send_behind_response(ctx, mail);
    let tokens = opening.issue(ctx, user.id, None, inputs).await?;
    let flow = proof.map(|proof| flow(ctx, proof));
    Ok(Registration::Complete(Box::new(Registered { user, tokens, flow })))
}

//! Registration, which also signs the new user in, unless the address must be proven first (`pending`). Database round
//! trips: 1, with an invitation 2, and with mail 1 behind the response.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::proof::Purpose;
use crate::domain::password::Password;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::session::methods::AuthMethods;
use crate::domain::settings::{EmailVerification, RegistrationPolicy};
use crate::service::account::pending;
use crate::service::account::pending::{limit, too_many};
use crate::service::keys::signing;
use crate::service::mail::asking;
use crate::service::mail::asking::{draw, flow};
use crate::service::mail::outbox::send_behind_response;
use crate::service::session::tokens::{Opening, SignInTokens};
use crate::service::tenant::invitations::{Offer, find_offer};
use crate::service::{Context, Error};
use crate::store::account::registration;
use crate::store::account::registration::{Created, NewUser, RegistrationOutcome};
use crate::store::account::users::UserRow;
use crate::store::authz::granting::Grantee;
use crate::store::mail::counts::Asking;
use crate::store::tenant::invitations::Invited;

/// A validated request to register.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Register {
    pub email: Email,
    pub password: Password,
    pub full_name: Option<FullName>,
    /// The token of an invitation.
    pub invitation: Option<Secret>,
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
/// taken. With an invitation, the same batch grants the role. A request repeated after a lost response gets `CONFLICT`, and the client signs in instead. Nothing is written
/// twice.
///
/// # Errors
/// `FORBIDDEN` without an invitation, where one is needed; `AUTH_INVALID_CREDENTIALS` for an invitation that is void;
/// `CONFLICT` if the address is taken; `RATE_LIMITED` after too many attempts from one network within an hour, decided
/// before the address is looked up; [`Error`] otherwise.
pub async fn register(ctx: &Context<'_>, command: &Register) -> Result<Registration, Error> {
    ctx.admit_growth(Growth::Registration)?;
    let offer = admit(ctx, command.invitation.as_ref(), &command.email).await?;
    let is_proven = offer.as_ref().is_some_and(|offer| offer.proves_address);
    // An invitation that was handed over waits, too: its token is good for the account that the proof makes.
    if ctx.settings.verification() == EmailVerification::Required && !is_proven {
        let Register { email, password, full_name, .. } = command;
        return pending::register(ctx, email, password, full_name.as_ref()).await.map(Registration::Pending);
    }
    signing::prepare(ctx).await?;
    let password_hash = ctx.hash(&command.password).await?;
    let full_name = command.full_name.as_ref();
    let user = NewUser { email: &command.email, password_hash: &password_hash, full_name, federated: None };
    let account = NewAccount { user, methods: AuthMethods::PASSWORD, is_proven };
    let registered = open(ctx, account, offer).await?;
    registered.map(Registration::Complete).ok_or_else(|| Problem::conflict("Email is already registered").into())
}

/// An account to be opened with a session.
pub(in crate::service) struct NewAccount<'a> {
    pub(in crate::service) user: NewUser<'a>,
    pub(in crate::service) methods: AuthMethods,
    /// The address needs no proof any more.
    pub(in crate::service) is_proven: bool,
}

/// Opens an account with its first session; `None` if the address has one.
pub(in crate::service) async fn open(
    ctx: &Context<'_>,
    account: NewAccount<'_>,
    offer: Option<Offer>,
) -> Result<Option<Box<Registered>>, Error> {
    let NewAccount { user, methods, is_proven } = account;
    let opening = Opening::draw(ctx, methods)?;
    let network = ctx.request.peer.network();
    let limit = limit(ctx, &network);
    // A proof of the new address, in a deployment that asks for one.
    let verifying =
        ctx.settings.mail.as_deref().filter(|mail| mail.verification != EmailVerification::Off && !is_proven);
    let proof = verifying.map(|_| draw(ctx, Purpose::Verify, true)).transpose()?;
    let counts = verifying.map(|mail| asking::counts(ctx, mail, Purpose::Verify, user.email));
    let asking = counts.as_ref().map(|counts| Asking { email: user.email, purpose: Purpose::Verify, counts });
    let session = opening.as_row(ctx.request);
    let grantee = Grantee::New { email: user.email.clone(), password_hash: user.password_hash.to_owned() };
    let granting = offer.as_ref().map(|offer| offer.granting(&grantee));
    let invited = granting.map(|granting| Invited { granting, proves_address: is_proven });
    let outcome = registration::register(ctx.store, &user, &session, limit, proof.zip(asking), invited).await?;
    let Created { user, inputs, mail } = match outcome {
        RegistrationOutcome::Created(created) => *created,
        RegistrationOutcome::EmailTaken => return Ok(None),
        RegistrationOutcome::EvidenceUsed | RegistrationOutcome::InvitationVoid => {
            return Err(Code::InvalidCredentials.into());
        }
        RegistrationOutcome::TooMany { window_started_at } => {
            return Err(too_many(ctx, window_started_at));
        }
    };
    tracing::info!(target: "app.auth", user_id = user.id.get(), session_id = opening.session_id.get(), "Registered");
    send_behind_response(ctx, mail);
    let tokens = opening.issue(ctx, user.id, None, None, inputs).await?;
    let flow = proof.map(|proof| flow(ctx, proof));
    Ok(Some(Box::new(Registered { user, tokens, flow })))
}

/// The invitation, if there is one. The setting decides first, so that its refusal is the same for every address.
pub(in crate::service) async fn admit(
    ctx: &Context<'_>,
    invitation: Option<&Secret>,
    email: &Email,
) -> Result<Option<Offer>, Error> {
    let refusal = match (ctx.settings.registration, invitation) {
        (RegistrationPolicy::Closed, _) => "Registration is closed",
        (RegistrationPolicy::Invitation, None) => "Registration needs an invitation",
        (RegistrationPolicy::Open, None) => return Ok(None),
        (RegistrationPolicy::Open | RegistrationPolicy::Invitation, Some(token)) => {
            let offer = find_offer(ctx, token).await?;
            offer.demand_address(email.as_str())?;
            return Ok(Some(offer));
        }
    };
    Err(Problem::forbidden(refusal).into())
}

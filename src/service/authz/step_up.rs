//! Step-up: an irreversible act needs a recent sign-in, with a second factor if the account has one. Without a second
//! factor, the caller's password beside the token does, too. Database round trips: none, and 2 for a wrong password.
//!
//! The age and the methods of the sign-in are in the token, so a caller with a recent one of several factors costs nothing.
//! Otherwise the rows to decide with are read together with the caller.

use crate::domain::audit::EventType;
use crate::domain::authz::step_up::{Act, is_recent};
use crate::domain::ids::UserId;
use crate::domain::password::Password;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::problem::Code;
use crate::domain::session::methods::AuthMethods;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::factor::due;
use crate::service::password::reauthenticate;
use crate::service::{Context, Error};
use crate::store::Store;
use crate::store::authz::grants;
use crate::store::factor::due as due_factors;
use crate::store::factor::due::DueFactors;
use crate::store::password::confirmation;
use crate::store::password::credentials::{self, Account};
use crate::store::read::Read;

/// The age of the caller's sign-in.
#[derive(Clone)]
pub enum SignInAge {
    /// At most ten minutes, with several factors, so no row is needed.
    Recent,
    /// More than ten minutes, not in the token, or with one factor only.
    Read(Box<StoredAge>),
}

/// The rows with which the age of a sign-in is judged.
#[derive(Clone)]
pub struct StoredAge {
    /// The sign-in is recent. It counts unless the account has a second factor.
    is_recent: bool,
    /// The caller's credentials; `None` if the account was erased.
    account: Option<Account>,
    /// The caller's second factors; `None` without any.
    due: Option<DueFactors>,
    /// Whether the user concerned administers a university or the platform. False where that does not matter.
    of_administrator: bool,
}

impl SignInAge {
    /// Has the caller's account a second factor?
    pub(in crate::service) const fn has_factor(&self) -> bool {
        match self {
            Self::Recent => true,
            Self::Read(age) => age.due.is_some(),
        }
    }
}

/// The evidence with which a caller asks for an irreversible act.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// Read with the caller.
    pub age: &'a SignInAge,
    /// The `password` of the body. It is not checked unless it is needed.
    pub password: Option<&'a Password>,
}

/// Reads the evidence about a caller. `target` is the user concerned, if it matters whether that is an administrator.
#[must_use]
pub fn sign_in_age(ctx: &Context<'_>, subject: Subject, target: Option<UserId>) -> Reading<SignInAge> {
    read_age(ctx, subject, target).into()
}

/// The same, for use cases that combine it with a read of their own.
pub(in crate::service) fn read_age(ctx: &Context<'_>, subject: Subject, target: Option<UserId>) -> Read<SignInAge> {
    let is_recent = is_recent(subject.auth_time, ctx.now());
    if is_recent && subject.methods.include(AuthMethods::MULTIPLE) {
        return Read::nothing().map(|()| SignInAge::Recent);
    }
    let rows = credentials::by_id(subject.user_id).and(due_factors::of_user(subject.user_id));
    let age = move |(account, due), of_administrator| {
        SignInAge::Read(Box::new(StoredAge { is_recent, account, due, of_administrator }))
    };
    match target {
        None => rows.map(move |rows| age(rows, false)),
        Some(id) => {
            rows.and(grants::is_administrator(id)).map(move |(rows, is_administrator)| age(rows, is_administrator))
        }
    }
}

/// The evidence for an act is there, but for the confirmation of a password: the batch of the act confirms it. A right guess
/// among concurrent wrong ones is refused there, once they have begun a wait.
#[must_use]
pub(in crate::service) struct Demanded {
    store: Store,
    awaits_confirmation: bool,
}

impl Demanded {
    /// The database for the batch of the act.
    pub(in crate::service) const fn store(&self) -> &Store {
        &self.store
    }

    /// Confirms the password before a refusal for another reason, which would tell otherwise that the guess was right.
    ///
    /// # Errors
    /// `AUTH_INVALID_CREDENTIALS` instead of the refusal; [`Error`] otherwise.
    pub(in crate::service) async fn checked<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() && self.awaits_confirmation {
            confirmation::confirm(&self.store).await?;
        }
        result
    }
}

/// Demands a recent sign-in or the right password, if the act is irreversible. Access is decided before.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS` with a wrong password; [`Error`] otherwise.
pub(in crate::service) async fn demand(
    ctx: &Context<'_>,
    caller: &Caller,
    act: Act,
    proof: Proof<'_>,
) -> Result<Demanded, Error> {
    let without_password = || Ok(Demanded { store: ctx.store.clone(), awaits_confirmation: false });
    let SignInAge::Read(age) = proof.age else {
        return without_password();
    };
    let suffices = age.is_recent && age.due.is_none();
    if suffices || !act.is_irreversible(age.of_administrator) {
        return without_password();
    }
    let account = age.account.as_ref().ok_or(Code::TokenInvalid)?;
    match (&age.due, proof.password) {
        (Some(due), _) => Err(due::step_up_demand(ctx, caller.user.id, due)?),
        (None, None) => Err(due::step_up_without_factor(ctx, caller).await?),
        (None, Some(password)) => {
            let store = reauthenticate::confirming(ctx, caller, account, password).await?;
            Ok(Demanded { store, awaits_confirmation: true })
        }
    }
}

/// The caller's own account, for acts that concern it.
#[derive(Clone)]
pub struct OwnAccount {
    is_recent: bool,
    has_mfa: bool,
    /// The credentials and the throttle of re-authentication.
    pub account: Account,
    due: Option<DueFactors>,
}

/// Reads the caller's own account.
#[must_use]
pub fn own_account(ctx: &Context<'_>, subject: Subject) -> Reading<OwnAccount> {
    let is_recent = is_recent(subject.auth_time, ctx.now());
    let has_mfa = subject.methods.include(AuthMethods::MULTIPLE);
    let read = credentials::by_id(subject.user_id).and(due_factors::of_user(subject.user_id));
    Reading::then(read, move |(account, due)| {
        let account = account.ok_or(Code::TokenInvalid)?;
        Ok(OwnAccount { is_recent, has_mfa, account, due })
    })
}

impl OwnAccount {
    /// Is the sign-in recent, with a second factor if the account has one?
    pub(in crate::service) const fn is_fresh(&self) -> bool {
        self.is_recent && (self.has_mfa || self.due.is_none())
    }

    /// Demands a recent sign-in with a second factor, if the account has one.
    ///
    /// # Errors
    /// `AUTH_STEP_UP_REQUIRED`; [`Error`] otherwise.
    pub(in crate::service) fn demand_factor(&self, ctx: &Context<'_>, caller: &Caller) -> Result<(), Error> {
        match &self.due {
            Some(due) if !self.is_fresh() => Err(due::step_up_demand(ctx, caller.user.id, due)?),
            _ => Ok(()),
        }
    }

    /// The evidence that the caller is the owner: a fresh sign-in, or the right password of an account without a second
    /// factor.
    ///
    /// # Errors
    /// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
    pub(in crate::service) async fn prove(
        &self,
        ctx: &Context<'_>,
        caller: &Caller,
        password: Option<&Password>,
        refused_as: EventType,
    ) -> Result<VerifiedPassword, Error> {
        self.demand_factor(ctx, caller)?;
        match password {
            Some(password) => reauthenticate::reauthenticate(ctx, caller, &self.account, password, refused_as).await,
            None if self.is_fresh() => Ok(self.account.credentials.verified()),
            None => Err(due::step_up_without_factor(ctx, caller).await?),
        }
    }
}

/// Demands a fresh sign-in, for acts whose requests have no body.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; [`Error`] otherwise.
pub(in crate::service) async fn demand_fresh(
    ctx: &Context<'_>,
    caller: &Caller,
    own: &OwnAccount,
) -> Result<(), Error> {
    own.demand_factor(ctx, caller)?;
    if own.is_fresh() { Ok(()) } else { Err(due::step_up_without_factor(ctx, caller).await?) }
}

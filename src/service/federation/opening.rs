//! The session of an asserted identity: of the user that has it, of the account that it joins, or of a new account.

use crate::domain::audit::Reason;
use crate::domain::factor::pending::PendingLink;
use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::decision::{AddressHolder, Verdict};
use crate::domain::federation::provider::Provider;
use crate::domain::federation::sealed::SealedAssertion;
use crate::domain::ids::{ChallengeId, IdentityId, UserId};
use crate::domain::limits::standing::Counter;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::{CODE_SECONDS, Purpose as ProofPurpose};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::session::methods::AuthMethods;
use crate::service::account::register::{self, NewAccount, Registered};
use crate::service::factor::due::{FirstFactor, pending};
use crate::service::federation::seal::{self, seal};
use crate::service::mail::asking;
use crate::service::mail::outbox;
use crate::service::session::sign_in::SignIn;
use crate::service::session::tokens::{Opening, SignInTokens};
use crate::service::{Context, Error, ErrorKind, attribution};
use crate::store::account::registration::{FederatedUser as NewFederatedUser, NewUser};
use crate::store::federation::facts::Found;
use crate::store::federation::flows::Evidence;
use crate::store::federation::identities::NewIdentity;
use crate::store::federation::mailed;
use crate::store::federation::sign_in::{self, FederatedOutcome, FederatedUser};
use crate::store::mail::counts::Asking;

/// An asserted identity that is to sign in.
#[derive(Clone, Copy)]
pub(super) struct Arriving<'a> {
    pub(super) provider: &'a Provider,
    pub(super) assertion: &'a Assertion,
    pub(super) evidence: Evidence,
    /// The token of an invitation, for a new account.
    pub(super) invitation: Option<&'a Secret>,
}

/// Carries a decision out.
pub(super) async fn open(
    ctx: &Context<'_>,
    arriving: Arriving<'_>,
    verdict: Verdict,
    (linked, holder): Found,
) -> Result<SignIn, Error> {
    let is_active = |holder: Option<AddressHolder>| holder.is_none_or(|holder| holder.is_active);
    match verdict {
        Verdict::SignIn(user_id) => {
            let is_active = linked.is_none_or(|owner| owner.is_active);
            sign_in(ctx, arriving, user_id, None, is_active).await
        }
        Verdict::Join(user_id) => {
            let no_password = ctx.hash_of_no_password()?;
            sign_in(ctx, arriving, user_id, Some(&no_password), is_active(holder)).await
        }
        Verdict::Create { is_proven } => create(ctx, arriving, is_proven).await,
        Verdict::MailCode => Err(mail_code(ctx, arriving, holder.is_none()).await?),
        Verdict::Suspended => Err(Code::InvalidCredentials.into()),
        Verdict::AccountExists => Err(account_exists()),
        Verdict::NeedsVerifiedEmail => Err(Problem::needs_verified_email().into()),
    }
}

fn account_exists() -> Error {
    Problem::conflict_because("Address has an account: sign in and link the provider", "account_exists").into()
}

/// The refusal of a further identity of an account that has the maximum.
pub(super) fn too_many() -> Error {
    Problem::conflict_because("Account has the maximum number of identities", "too_many").into()
}

async fn sign_in(
    ctx: &Context<'_>,
    arriving: Arriving<'_>,
    user_id: UserId,
    joins_with: Option<&str>,
    is_active: bool,
) -> Result<SignIn, Error> {
    attribution::note_user(user_id);
    let session = Opening::draw(ctx, AuthMethods::FEDERATED)?;
    let counter = Counter::of_network(user_id, ctx.request.key, &ctx.request.peer.network());
    let identity = arriving.identity(ctx)?;
    let refused_as = if is_active { Reason::Overtaken } else { Reason::Disabled };
    let user = FederatedUser { user_id, identity, evidence: arriving.evidence, joins_with, refused_as };
    let notice = joins_with.map(|_| outbox::notice(ctx, Kind::IdentitiesChanged)).transpose()?.flatten();
    let (session_id, provider) = (session.session_id.get(), arriving.provider.id.as_str());
    match sign_in::open(ctx.store, user, &counter, &session.as_row(ctx.request), notice).await? {
        FederatedOutcome::Opened(inputs, mail) => {
            tracing::info!(target: "app.auth", user_id = user_id.get(), session_id, provider, "Signed in by provider");
            outbox::send_behind_response(ctx, mail);
            session.issue(ctx, user_id, None, None, inputs).await.map(SignIn::Complete)
        }
        FederatedOutcome::FactorDue(due) => {
            tracing::info!(target: "app.auth", user_id = user_id.get(), provider, "Second factor due");
            let methods = AuthMethods::FEDERATED;
            let link = joins_with.map(|_| arriving.link());
            let first = FirstFactor { methods, device: None, is_new_client: false, link };
            let id = ChallengeId::from_random(ctx.random()?);
            Ok(SignIn::FactorDue(Box::new(pending(ctx, id, user_id, &due, first)?)))
        }
        FederatedOutcome::TooMany => Err(too_many()),
        FederatedOutcome::Disabled => Err(Code::InactiveUser.into()),
        FederatedOutcome::Overtaken => Err(Code::InvalidCredentials.into()),
    }
}

async fn create(ctx: &Context<'_>, arriving: Arriving<'_>, is_proven: bool) -> Result<SignIn, Error> {
    ctx.admit_growth(Growth::Registration)?;
    let Assertion { email, name, .. } = arriving.assertion;
    let email = email.as_ref().ok_or_else(Problem::needs_verified_email)?;
    let offer = register::admit(ctx, arriving.invitation, email).await?;
    let is_proven = is_proven || offer.as_ref().is_some_and(|offer| offer.proves_address);
    let password_hash = ctx.hash_of_no_password()?;
    let (identity, evidence) = (arriving.identity(ctx)?, arriving.evidence);
    let federated = Some(NewFederatedUser { identity, evidence, is_proven });
    let user = NewUser { email, password_hash: &password_hash, full_name: name.as_ref(), federated };
    let account = NewAccount { user, methods: AuthMethods::FEDERATED, is_proven };
    match register::open(ctx, account, offer).await? {
        Some(registered) => {
            let Registered { tokens, flow, .. } = *registered;
            Ok(SignIn::Complete(SignInTokens { flow, ..tokens }))
        }
        None => Err(account_exists()),
    }
}

/// Mails a code to the address, and returns the refusal that has its flow. An address without an account gets one only where
/// registration is open to it.
async fn mail_code(ctx: &Context<'_>, arriving: Arriving<'_>, is_new: bool) -> Result<Error, Error> {
    ctx.admit_growth(Growth::Mail)?;
    let mail = asking::settings(ctx)?;
    let email = arriving.assertion.email.as_ref().ok_or(Code::InvalidCredentials)?;
    let Evidence::Flow(flow) = arriving.evidence else { return Err(Code::InvalidCredentials.into()) };
    if is_new {
        register::admit(ctx, arriving.invitation, email).await?;
    }
    let purpose = ProofPurpose::Federate;
    let proof = asking::draw(ctx, purpose, false)?;
    let counts = asking::counts(ctx, mail, purpose, email);
    let asking = Asking { email, purpose, counts: &counts };
    let asked = mailed::ask(ctx.store, arriving.evidence, proof, asking, ctx.request).await?;
    let mail = asked.ok_or(Code::InvalidCredentials)?;
    tracing::info!(target: "app.mail", kind = purpose.as_str(), is_admitted = mail.is_some(), "Mail asked for");
    outbox::send_behind_response(ctx, mail);
    let sealed = SealedAssertion {
        flow_id: flow.id,
        proof_id: Some(proof.id),
        provider: arriving.provider.id.clone(),
        assertion: arriving.assertion.clone(),
        ends_at: ctx.now().plus_seconds(CODE_SECONDS),
    };
    Ok(ErrorKind::CodeMailed(seal(ctx, seal::MAILED, &sealed).await?).into())
}

impl<'a> Arriving<'a> {
    pub(super) fn identity(&self, ctx: &Context<'_>) -> Result<NewIdentity<'a>, Error> {
        let id = IdentityId::draw(ctx.now(), ctx.random()?);
        Ok(NewIdentity { id, provider: &self.provider.id, assertion: self.assertion })
    }

    /// The identity, to be added with the second factor.
    fn link(&self) -> PendingLink {
        let Assertion { issuer, subject, email, .. } = self.assertion;
        PendingLink {
            provider: self.provider.id.clone(),
            issuer: issuer.clone(),
            subject: subject.clone(),
            email: email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default(),
            has_code: matches!(self.evidence, Evidence::MailedCode(_)),
        }
    }
}

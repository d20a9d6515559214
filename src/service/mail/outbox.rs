//! Sending the mails of the outbox: once behind the response, then by the Cron Trigger. Database round trips: 1 for each
//! mail, and 1 for each run.
//!
//! A mail is accepted at least once: its row is deleted only when a provider has accepted it. It is accepted twice if the
//! note of it is lost, or if a provider accepts it after the deadline.

use std::sync::Arc;

use crate::domain::ids::{MailId, ProofId};
use crate::domain::mail::english;
use crate::domain::mail::letter::{self, CodePurpose, Kind, Letter, Message, Proofs};
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::mail::provider::{Envelope, Refusal, binding_mail, binding_refusal, http_outcome, http_request};
use crate::domain::secret::Secret;
use crate::domain::settings::MailSettings;
use crate::domain::time::Timestamp;
use crate::ports::Carriers;
use crate::service::{Context, Error};
use crate::store::Store;
use crate::store::mail::notices::Notice;
use crate::store::mail::outbox;
use crate::store::mail::outbox::{Fate, QueuedMail};

/// Everything that sends a mail. It outlives the request.
#[derive(Clone)]
struct Sending {
    store: Store,
    carriers: Carriers,
    settings: Arc<MailSettings>,
    keys: ProofKeys,
    now: Timestamp,
}

impl Sending {
    fn of(ctx: &Context<'_>) -> Option<Self> {
        let settings = Arc::clone(ctx.settings.mail.as_ref()?);
        let keys = ProofKeys::derive(&ctx.settings.secret_keys);
        Some(Self { store: ctx.store.clone(), carriers: ctx.carriers.clone(), settings, keys, now: ctx.now() })
    }

    /// Tries to send a mail, and notes its fate.
    async fn send(self, mail: QueuedMail) {
        let (kind, mail_id) = (mail.kind.as_str(), mail.id.get());
        let fate = match self.hand_over(&mail).await {
            None => Fate::Done,
            Some(Ok(())) => {
                tracing::info!(target: "app.mail", kind, mail_id, outcome = "accepted", "Mail sent");
                Fate::Done
            }
            Some(Err(Refusal::Again(cause))) => {
                tracing::warn!(target: "app.mail", kind, mail_id, outcome = "again", cause, "Mail not sent yet");
                return;
            }
            Some(Err(Refusal::Misconfigured(cause))) => {
                tracing::error!(target: "app.mail", kind, mail_id, outcome = "misconfigured", cause, "Mail not sent yet");
                return;
            }
            Some(Err(Refusal::Never(cause))) => {
                tracing::warn!(target: "app.mail", kind, mail_id, outcome = "refused", cause, "Mail refused");
                Fate::Refused
            }
        };
        if let Err(error) = outbox::settle(&self.store, &mail, fate, self.now).await {
            tracing::warn!(target: "app.mail", kind, mail_id, cause = %error, "The fate of a mail was not noted");
        }
    }

    /// Hands the mail to the provider. `None` if there is nothing to send: no address, or a kind of another version.
    async fn hand_over(&self, mail: &QueuedMail) -> Option<Result<(), Refusal>> {
        let to = mail.address.as_deref()?;
        let Some(message) = self.write(mail) else {
            // An isolate of the next version, or of the previous one, has queued it. Another isolate sends it.
            return Some(Err(Refusal::Again("unknown kind".to_owned())));
        };
        let key = format!("edge-auth-{}", mail.id);
        let envelope = Envelope { from: &self.settings.from, to, message: &message, key: &key };
        let provider = self.settings.provider;
        let api_key = self.settings.api_key.clone().unwrap_or_else(|| Secret::new(""));
        Some(match http_request(provider, &api_key, &envelope) {
            None => self.by_binding(&binding_mail(&envelope)).await,
            Some(request) => match self.carriers.outbound.send(&request).await {
                Ok(response) => http_outcome(provider, response.status, &response.body),
                Err(error) => Err(Refusal::Again(error.to_string())),
            },
        })
    }

    async fn by_binding(&self, mail: &str) -> Result<(), Refusal> {
        let sent = self.carriers.binding.send(mail).await;
        sent.map_err(|error| binding_refusal(&error.code, &error.message))
    }

    fn write(&self, mail: &QueuedMail) -> Option<Message> {
        let settings = &self.settings;
        let app_name = &settings.app_name;
        let kind = Kind::parse(&mail.kind)?;
        let (purpose, page) = match kind {
            Kind::Verify => (Purpose::Verify, &settings.verify_page),
            Kind::ChangeAddress => (Purpose::ChangeAddress, &settings.verify_page),
            // The last two have no link.
            Kind::Reset | Kind::AddressTaken | Kind::Registered | Kind::AccountErased | Kind::EmailMoved => {
                (Purpose::Reset, &settings.reset_page)
            }
            // Their mails have no link.
            Kind::SignIn => (Purpose::SignIn, &settings.reset_page),
            Kind::Enrol => (Purpose::Enrol, &settings.reset_page),
            Kind::Federate => (Purpose::Federate, &settings.reset_page),
            Kind::StepUp => (Purpose::StepUp, &settings.reset_page),
            Kind::Register => (Purpose::Register, &settings.verify_page),
            Kind::EmailChanged => (Purpose::Undo, &settings.undo_page),
            Kind::PasswordChanged
            | Kind::SignedIn
            | Kind::ReuseDetected
            | Kind::ApiKeysChanged
            | Kind::FactorsChanged
            | Kind::SecondFactorRefused
            | Kind::IdentitiesChanged => (Purpose::NotMe, &settings.not_me_page),
            Kind::Invitation => (Purpose::Invite, &settings.invite_page),
        };
        let (link, code) = match mail.proof_id.filter(|_| !matches!(kind, Kind::AddressTaken | Kind::Registered)) {
            Some(id) => {
                let token = self.keys.link(purpose, id);
                (Secret::new(format!("{page}#token={}", token.expose())), self.keys.code(purpose, id))
            }
            // Also of a notice that an earlier version queued.
            None => (Secret::new(settings.reset_page.as_str()), Secret::new("")),
        };
        let (at, link) = (mail.created_at, &link);
        let proofs = Proofs { link, code: &code };
        let of_notice = |notice| Letter::Notice { notice, at, link };
        let letter = match kind {
            Kind::Verify => Letter::Verify(proofs),
            Kind::ChangeAddress => Letter::ChangeAddress(proofs),
            Kind::Reset => Letter::Reset(proofs),
            Kind::EmailChanged => Letter::EmailChanged { at, link },
            Kind::EmailMoved => Letter::EmailMoved { at },
            Kind::PasswordChanged => of_notice(letter::Notice::PasswordChanged),
            Kind::SignedIn => of_notice(letter::Notice::SignedIn),
            Kind::ReuseDetected => of_notice(letter::Notice::ReuseDetected),
            Kind::ApiKeysChanged => of_notice(letter::Notice::ApiKeysChanged),
            Kind::FactorsChanged => of_notice(letter::Notice::FactorsChanged),
            Kind::SecondFactorRefused => of_notice(letter::Notice::SecondFactorRefused),
            Kind::IdentitiesChanged => of_notice(letter::Notice::IdentitiesChanged),
            Kind::AccountErased => Letter::AccountErased { at },
            Kind::AddressTaken => Letter::AddressTaken { reset_page: link },
            Kind::Invitation => {
                let (role, university) = mail.invitation.as_deref()?.split_once(' ')?;
                Letter::Invitation { role, university, link }
            }
            Kind::SignIn => Letter::Code(CodePurpose::SignIn, &code),
            Kind::Enrol => Letter::Code(CodePurpose::Enrol, &code),
            Kind::Federate => Letter::Code(CodePurpose::Federate, &code),
            Kind::StepUp => Letter::Code(CodePurpose::StepUp, &code),
            Kind::Register => Letter::Register(proofs),
            Kind::Registered => Letter::Registered { reset_page: link },
        };
        Some(english::write(&letter, app_name))
    }
}

/// Draws a notice, in a deployment that sends mail.
pub(in crate::service) fn notice(ctx: &Context<'_>, kind: Kind) -> Result<Option<Notice>, Error> {
    ctx.settings.mail.as_ref().map(|_| draw_notice(ctx, kind)).transpose()
}

/// The same where mail is known to be on.
pub(in crate::service) fn draw_notice(ctx: &Context<'_>, kind: Kind) -> Result<Notice, Error> {
    let (id, proof_id) = (MailId::from_random(ctx.random()?), ProofId::from_random(ctx.random()?));
    Ok(Notice { id, proof_id, kind })
}

/// Sends a mail behind the response. A row without an address is deleted then, too, so that both are the same work.
pub(in crate::service) fn send_behind_response(ctx: &Context<'_>, mail: Option<QueuedMail>) {
    if let Some((sending, mail)) = Sending::of(ctx).zip(mail) {
        ctx.background.spawn_behind_response(Box::pin(sending.send(mail)));
    }
}

/// Performs one run of the Cron Trigger: sends the mails that are due, one after another. Failures are logged, and the next
/// run continues.
pub async fn run(ctx: &Context<'_>) {
    let Some(sending) = Sending::of(ctx) else { return };
    match outbox::claim(ctx.store, ctx.now()).await {
        Ok(mut mails) => {
            // The statement returns them in any order, and only a few. The sort of the standard library takes 3 kB.
            let urgent = [Kind::Reset, Kind::SignIn, Kind::Enrol, Kind::Federate, Kind::StepUp].map(Kind::as_str);
            let rank = |mail: &QueuedMail| (!urgent.contains(&mail.kind.as_str()), mail.created_at);
            while let Some((next, _)) = mails.iter().enumerate().min_by_key(|(_, mail)| rank(mail)) {
                sending.clone().send(mails.remove(next)).await;
            }
        }
        Err(error) => {
            tracing::error!(target: "app.mail", cause = %error, "The outbox was not read, the next run continues");
        }
    }
}

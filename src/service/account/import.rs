//! Import of users from other systems. Database round trips: 1 for the facts about all lines, and 1 for each 50 lines that
//! change something. Others reach the database between two of them.

use crate::domain::account::full_name::FullName;
use crate::domain::account::import::decision::{Decision, LineFacts, Seen};
use crate::domain::account::import::line::{ImportLine, LineRules, RefusedLine};
use crate::domain::account::import::{DEADLINE_MS, LINES_OF_BATCH, LineFailure, LineOutcome, ROLES_OF_BATCH};
use crate::domain::authz::step_up::Act;
use crate::domain::event_keys::EventStamp;
use crate::domain::limits::storage::Growth;
use crate::domain::machine::scope::Scope;
use crate::domain::problem::Code;
use crate::domain::settings::EmailVerification;
use crate::service::authz::caller::Principal;
use crate::service::authz::step_up::{Proof, SignInAge, demand};
use crate::service::{Context, Error};
use crate::store::account::import::Importer;
use crate::store::account::import::facts;
use crate::store::account::import::renaming::NewName;
use crate::store::account::import::writing::{self, NewLine};
use crate::store::audit::RequestInfo;

/// A line of the request: its number, and the user or the refusal.
pub type NumberedLine = (usize, Result<ImportLine, RefusedLine>);

/// The answer to a line.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the answer's")]
pub struct LineAnswer {
    pub line: usize,
    pub external_id: Option<String>,
    pub outcome: LineOutcome,
    /// Verifying the imported hash takes longer than verifying a new one.
    pub is_costlier: bool,
}

/// The rules for the lines of a request.
#[must_use]
pub fn rules(ctx: &Context<'_>, principal: &Principal) -> LineRules {
    LineRules {
        normalize: ctx.normalize,
        max_hash_cost: ctx.settings.import_max_hash_cost,
        hash_cost: ctx.settings.password_work.in_rounds(),
        now: ctx.now(),
        gives_roles: match principal {
            Principal::User(_) => true,
            Principal::Service(service) => service.scopes.contains(Scope::RolesGrant),
        },
    }
}

/// Demands a recent sign-in of an administrator. A service account has none.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; [`Error`] otherwise.
pub async fn admit(ctx: &Context<'_>, principal: &Principal, age: Option<&SignInAge>) -> Result<(), Error> {
    ctx.admit_growth(Growth::Import)?;
    match (principal, age) {
        (Principal::User(caller), Some(age)) => {
            demand(ctx, caller, Act::ImportUsers, Proof { age, password: None }).await.map(drop)
        }
        (Principal::Service(_), _) => Ok(()),
        (Principal::User(_), None) => Err(Code::Forbidden.into()),
    }
}

/// Imports the lines, or foresees the outcomes of an import. Each line has its own outcome: a line that is wrong, or that a
/// failure of the database leaves out, does not concern the others.
///
/// # Errors
/// [`Error`] if nothing was written because the facts could not be read.
pub async fn import(
    ctx: &Context<'_>,
    principal: &Principal,
    lines: Vec<NumberedLine>,
    is_dry_run: bool,
) -> Result<Vec<LineAnswer>, Error> {
    let importer = match principal {
        Principal::User(caller) => Importer::User(caller.user.id),
        Principal::Service(service) => Importer::Service(*service),
    };
    let users: Vec<&ImportLine> = lines.iter().filter_map(|(_, line)| line.as_ref().ok()).collect();
    let outcomes = match decide(ctx, importer, &users).await? {
        decisions if is_dry_run => decisions.into_iter().map(foreseen).collect(),
        decisions => write(ctx, importer, &users, decisions).await?,
    };
    let answers = answers(lines, outcomes);
    let count = |name| answers.iter().filter(|answer| answer.outcome.as_str() == name).count();
    let [created, exists, updated, refused, failed] = ["created", "exists", "updated", "refused", "failed"].map(count);
    let importer = importer.text();
    tracing::info!(target: "app.admin", importer, created, exists, updated, refused, failed, is_dry_run, "Users imported");
    Ok(answers)
}

async fn decide(ctx: &Context<'_>, importer: Importer, users: &[&ImportLine]) -> Result<Vec<Decision>, Error> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let facts = facts::read(ctx.store, importer, users, ctx.now()).await?;
    let mut seen = Seen::default();
    let proves_addresses = ctx.settings.verification() != EmailVerification::Off;
    let decide = |(line, met): (&&ImportLine, &LineFacts)| {
        met.decide(line, &mut seen, facts.have_places_of(&line.roles), proves_addresses)
    };
    Ok(users.iter().zip(&facts.lines).map(decide).collect())
}

/// The outcome of a decision that nothing overtakes.
const fn foreseen(decision: Decision) -> LineOutcome {
    match decision {
        Decision::Create | Decision::Replace => LineOutcome::Created,
        Decision::Rename(_) => LineOutcome::Updated,
        Decision::Exists => LineOutcome::Exists,
        Decision::Refuse(refusal) => LineOutcome::Refused(refusal),
    }
}

/// Writes the lines that change something, in batches. After a failure of the database no further batch begins.
async fn write(
    ctx: &Context<'_>,
    importer: Importer,
    users: &[&ImportLine],
    decisions: Vec<Decision>,
) -> Result<Vec<LineOutcome>, Error> {
    let mut outcomes: Vec<LineOutcome> = decisions.iter().copied().map(foreseen).collect();
    let is_due = |(_, (_, decision)): &(usize, (&&ImportLine, Decision))| {
        !matches!(decision, Decision::Exists | Decision::Refuse(_))
    };
    let due = users.iter().zip(decisions).enumerate().filter(is_due);
    let due: Vec<Due<'_>> = due.map(|(place, (line, decision))| Due { place, line, decision }).collect();
    let end = ctx.now().millis() + DEADLINE_MS;
    let mut failure = None;
    for batch in batches(&due) {
        let now = (ctx.clock)();
        if now.millis() >= end {
            failure = failure.or(Some(LineFailure::OutOfTime));
        }
        let results = if let Some(failure) = failure {
            Err(failure)
        } else {
            let request = RequestInfo { now, stamp: EventStamp::draw(now, ctx.random()?), ..ctx.request };
            write_batch(ctx, importer, batch, request).await?
        };
        let stopped = LineOutcome::Failed(LineFailure::Stopped);
        failure = match &results {
            Ok(results) => results.iter().any(|(_, outcome)| *outcome == stopped).then_some(LineFailure::Stopped),
            Err(failure) => Some(*failure),
        };
        let of_all = |failure| batch.iter().map(|due| (due.place, LineOutcome::Failed(failure))).collect();
        for (place, outcome) in results.unwrap_or_else(of_all) {
            if let Some(place) = outcomes.get_mut(place) {
                *place = outcome;
            }
        }
    }
    Ok(outcomes)
}

/// Batches of bounded work.
fn batches<'a, 'b>(mut due: &'b [Due<'a>]) -> Vec<&'b [Due<'a>]> {
    let mut batches = Vec::new();
    while !due.is_empty() {
        let mut roles = 0;
        let fits = |due: &&Due<'_>| {
            roles += due.line.roles.len();
            roles <= ROLES_OF_BATCH
        };
        let (batch, rest) = due.split_at(due.iter().take(LINES_OF_BATCH).take_while(fits).count());
        batches.push(batch);
        due = rest;
    }
    batches
}

/// A line that changes something, with its place among all lines.
#[derive(Clone, Copy)]
struct Due<'a> {
    place: usize,
    line: &'a ImportLine,
    decision: Decision,
}

impl<'a> Due<'a> {
    /// The account and its name, if only that changes.
    fn name(&self) -> Option<NewName<'a>> {
        match self.decision {
            Decision::Rename(user_id) => {
                Some(NewName { user_id, full_name: self.line.full_name.as_ref().map(FullName::as_str) })
            }
            Decision::Create | Decision::Replace | Decision::Exists | Decision::Refuse(_) => None,
        }
    }
}

/// Writes a batch. Returns the outcomes of its lines with their places, or the failure of all of them.
async fn write_batch(
    ctx: &Context<'_>,
    importer: Importer,
    batch: &[Due<'_>],
    request: RequestInfo<'_>,
) -> Result<Result<Vec<(usize, LineOutcome)>, LineFailure>, Error> {
    let (renamed, made): (Vec<&Due<'_>>, Vec<&Due<'_>>) = batch.iter().partition(|due| due.name().is_some());
    let names: Vec<NewName<'_>> = renamed.iter().filter_map(|due| due.name()).collect();
    let hashed = made.iter().map(|due| Ok((due, hash(ctx, due.line)?))).collect::<Result<Vec<_>, Error>>()?;
    let mut lines = Vec::new();
    for (due, password_hash) in &hashed {
        let replaces = due.decision == Decision::Replace;
        lines.push(NewLine { id: drawn(ctx)?, line: due.line, password_hash, replaces });
    }
    let written = match writing::write(ctx.store, importer, &lines, &names, request).await {
        Ok(written) => written,
        Err(error) => {
            tracing::error!(target: "app.errors", cause = %error, "Import interrupted");
            return Ok(Err(LineFailure::Unavailable));
        }
    };
    let lost = if written.may { LineFailure::Overtaken } else { LineFailure::Stopped };
    let outcomes = |due: &[&Due<'_>], done: &[usize], outcome: LineOutcome| {
        let of = |(number, due): (usize, &&Due<'_>)| {
            (due.place, if done.contains(&number) { outcome } else { LineOutcome::Failed(lost) })
        };
        due.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let created = outcomes(&made, &written.made, LineOutcome::Created);
    let updated = outcomes(&renamed, &written.renamed, LineOutcome::Updated);
    Ok(Ok([created, updated].concat()))
}

/// The hash of a line, or one that no password matches.
fn hash(ctx: &Context<'_>, line: &ImportLine) -> Result<String, Error> {
    line.password_hash.clone().map_or_else(|| ctx.hash_of_no_password(), Ok)
}

/// The id of a line: 53 random bits.
fn drawn(ctx: &Context<'_>) -> Result<i64, Error> {
    Ok(EventStamp::draw(ctx.now(), ctx.random()?).nonce())
}

/// The answers in the order of the lines. A refused line has no outcome in `outcomes`.
fn answers(lines: Vec<NumberedLine>, outcomes: Vec<LineOutcome>) -> Vec<LineAnswer> {
    let mut outcomes = outcomes.into_iter();
    let answer = |(number, line): NumberedLine| match line {
        Err(RefusedLine { external_id, refusal }) => {
            let outcome = LineOutcome::Refused(refusal);
            LineAnswer { line: number, external_id, outcome, is_costlier: false }
        }
        Ok(line) => {
            let outcome = outcomes.next().unwrap_or(LineOutcome::Failed(LineFailure::Unavailable));
            let is_costlier = line.is_costlier && outcome == LineOutcome::Created;
            LineAnswer { line: number, external_id: line.external_id, outcome, is_costlier }
        }
    };
    lines.into_iter().map(answer).collect()
}

//! The gate in front of D1: the isolate's copy of the breaker, and its calls to the Durable Object with the
//! authoritative state.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::breaker::copy::{Advice, BreakerCopy};
use crate::domain::breaker::tally::Tally;
use crate::domain::breaker::{Admission, Breaker, Command, IsolateId, Policy, State};
use crate::domain::request_id::RequestId;
use crate::domain::session::unresolved::{UnresolvedExchange, UnresolvedExchanges};
use crate::domain::settings::BREAKER_TIMEOUT_MS;
use crate::ports::{Background, BreakerReport, Entropy, Gate, OutOfReach, Outcome, Pass, PortFuture, Probe, Refused};
use crate::shell::breaker_protocol::{Answer, Question};
use crate::shell::clock::{self, now};
use crate::shell::tasks::{Answer as Answered, ask};

thread_local! {
    /// This isolate's copy. Never borrowed across an await.
    static COPY: RefCell<BreakerCopy> = RefCell::default();
    /// The calls of this isolate since its last report. Never borrowed across an await.
    static TALLY: RefCell<Tally> = RefCell::default();
    static ISOLATE: OnceCell<IsolateId> = const { OnceCell::new() };
    /// The exchanges that this isolate left unresolved, for while the object is out of reach.
    static UNRESOLVED: RefCell<UnresolvedExchanges> = RefCell::default();
}

/// The gate of one request.
#[derive(Clone)]
pub struct BreakerGate {
    policy: Policy,
    request_id: RequestId,
    background: Arc<dyn Background>,
    isolate: IsolateId,
    calls: Arc<AtomicU32>,
}

/// The object did not answer the question.
enum Unanswered {
    /// It did not answer at all, or not in time.
    Lost,
    /// It is of another version, and does not know the question. It may also have failed.
    Unknown,
}

impl BreakerGate {
    /// The gate of the request with this id.
    #[must_use]
    pub fn new(policy: Policy, request_id: RequestId, background: Arc<dyn Background>, entropy: Entropy) -> Self {
        Self { policy, request_id, background, isolate: isolate(entropy), calls: Arc::default() }
    }

    /// Asks the object, with a deadline, and updates the copy.
    async fn ask(&self, question: &Question) -> Result<Answer, OutOfReach> {
        let begun = COPY.with_borrow(BreakerCopy::begin_question);
        let earlier_form = question.earlier_form();
        let answer = match self.fetch(question).await {
            Err(Unanswered::Unknown) if earlier_form != *question => self.fetch(&earlier_form).await,
            answer => answer,
        };
        let Ok(answer) = answer else {
            if COPY.with_borrow_mut(|copy| copy.question_lost(begun, now())) {
                tracing::warn!(target: "app.breaker", "Circuit breaker is out of reach: this isolate decides alone");
            }
            return Err(OutOfReach);
        };
        if COPY.with_borrow_mut(|copy| copy.learn(&answer.view, now())) {
            tracing::info!(target: "app.breaker", "Circuit breaker is back: this isolate follows it again");
        }
        Ok(answer)
    }

    async fn ask_and_count(&self, question: &Question) -> Result<Answer, OutOfReach> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.ask(question).await
    }

    async fn fetch(&self, question: &Question) -> Result<Answer, Unanswered> {
        let deadline_ms = BREAKER_TIMEOUT_MS.unsigned_abs().try_into().unwrap_or(u32::MAX);
        // A URL needs no escapes in JSON.
        match ask("breaker", deadline_ms, &format!("\"{}\"", question.url(&self.request_id))).await {
            Answered::Text(json) if json.is_empty() => Err(Unanswered::Unknown),
            Answered::Text(json) => match serde_json::from_str::<Answer>(&json) {
                Ok(answer) if answer.is_unknown => Err(Unanswered::Unknown),
                answer => answer.map_err(|_| Unanswered::Lost),
            },
            Answered::Bytes(_) | Answered::Failed(_) | Answered::Late => Err(Unanswered::Lost),
        }
    }

    /// Refreshes the copy in the background, so the request does not wait.
    fn refresh_in_background(&self) {
        let gate = self.clone();
        let refresh = async move {
            let reached = gate.ask(&Question::Inspect).await.is_ok();
            tracing::debug!(target: "app.breaker", reached, "Circuit breaker copy refreshed");
        };
        self.background.spawn(Box::pin(refresh));
    }

    /// The copy's advice; starts a due refresh and logs a transition of the local breaker.
    fn decide(&self) -> Advice {
        let (from, decision) = COPY.with_borrow_mut(|copy| {
            let from = copy.local().map(|breaker| breaker.entered());
            (from, copy.decide(now(), &self.policy))
        });
        if decision.refresh {
            self.refresh_in_background();
        }
        if let (Advice::ProbeLocally(_), Some(from)) = (decision.advice, from) {
            log_local_transition(from, State::HalfOpen);
        }
        decision.advice
    }

    async fn admission(&self) -> Result<Pass, Refused> {
        if clock::is_outdated() {
            // A deadline that starts in this turn would begin before the hash that the turn has computed: that of a
            // question to the object, and that of the call which follows.
            drop(ask("pause", 0, "0").await);
        }
        match self.decide() {
            Advice::Ask => {
                let answer = self.ask_and_count(&Question::Admit).await;
                COPY.with_borrow_mut(BreakerCopy::ask_finished);
                self.follow_answer(answer)
            }
            // The isolate's first question, the only one while the breaker is closed; logged as a refresh.
            Advice::FirstAsk => {
                let answer = self.ask(&Question::Admit).await;
                tracing::debug!(target: "app.breaker", reached = answer.is_ok(), "Circuit breaker copy refreshed");
                self.follow_answer(answer)
            }
            advice => follow(advice),
        }
    }

    fn follow_answer(&self, answer: Result<Answer, OutOfReach>) -> Result<Pass, Refused> {
        match answer.map(|answer| answer.admission) {
            Ok(Some(Admission::Go)) => Ok(Pass { probe: None }),
            Ok(Some(Admission::Probe(round))) => Ok(Pass { probe: Some(Probe::Shared(round)) }),
            Ok(Some(Admission::Refuse) | None) | Err(OutOfReach) => follow(self.decide()),
        }
    }

    async fn note(&self, pass: Pass, outcome: Outcome) {
        match (pass.probe, outcome) {
            (_, Outcome::Abandoned) => {}
            (None, Outcome::Answered) => TALLY.with_borrow_mut(|tally| tally.succeeded(now())),
            (None, Outcome::Failed) => self.note_failure().await,
            (Some(Probe::Shared(round)), Outcome::Answered) => {
                self.tell(&Question::ProbeSucceeded(round, self.isolate)).await;
            }
            (Some(Probe::Shared(round)), Outcome::Failed) => {
                self.tell(&Question::ProbeFailed(round)).await;
            }
            (Some(Probe::Alone(round)), Outcome::Answered) => {
                change_local(|breaker| breaker.probe_succeeded(round, self.isolate, now()));
            }
            (Some(Probe::Alone(round)), Outcome::Failed) => {
                change_local(|breaker| breaker.probe_failed(round, now(), &self.policy));
            }
        }
    }

    /// Reports a failure, unless the breaker is open: a storm of failures must not become a storm of reports.
    async fn note_failure(&self) {
        if COPY.with_borrow(BreakerCopy::is_open) {
            return;
        }
        let report = TALLY.with_borrow_mut(|tally| tally.failed(self.isolate, now(), &self.policy));
        if !decides_alone() && self.tell(&Question::Failed(report)).await {
            return;
        }
        if !change_local(|breaker| breaker.failed(&report, now(), &self.policy)) {
            TALLY.with_borrow_mut(|tally| tally.lost(&report));
        }
    }

    /// Sends a report, and retries once if it was lost while the object answers other calls. True if it arrived. A lost
    /// report costs little: the next one includes it, and the lease of a probe expires.
    async fn tell(&self, report: &Question) -> bool {
        self.ask_and_count(report).await.is_ok() || (!decides_alone() && self.ask_and_count(report).await.is_ok())
    }

    async fn report_state(&self) -> BreakerReport {
        if let Ok(answer) = self.ask_and_count(&Question::Inspect).await {
            return BreakerReport { view: answer.view, shared: true };
        }
        BreakerReport { view: COPY.with_borrow(|copy| copy.view(now(), &self.policy)), shared: false }
    }
}

/// The shared breaker is out of reach, so this isolate follows its local one.
fn decides_alone() -> bool {
    COPY.with_borrow_mut(|copy| copy.local().is_some())
}

/// This isolate's id. Without entropy it counts as one of an earlier version.
fn isolate(entropy: Entropy) -> IsolateId {
    let draw = || {
        let mut bytes = [0; 8];
        entropy(&mut bytes).map_or(IsolateId::UNNAMED, |()| IsolateId::from_random(bytes))
    };
    ISOLATE.with(|isolate| *isolate.get_or_init(draw))
}

/// Changes the local breaker and logs the transition; false if the isolate does not decide alone.
fn change_local(change: impl FnOnce(&mut Breaker)) -> bool {
    let states = COPY.with_borrow_mut(|copy| {
        let breaker = copy.local()?;
        let from = breaker.entered();
        change(breaker);
        Some((from, breaker.entered()))
    });
    if let Some((from, to)) = states {
        log_local_transition(from, to);
    }
    states.is_some()
}

fn log_local_transition(from: State, to: State) {
    if from != to {
        let (from, to) = (from.as_str(), to.as_str());
        tracing::warn!(target: "app.breaker", from, to, "Circuit breaker of this isolate changed");
    }
}

/// Follows advice that needs no call to the object.
fn follow(advice: Advice) -> Result<Pass, Refused> {
    match advice {
        Advice::Go => Ok(Pass { probe: None }),
        Advice::ProbeLocally(round) => Ok(Pass { probe: Some(Probe::Alone(round)) }),
        Advice::Refuse { retry_after_ms } => Err(Refused { retry_after_ms }),
        // The object has just refused or not answered, so the same request does not ask again.
        Advice::Ask | Advice::FirstAsk => Err(Refused { retry_after_ms: 1_000 }),
    }
}

impl Gate for BreakerGate {
    fn admit(&self) -> PortFuture<'_, Result<Pass, Refused>> {
        Box::pin(self.admission())
    }

    fn report(&self, pass: Pass, outcome: Outcome) -> PortFuture<'_, ()> {
        Box::pin(self.note(pass, outcome))
    }

    fn inspect(&self) -> PortFuture<'_, BreakerReport> {
        Box::pin(self.report_state())
    }

    fn command(&self, command: Command) -> PortFuture<'_, Result<BreakerReport, OutOfReach>> {
        Box::pin(async move {
            let answer = self.ask_and_count(&Question::Command(command)).await?;
            Ok(BreakerReport { view: answer.view, shared: true })
        })
    }

    fn note_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, ()> {
        UNRESOLVED.with_borrow_mut(|notes| notes.note(exchange.clone(), now()));
        Box::pin(async move {
            if !decides_alone() {
                self.tell(&Question::NoteUnresolved(exchange)).await;
            }
        })
    }

    fn is_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, bool> {
        let is_known_here = UNRESOLVED.with_borrow(|notes| notes.contains(&exchange, now()));
        Box::pin(async move {
            if is_known_here || decides_alone() {
                return is_known_here;
            }
            let answer = self.ask_and_count(&Question::IsUnresolved(exchange)).await;
            answer.is_ok_and(|answer| answer.is_unresolved == Some(true))
        })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

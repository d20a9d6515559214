//! The breaker's state machine as the gate: in a single process its own state is authoritative.

use std::sync::Mutex;

use edge_auth::domain::breaker::tally::Tally;
use edge_auth::domain::breaker::{Admission, Breaker, Command, IsolateId, Policy};
use edge_auth::domain::session::unresolved::{UnresolvedExchange, UnresolvedExchanges};
use edge_auth::ports::{BreakerReport, Gate, OutOfReach, Outcome, Pass, PortFuture, Probe, Refused};

use super::clock;

/// The only isolate.
const ISOLATE: IsolateId = IsolateId::new(1);

pub struct MachineGate {
    breaker: Mutex<Breaker>,
    tally: Mutex<Tally>,
    unresolved: Mutex<UnresolvedExchanges>,
    policy: Policy,
}

impl MachineGate {
    pub fn new(policy: Policy) -> Self {
        Self { breaker: Mutex::default(), tally: Mutex::default(), unresolved: Mutex::default(), policy }
    }

    fn report_now(&self) -> BreakerReport {
        BreakerReport { view: self.breaker.lock().unwrap().view(clock(), &self.policy), shared: true }
    }
}

impl Gate for MachineGate {
    fn admit(&self) -> PortFuture<'_, Result<Pass, Refused>> {
        let mut breaker = self.breaker.lock().unwrap();
        let pass = match breaker.admit(clock(), &self.policy) {
            Admission::Go => Ok(Pass { probe: None }),
            Admission::Probe(round) => Ok(Pass { probe: Some(Probe::Shared(round)) }),
            Admission::Refuse => Err(Refused { retry_after_ms: breaker.view(clock(), &self.policy).retry_after_ms }),
        };
        Box::pin(std::future::ready(pass))
    }

    fn report(&self, pass: Pass, outcome: Outcome) -> PortFuture<'_, ()> {
        let mut breaker = self.breaker.lock().unwrap();
        let mut tally = self.tally.lock().unwrap();
        match (pass.probe, outcome) {
            (_, Outcome::Abandoned) => {}
            (None, Outcome::Answered) => tally.succeeded(clock()),
            (None, Outcome::Failed) => {
                breaker.failed(&tally.failed(ISOLATE, clock(), &self.policy), clock(), &self.policy);
            }
            (Some(Probe::Shared(round) | Probe::Alone(round)), Outcome::Answered) => {
                breaker.probe_succeeded(round, ISOLATE, clock());
            }
            (Some(Probe::Shared(round) | Probe::Alone(round)), Outcome::Failed) => {
                breaker.probe_failed(round, clock(), &self.policy);
            }
        }
        Box::pin(std::future::ready(()))
    }

    fn inspect(&self) -> PortFuture<'_, BreakerReport> {
        Box::pin(std::future::ready(self.report_now()))
    }

    fn command(&self, command: Command) -> PortFuture<'_, Result<BreakerReport, OutOfReach>> {
        self.breaker.lock().unwrap().command(command);
        Box::pin(std::future::ready(Ok(self.report_now())))
    }

    fn note_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, ()> {
        self.unresolved.lock().unwrap().note(exchange, clock());
        Box::pin(std::future::ready(()))
    }

    fn is_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, bool> {
        Box::pin(std::future::ready(self.unresolved.lock().unwrap().contains(&exchange, clock())))
    }

    fn calls(&self) -> u32 {
        0
    }
}

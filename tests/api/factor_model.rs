//! A simple model of an account with a second factor: it says for every request whether a session may open, or an act is
//! allowed. `factor_model_steps` holds the service to it.
//!
//! Waits after wrong answers have tests of their own, so the steps stop guessing before one begins.

use proptest::prelude::*;

use crate::support::totp::App;
use crate::support::{Reply, clock};

const DAY: i64 = 86_400;
const ACCESS_LIFE: i64 = 900;
const PENDING_LIFE: i64 = 300;
const FRESH: i64 = 600;
pub const SESSION_LIFE: i64 = 30 * DAY;
pub const YOUNG: i64 = 7 * DAY;
/// The wrong answers before a wait.
pub const FREE_FAILURES: usize = 5;
const MAX_WRONG_ANSWERS: usize = 5;

/// Which recovery code is presented.
#[derive(Debug, Clone, Copy)]
pub enum Recovery {
    Unused,
    Used,
    OfFormerSet,
}

#[derive(Debug, Clone)]
pub enum Step {
    Login {
        is_right: bool,
    },
    /// A code of the app, of this number of steps away from now.
    Code {
        pending: usize,
        offset: i64,
        is_right: bool,
    },
    Recover {
        pending: usize,
        code: Recovery,
    },
    Freshen {
        session: usize,
        offset: i64,
    },
    Enrol {
        session: usize,
    },
    Remove {
        session: usize,
    },
    ConfirmFactors {
        session: usize,
    },
    ChangePassword {
        session: usize,
    },
    Reset,
    SetActive {
        is_active: bool,
    },
    Wait {
        seconds: i64,
    },
}

pub fn step() -> impl Strategy<Value = Step> {
    let waits = prop_oneof![8 => Just(30), 2 => Just(299), 2 => Just(300), 1 => Just(601), 1 => Just(900),
        1 => Just(YOUNG - 1), 1 => Just(YOUNG)];
    let recovery =
        prop_oneof![3 => Just(Recovery::Unused), 1 => Just(Recovery::Used), 1 => Just(Recovery::OfFormerSet)];
    let session = || 0..3_usize;
    prop_oneof![
        8 => Just(Step::Login { is_right: true }),
        1 => Just(Step::Login { is_right: false }),
        8 => (0..3_usize, -1..=1_i64).prop_map(|(pending, offset)| Step::Code { pending, offset, is_right: true }),
        2 => (0..2_usize).prop_map(|pending| Step::Code { pending, offset: 0, is_right: false }),
        3 => (0..3_usize, recovery).prop_map(|(pending, code)| Step::Recover { pending, code }),
        2 => (session(), -1..=1_i64).prop_map(|(session, offset)| Step::Freshen { session, offset }),
        3 => session().prop_map(|session| Step::Enrol { session }),
        1 => session().prop_map(|session| Step::Remove { session }),
        1 => session().prop_map(|session| Step::ConfirmFactors { session }),
        1 => session().prop_map(|session| Step::ChangePassword { session }),
        1 => Just(Step::Reset),
        2 => (0..3_u8).prop_map(|draw| Step::SetActive { is_active: draw > 0 }),
        5 => waits.prop_map(|seconds| Step::Wait { seconds }),
    ]
}

pub struct Totp {
    pub app: App,
    pub created_at: i64,
    pub used_step: i64,
    pub is_suspended: bool,
}

pub struct Session {
    pub opened_at: i64,
    pub issued_at: i64,
    pub has_mfa: bool,
    pub has_ended: bool,
    pub access: String,
}

pub struct Pending {
    pub issued_at: i64,
    pub version: u32,
    pub failures: usize,
    pub is_answered: bool,
    pub token: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused(u16, &'static str),
}

pub const WRONG: Answer = Answer::Refused(401, "AUTH_INVALID_CREDENTIALS");
const INACTIVE: Answer = Answer::Refused(403, "AUTH_INACTIVE_USER");
pub const DUE: Answer = Answer::Refused(401, "AUTH_MFA_REQUIRED");
const STEP_UP: Answer = Answer::Refused(401, "AUTH_STEP_UP_REQUIRED");

#[derive(Default)]
pub struct Model {
    pub is_disabled: bool,
    pub version: u32,
    pub totp: Option<Totp>,
    pub unused: Vec<String>,
    pub used: Vec<String>,
    pub former: Vec<String>,
    pub sessions: Vec<Session>,
    pub pending: Vec<Pending>,
    pub wrong_passwords: usize,
    pub wrong_factors: usize,
    pub wrong_step_ups: usize,
}

pub fn now() -> i64 {
    clock().seconds()
}

/// The place of the n-th newest one, modulo their number, so that every random step applies to one that exists.
pub fn newest(count: usize, back: usize) -> usize {
    count - 1 - back % count
}

impl Model {
    pub fn session(&self, back: usize) -> usize {
        newest(self.sessions.len(), back)
    }

    pub fn active_totp(&mut self) -> Option<&mut Totp> {
        self.totp.as_mut().filter(|totp| !totp.is_suspended)
    }

    pub fn login(&mut self, is_right: bool) -> Answer {
        if !is_right {
            self.wrong_passwords += 1;
            return WRONG;
        }
        match (self.active_totp().is_some(), self.is_disabled) {
            (true, _) => DUE,
            (false, true) => INACTIVE,
            (false, false) => Answer::Done,
        }
    }

    /// Whether a code of this step would be right.
    pub fn is_code(&mut self, offset: i64) -> bool {
        self.active_totp().is_some_and(|totp| now() / 30 + offset > totp.used_step)
    }

    /// The answer to a second factor, which is right or not.
    pub fn complete(&mut self, pending: usize, is_right: bool) -> Answer {
        let (version, is_disabled) = (self.version, self.is_disabled);
        let pending = &mut self.pending[pending];
        if now() >= pending.issued_at + PENDING_LIFE {
            return WRONG;
        }
        let is_void = pending.is_answered || pending.failures >= MAX_WRONG_ANSWERS || pending.version != version;
        match (is_right, is_void, is_disabled) {
            (_, true, _) => WRONG,
            (false, false, _) => {
                pending.failures += 1;
                self.wrong_factors += 1;
                WRONG
            }
            (true, false, true) => INACTIVE,
            (true, false, false) => {
                pending.is_answered = true;
                self.wrong_factors = 0;
                Answer::Done
            }
        }
    }

    /// The refusal of a session's token, before anything else.
    pub fn refusal(&self, session: usize) -> Option<Answer> {
        let session = &self.sessions[session];
        let has_expired = now() >= (session.issued_at + ACCESS_LIFE).min(session.opened_at + SESSION_LIFE);
        let refusals = [
            (has_expired, Answer::Refused(401, "AUTH_TOKEN_EXPIRED")),
            (self.is_disabled, INACTIVE),
            (session.has_ended, Answer::Refused(401, "AUTH_TOKEN_REVOKED")),
        ];
        refusals.into_iter().find(|(holds, _)| *holds).map(|(_, answer)| answer)
    }

    /// The answer to an act that needs a step-up, with the right password beside the token.
    pub fn act(&mut self, session: usize) -> Answer {
        if let Some(refusal) = self.refusal(session) {
            return refusal;
        }
        let (has_mfa, age) = (self.sessions[session].has_mfa, now() - self.sessions[session].issued_at);
        let is_fresh = has_mfa && age <= FRESH;
        if self.active_totp().is_some() && !is_fresh { STEP_UP } else { Answer::Done }
    }

    pub fn end_others(&mut self, kept: Option<usize>) {
        for (place, session) in self.sessions.iter_mut().enumerate() {
            session.has_ended |= Some(place) != kept;
        }
    }

    pub fn open(&mut self, reply: &Reply, has_mfa: bool) {
        let access = reply.tokens().access;
        self.sessions.push(Session { opened_at: now(), issued_at: now(), has_mfa, has_ended: false, access });
    }
}

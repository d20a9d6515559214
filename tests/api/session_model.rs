//! The session state machine against a simple model: random interleavings of login, refresh, replay, logout and the
//! passing of time, through HTTP and the real SQL.
//!
//! The model keeps sessions as lists of tokens. The service must agree with it at every step.

use std::cell::RefCell;

use proptest::prelude::*;

use crate::support::{EMAIL, PASSWORD, Service, Tokens};

const DAY: i64 = 86_400;
const REFRESH_LIFE: i64 = 7 * DAY;
const ACCESS_LIFE: i64 = 900;
const SESSION_LIFE: i64 = 30 * DAY;

#[derive(Debug, Clone)]
enum Step {
    Login,
    /// Presents the n-th newest refresh token of a session: 0 is an honest refresh, more is a replay.
    Refresh {
        session: usize,
        back: usize,
    },
    Logout {
        session: usize,
        back: usize,
    },
    Me {
        session: usize,
        back: usize,
    },
    Disable,
    Enable,
    Wait {
        seconds: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let waits = prop_oneof![
        Just(1),
        Just(9),
        Just(10),
        Just(11),
        Just(899),
        Just(900),
        Just(DAY),
        Just(7 * DAY),
        Just(29 * DAY)
    ];
    prop_oneof![
        2 => Just(Step::Login),
        6 => (0..4_usize, 0..1_usize).prop_map(|(session, back)| Step::Refresh { session, back }),
        3 => (0..4_usize, 1..4_usize).prop_map(|(session, back)| Step::Refresh { session, back }),
        1 => (0..4_usize, 0..3_usize).prop_map(|(session, back)| Step::Logout { session, back }),
        3 => (0..4_usize, 0..3_usize).prop_map(|(session, back)| Step::Me { session, back }),
        1 => Just(Step::Disable),
        1 => Just(Step::Enable),
        4 => waits.prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// One refresh token of the model, and the pair of tokens that the service issued for it.
struct Token {
    issued_at: i64,
    expires_at: i64,
    rotated_at: Option<i64>,
    real: Tokens,
}

struct Session {
    expires_at: i64,
    ended: bool,
    tokens: Vec<Token>,
}

struct Model {
    now: i64,
    interval: i64,
    user_is_active: bool,
    sessions: Vec<Session>,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A new pair.
    New,
    /// The refresh token at this position in the session, returned again.
    Again(usize),
    Ok,
    Refused(u16, &'static str),
}

const EXPIRED: Answer = Answer::Refused(401, "AUTH_TOKEN_EXPIRED");
const REVOKED: Answer = Answer::Refused(401, "AUTH_TOKEN_REVOKED");
const INACTIVE: Answer = Answer::Refused(403, "AUTH_INACTIVE_USER");

impl Model {
    fn refresh(&mut self, session: usize, place: usize) -> Answer {
        let (now, interval, active) = (self.now, self.interval, self.user_is_active);
        let session = &mut self.sessions[session];
        let over = session.ended || session.expires_at <= now;
        let token = &mut session.tokens[place];
        if token.expires_at <= now {
            return EXPIRED;
        }
        let Some(rotated_at) = token.rotated_at else {
            return match (active, over) {
                (false, _) => INACTIVE,
                (true, true) => REVOKED,
                (true, false) => {
                    token.rotated_at = Some(now);
                    Answer::New
                }
            };
        };
        let is_older = session.tokens[place + 1].rotated_at.is_some();
        let is_theft = !over && (is_older || interval == 0 || now - rotated_at > interval);
        session.ended |= is_theft;
        match (active, is_theft || over || session.tokens[place + 1].expires_at <= now) {
            (false, _) => INACTIVE,
            (true, true) => REVOKED,
            (true, false) => Answer::Again(place + 1),
        }
    }

    fn me(&self, session: usize, place: usize) -> Answer {
        let session = &self.sessions[session];
        let issued_at = session.tokens[place].issued_at;
        if (issued_at + ACCESS_LIFE).min(session.expires_at) <= self.now {
            EXPIRED
        } else if !self.user_is_active {
            INACTIVE
        } else if session.ended || session.expires_at <= self.now {
            REVOKED
        } else {
            Answer::Ok
        }
    }

    fn token(&self, session_expires_at: i64, real: Tokens) -> Token {
        let expires_at = (self.now + REFRESH_LIFE).min(session_expires_at);
        Token { issued_at: self.now, expires_at, rotated_at: None, real }
    }
}

async fn run(steps: Vec<Step>, interval: i64) {
    let interval_text = interval.to_string();
    let service = Service::with(&[("REFRESH_REUSE_INTERVAL_SECONDS", &interval_text), ("LOG_LEVEL", "ERROR")]);
    service.db.watch_events();
    let mut model = Model { now: 0, interval, user_is_active: true, sessions: Vec::new() };
    let real = service.register(EMAIL).await;
    let first = model.token(SESSION_LIFE, real);
    model.sessions.push(Session { expires_at: SESSION_LIFE, ended: false, tokens: vec![first] });
    for step in steps {
        apply(&service, &mut model, &step).await;
        assert_one_row_per_session(&service, &model);
    }
}

async fn apply(service: &Service, model: &mut Model, step: &Step) {
    // Indices wrap around, so that every random step applies to an existing session and token.
    let locate = |model: &Model, session: usize, back: usize| {
        let session = session % model.sessions.len();
        let count = model.sessions[session].tokens.len();
        (session, count - 1 - back % count)
    };
    match *step {
        Step::Wait { seconds } => {
            model.now += seconds;
            service.advance(seconds);
        }
        Step::Disable | Step::Enable => {
            model.user_is_active = matches!(step, Step::Enable);
            service.db.execute(&format!("UPDATE users SET is_active = {}", i64::from(model.user_is_active)));
        }
        Step::Login => {
            let reply = service.login(EMAIL, PASSWORD).await;
            if model.user_is_active {
                let expires_at = model.now + SESSION_LIFE;
                let token = model.token(expires_at, reply.expect(200).tokens());
                model.sessions.push(Session { expires_at, ended: false, tokens: vec![token] });
            } else {
                reply.expect_error(403, "AUTH_INACTIVE_USER");
            }
        }
        Step::Refresh { session, back } => {
            let (session, place) = locate(model, session, back);
            let was_ended = model.sessions[session].ended;
            let events = event_count(service);
            let reply = service.refresh(&model.sessions[session].tokens[place].real.refresh).await;
            let answer = model.refresh(session, place);
            let is_theft = model.sessions[session].ended && !was_ended;
            assert_recorded(service, events, &answer, is_theft);
            match answer {
                Answer::New => {
                    let token = model.token(model.sessions[session].expires_at, reply.expect(200).tokens());
                    model.sessions[session].tokens.push(token);
                }
                Answer::Again(place) => {
                    let expected = &model.sessions[session].tokens[place].real.refresh;
                    assert_eq!(&reply.expect(200).tokens().refresh, expected, "{step:?}");
                }
                Answer::Refused(status, code) => drop(reply.expect_error(status, code)),
                Answer::Ok => unreachable!(),
            }
        }
        Step::Logout { session, back } => {
            let (session, place) = locate(model, session, back);
            service.logout(&model.sessions[session].tokens[place].real.refresh).await.expect(200);
            model.sessions[session].ended = true;
        }
        Step::Me { session, back } => {
            let (session, place) = locate(model, session, back);
            let reply = service.me(&model.sessions[session].tokens[place].real.access).await;
            match model.me(session, place) {
                Answer::Refused(status, code) => drop(reply.expect_error(status, code)),
                _ => drop(reply.expect(200)),
            }
        }
    }
}

fn event_count(service: &Service) -> i64 {
    service.db.one("SELECT coalesce(sum(coalesce(count, 1)), 0) FROM audit_events")
}

/// The audit log agrees with the reply to a refresh.
fn assert_recorded(service: &Service, before: i64, answer: &Answer, is_theft: bool) {
    let expected = match answer {
        _ if is_theft => Some(("reuse_detected", None)),
        Answer::Refused(_, "AUTH_TOKEN_REVOKED") => Some(("refresh_refused", Some("revoked"))),
        Answer::Refused(_, "AUTH_INACTIVE_USER") => Some(("refresh_refused", Some("disabled"))),
        // The session's row says when it was used last. Other refusals do not ask the database.
        Answer::New | Answer::Again(_) | Answer::Refused(..) | Answer::Ok => None,
    };
    assert_eq!(event_count(service) - before, i64::from(expected.is_some()), "{answer:?}");
    if let Some((kind, reason)) = expected {
        let last = service.db.latest_event();
        assert_eq!((last["type"].as_str(), last["reason"].as_str()), (Some(kind), reason), "{answer:?}");
    }
}

/// Each session that has not ended is one row with the two newest tokens of the model, and nothing else is stored.
fn assert_one_row_per_session(service: &Service, model: &Model) {
    let stored = service.db.rows(
        "SELECT s.expires_at - s.created_at AS life,
                (SELECT count(*) FROM refresh_tokens AS t WHERE t.session_id = s.id AND t.revoked = 0) AS current,
                (SELECT count(*) FROM refresh_tokens AS t WHERE t.session_id = s.id AND t.revoked = 1) AS previous
         FROM sessions AS s ORDER BY s.created_at",
    );
    let live: Vec<_> = model.sessions.iter().filter(|session| !session.ended).collect();
    assert_eq!(stored.len(), live.len());
    let previous: i64 = stored.iter().map(|row| row["previous"].as_i64().unwrap()).sum();
    let rotated = live.iter().filter(|session| session.tokens.len() > 1).count();
    assert_eq!(previous, i64::try_from(rotated).unwrap());
    assert!(stored.iter().all(|row| row["current"] == 1 && row["life"] == SESSION_LIFE * 1000));
}

#[test]
fn the_service_agrees_with_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = RefCell::new(0_usize);
    proptest!(ProptestConfig::with_cases(400), |(
        steps in prop::collection::vec(step(), 1..40), interval in prop_oneof![Just(0), Just(10)],
    )| {
        *seen.borrow_mut() += steps.len();
        runtime.block_on(run(steps, interval));
    });
    assert!(seen.into_inner() > 4000, "the model was hardly used");
}

//! Sign-in with a second factor against the model of `factor_model`: random interleavings of both factors, wrong ones, changes
//! of the account and the passing of time, through HTTP and the real SQL. The service must agree at every step.

use std::cell::RefCell;

use edge_auth::domain::mail::proof::Purpose;
use proptest::prelude::*;
use serde_json::json;

use crate::factor_model::{
    Answer, DUE, FREE_FAILURES, Model, Pending, Recovery, SESSION_LIFE, Session, Step, Totp, WRONG, YOUNG, newest, now,
    step,
};
use crate::support::mail::{MAIL, planted, reset, with};
use crate::support::totp::{App, codes, second_factor};
use crate::support::{EMAIL, PASSWORD, Reply, Service, clock};

#[track_caller]
fn assert_agrees(reply: &Reply, expected: &Answer, step: &Step) {
    let found = match reply.body["error"]["code"].as_str() {
        None if reply.status < 300 => "done".to_owned(),
        code => format!("{} {}", reply.status, code.unwrap_or_default()),
    };
    let wanted = match expected {
        Answer::Done => "done".to_owned(),
        Answer::Refused(status, code) => format!("{status} {code}"),
    };
    assert_eq!(found, wanted, "{step:?}: {reply:?}");
}

/// Returns the number of sessions with a second factor.
async fn run(steps: Vec<Step>) -> usize {
    let service = with(MAIL, &[("LOG_LEVEL", "ERROR")]);
    let first = service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let mut model = Model::default();
    model.open(&first, false);
    apply(&service, &mut model, &Step::Enrol { session: 0 }).await;
    for step in steps {
        apply(&service, &mut model, &step).await;
        let live = "SELECT count(*) FROM sessions WHERE expires_at >";
        let found: i64 = service.db.one(&format!("{live} {}", clock().millis()));
        let is_live = |session: &&Session| !session.has_ended && now() < session.opened_at + SESSION_LIFE;
        assert_eq!(found, i64::try_from(model.sessions.iter().filter(is_live).count()).unwrap(), "{step:?}");
        let codes: i64 = service.db.one("SELECT coalesce(max(length(hashes) / 65), 0) FROM recovery_codes");
        assert_eq!(codes, i64::try_from(model.unused.len()).unwrap(), "{step:?}");
    }
    model.sessions.iter().filter(|session| session.has_mfa).count()
}

async fn apply(service: &Service, model: &mut Model, step: &Step) {
    match *step {
        Step::Wait { seconds } => service.advance(seconds),
        Step::SetActive { is_active } => {
            model.is_disabled = !is_active;
            service.db.execute(&format!("UPDATE users SET is_active = {}", i64::from(is_active)));
        }
        Step::Login { is_right } => login(service, model, step, is_right).await,
        Step::Code { .. } | Step::Recover { .. } if model.pending.is_empty() => {}
        Step::Code { pending, offset, is_right } => {
            answer_code(service, model, step, (pending, offset, is_right)).await;
        }
        Step::Recover { pending, code } => recover(service, model, step, (pending, code)).await,
        Step::Freshen { session, offset } => step_up(service, model, step, (session, offset)).await,
        Step::Enrol { session } => enrol(service, model, step, session).await,
        Step::Reset => set_new_password(service, model, step).await,
        Step::Remove { session } => {
            let session = model.session(session);
            let mut expected = model.act(session);
            if expected == Answer::Done && model.totp.is_none() {
                expected = Answer::Refused(404, "NOT_FOUND");
            }
            let reply = with_password(service, model, session, "DELETE", "/users/me/mfa/totp").await;
            assert_agrees(&reply, &expected, step);
            if expected == Answer::Done {
                model.totp = None;
                model.former.append(&mut model.unused);
                model.end_others(Some(session));
            }
        }
        Step::ConfirmFactors { session } => {
            let session = model.session(session);
            let expected = model.act(session);
            let reply = with_password(service, model, session, "POST", "/users/me/factors/confirm").await;
            assert_agrees(&reply, &expected, step);
            if let (Answer::Done, Some(totp)) = (expected, &mut model.totp) {
                totp.is_suspended = false;
            }
        }
        Step::ChangePassword { session } => {
            let session = model.session(session);
            let expected = model.act(session);
            let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
            let access = &model.sessions[session].access;
            let reply = service.call("PUT", "/users/me/password", access, Some(&body)).await;
            assert_agrees(&reply, &expected, step);
            if expected == Answer::Done {
                model.version += 1;
                model.end_others(Some(session));
            }
        }
    }
}

/// Sends a request of a session, with the password beside the token.
async fn with_password(service: &Service, model: &Model, session: usize, method: &str, path: &str) -> Reply {
    let body = json!({"password": PASSWORD});
    service.call(method, path, &model.sessions[session].access, Some(&body)).await
}

async fn login(service: &Service, model: &mut Model, step: &Step, is_right: bool) {
    if !is_right && model.wrong_passwords == FREE_FAILURES {
        return;
    }
    let expected = model.login(is_right);
    let reply = service.login(EMAIL, if is_right { PASSWORD } else { "wrong password" }).await;
    assert_agrees(&reply, &expected, step);
    if expected == Answer::Done {
        model.open(&reply, false);
    } else if expected == DUE {
        let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned();
        let (issued_at, version) = (now(), model.version);
        model.pending.push(Pending { issued_at, version, failures: 0, is_answered: false, token });
    }
}

/// Presents a second factor, unless a wrong one would begin a wait. Returns whether it opened a session.
async fn complete(
    service: &Service,
    model: &mut Model,
    step: &Step,
    pending: usize,
    (member, value, is_right): (&str, String, bool),
) -> bool {
    let pending = newest(model.pending.len(), pending);
    if !is_right && model.wrong_factors == FREE_FAILURES {
        return false;
    }
    let reply = second_factor(service, &model.pending[pending].token, member, value).await;
    let expected = model.complete(pending, is_right);
    assert_agrees(&reply, &expected, step);
    let is_open = expected == Answer::Done;
    if is_open {
        model.open(&reply, true);
    }
    is_open
}

async fn answer_code(
    service: &Service,
    model: &mut Model,
    step: &Step,
    (pending, offset, is_right): (usize, i64, bool),
) {
    let code = match &model.totp {
        Some(totp) if is_right => totp.app.code(offset),
        Some(totp) => totp.app.wrong_code(),
        None => "000000".to_owned(),
    };
    let is_right = is_right && model.is_code(offset);
    if complete(service, model, step, pending, ("code", code, is_right)).await {
        model.totp.as_mut().unwrap().used_step = now() / 30 + offset;
    }
}

async fn recover(service: &Service, model: &mut Model, step: &Step, (pending, code): (usize, Recovery)) {
    let set = match code {
        Recovery::Unused => &model.unused,
        Recovery::Used => &model.used,
        Recovery::OfFormerSet => &model.former,
    };
    let text = set.last().cloned().unwrap_or_else(|| "none".to_owned());
    let is_right = matches!(code, Recovery::Unused) && !model.unused.is_empty();
    if complete(service, model, step, pending, ("recovery_code", text, is_right)).await {
        model.used.extend(model.unused.pop());
    }
}

async fn step_up(service: &Service, model: &mut Model, step: &Step, (session, offset): (usize, i64)) {
    let session = model.session(session);
    let is_right = model.is_code(offset);
    let refusal = model.refusal(session);
    if refusal.is_none() && !is_right {
        if model.wrong_step_ups == FREE_FAILURES {
            return;
        }
        model.wrong_step_ups += 1;
    }
    let code = model.totp.as_ref().map_or_else(|| "000000".to_owned(), |totp| totp.app.code(offset));
    let access = &model.sessions[session].access;
    let reply = service.call("POST", "/auth/step-up", access, Some(&json!({"code": code}))).await;
    let expected = refusal.unwrap_or(if is_right { Answer::Done } else { WRONG });
    assert_agrees(&reply, &expected, step);
    if expected == Answer::Done {
        model.totp.as_mut().unwrap().used_step = now() / 30 + offset;
        let session = &mut model.sessions[session];
        (session.issued_at, session.has_mfa) = (now(), true);
        reply.body["access_token"].as_str().unwrap().clone_into(&mut session.access);
    }
}

/// Both steps of an enrolment. It replaces the app that is there.
async fn enrol(service: &Service, model: &mut Model, step: &Step, session: usize) {
    let session = model.session(session);
    let expected = model.act(session);
    let reply = with_password(service, model, session, "POST", "/users/me/mfa/totp").await;
    assert_agrees(&reply, &expected, step);
    if expected != Answer::Done {
        return;
    }
    let app = App::of(reply.body["secret"].as_str().unwrap());
    let body = json!({"code": app.code(0)});
    let access = &model.sessions[session].access;
    let confirmed = service.call("POST", "/users/me/mfa/totp/confirm", access, Some(&body)).await.expect(200);
    model.former.append(&mut model.unused);
    model.used.clear();
    model.unused = codes(&confirmed);
    model.totp = Some(Totp { app, created_at: now(), used_step: now() / 30, is_suspended: false });
    model.end_others(Some(session));
}

/// A new password by mail: the same one, so that the model has no other.
async fn set_new_password(service: &Service, model: &mut Model, step: &Step) {
    let proof = json!({"token": planted(&service.db, Purpose::Reset, EMAIL)});
    let reply = reset(service, proof, PASSWORD).await;
    assert_agrees(&reply, if model.is_disabled { &WRONG } else { &Answer::Done }, step);
    if model.is_disabled {
        return;
    }
    model.version += 1;
    model.end_others(None);
    if let Some(totp) = model.totp.as_mut().filter(|totp| totp.created_at > now() - YOUNG) {
        totp.is_suspended = true;
    }
}

#[test]
fn the_service_agrees_with_the_model_of_second_factors() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let opened = RefCell::new(0_usize);
    proptest!(ProptestConfig::with_cases(200), |(steps in prop::collection::vec(step(), 1..60))| {
        *opened.borrow_mut() += runtime.block_on(run(steps));
    });
    let opened = opened.into_inner();
    assert!(opened > 150, "second factors opened only {opened} sessions");
}

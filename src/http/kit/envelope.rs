//! The error envelope of the API, as JSON.

use std::borrow::Cow;

use serde::Serialize;

use crate::domain::authz::step_up::{MAX_AGE_SECONDS, METHODS};
use crate::domain::problem::{Code, Fault, Problem};

#[derive(Serialize)]
struct Envelope<'a> {
    error: ErrorBody,
    request_id: &'a str,
}

#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: &'static str,
    details: Details,
}

#[derive(Serialize, Default)]
pub(super) struct Details {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<[&'static str; METHODS.len()]>,
}

impl Details {
    pub(super) fn of(problem: Problem) -> Self {
        let needs_step_up = problem.code == Code::StepUpRequired;
        Self {
            errors: problem.faults.into_iter().map(FaultBody::from).collect(),
            max_age: needs_step_up.then_some(MAX_AGE_SECONDS),
            methods: needs_step_up.then_some(METHODS),
        }
    }
}

#[derive(Serialize)]
struct FaultBody {
    loc: Vec<Cow<'static, str>>,
    msg: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<Fault> for FaultBody {
    fn from(fault: Fault) -> Self {
        let loc = std::iter::once(Cow::from(fault.place.as_str())).chain(fault.member).collect();
        Self { loc, msg: fault.message, kind: fault.kind.as_str() }
    }
}

/// Writes the envelope of an error.
pub(super) fn write(
    code: &'static str,
    message: &'static str,
    details: Details,
    request_id: &str,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Envelope { error: ErrorBody { code, message, details }, request_id })
}

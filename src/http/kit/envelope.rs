//! The error envelope of the API, as JSON.

use std::borrow::Cow;

use serde::Serialize;

use crate::domain::authz::step_up::MAX_AGE_SECONDS;
use crate::domain::factor::demand::FactorDemand;
use crate::domain::problem::{Code, Fault, Problem};
use crate::domain::secret::Secret;
use crate::http::kit::passkey_options::RequestBody;

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
    methods: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passkey_options: Option<RequestBody>,
    /// The stronger sign-in that the right of a role needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<&'static str>,
    /// The rule that an identity of another provider breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Of a mailed code.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<String>,
    /// The providers that a step-up may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    providers: Vec<String>,
}

impl Details {
    pub(super) fn of_flow(flow: &Secret) -> Self {
        Self { flow: Some(flow.expose().to_owned()), ..Self::default() }
    }

    pub(super) fn of(problem: Problem) -> Self {
        let Problem { required, reason, .. } = problem;
        Self { errors: problem.faults.into_iter().map(FaultBody::from).collect(), required, reason, ..Self::default() }
    }

    pub(super) fn of_demand(code: Code, demand: FactorDemand) -> Self {
        Self {
            max_age: (code == Code::StepUpRequired).then_some(MAX_AGE_SECONDS),
            methods: Some(demand.methods),
            mfa_token: demand.token.map(|token| token.expose().to_owned()),
            expires_in: demand.expires_in,
            passkey_options: demand.passkey_options.map(RequestBody::from),
            providers: demand.providers,
            ..Self::default()
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

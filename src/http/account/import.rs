//! `/admin/users/import`: users of other systems, a line each.

use axum::response::Response;
use serde::Serialize;

use crate::domain::account::import::line::ImportLine;
use crate::http::kit::context::{Bearer, Calling, Configured};
use crate::http::kit::lines::{self, Streamed};
use crate::http::kit::operation::Fetched;
use crate::http::kit::query::DryRun;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up;
use crate::service::account::import;
use crate::service::account::import::LineAnswer;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::SignInAge;

/// The age of an administrator's sign-in; a service account has none. Whether it is a dry run.
type ImportPlan = (Option<SignInAge>, bool);

pub(in crate::http) fn age(
    (configured, bearer, DryRun(is_dry_run)): (Configured, Option<Bearer>, DryRun),
) -> Reading<ImportPlan> {
    step_up::age_if_session((configured, bearer)).map(move |age| (age, is_dry_run))
}

#[derive(Serialize)]
struct LineBody<'a> {
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    costlier: bool,
}

impl<'a> From<&'a LineAnswer> for LineBody<'a> {
    fn from(answer: &'a LineAnswer) -> Self {
        Self {
            line: answer.line,
            external_id: answer.external_id.as_deref(),
            outcome: answer.outcome.as_str(),
            code: answer.outcome.code(),
            costlier: answer.is_costlier,
        }
    }
}

pub(in crate::http) async fn import(
    configured: Configured,
    Calling(principal): Calling,
    Fetched((age, is_dry_run)): Fetched<ImportPlan>,
    streamed: Streamed,
) -> Result<Response, Refusal> {
    import::admit(&configured.service(), &principal, age.as_ref()).await?;
    let rules = import::rules(&configured.service(), &principal);
    let parse = |number, line: &[u8]| (number, ImportLine::parse(line, rules));
    let (lines, configured) = streamed.lines(parse).await?;
    let answers = import::import(&configured.service(), &principal, lines, is_dry_run).await?;
    let mut body = Vec::new();
    for answer in &answers {
        serde_json::to_writer(&mut body, &LineBody::from(answer))
            .map_err(|error| Refusal::internal(error.to_string()))?;
        body.push(b'\n');
    }
    Ok(lines::respond(body))
}

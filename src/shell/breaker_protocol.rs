//! The protocol between an isolate and the breaker's Durable Object. Each question is one GET with the question in the
//! path; the answer is JSON. Times are relative, so no two clocks are compared.
//!
//! During a deployment isolates and object have different versions. An object answers a question that it does not know
//! with its view, and says so; the isolate then asks in the form of earlier versions ([`Question::earlier_form`]).
//! The objects of the first versions answer such a question with status 500 and nothing.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::breaker::{Admission, Command, IsolateId, Report, Round, View};
use crate::domain::ids::{SessionId, TokenId};
use crate::domain::ray::Ray;
use crate::domain::request_id::RequestId;
use crate::domain::session::unresolved::UnresolvedExchange;

/// A question or report from an isolate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Asks for the breaker's state.
    Inspect,
    /// Asks for permission to call the database, perhaps as a probe.
    Admit,
    /// Reports failed calls that were no probes.
    Failed(Report),
    /// Reports that the database answered this isolate's probe of this round.
    ProbeSucceeded(Round, IsolateId),
    /// Reports that a probe of this round failed.
    ProbeFailed(Round),
    /// Forwards an operator's command.
    Command(Command),
    /// Reports an exchange of a refresh token that the database left unresolved.
    NoteUnresolved(UnresolvedExchange),
    /// Asks whether an exchange was reported as unresolved.
    IsUnresolved(UnresolvedExchange),
}

/// The answer to any question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision; only for [`Question::Admit`].
    pub admission: Option<Admission>,
    /// The breaker's state after the question.
    pub view: View,
    /// Was the exchange reported? Only for [`Question::IsUnresolved`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_unresolved: Option<bool>,
    /// The object does not know the question, and has changed nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unknown: bool,
}

impl Question {
    /// The URL to fetch from the object, with the ids of the current request for the log.
    #[must_use]
    pub fn url(&self, request_id: &RequestId) -> String {
        let path = match self {
            Self::Inspect => "inspect".to_owned(),
            Self::Admit => "admit".to_owned(),
            Self::Failed(Report::UNNAMED) => "failed".to_owned(),
            Self::Failed(Report { isolate, failures, successes }) => {
                format!("failed/{}.{failures}.{successes}", isolate.get())
            }
            Self::ProbeSucceeded(round, IsolateId::UNNAMED) => format!("probe-succeeded/{round}"),
            Self::ProbeSucceeded(round, isolate) => format!("probe-succeeded/{round}.{}", isolate.get()),
            Self::ProbeFailed(round) => format!("probe-failed/{round}"),
            Self::Command(Command::Closed) => "command/closed".to_owned(),
            Self::Command(Command::Open) => "command/open".to_owned(),
            Self::Command(Command::Automatic) => "command/automatic".to_owned(),
            Self::NoteUnresolved(exchange) => format!("note-unresolved/{}", text_of(exchange)),
            Self::IsUnresolved(exchange) => format!("is-unresolved/{}", text_of(exchange)),
        };
        let ids = ids_text(request_id);
        format!("https://circuit-breaker.invalid/{path}?{ids}")
    }

    /// The form for an object that does not know this question. It says less: a failure without the calls around it.
    /// An object without notes is only asked for its view.
    #[must_use]
    pub const fn earlier_form(&self) -> Self {
        match self {
            Self::Failed(_) => Self::Failed(Report::UNNAMED),
            Self::ProbeSucceeded(round, _) => Self::ProbeSucceeded(*round, IsolateId::UNNAMED),
            Self::ProbeFailed(round) => Self::ProbeFailed(*round),
            Self::Command(command) => Self::Command(*command),
            Self::Admit => Self::Admit,
            Self::Inspect | Self::NoteUnresolved(_) | Self::IsUnresolved(_) => Self::Inspect,
        }
    }

    /// Splits a URL that [`Question::url`] builds into the question, `None` if this version does not know it, and the
    /// ids of the request. `None` for any other URL.
    #[must_use]
    pub fn parse(url: &str) -> Option<(Option<Self>, RequestId)> {
        let (path, ids) = url.strip_prefix("https://circuit-breaker.invalid/")?.split_once('?')?;
        Some((Self::parse_path(path), ids_of(ids)?))
    }

    fn parse_path(path: &str) -> Option<Self> {
        let (name, argument) = path.split_once('/').unwrap_or((path, ""));
        Some(match (name, argument) {
            ("inspect", "") => Self::Inspect,
            ("admit", "") => Self::Admit,
            ("failed", "") => Self::Failed(Report::UNNAMED),
            ("failed", report) => Self::Failed(report_of(report)?),
            ("probe-succeeded", probe) => match probe.split_once('.') {
                Some((round, isolate)) => Self::ProbeSucceeded(round.parse().ok()?, isolate_of(isolate)?),
                None => Self::ProbeSucceeded(probe.parse().ok()?, IsolateId::UNNAMED),
            },
            ("probe-failed", round) => Self::ProbeFailed(round.parse().ok()?),
            ("command", "closed") => Self::Command(Command::Closed),
            ("command", "open") => Self::Command(Command::Open),
            ("command", "automatic") => Self::Command(Command::Automatic),
            ("note-unresolved", exchange) => Self::NoteUnresolved(exchange_of(exchange)?),
            ("is-unresolved", exchange) => Self::IsUnresolved(exchange_of(exchange)?),
            _ => return None,
        })
    }
}

/// The request id, then a dot and the edge's id if there is one. An object of the previous version, which serves during a
/// deployment, takes this text for a request id.
fn ids_text(request_id: &RequestId) -> Cow<'_, str> {
    let text = request_id.as_str();
    request_id.ray().map_or(Cow::Borrowed(text), |ray| format!("{text}.{ray}").into())
}

fn ids_of(text: &str) -> Option<RequestId> {
    let both = text.rsplit_once('.').and_then(|(id, ray)| Some((id, Ray::parse(ray.as_bytes())?)));
    let (id, ray) = both.map_or((text, None), |(id, ray)| (id, Some(ray)));
    Some(RequestId::parse(id)?.with_ray(ray))
}

fn report_of(text: &str) -> Option<Report> {
    let (isolate, calls) = text.split_once('.')?;
    let (failures, successes) = calls.split_once('.')?;
    let isolate = isolate_of(isolate)?;
    Some(Report { isolate, failures: failures.parse().ok()?, successes: successes.parse().ok()? })
}

fn isolate_of(text: &str) -> Option<IsolateId> {
    text.parse().ok().map(IsolateId::new)
}

/// An exchange as text, in questions and in the rows of the object.
#[must_use]
pub fn text_of(exchange: &UnresolvedExchange) -> String {
    format!("{}.{}", exchange.session_id.get(), exchange.successor_id.as_str())
}

fn exchange_of(text: &str) -> Option<UnresolvedExchange> {
    let (session_id, successor_id) = text.split_once('.')?;
    let session_id = SessionId::new(session_id.parse().ok()?)?;
    Some(UnresolvedExchange { session_id, successor_id: TokenId::parse(successor_id)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::breaker::State;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_question_round_trips_through_its_url() {
        let request_id = RequestId::parse("a.B_c-9").unwrap();
        let exchange = UnresolvedExchange {
            session_id: SessionId::new(9_007_199_254_740_991).unwrap(),
            successor_id: TokenId::from_random([0xab; 16]),
        };
        for question in [
            Question::Inspect,
            Question::Admit,
            Question::Failed(Report::UNNAMED),
            Question::Failed(Report { isolate: IsolateId::new(i64::MIN), failures: 2, successes: 4_294_967_295 }),
            Question::ProbeSucceeded(0, IsolateId::UNNAMED),
            Question::ProbeSucceeded(u32::MAX, IsolateId::new(7)),
            Question::ProbeFailed(u32::MAX),
            Question::Command(Command::Closed),
            Question::Command(Command::Open),
            Question::Command(Command::Automatic),
            Question::NoteUnresolved(exchange.clone()),
            Question::IsUnresolved(exchange),
        ] {
            assert_eq!(Question::parse(&question.url(&request_id)), Some((Some(question), request_id.clone())));
        }
    }

    /// Earlier versions of the object know these URLs only.
    #[test]
    fn the_earlier_form_of_a_question_is_one_of_the_first_version() {
        let exchange =
            UnresolvedExchange { session_id: SessionId::new(7).unwrap(), successor_id: TokenId::from_random([1; 16]) };
        let report = Report { isolate: IsolateId::new(7), failures: 3, successes: 9 };
        for (question, form) in [
            (Question::Inspect, "inspect"),
            (Question::Admit, "admit"),
            (Question::Failed(report), "failed"),
            (Question::ProbeSucceeded(5, IsolateId::new(7)), "probe-succeeded/5"),
            (Question::ProbeFailed(5), "probe-failed/5"),
            (Question::Command(Command::Open), "command/open"),
            (Question::NoteUnresolved(exchange.clone()), "inspect"),
            (Question::IsUnresolved(exchange), "inspect"),
        ] {
            let url = question.earlier_form().url(&RequestId::parse("abc").unwrap());
            assert_eq!(url, format!("https://circuit-breaker.invalid/{form}?abc"));
        }
    }

    #[test]
    fn both_ids_of_a_request_round_trip() {
        let id = |text| RequestId::parse(text).unwrap();
        let ray = Ray::parse(b"230b030023ae2822-SJC");
        for request_id in [id("a.b"), id("a.").with_ray(ray), id("a.B_c-9").with_ray(ray)] {
            let url = Question::Inspect.url(&request_id);
            assert_eq!(Question::parse(&url), Some((Some(Question::Inspect), request_id)));
        }
        // An object of the previous version accepts the text.
        let url = Question::Inspect.url(&id("abc").with_ray(ray));
        assert!(RequestId::parse(url.rsplit_once('?').unwrap().1).is_some(), "{url}");
    }

    #[test]
    fn other_urls_are_not_questions() {
        let unknown = "?a inspect/1?a probe-failed?a probe-failed/-1?a command/x?a x?a note-unresolved?a
            is-unresolved/7?a is-unresolved/0.abababababababababababababababab?a is-unresolved/7.ab?a
            failed/7?a failed/7.1?a failed/7.1.2.3?a failed/7x.1.2?a failed/7.1.4294967296?a probe-succeeded/?a
            probe-succeeded/1.?a";
        for path in unknown.split_whitespace() {
            let parsed = Question::parse(&format!("https://circuit-breaker.invalid/{path}"));
            assert_eq!(parsed, Some((None, RequestId::parse("a").unwrap())), "{path}");
        }
        for path in ["", "inspect", "inspect?", "inspect?a%20b"] {
            assert_eq!(Question::parse(&format!("https://circuit-breaker.invalid/{path}")), None, "{path}");
        }
        assert_eq!(Question::parse("https://elsewhere.invalid/admit?a"), None);
    }

    #[test]
    fn wire_format_unchanged() {
        let view = View { state: State::HalfOpen, forced: false, failure_count: 5, retry_after_ms: 30, version: 9 };
        let answer = Answer { admission: Some(Admission::Probe(7)), view, is_unresolved: None, is_unknown: false };
        let text = r#"{"admission":{"probe":7},"view":{"state":"half_open","forced":false,"failure_count":5,"retry_after_ms":30,"version":9}}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), answer);
        let noted = Answer { admission: None, is_unresolved: Some(true), ..answer };
        let text = r#"{"admission":null,"view":{"state":"half_open","forced":false,"failure_count":5,"retry_after_ms":30,"version":9},"is_unresolved":true}"#;
        assert_eq!(serde_json::to_string(&noted).unwrap(), text);
        assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), noted);
    }
}

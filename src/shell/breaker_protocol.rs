//! The protocol between an isolate and the breaker's Durable Object. Each question is one GET with the question in the
//! path; the answer is JSON. Times are relative, so no two clocks are compared.

use serde::{Deserialize, Serialize};

use crate::domain::breaker::{Admission, Command, Round, View};
use crate::domain::request_id::RequestId;

/// A question or report from an isolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Asks for the breaker's state.
    Inspect,
    /// Asks for permission to call the database, perhaps as a probe.
    Admit,
    /// Reports a failed call that was not a probe.
    Failed,
    /// Reports that the database answered a probe of this round.
    ProbeSucceeded(Round),
    /// Reports that a probe of this round failed.
    ProbeFailed(Round),
    /// Forwards an operator's command.
    Command(Command),
}

/// The answer to any question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision; only for [`Question::Admit`].
    pub admission: Option<Admission>,
    /// The breaker's state after the question.
    pub view: View,
}

impl Question {
    /// The URL to fetch from the object, with the id of the current request for the log.
    #[must_use]
    pub fn url(self, request_id: &RequestId) -> String {
        let path = match self {
            Self::Inspect => "inspect".to_owned(),
            Self::Admit => "admit".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::ProbeSucceeded(round) => format!("probe-succeeded/{round}"),
            Self::ProbeFailed(round) => format!("probe-failed/{round}"),
            Self::Command(Command::Closed) => "command/closed".to_owned(),
            Self::Command(Command::Open) => "command/open".to_owned(),
            Self::Command(Command::Automatic) => "command/automatic".to_owned(),
        };
        format!("https://circuit-breaker.invalid/{path}?{}", request_id.as_str())
    }

    /// Parses the URL; `None` if it is not one that [`Question::url`] builds.
    #[must_use]
    pub fn parse(url: &str) -> Option<(Self, RequestId)> {
        let (path, request_id) = url.strip_prefix("https://circuit-breaker.invalid/")?.split_once('?')?;
        let (name, argument) = path.split_once('/').unwrap_or((path, ""));
        let question = match (name, argument) {
            ("inspect", "") => Self::Inspect,
            ("admit", "") => Self::Admit,
            ("failed", "") => Self::Failed,
            ("probe-succeeded", round) => Self::ProbeSucceeded(round.parse().ok()?),
            ("probe-failed", round) => Self::ProbeFailed(round.parse().ok()?),
            ("command", "closed") => Self::Command(Command::Closed),
            ("command", "open") => Self::Command(Command::Open),
            ("command", "automatic") => Self::Command(Command::Automatic),
            _ => return None,
        };
        Some((question, RequestId::parse(request_id)?))
    }
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
        for question in [
            Question::Inspect,
            Question::Admit,
            Question::Failed,
            Question::ProbeSucceeded(0),
            Question::ProbeFailed(u32::MAX),
            Question::Command(Command::Closed),
            Question::Command(Command::Open),
            Question::Command(Command::Automatic),
        ] {
            assert_eq!(Question::parse(&question.url(&request_id)), Some((question, request_id.clone())));
        }
    }

    #[test]
    fn other_urls_are_not_questions() {
        for path in
            ["", "inspect", "inspect?", "inspect/1?a", "probe-failed?a", "probe-failed/-1?a", "command/x?a", "x?a"]
        {
            assert_eq!(Question::parse(&format!("https://circuit-breaker.invalid/{path}")), None, "{path}");
        }
        assert_eq!(Question::parse("https://elsewhere.invalid/admit?a"), None);
    }

    #[test]
    fn wire_format_unchanged() {
        let view = View { state: State::HalfOpen, forced: false, failure_count: 5, retry_after_ms: 30, version: 9 };
        let answer = Answer { admission: Some(Admission::Probe(7)), view };
        let text = r#"{"admission":{"probe":7},"view":{"state":"half_open","forced":false,"failure_count":5,"retry_after_ms":30,"version":9}}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), answer);
    }
}

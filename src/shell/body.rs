//! The body of a request. JavaScript reads it when the service first polls it, and not at all if the service refuses the
//! request before.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body::Frame;

use crate::domain::time::Timestamp;
use crate::http::{BODY_DEADLINE_MS, BodyError, LINES_MEDIA_TYPE, MAX_BODY_BYTES, announced_length};
use crate::shell::clock::now;
use crate::shell::tasks::{Answer, Ask, ask};

/// The size of a piece of a body of lines, in bytes. An import of a megabyte then has 16.
const PIECE: usize = 64 * 1024;

/// A body: in one piece, to its end or one byte more than the limit, which `http::kit::body` refuses; or in many.
pub struct RequestBody {
    kind: Kind,
    progress: Progress,
}

#[derive(Clone, Copy)]
enum Kind {
    Whole {
        /// Is it known to be within the limit?
        is_short: bool,
    },
    /// Lines are parsed as they arrive.
    Pieces,
}

enum Progress {
    Unasked,
    Asked(Ask, Timestamp),
    /// Another piece follows. The time is that of the first question.
    More(Timestamp),
    Ended,
}

impl RequestBody {
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap) -> Self {
        let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_short = announced_length(headers).is_some_and(|length| length <= MAX_BODY_BYTES as u64);
        let is_lines =
            declared.get(..LINES_MEDIA_TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(LINES_MEDIA_TYPE));
        let kind = if is_lines { Kind::Pieces } else { Kind::Whole { is_short } };
        Self { kind, progress: Progress::Unasked }
    }

    /// Asks for the body or for its next piece. The deadline is that of the whole body.
    fn ask(&self, since: Timestamp) -> Ask {
        match self.kind {
            Kind::Whole { is_short } => ask("body", BODY_DEADLINE_MS, &format!("[{MAX_BODY_BYTES},{is_short}]")),
            Kind::Pieces => {
                let passed = u32::try_from(now().millis() - since.millis()).unwrap_or(0);
                ask("piece", BODY_DEADLINE_MS.saturating_sub(passed), &PIECE.to_string())
            }
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let begun = match self.progress {
            Progress::Unasked => Some(now()),
            Progress::More(since) => Some(since),
            Progress::Asked(..) | Progress::Ended => None,
        };
        if let Some(since) = begun {
            self.progress = Progress::Asked(self.ask(since), since);
        }
        let Progress::Asked(ask, since) = &mut self.progress else { return Poll::Ready(None) };
        let since = *since;
        let answer = ready!(Pin::new(ask).poll(context));
        self.progress = Progress::Ended;
        Poll::Ready(match (answer, self.kind) {
            (Answer::Bytes(bytes), Kind::Pieces) => {
                // A short piece is the last one.
                if bytes.len() == PIECE {
                    self.progress = Progress::More(since);
                }
                Some(Ok(Frame::data(bytes.into())))
            }
            (Answer::Bytes(bytes), Kind::Whole { .. }) => Some(Ok(Frame::data(bytes.into()))),
            (Answer::Late, _) => Some(Err(BodyError::TimedOut)),
            // A part of the lines must not pass for all of them.
            (Answer::Text(_) | Answer::Failed(_), Kind::Pieces) => Some(Err(BodyError::Broken)),
            // JavaScript sends no bytes of a body whose transfer broke.
            (Answer::Text(_) | Answer::Failed(_), Kind::Whole { .. }) => None,
        })
    }
}

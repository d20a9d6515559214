//! The body of a request. JavaScript reads it when the service first polls it, and not at all if the service refuses the
//! request before.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use axum::http::HeaderMap;
use http_body::Frame;

use crate::http::{BODY_DEADLINE_MS, BodyTimedOut, MAX_BODY_BYTES, announced_length};
use crate::shell::tasks::{Answer, Ask, ask};

/// A body in one piece: to its end, or one byte more than the limit, which `http::kit::body` refuses.
pub struct RequestBody {
    /// Is it known to be within the limit?
    is_short: bool,
    progress: Progress,
}

enum Progress {
    Unasked,
    Asked(Ask),
    Ended,
}

impl RequestBody {
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap) -> Self {
        let is_short = announced_length(headers).is_some_and(|length| length <= MAX_BODY_BYTES as u64);
        Self { is_short, progress: Progress::Unasked }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyTimedOut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyTimedOut>>> {
        if matches!(self.progress, Progress::Unasked) {
            let given = format!("[{MAX_BODY_BYTES},{}]", self.is_short);
            self.progress = Progress::Asked(ask("body", BODY_DEADLINE_MS, &given));
        }
        let Progress::Asked(ask) = &mut self.progress else { return Poll::Ready(None) };
        let answer = ready!(Pin::new(ask).poll(context));
        self.progress = Progress::Ended;
        Poll::Ready(match answer {
            Answer::Bytes(bytes) => Some(Ok(Frame::data(bytes.into()))),
            Answer::Late => Some(Err(BodyTimedOut)),
            // JavaScript sends no bytes of a body whose transfer broke.
            Answer::Text(_) | Answer::Failed(_) => None,
        })
    }
}

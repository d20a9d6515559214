//! Bodies that never come, and note whether the service asked for them; and one that comes late.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use edge_auth::http::BodyError;
use http_body::Frame;

use super::NOW;

/// Was the body asked for?
#[derive(Clone, Default)]
pub struct Watch(Arc<AtomicBool>);

impl Watch {
    pub fn was_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A body that is late as soon as it is asked for.
    pub fn body(&self) -> Body {
        Body::new(Endless(self.clone()))
    }
}

struct Endless(Watch);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(BodyError::TimedOut)))
    }
}

/// Advances the clock while a request runs.
pub fn pass(seconds: i64) {
    NOW.set(NOW.get().plus_seconds(seconds));
}

/// A body that is complete after this many seconds.
pub fn slow_body(seconds: i64, text: String) -> Body {
    interrupted_body(seconds, text, || ())
}

/// The same, with an act of another client before its end.
pub fn interrupted_body(seconds: i64, text: String, act: impl Fn() + Send + 'static) -> Body {
    Body::new(Slow(seconds, Some(text), Box::new(act)))
}

struct Slow(i64, Option<String>, Box<dyn Fn() + Send>);

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let text = self.1.take();
        if text.is_some() {
            self.2();
            pass(self.0);
        }
        Poll::Ready(text.map(|text| Ok(Frame::data(text.into()))))
    }
}

//! A body that can be read once more, for an operation that may have to run again.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;

/// The pieces of a body that were read so far. The limits of the reader bound them.
#[derive(Default)]
pub(in crate::http) struct Recording(Arc<Mutex<Vec<Bytes>>>);

impl Recording {
    /// The same body, whose pieces are kept when they are read.
    pub(in crate::http) fn of(&self, body: Body) -> Body {
        let pieces = Arc::clone(&self.0);
        Body::new(body.map_frame(move |frame| {
            if let Some(piece) = frame.data_ref() {
                // No code panics while it holds the lock.
                pieces.lock().unwrap_or_else(PoisonError::into_inner).push(piece.clone());
            }
            frame
        }))
    }

    /// All pieces as one body.
    pub(in crate::http) fn body(&self) -> Body {
        Body::from(self.0.lock().unwrap_or_else(PoisonError::into_inner).concat())
    }
}

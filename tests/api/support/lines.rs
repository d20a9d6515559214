//! The log lines of a service, as they were written.

use std::sync::{Arc, Mutex};

/// Collects the log lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn push(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

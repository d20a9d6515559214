//! The archive of audit events.

pub mod archive;
mod key;
mod sealing;

//! The statement that begins a batch and fails unless a condition holds, so that the database carries out nothing of the batch.

/// Selects nothing of use. If the condition does not hold, the text is taken for a path of JSON, which it is not, and the
/// error repeats it (`ports/db_error.rs`).
macro_rules! demand {
    ($condition:expr, $text:literal) => {
        concat!("SELECT json_extract('{}', iif(", $condition, ", '$', '", $text, "')) AS holds")
    };
}
pub(in crate::store) use demand;

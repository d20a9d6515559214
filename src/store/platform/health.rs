//! Does the database answer at all?

use serde::Deserialize;

use crate::ports::{DbError, query};
use crate::store::Store;

#[derive(Deserialize)]
struct AliveRow {
    #[serde(rename = "alive")]
    _alive: i64,
}

/// Asks for a constant. It goes through the circuit breaker like every other question, so whoever checks
/// readiness may be the probe that closes it.
///
/// # Errors
/// [`DbError`].
pub async fn ping(store: &Store) -> Result<(), DbError> {
    let [rows] = store.batch([query("SELECT 1 AS alive")]).await?;
    rows.first::<AliveRow>().map(drop)
}

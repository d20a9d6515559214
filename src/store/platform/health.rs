//! The readiness check of the database.

use serde::Deserialize;

use crate::ports::{DbError, query};
use crate::store::Store;

#[derive(Deserialize)]
struct AliveRow {
    #[serde(rename = "alive")]
    _alive: i64,
}

/// Selects a constant. The query passes the circuit breaker like any other, so a readiness check may be the probe that
/// closes it.
///
/// # Errors
/// [`DbError`].
pub async fn ping(store: &Store) -> Result<(), DbError> {
    let [rows] = store.batch([query("SELECT 1 AS alive")]).await?;
    rows.first::<AliveRow>().map(drop)
}

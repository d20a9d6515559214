//! The readiness check of the database.

use serde::Deserialize;

use crate::ports::{DbError, Rows, query};
use crate::store::audit::archive_key;
use crate::store::factor::totp;
use crate::store::{Store, keys};

#[derive(Deserialize)]
struct AliveRow {
    #[serde(rename = "alive")]
    _alive: i64,
}

/// Selects a constant, and for an operator the number of secrets that another `SECRET_KEY` than this one encrypted. The query passes the circuit breaker like any other, so a readiness check may be the probe that
/// closes it.
///
/// # Errors
/// [`DbError`].
pub async fn ping(store: &Store, key_id: Option<&str>) -> Result<Option<i64>, DbError> {
    let statements = std::iter::once(query("SELECT 1 AS alive"))
        .chain(key_id.map(keys::count_outdated))
        .chain(key_id.map(totp::count_outdated))
        .chain(key_id.map(archive_key::count_outdated));
    let results = store.batch_of(statements.collect()).await?;
    if let Some(alive) = results.first() {
        alive.first::<AliveRow>()?;
    }
    let counts = results.iter().skip(1).map(Rows::first::<CountRow>).collect::<Result<Vec<_>, _>>()?;
    Ok(key_id.map(|_| counts.into_iter().flatten().map(|row| row.count).sum()))
}

#[derive(Deserialize)]
struct CountRow {
    count: i64,
}

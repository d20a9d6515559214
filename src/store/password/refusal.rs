//! The record of a password that opens nothing.

use crate::domain::account::email::Email;
use crate::domain::limits::standing::Counter;
use crate::ports::{DbError, query};
use crate::store::account::pending;
use crate::store::audit::{Event, RequestInfo, refusals};
use crate::store::password::throttle::{self, no_wait};
use crate::store::{IdRow, Store};

const SELECT_ADMITTED: &str = concat!("SELECT 1 AS id WHERE ", no_wait!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_ADMITTED];

/// Records a refused password, and counts it if it was a guess. A refusal by the throttle is recorded with the same
/// statements, so that it takes the same time. `registering` is the address, where registrations wait for a proof.
///
/// # Errors
/// [`DbError`].
pub async fn record_refusal(
    store: &Store,
    counter: &Counter,
    was_guess: bool,
    registering: Option<&Email>,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<(), DbError> {
    let mut statements =
        vec![throttle::count_failure(counter, was_guess.into(), request), refusals::count(request, event)];
    statements.extend(registering.map(|email| pending::count_wrong_password(email, request)));
    store.batch_of(statements).await.map(|_| ())
}

/// Records a right password that opens nothing: of a disabled account, or of a registration whose address is not proven.
/// Returns false if a wait has begun since the counters were read.
///
/// # Errors
/// [`DbError`].
pub async fn record_useless(
    store: &Store,
    counter: &Counter,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<bool, DbError> {
    let admitted = throttle::bind_guard(query(SELECT_ADMITTED), counter).bind("now", request.now);
    let count = throttle::count_failure(counter, 0, request);
    let [_, _, admitted] = store.batch([count, refusals::count(request, event), admitted]).await?;
    Ok(!admitted.all::<IdRow>()?.is_empty())
}

//! The record of a password that opens nothing.

use crate::domain::account::email::Email;
use crate::domain::limits::standing::Counter;
use crate::domain::password::verified::VerifiedPassword;
use crate::ports::{DbError, Statement, query};
use crate::store::account::pending;
use crate::store::audit::{Event, RequestInfo, refusals};
use crate::store::factor::due;
use crate::store::factor::due::DueFactors;
use crate::store::password::throttle::{self, no_wait};
use crate::store::{IdRow, Store};

const SELECT_ADMITTED: &str = concat!("SELECT 1 AS id WHERE ", no_wait!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_ADMITTED];

/// Records a refused password, and counts a guess as this many failures. A refusal by the throttle is recorded with the same
/// statements, so that it takes the same time. `registering` is the address, where registrations wait for a proof.
///
/// # Errors
/// [`DbError`].
pub async fn record_refusal(
    store: &Store,
    counter: &Counter,
    failures: i64,
    registering: Option<&Email>,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<(), DbError> {
    let mut statements = vec![throttle::count_failure(counter, failures, request), refusals::count(request, event)];
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
    let [_, _, admitted] = store.batch(useless(counter, request, event)).await?;
    Ok(!admitted.all::<IdRow>()?.is_empty())
}

/// The statements of [`record_useless`]. The last one has a row unless a wait has begun.
fn useless(counter: &Counter, request: RequestInfo<'_>, event: Event) -> [Statement; 3] {
    let admitted = throttle::bind_guard(query(SELECT_ADMITTED), counter).bind("now", request.now);
    [throttle::count_failure(counter, 0, request), refusals::count(request, event), admitted]
}

/// The outcome of a right password of a disabled account.
pub enum DisabledOutcome {
    /// The second factor is due before anything is said about the account.
    FactorDue(DueFactors),
    /// The owner may learn that the account is disabled.
    Disabled,
    /// A wait has begun since the counters were read.
    Overtaken,
}

/// Records a right password of a disabled account.
///
/// # Errors
/// [`DbError`].
pub async fn record_disabled(
    store: &Store,
    verified: VerifiedPassword,
    counter: &Counter,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<DisabledOutcome, DbError> {
    let [count, record, admitted] = useless(counter, request, event);
    let [_, _, admitted, due] = store.batch([count, record, admitted, due::select(verified, counter, request)]).await?;
    Ok(match (DueFactors::read(&due)?, admitted.all::<IdRow>()?.is_empty()) {
        (Some(due), _) => DisabledOutcome::FactorDue(due),
        (None, false) => DisabledOutcome::Disabled,
        (None, true) => DisabledOutcome::Overtaken,
    })
}

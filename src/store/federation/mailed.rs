//! The code that proves the address of an asserted identity. The proof names the account that has the address, or none.

use crate::ports::{DbError, query};
use crate::store::audit::RequestInfo;
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::mail::counts::{self, Asking, is_admitted};
use crate::store::mail::outbox::{self, QueuedMail};
use crate::store::mail::proofs::{NewProof, bind_new, insert_proof};
use crate::store::{IdRow, Store};

const INSERT: &str = insert_proof!(concat!(
    "(SELECT '' AS class) AS k LEFT JOIN users AS u ON u.email = :email AND u.is_active = 1 WHERE ",
    is_admitted!(),
    " AND ",
    is_redeemed!()
));

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT];

/// Uses the flow up, and writes the proof and its mail, if the counts admit it. `None` if the flow was used before; otherwise
/// the mail, if there is one.
///
/// # Errors
/// [`DbError`].
pub async fn ask(
    store: &Store,
    evidence: Evidence,
    new: NewProof,
    asking: Asking<'_>,
    request: RequestInfo<'_>,
) -> Result<Option<Option<QueuedMail>>, DbError> {
    let insert = bind_new(query(INSERT), new, request.now).bind("email", asking.email);
    let insert = evidence.bind(counts::bind_admission(insert, asking, request), request);
    let [count_1, count_2, count_3, count_4] = counts::count(asking, new.id, request);
    let [queue, select] = outbox::queue_proof(new.mail_id, new.id, Some(asking.email), request.now);
    let redeemed = evidence.select_redeemed(request);
    let touch = counts::touch(request);
    let statements =
        [evidence.redeem(request), touch, insert, count_1, count_2, count_3, count_4, queue, redeemed, select];
    let [.., redeemed, mails] = store.batch(statements).await?;
    let mail = mails.first()?;
    Ok((!redeemed.all::<IdRow>()?.is_empty()).then_some(mail))
}

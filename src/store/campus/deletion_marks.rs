//! Marks of deletions that leave no event. A batch that is executed again, because its first answer was lost, finds the
//! row gone; the mark says that it was deleted by the same request.

use crate::ports::{DbError, Rows, Statement, query};
use crate::store::IdRow;
use crate::store::audit::RequestInfo;

/// Marks are kept in so many places, and a later one replaces an earlier one.
const PLACES: i64 = 256;

/// Follows the deletion directly. In a second execution it changes nothing, but the mark is there.
const MARK: &str = "UPDATE deletion_marks SET nonce = :nonce WHERE place = :place AND changes() > 0";

const SELECT: &str = "SELECT place AS id FROM deletion_marks WHERE place = :place AND nonce = :nonce";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[MARK, SELECT];

/// Marks the deletion that precedes, and selects a row if the mark is there.
pub(in crate::store) fn mark(request: RequestInfo<'_>) -> [Statement; 2] {
    let nonce = request.stamp.nonce();
    [MARK, SELECT].map(|sql| query(sql).bind("nonce", nonce).bind("place", nonce % PLACES))
}

/// Was the row deleted, by this execution of the batch or by an earlier one?
pub(in crate::store) fn is_marked(selected: &Rows) -> Result<bool, DbError> {
    Ok(!selected.all::<IdRow>()?.is_empty())
}

//! Reads that have not run yet. Reads that do not depend on each other's rows share a round trip.

use crate::ports::{DbError, Rows, Statement};

/// Decodes the rows of a read. An error is a row of another shape.
pub type Decode<T> = Box<dyn FnOnce(Vec<Rows>) -> Result<T, DbError> + Send>;

/// Statements, and the function that decodes their rows. Only the store builds one; [`crate::store::Store::run`] runs it.
pub struct Read<T> {
    pub(super) statements: Vec<Statement>,
    pub(super) decode: Decode<T>,
}

impl Read<()> {
    /// A read without statements. It costs no round trip.
    #[must_use]
    pub fn nothing() -> Self {
        Self { statements: Vec::new(), decode: Box::new(|_| Ok(())) }
    }
}

impl<T: 'static> Read<T> {
    /// A read of one statement.
    pub(super) fn of(statement: Statement, decode: impl FnOnce(&Rows) -> Result<T, DbError> + Send + 'static) -> Self {
        let decode = |rows: Vec<Rows>| match rows.as_slice() {
            [rows] => decode(rows),
            _ => Err(DbError::lost_results()),
        };
        Self { statements: vec![statement], decode: Box::new(decode) }
    }

    /// A read of any number of statements.
    pub(super) fn of_all(
        statements: Vec<Statement>,
        decode: impl FnOnce(Vec<Rows>) -> Result<T, DbError> + Send + 'static,
    ) -> Self {
        Self { statements, decode: Box::new(decode) }
    }

    /// Both reads in one batch, so both from the same moment.
    #[must_use]
    pub fn and<U: 'static>(mut self, other: Read<U>) -> Read<(T, U)> {
        let own = self.statements.len();
        self.statements.extend(other.statements);
        let decode = move |mut rows: Vec<Rows>| {
            let others = rows.split_off(own.min(rows.len()));
            Ok(((self.decode)(rows)?, (other.decode)(others)?))
        };
        Read { statements: self.statements, decode: Box::new(decode) }
    }

    /// Converts the result of the rows.
    #[must_use]
    pub fn map<U>(self, convert: impl FnOnce(T) -> U + Send + 'static) -> Read<U> {
        let decode = |rows| (self.decode)(rows).map(convert);
        Read { statements: self.statements, decode: Box::new(decode) }
    }

    /// The same read of rows that are decoded later, and the function for it.
    #[must_use]
    pub fn undecoded(self) -> (Read<Vec<Rows>>, Decode<T>) {
        (Read { statements: self.statements, decode: Box::new(Ok) }, self.decode)
    }
}

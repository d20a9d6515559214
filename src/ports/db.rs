//! The database: atomic batches of statements, and rows as JSON.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::Role;
use crate::domain::ids::{
    ApiKeyId, ChallengeId, CourseId, DepartmentId, EnrollmentId, EventId, GrantId, IdentityId, InvitationId, MailId,
    PasskeyId, ProofId, ServiceAccountId, SessionId, TokenId, TotpId, UniversityId, UserId,
};
use crate::domain::machine::api_key::KeyHash;
use crate::domain::replica::Bookmark;
use crate::domain::request_id::RequestId;
use crate::domain::tenant::label::{Label, Slug};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, PortFuture, row};

/// A value bound to a parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL, from `None`.
    Null,
    /// An integer of at most 53 bits, because D1 passes JavaScript numbers.
    Integer(i64),
    /// A text, stored as UTF-8.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

/// `SQLite` has no booleans, so they are stored as 0 and 1.
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Domain types that are stored as an integer.
macro_rules! stored_as_integer {
    ($($name:ty: $get:ident),+ $(,)?) => {
        $(impl From<$name> for Value {
            fn from(value: $name) -> Self {
                Self::Integer(value.$get())
            }
        })+
    };
}

/// Domain types that are stored as text.
macro_rules! stored_as_text {
    ($($name:ty),+ $(,)?) => {
        $(impl From<$name> for Value {
            fn from(value: $name) -> Self {
                value.as_str().into()
            }
        })+
    };
}

stored_as_integer!(
    UserId: get,
    SessionId: get,
    UniversityId: get,
    DepartmentId: get,
    GrantId: get,
    CourseId: get,
    EnrollmentId: get,
    EventId: get,
    ApiKeyId: get,
    InvitationId: get,
    MailId: get,
    ProofId: get,
    ChallengeId: get,
    IdentityId: get,
    PasskeyId: get,
    TotpId: get,
    ServiceAccountId: get,
    Timestamp: millis,
);

stored_as_text!(&Email, &FullName, &Label, &Slug, &TokenId, &RequestId, &KeyHash, EventType, Reason, Role);

/// One SQL statement with the values of its named parameters (`:user_id`).
///
/// Adapters refuse a statement whose text names a parameter that has no value.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, always a constant: no SQL is ever built from input.
    pub sql: &'static str,
    /// The values by name, without the colon, in any order.
    pub values: Vec<(&'static str, Value)>,
}

/// A statement to which values are bound.
#[must_use]
pub fn query(sql: &'static str) -> Statement {
    Statement { sql, values: Vec::with_capacity(8) }
}

impl Statement {
    /// Is it a statement that writes nothing, whatever the database has?
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.sql.trim_ascii_start().starts_with("SELECT")
    }

    /// Binds a value to the parameter `:name`.
    #[must_use]
    pub fn bind(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.push((name, value.into()));
        self
    }
}

/// The rows that one statement returned: a JSON array of objects, parsed on demand. One text crosses from JavaScript
/// instead of many objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Rows(Box<RawValue>);

impl Rows {
    /// Wraps a JSON array of row objects.
    #[must_use]
    pub const fn new(json: Box<RawValue>) -> Self {
        Self(json)
    }

    /// Parses every row as `T`.
    ///
    /// # Errors
    /// [`DbError`] if a row does not have the shape of `T`.
    pub fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>, DbError> {
        let mut all = Vec::new();
        row::each(self.0.get(), &mut |row| {
            all.push(T::deserialize(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The JSON text as it arrived.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Parses the rows and returns the first, if there is one.
    ///
    /// # Errors
    /// [`DbError`] if any row does not have the shape of `T`.
    pub fn first<T: DeserializeOwned>(&self) -> Result<Option<T>, DbError> {
        Ok(self.all()?.into_iter().next())
    }
}

/// The answer of a replica.
#[derive(Debug)]
pub struct NearRows {
    /// The rows of each statement, all of the same state.
    pub rows: Vec<Rows>,
    /// The state from which they come.
    pub bookmark: Option<Bookmark>,
}

/// The database: atomic batches of statements.
pub trait Db: Send + Sync {
    /// Runs the statements in order, in one transaction, and returns the rows of each.
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>>;

    /// The same as a probe of the circuit breaker: an adapter that repeats failed batches does not repeat this one.
    fn probe<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        self.batch(statements)
    }

    /// Runs statements that only read, at the nearest replica of any age. Nothing is repeated, and the wait is short.
    fn read_near<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<NearRows, DbError>> {
        Box::pin(async move { Ok(NearRows { rows: self.batch(statements).await?, bookmark: self.bookmark() }) })
    }

    /// The state of the database after the latest batch of this request. `None` where reads are not replicated.
    fn bookmark(&self) -> Option<Bookmark> {
        None
    }

    /// The size of the database in bytes, as its latest answer to this isolate said.
    fn size_bytes(&self) -> Option<i64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::DbErrorKind;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[derive(Debug, Deserialize)]
    struct Row {
        #[serde(rename = "id")]
        _id: i64,
    }

    #[test]
    fn an_unreadable_row_is_reported_without_its_content() {
        let rows = Rows::new(RawValue::from_string(r#"[{"id":"ada@example.com"}]"#.to_owned()).unwrap());
        let error = rows.all::<Row>().unwrap_err();
        assert!(matches!(error.kind(), DbErrorKind::Unreadable(text) if !text.contains("ada")), "{error}");
    }
}

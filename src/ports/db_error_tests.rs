//! Each kind of error by its message, with either engine.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_violated_uniqueness_constraint_names_its_column_with_either_engine() {
    let unique = DbError::from(DbErrorKind::Unique("users.email".to_owned()));
    for text in [
        "UNIQUE constraint failed: users.email",
        "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT",
        "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
    ] {
        assert_eq!(DbError::from_message(text), unique, "{text}");
    }
    assert_eq!(unique.outcome(), Outcome::Answered);
}

#[test]
fn a_password_that_is_not_confirmed_is_no_failure_of_the_database() {
    for text in [
        "bad JSON path: 'password is not confirmed'",
        "D1_ERROR: bad JSON path: 'password is not confirmed': SQLITE_ERROR",
    ] {
        let error = DbError::from_message(text);
        assert_eq!((error.kind(), error.outcome()), (&DbErrorKind::Unconfirmed, Outcome::Answered), "{text}");
    }
}

#[test]
fn errors_of_a_statement_are_not_failures_of_the_database() {
    for text in [
        "D1_ERROR: no such table: users: SQLITE_ERROR",
        "D1_ERROR: no such column: emial at offset 7: SQLITE_ERROR",
        "D1_ERROR: table users has no column named emial: SQLITE_ERROR",
        "D1_ERROR: near \"SELEC\": syntax error at offset 0: SQLITE_ERROR",
        "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT",
        "D1_ERROR: CHECK constraint failed: is_active IN (0, 1): SQLITE_CONSTRAINT",
        "D1_ERROR: NOT NULL constraint failed: users.email: SQLITE_CONSTRAINT",
        "D1_ERROR: cannot store TEXT value in INTEGER column users.created_at: SQLITE_CONSTRAINT (datatype mismatch)",
        "D1_ERROR: datatype mismatch: SQLITE_MISMATCH",
        "D1_ERROR: Wrong number of parameter bindings for SQL query.",
        "D1_ERROR: too many SQL variables at offset 400: SQLITE_ERROR",
        "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
        "D1_ERROR: not authorized: SQLITE_AUTH",
        "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
        "D1_COLUMN_NOTFOUND: Column not found (id)",
    ] {
        let error = DbError::from_message(text);
        assert_eq!(error.kind(), &DbErrorKind::Refused(text.to_owned()));
        assert_eq!(error.outcome(), Outcome::Answered);
    }
}

#[test]
fn a_caller_who_is_not_admitted_is_no_failure_of_the_database() {
    let text = "D1_ERROR: bad JSON path: 'caller is not admitted': SQLITE_ERROR";
    let error = DbError::from_message(text);
    assert_eq!((error.kind(), error.outcome()), (&DbErrorKind::NotAdmitted, Outcome::Answered));
}

#[test]
fn a_full_database_is_no_failure_of_the_database() {
    for text in [
        "D1_ERROR: Exceeded maximum DB size",
        "D1_ERROR: Exceeded maximum account storage limit",
        "D1_ERROR: database or disk is full: SQLITE_FULL",
        "database or disk is full",
    ] {
        let error = DbError::from_message(text);
        assert_eq!(error.kind(), &DbErrorKind::NoSpace(text.to_owned()));
        assert_eq!(error.outcome(), Outcome::Answered);
    }
}

/// The messages in Cloudflare's list of D1 errors (D1 documentation, "Debug D1", error list).
#[test]
fn every_other_error_is_a_failure_of_the_database() {
    let expect = |kind: fn(String) -> DbErrorKind, texts: &[&str]| {
        for text in texts {
            let error = DbError::from_message(text);
            assert_eq!(error.kind(), &kind((*text).to_owned()));
            assert_eq!(error.outcome(), Outcome::Failed);
            assert!(error.is_unresolved());
        }
    };
    let overloaded = [
        "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
        "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
    ];
    let transient = [
        "D1_ERROR: D1 DB reset because its code was updated.",
        "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
        "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
        "D1_ERROR: Network connection lost.",
        "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
        "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
    ];
    let others = [
        "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
        "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
        "D1_ERROR: database is locked: SQLITE_BUSY",
        "D1_ERROR: disk I/O error: SQLITE_IOERR",
        "D1_ERROR: Failed to parse body as JSON, got: error code: 1101",
        "unknown error",
        "",
    ];
    expect(DbErrorKind::Overloaded, &overloaded);
    expect(DbErrorKind::Transient, &transient);
    expect(DbErrorKind::Unavailable, &others);
    assert_eq!(DbError::from(DbErrorKind::TimedOut(5000)).outcome(), Outcome::Failed);
    assert_eq!(DbError::from(DbErrorKind::Corrupt("no JSON".to_owned())).outcome(), Outcome::Failed);
}

#[test]
fn a_call_of_a_client_that_disconnected_proves_nothing() {
    let text = "D1_ERROR: Can't read from request stream because client disconnected.";
    let error = DbError::from_message(text);
    assert_eq!(error.kind(), &DbErrorKind::Abandoned(text.to_owned()));
    assert_eq!(error.outcome(), Outcome::Abandoned);
    assert!(error.is_unresolved());
}

#[test]
fn errors_without_a_call_or_in_our_code_are_not_failures() {
    for error in [
        DbErrorKind::NotAsked(Refused { retry_after_ms: 1 }).into(),
        DbError::unreadable("Data error in rows at column 7"),
    ] {
        assert_eq!(error.outcome(), Outcome::Answered);
        assert!(!error.is_unresolved());
    }
}

//! Every statement of the store: listed, planned with an index, and paged without sorting.

use edge_auth::store::account::{admin, erasure, export, users};
use edge_auth::store::authz::{granting, grants, resources};
#[cfg(feature = "campus")]
use edge_auth::store::campus::{course_lists, courses, enrollments, resources as campus_resources};
use edge_auth::store::password::credentials;
use edge_auth::store::platform::clean_up;
use edge_auth::store::session::rotation;
use edge_auth::store::tenant::{departments, universities};
use edge_auth::store::{audit, session};

use crate::support::sqlite::Sqlite;

/// The statements of each file of the store.
const LISTS: &[(&str, &[&str])] = &[
    ("account/admin", admin::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("clean_up", clean_up::STATEMENTS),
    #[cfg(feature = "campus")]
    ("course_lists", course_lists::STATEMENTS),
    #[cfg(feature = "campus")]
    ("courses", courses::STATEMENTS),
    ("credentials", credentials::STATEMENTS),
    ("departments", departments::STATEMENTS),
    #[cfg(feature = "campus")]
    ("enrollments", enrollments::STATEMENTS),
    ("erasure", erasure::STATEMENTS),
    ("granting", granting::STATEMENTS),
    ("export", export::STATEMENTS),
    ("resources", resources::STATEMENTS),
    #[cfg(feature = "campus")]
    ("campus/resources", campus_resources::STATEMENTS),
    ("grants", grants::STATEMENTS),
    ("rotation", rotation::STATEMENTS),
    ("session", session::STATEMENTS),
    ("universities", universities::STATEMENTS),
    ("users", users::STATEMENTS),
];

/// Scans that end: of a row made up, of the rows of an inner query, of a page that is being merged, of a list that the statement is given, of the
/// beginning of a table in the order of its key, and of an index that holds only what is looked for.
fn is_bounded(detail: &str, sql: &str) -> bool {
    let is_inner = detail == "SCAN CONSTANT ROW" || detail.starts_with("SCAN (subquery") || detail == "SCAN first";
    let is_merged = matches!(detail, "SCAN merged" | "SCAN m");
    let is_given = detail == "SCAN d VIRTUAL TABLE INDEX 1:" || detail.starts_with("SCAN json_each ");
    let is_beginning = detail == "SCAN audit_events" && sql.contains("ORDER BY id LIMIT ?1");
    let is_partial = detail == "SCAN users USING INDEX users_being_erased";
    is_inner || is_merged || is_given || is_beginning || is_partial
}

/// Statements that the files of a folder of the store declare, but for those of the tables' health: it asks for a constant.
fn declared(folder: &std::path::Path) -> usize {
    let count = |path: std::path::PathBuf| {
        if cfg!(not(feature = "campus")) && path.ends_with("store/campus") {
            return 0;
        }
        let text = std::fs::read_to_string(&path);
        text.map_or_else(|_| declared(&path), |text| text.matches(": &str =").count())
    };
    std::fs::read_dir(folder).unwrap().map(|entry| count(entry.unwrap().path())).sum()
}

#[test]
fn every_statement_of_the_store_is_listed() {
    let store = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let listed: usize = LISTS.iter().map(|(_, statements)| statements.len()).sum();
    assert_eq!(declared(&store), listed, "a statement of the store is not listed");
}

#[test]
fn no_statement_reads_a_whole_table() {
    let db = Sqlite::migrated();
    for sql in LISTS.iter().flat_map(|(_, statements)| *statements) {
        for detail in db.plan(sql) {
            assert!(!detail.starts_with("SCAN") || is_bounded(&detail, sql), "{detail}: {sql}");
        }
    }
}

/// A page is read from an index in its order: sorting would read everything behind the cursor.
#[test]
fn a_page_of_a_list_is_not_sorted() {
    let db = Sqlite::migrated();
    let pages = LISTS.iter().flat_map(|(_, statements)| *statements);
    let is_page = |sql: &&&str| ["id > ?", "id < ?", "id > :", "id < :"].iter().any(|words| sql.contains(words));
    // Of a user's own courses at most three pages are merged.
    for sql in pages.filter(is_page).filter(|sql| !sql.contains("UNION")) {
        assert!(!db.plan(sql).iter().any(|detail| detail.contains("TEMP B-TREE")), "{sql}");
    }
}

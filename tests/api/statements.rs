//! Every statement of the store: listed, planned with an index, and paged without sorting.

use edge_auth::store::account::{admin, erasure, export, import, list, pending, registration, users};
use edge_auth::store::authz::{granting, grants, guard, removal, resources};
use edge_auth::store::campus::owned;
#[cfg(feature = "campus")]
use edge_auth::store::campus::{
    course_deletion, course_lists, courses, deletion_marks, enrollments, resources as campus_resources,
};
use edge_auth::store::machine::{networks, presented, revocation, service_accounts, service_keys, user_keys};
use edge_auth::store::mail::{address, counts, hand_over, notices, outbox, proofs, reset, sign_in, undo, verification};
use edge_auth::store::password::{confirmation, credentials, refusal, throttle};
use edge_auth::store::platform::clean_up;
use edge_auth::store::session::{opening, rotation};
use edge_auth::store::tenant::{departments, invitations, inviting, universities};
use edge_auth::store::{audit, factor, federation, keys, near, session};

use crate::support::sqlite::Sqlite;

/// The statements of each file of the store.
pub const LISTS: &[(&str, &[&str])] = &[
    ("account/admin", admin::STATEMENTS),
    ("account/list", list::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("audit/refusals", audit::refusals::STATEMENTS),
    ("audit/archive", audit::archive::STATEMENTS),
    ("audit/archive_key", audit::archive_key::STATEMENTS),
    #[cfg(feature = "campus")]
    ("deletion_marks", deletion_marks::STATEMENTS),
    ("clean_up", clean_up::STATEMENTS),
    ("guard", guard::STATEMENTS),
    ("near", near::STATEMENTS),
    #[cfg(feature = "campus")]
    ("course_deletion", course_deletion::STATEMENTS),
    #[cfg(feature = "campus")]
    ("course_lists", course_lists::STATEMENTS),
    #[cfg(feature = "campus")]
    ("courses", courses::STATEMENTS),
    ("confirmation", confirmation::STATEMENTS),
    ("credentials", credentials::STATEMENTS),
    ("departments", departments::STATEMENTS),
    #[cfg(feature = "campus")]
    ("enrollments", enrollments::STATEMENTS),
    ("erasure", erasure::STATEMENTS),
    ("export", export::STATEMENTS),
    ("granting", granting::STATEMENTS),
    ("removal", removal::STATEMENTS),
    ("registrations", pending::STATEMENTS),
    ("resources", resources::STATEMENTS),
    ("campus/owned", owned::STATEMENTS),
    #[cfg(feature = "campus")]
    ("campus/resources", campus_resources::STATEMENTS),
    ("factor/challenges", factor::challenges::STATEMENTS),
    ("factor/changes", factor::changes::STATEMENTS),
    ("factor/due", factor::due::STATEMENTS),
    ("factor/passkeys", factor::passkeys::STATEMENTS),
    ("factor/recovery_codes", factor::recovery_codes::STATEMENTS),
    ("factor/removal", factor::removal::STATEMENTS),
    ("factor/review", factor::review::STATEMENTS),
    ("factor/sign_in", factor::sign_in::STATEMENTS),
    ("factor/state", factor::state::STATEMENTS),
    ("factor/step_up", factor::step_up::STATEMENTS),
    ("factor/totp", factor::totp::STATEMENTS),
    ("factor/usage", factor::usage::STATEMENTS),
    ("factor/user_handle", factor::user_handle::STATEMENTS),
    ("federation/facts", federation::facts::STATEMENTS),
    ("federation/flows", federation::flows::STATEMENTS),
    ("federation/identities", federation::identities::STATEMENTS),
    ("federation/joining", federation::joining::STATEMENTS),
    ("federation/linking", federation::linking::STATEMENTS),
    ("federation/mailed", federation::mailed::STATEMENTS),
    ("federation/sign_in", federation::sign_in::STATEMENTS),
    ("federation/step_up", federation::step_up::STATEMENTS),
    ("grants", grants::STATEMENTS),
    ("keys", keys::STATEMENTS),
    ("machine/networks", networks::STATEMENTS),
    ("machine/presented", presented::STATEMENTS),
    ("machine/revocation", revocation::STATEMENTS),
    ("machine/service_accounts", service_accounts::STATEMENTS),
    ("machine/service_keys", service_keys::STATEMENTS),
    ("machine/user_keys", user_keys::STATEMENTS),
    ("mail/address", address::STATEMENTS),
    ("mail/counts", counts::STATEMENTS),
    ("mail/hand_over", hand_over::STATEMENTS),
    ("mail/notices", notices::STATEMENTS),
    ("mail/outbox", outbox::STATEMENTS),
    ("mail/proofs", proofs::STATEMENTS),
    ("mail/reset", reset::STATEMENTS),
    ("mail/undo", undo::STATEMENTS),
    ("mail/sign_in", sign_in::STATEMENTS),
    ("mail/verification", verification::STATEMENTS),
    ("rotation", rotation::STATEMENTS),
    ("session", session::STATEMENTS),
    ("audit/list", audit::list::STATEMENTS),
    ("refusal", refusal::STATEMENTS),
    ("throttle", throttle::STATEMENTS),
    ("opening", opening::STATEMENTS),
    ("tenant/invitations", invitations::STATEMENTS),
    ("tenant/inviting", inviting::STATEMENTS),
    ("universities", universities::STATEMENTS),
    ("account/import", import::STATEMENTS),
    ("account/import/replacing", import::replacing::STATEMENTS),
    ("account/import/renaming", import::renaming::STATEMENTS),
    ("account/import/facts", import::facts::STATEMENTS),
    ("account/import/writing", import::writing::STATEMENTS),
    ("account/registration", registration::STATEMENTS),
    ("users", users::STATEMENTS),
];

/// Bounded scans: a constant row, the rows of a subquery, the places of the caller, a page being merged, a list passed as a parameter, the start of
/// a table in key order, and a partial index that holds only the wanted rows.
fn is_bounded(detail: &str, sql: &str) -> bool {
    let is_inner = detail == "SCAN CONSTANT ROW"
        || detail.starts_with("SCAN (subquery")
        || matches!(detail, "SCAN first" | "SCAN subject" | "SCAN k" | "SCAN h");
    let is_merged = matches!(detail, "SCAN places" | "SCAN merged" | "SCAN m" | "SCAN e" | "SCAN r");
    let is_given = detail.ends_with(" VIRTUAL TABLE INDEX 1:") || detail.starts_with("SCAN json_each ");
    let is_beginning =
        detail == "SCAN audit_events" && sql.contains("FROM audit_events ORDER BY id") && sql.contains("LIMIT :step");
    // Two keys in use, and those that were retired within hours.
    let is_ring = detail == "SCAN signing_keys";
    let is_newest = detail == "SCAN audit_objects" && sql.contains("ORDER BY object DESC LIMIT");
    let is_partial = detail == "SCAN users USING INDEX users_being_erased";
    is_inner || is_merged || is_given || is_beginning || is_newest || is_partial || is_ring
}

/// The number of statements declared in a folder of the store. Without courses, those for courses only do not count. The
/// health check's statement selects a constant and does not count.
fn declared(folder: &std::path::Path) -> usize {
    let is_statement = |(line, before): &(&str, &str)| {
        let is_left_out = cfg!(not(feature = "campus")) && *before == "#[cfg(feature = \"campus\")]";
        line.contains(": &str =") && !is_left_out
    };
    let count = |path: std::path::PathBuf| {
        let is_of_campus = path.parent().is_some_and(|folder| folder.ends_with("store/campus"));
        if cfg!(not(feature = "campus")) && is_of_campus && !path.ends_with("owned.rs") {
            return 0;
        }
        let text = std::fs::read_to_string(&path);
        text.map_or_else(
            |_| declared(&path),
            |text| text.lines().zip(std::iter::once("").chain(text.lines())).filter(is_statement).count(),
        )
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
fn every_statement_has_named_parameters_only() {
    for sql in LISTS.iter().flat_map(|(_, statements)| *statements) {
        assert!(!sql.contains('?'), "{sql}");
    }
}

/// The accounts of an importer are many. A plan that begins with them looks through the list for each.
#[test]
fn a_list_of_lines_is_the_outer_loop() {
    let db = Sqlite::migrated();
    let lists = |sql: &&&str| sql.contains("AS d CROSS JOIN users AS u") || sql.starts_with("UPDATE users AS u");
    let statements: Vec<_> = LISTS.iter().flat_map(|(_, statements)| *statements).filter(lists).collect();
    assert!(statements.len() > 8, "{}", statements.len());
    for sql in statements {
        let plan = db.plan(sql);
        let place = |start: &str| {
            plan.iter().position(|detail| detail.starts_with(start)).unwrap_or_else(|| panic!("{plan:?}"))
        };
        assert!(place("SCAN d VIRTUAL TABLE") < place("SEARCH u USING"), "{plan:?}: {sql}");
    }
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

/// A page is read in index order: sorting would read every row behind the cursor.
#[test]
fn a_page_of_a_list_is_not_sorted() {
    let db = Sqlite::migrated();
    let pages = LISTS.iter().flat_map(|(_, statements)| *statements);
    let is_page = |sql: &&&str| sql.contains("id > :") || sql.contains("id < :");
    // The list of a user's own courses merges at most three pages.
    for sql in pages.filter(is_page).filter(|sql| !sql.contains("UNION")) {
        assert!(!db.plan(sql).iter().any(|detail| detail.contains("TEMP B-TREE")), "{sql}");
    }
}

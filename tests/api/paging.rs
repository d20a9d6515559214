//! Paged lists: each item is shown once despite concurrent changes, and no page exceeds its limit.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::contract::{DESCRIPTION, is_built};
use crate::support::world::{Visitor, World};

/// Every list: the caller, the path, and the table of its items.
const ALL_LISTS: [(&str, &str, &str); 19] = [
    ("root", "/universities", "universities"),
    ("root", "/universities/1/departments", "departments"),
    ("root", "/universities/1/roles", "user_university_roles"),
    ("dora", "/universities/1/roles", "user_university_roles"),
    ("root", "/universities/1/invitations", "invitations"),
    ("root", "/universities/1/courses", "courses"),
    ("anonymous", "/courses", "courses"),
    ("tim", "/courses", "courses"),
    ("root", "/courses", "courses"),
    ("root", "/courses/1/enrollments", "enrollments"),
    ("root", "/admin/users", "users"),
    ("root", "/admin/users?is_active=true", "users"),
    ("root", "/admin/audit-events", "audit_events"),
    ("root", "/admin/audit-events?type=role_granted", "audit_events"),
    ("root", "/admin/audit-events?user_id=3", "audit_events"),
    ("root", "/users/me/api-keys", "api_keys"),
    ("root", "/users/me/passkeys", "passkeys"),
    ("root", "/admin/service-accounts", "service_accounts"),
    ("root", "/admin/service-accounts/1/keys", "api_keys AS service_keys"),
];

/// Those of this build.
fn known_lists() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ALL_LISTS.into_iter().filter(|(_, path, _)| is_built(path))
}

fn world() -> World {
    World::of(&[("root", "PLATFORM_ADMIN"), ("dora", "DEPARTMENT_ADMIN@1/1"), ("tim", "TA@1")])
}

async fn visitor<'a>(world: &'a World, caller: &str) -> Visitor<'a> {
    if caller == "anonymous" { world.anonymous() } else { world.sign_in(caller).await }
}

/// Inserts one more row for a list and returns its id.
fn add(world: &World, table: &str, number: i64) -> i64 {
    let user = format!(
        "INSERT INTO users (id, email, password_hash, created_at)
         VALUES ({number}, 'n{number}@example.com', 'x', 1);"
    );
    let sql = match table {
        "universities" => format!("INSERT INTO universities (name, slug, created_at) VALUES ('N', 'n{number}', 1)"),
        "departments" => {
            format!("INSERT INTO departments (university_id, name, created_at) VALUES (1, 'N{number}', 1)")
        }
        "courses" => format!(
            "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (1, 'N', 'N{number}', 1, 1)"
        ),
        "user_university_roles" => format!(
            "{user} INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
             VALUES ({number}, 1, 'TA', 1, 1)"
        ),
        "enrollments" => {
            format!("{user} INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, {number}, 1)")
        }
        "invitations" => format!(
            "INSERT INTO invitations (id, university_id, email, role, invited_by, created_at, expires_at, sent_at, nonce)
             VALUES ({number}, 1, 'n{number}@example.com', 'TA', 1, 1, 9e15, 1, 1)"
        ),
        "users" => user,
        "api_keys" => format!(
            "INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
             VALUES ({number}, 1, 'N', '[]', printf('%064d', 0), 1)"
        ),
        "api_keys AS service_keys" => format!(
            "INSERT INTO api_keys (id, service_account_id, secret_hash, created_at)
             VALUES ({number}, 1, printf('%064d', 0), 1)"
        ),
        "passkeys" => format!(
            "INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
                 is_backup_eligible, is_backed_up, created_at, suspended_at)
             VALUES ({number}, 1, 'n{number}', 'N', 'EdDSA', '{{}}', 0, '[]', 0, 0, 1, 1)"
        ),
        "service_accounts" => format!(
            "INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
             VALUES ({number}, 'sa_' || printf('%032d', {number}), 'N', '[]', 1, 1)"
        ),
        _ => {
            "INSERT INTO audit_events (created_at, type, user_id, request_id) VALUES (1, 'role_granted', 3, 'r')".into()
        }
    };
    world.service.db.execute(&sql);
    world.service.db.one(&format!("SELECT max(id) FROM {table}"))
}

fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

fn with(path: &str, parameters: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("GET {path}{separator}{parameters}")
}

#[tokio::test]
async fn items_that_stay_are_shown_once_while_others_are_added_and_removed() {
    for (caller, path, table) in known_lists() {
        let world = world();
        let visitor = visitor(&world, caller).await;
        let added: Vec<i64> = (101..=115).map(|number| add(&world, table, number)).collect();
        let mut staying: BTreeSet<i64> = added.iter().copied().collect();
        let newest_first = table == "audit_events";
        let (mut shown, mut cursor, mut number) = (Vec::new(), String::new(), 200);
        loop {
            let page = visitor.ask(&with(path, &format!("limit=2{cursor}"))).await.expect(200).body;
            assert!(ids(&page).len() <= 2, "{path}");
            shown.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            // Between two pages, one shown and one unseen item are deleted, and a new one is added.
            let mut left: Vec<i64> = staying.iter().copied().collect();
            if newest_first {
                left.reverse();
            }
            let is_shown = |id: &&i64| shown.contains(*id);
            let (first, last) = (left.iter().find(is_shown), left.iter().rev().find(|id| !is_shown(id)));
            for id in [first, last].into_iter().flatten().filter(|_| left.len() > 5) {
                world.service.db.execute(&format!("DELETE FROM {table} WHERE id = {id}"));
                staying.remove(id);
            }
            number += 1;
            add(&world, table, number);
        }
        let distinct: BTreeSet<i64> = shown.iter().copied().collect();
        assert_eq!(distinct.len(), shown.len(), "{path}: shown twice in {shown:?}");
        assert!(!staying.is_empty() && staying.is_subset(&distinct), "{path}: {staying:?} in {shown:?}");
        assert!(shown.is_sorted_by(|a, b| (a < b) != newest_first), "{path}: {shown:?}");
    }
}

#[tokio::test]
async fn a_page_has_fifty_items_by_default_and_a_hundred_at_most() {
    for (caller, path, table) in known_lists() {
        let world = world();
        let visitor = visitor(&world, caller).await;
        for number in 101..=220 {
            add(&world, table, number);
        }
        let all = visitor.all(&with(path, "limit=100")["GET ".len()..]).await;
        assert!(all.len() >= 120, "{path}: {}", all.len());
        for (parameters, expected) in [("", 50), ("limit=1", 1), ("limit=100", 100)] {
            let page = visitor.ask(&with(path, parameters)).await.expect(200).body;
            assert_eq!(page["items"].as_array().unwrap(), &all[..expected], "{path} {parameters}");
            let last = ids(&page).last().unwrap().to_string();
            assert_eq!(page["next_cursor"], json!(last), "{path} {parameters}");
        }
        let rest = all.len() - 60;
        let cursor = all[59]["id"].to_string();
        // A limit one below the rest leaves another page; a limit equal to the rest does not.
        for (limit, is_last) in [(rest - 1, false), (rest, true), (100, true)] {
            let page = visitor.ask(&with(path, &format!("limit={limit}&cursor={cursor}"))).await.expect(200).body;
            assert_eq!(page["next_cursor"].is_null(), is_last, "{path} {limit} of {rest}");
        }
    }
}

#[tokio::test]
async fn a_page_beyond_the_end_is_empty() {
    let world = world();
    for (caller, path, table) in known_lists() {
        let end = if table == "audit_events" { "1" } else { "999999999999999" };
        let page = visitor(&world, caller).await.ask(&with(path, &format!("cursor={end}"))).await.expect(200).body;
        let mut empty = json!({"items": [], "next_cursor": null});
        if table == "audit_events" {
            empty["archive"] = Value::Null;
        }
        assert_eq!(page, empty, "{path}");
    }
}

/// Every operation that the description gives a `limit`.
fn lists() -> Vec<String> {
    let is_list = |item: &Value| item["get"].to_string().contains("#/components/parameters/Limit");
    let paths = DESCRIPTION["paths"].as_object().unwrap().iter().filter(|(_, item)| is_list(item));
    paths.map(|(path, _)| path.replace("{id}", "1")).collect()
}

#[tokio::test]
async fn every_invalid_limit_and_cursor_is_reported() {
    let world = world();
    let root = world.sign_in("root").await;
    let described: BTreeSet<String> = lists().into_iter().collect();
    let known: BTreeSet<String> =
        known_lists().map(|(_, path, _)| path.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(described, known);
    for path in described {
        let refused = async |parameters: &str, expected: &[&str]| {
            let reply = root.ask(&format!("GET {path}?{parameters}")).await.expect_error(422, "VALIDATION_ERROR");
            let faults = reply.body["error"]["details"]["errors"].as_array().unwrap();
            let found: Vec<_> = faults.iter().map(|fault| (fault["loc"].clone(), fault["type"].clone())).collect();
            let expected: Vec<_> = expected.iter().map(|name| (json!(["query", name]), json!("value_error"))).collect();
            assert_eq!(found, expected, "{path}?{parameters}");
            assert_eq!(world.service.last_d1_calls(), 1, "only the caller is read");
        };
        for limit in
            ["", "0", "-1", "101", "1.5", "1e1", "x", "+5", "%2B5", "%205", "5%20", "%ff", "%", "99999999999999999999"]
        {
            refused(&format!("limit={limit}"), &["limit"]).await;
        }
        for cursor in ["", "0", "-1", "01", "x", "1%20", "1.5", "%00", "1000000000000000", "99999999999999999999"] {
            refused(&format!("cursor={cursor}"), &["cursor"]).await;
        }
        refused("cursor=x&limit=x", &["limit", "cursor"]).await;
        // A name without a value and a percent-encoded name count too.
        for limit in ["limit", "%6Cimit=0", "limit=5&limit=5", "limit=5&%6Cimit=6"] {
            refused(limit, &["limit"]).await;
        }
        refused("other=1&limit&limit=5", &["limit", "other"]).await;
        refused("Limit=5&limits=5&&=", &["", "Limit", "limits"]).await;
        root.ask(&format!("GET {path}?&limit=5&")).await.expect(200);
    }
}

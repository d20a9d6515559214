//! Lists that examine a bounded number of rows per page, or merge lists of their own: page by page they hold the rows that one
//! statement without pages finds.

use serde_json::Value;

use crate::support::world::{Visitor, World};

fn ids(items: &[Value]) -> Vec<i64> {
    items.iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

/// The ids that one statement finds.
fn found(world: &World, sql: &str) -> Vec<i64> {
    world.service.db.rows(sql).iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// The ids of each page; `between` runs after each of them.
async fn pages(visitor: &Visitor<'_>, path: &str, mut between: impl FnMut()) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = visitor.ask(&format!("GET {path}{cursor}")).await.expect(200).body;
        pages.push(ids(page["items"].as_array().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
        between();
    }
}

/// Users 1001 to 1000 + `count`: disabled or being erased, but for one in the middle and those after the block.
fn add_block(world: &World, count: i64, state: &str) {
    world.service.db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count} + 5)
         INSERT INTO users (id, email, password_hash, created_at)
         SELECT 1000 + i, 'n' || i || '@example.com', 'x', 1 FROM n;
         UPDATE users SET {state} WHERE id BETWEEN 1001 AND 1000 + {count} AND id <> 1000 + {count} / 2"
    ));
}

const DISABLED: &str = "is_active = 0";
const ERASED: &str = "is_active = 0, erasure_cursor = 0, email = 'erased:' || id";

#[tokio::test]
async fn users_behind_a_block_of_others_are_listed_once_in_pages_that_may_be_short() {
    for (state, query, condition) in [
        (DISABLED, "is_active=true", "is_active = 1"),
        (DISABLED, "is_active=false", "is_active = 0"),
        (ERASED, "is_active=true", "is_active = 1"),
        (ERASED, "is_active=false", "FALSE"),
        (ERASED, "limit=50", "is_active = 1"),
    ] {
        for count in [996, 1000, 1004, 3500] {
            let world = World::of(&[("root", "PLATFORM_ADMIN")]);
            add_block(&world, count, state);
            let root = world.sign_in("root").await;
            let pages = pages(&root, &format!("/admin/users?{query}"), || ()).await;
            let expected = found(&world, &format!("SELECT id FROM users WHERE {condition} ORDER BY id"));
            assert_eq!(pages.concat(), expected, "{state} {query} {count}");
            let most = expected.len() / 50 + usize::try_from(count).unwrap() / 1000 + 2;
            assert!(pages.len() <= most, "{state} {query} {count}: {} pages", pages.len());
        }
    }
}

#[tokio::test]
async fn active_users_are_listed_once_while_a_block_of_disabled_ones_changes() {
    let world = World::of(&[("root", "PLATFORM_ADMIN")]);
    add_block(&world, 3500, DISABLED);
    let root = world.sign_in("root").await;
    let mut number = 0;
    let pages = pages(&root, "/admin/users?is_active=true&limit=2", || {
        number += 1;
        // One of the block leaves, another one is enabled, and a new user registers.
        world.service.db.execute(&format!(
            "DELETE FROM users WHERE id = {0}; UPDATE users SET is_active = 1 WHERE id = {0} + 100;
             INSERT INTO users (email, password_hash, created_at) VALUES ('later{number}@example.com', 'x', 1);",
            2000 + number
        ));
    })
    .await;
    let shown = pages.concat();
    assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
    let staying = [1, 2750, 4501, 4502, 4503, 4504, 4505];
    assert!(staying.iter().all(|id| shown.contains(id)), "{shown:?}");
}

#[tokio::test]
async fn events_of_one_type_of_one_user_are_listed_once_behind_many_others() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("bob", "")]);
    let root = world.sign_in("root").await;
    world.service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO audit_events (created_at, type, user_id, request_id)
         SELECT i, CASE WHEN i IN (3, 4, 1700, 4999) THEN 'profile_changed' ELSE 'signed_in' END, 2, 'r' FROM n",
    );
    for (query, condition) in [
        ("user_id=2&type=profile_changed", "user_id = 2 AND type = 'profile_changed'"),
        ("user_id=2&type=deleted", "FALSE"),
        ("type=session_ended", "FALSE"),
        ("user_id=2&type=signed_in", "user_id = 2 AND type = 'signed_in'"),
    ] {
        let pages = pages(&root, &format!("/admin/audit-events?{query}&limit=100"), || ()).await;
        let sql = format!("SELECT id FROM audit_events WHERE {condition} ORDER BY id DESC");
        assert_eq!(pages.concat(), found(&world, &sql), "{query}");
    }
}

/// Universities 3 to 22, courses of all of them in no order, a part of them public; roles of one user in this many of the
/// universities, several in some.
#[cfg(feature = "campus")]
fn add_courses(world: &World, universities: i64) {
    world.service.db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 22)
         INSERT INTO universities (id, name, slug, created_at) SELECT i, 'U', 'u' || i, 1 FROM n;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
         INSERT INTO courses (university_id, title, code, is_public, created_at)
         SELECT 1 + (i * i * 7 + i / 3) % 20, 'T', 'C' || i, i % 11 = 0, 1 FROM n;
         WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {universities})
         INSERT INTO user_university_roles (user_id, university_id, role, created_at)
         SELECT 1, 2 + i, r.role, 1 FROM n, (SELECT 'STUDENT' AS role UNION SELECT 'TA') AS r
         WHERE i > 0 AND (r.role = 'TA' OR i % 3 = 0)"
    ));
}

#[cfg(feature = "campus")]
#[tokio::test]
async fn the_courses_of_many_universities_are_merged_in_order() {
    for universities in [0, 1, 2, 7, 20] {
        let world = World::of(&[("tim", "")]);
        add_courses(&world, universities);
        let tim = world.sign_in("tim").await;
        let expected = found(
            &world,
            "SELECT id FROM courses WHERE is_public = 1
                OR university_id IN (SELECT university_id FROM user_university_roles WHERE user_id = 1) ORDER BY id",
        );
        for limit in [1, 7, 100] {
            let pages = pages(&tim, &format!("/courses?limit={limit}"), || ()).await;
            assert_eq!(pages.concat(), expected, "{universities} universities, {limit} on a page");
            let short = pages.iter().filter(|page| page.len() < limit).count();
            assert!(short <= 1, "only the last page is short");
        }
    }
}

#[tokio::test]
async fn the_roles_of_many_departments_are_merged_in_order() {
    for departments in [1, 2, 19] {
        let world = World::of(&[("dora", ""), ("stu", "STUDENT@1")]);
        world.service.db.execute(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
             INSERT INTO departments (id, university_id, name, created_at) SELECT i, 1, 'D' || i, 1 FROM n;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {departments})
             INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
             SELECT 1, 1, r.role, 4 + i, 1 FROM n, (SELECT 'DEPARTMENT_ADMIN' AS role UNION SELECT 'TA') AS r
             WHERE r.role <> 'TA' OR i = 1;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO users (id, email, password_hash, created_at) SELECT 100 + i, 'n' || i || '@example.com', 'x', 1 FROM n;
             INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
             SELECT id, 1, 'STUDENT', CASE WHEN id % 5 THEN 5 + (id * id * 7 + id / 3) % 26 END, 1 FROM users WHERE id > 100"
        ));
        let dora = world.sign_in("dora").await;
        let expected = found(
            &world,
            "SELECT id FROM user_university_roles WHERE university_id = 1 AND department_id IN (
                 SELECT department_id FROM user_university_roles WHERE user_id = 1 AND role = 'DEPARTMENT_ADMIN'
             ) ORDER BY id",
        );
        for limit in [1, 7, 100] {
            let pages = pages(&dora, &format!("/universities/1/roles?limit={limit}"), || ()).await;
            assert_eq!(pages.concat(), expected, "{departments} departments, {limit} on a page");
        }
    }
}

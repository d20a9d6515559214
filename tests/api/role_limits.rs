//! Limits on a user's roles: per university, so that one university cannot use up the total, and in total, since every
//! request reads them.

use crate::support::world::{Person, World};

/// Administrators, and a user without roles.
const PEOPLE: [Person; 3] = [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("bob", "")];

/// A request that grants bob a role in university 1.
fn grant(role: &str) -> String {
    format!(r#"POST /universities/1/roles {{"email": "bob@example.com", "role": "{role}"}}"#)
}

/// Gives bob this many roles in each of these universities.
fn give_bob_roles(world: &World, universities: &[i64], number: i64) {
    for university in universities {
        world.service.db.execute(&format!(
            "INSERT OR IGNORE INTO universities (id, name, slug, created_at) VALUES ({university}, 'U', 'u{university}', 1);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
             INSERT INTO departments (university_id, name, created_at) SELECT {university}, 'D' || i, 1 FROM n;
             INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
             SELECT {}, {university}, 'TA', id, 1 FROM departments
             WHERE university_id = {university} AND name GLOB 'D[0-9]*';",
            world.id("bob")
        ));
    }
}

#[tokio::test]
async fn a_user_has_at_most_twenty_roles_per_university() {
    let world = World::of(&PEOPLE);
    world.verify("bob");
    let ulla = world.sign_in("ulla").await;
    give_bob_roles(&world, &[1], 19);
    let last = ulla.ask(&grant("STUDENT")).await.expect(201).body;
    let reply = ulla.ask(&grant("TA")).await.expect_error(409, "CONFLICT");
    assert_eq!(reply.body["error"]["message"], "User has too many roles");
    let reply = ulla.ask(&grant("STUDENT")).await.expect_error(409, "CONFLICT");
    assert_eq!(reply.body["error"]["message"], "User has this role already");
    let elsewhere = grant("TA").replace("/1/", "/2/");
    world.sign_in("root").await.ask(&elsewhere).await.expect(201);
    let roles = world.sign_in("bob").await.ask("GET /users/me").await.expect(200).body["roles"].take();
    assert_eq!(roles.as_array().unwrap().len(), 21);
    ulla.ask(&format!("DELETE /universities/1/roles/{}", last["id"])).await.expect(204);
    ulla.ask(&grant("TA")).await.expect(201);
}

#[tokio::test]
async fn a_user_has_at_most_two_hundred_roles() {
    let world = World::of(&PEOPLE);
    world.verify("bob");
    give_bob_roles(&world, &[11, 12, 13, 14, 15, 16, 17, 18, 19], 20);
    give_bob_roles(&world, &[20], 19);
    let root = world.sign_in("root").await;
    root.ask(&grant("TA")).await.expect(201);
    // Each reply is checked against the description, which bounds the lists.
    let bob = world.sign_in("bob").await;
    let admin = format!("GET /admin/users/{}", world.id("bob"));
    let replies = [bob.ask("GET /users/me").await, bob.ask("GET /users/me/export").await, root.ask(&admin).await];
    for reply in replies {
        let body = reply.expect(200).body;
        let roles = body["user"]["roles"].as_array().or(body["roles"].as_array());
        assert_eq!(roles.map(Vec::len), Some(200));
    }
    let platform = grant("PLATFORM_ADMIN");
    for one_more in [grant("STUDENT"), platform] {
        let reply = root.ask(&one_more).await.expect_error(409, "CONFLICT");
        assert_eq!(reply.body["error"]["message"], "User has too many roles");
    }
}

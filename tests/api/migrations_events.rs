//! Migrations of the audit events, with erasures under way, and the tables of their archive.

use edge_auth::domain::ids::UserId;
use edge_auth::ports::Db;
use edge_auth::store::Store;
use edge_auth::store::account::erasure;

use crate::migrations::refuses;
use crate::support::Service;
use crate::support::sqlite::{Sqlite, migrations};

const USER: &str = "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);";

/// An erasure that the previous version began is finished by this one: it starts again with the acts.
#[tokio::test]
async fn the_ninth_migration_leaves_no_act_of_an_unfinished_erasure_behind() {
    let all = migrations();
    let (before, from_own) = all.split_at(all.iter().position(|(name, _)| name.starts_with("0009_")).unwrap());
    let db = std::sync::Arc::new(Sqlite::empty());
    for (_, sql) in before {
        db.execute(sql);
    }
    db.execute(USER);
    db.execute(
        "INSERT INTO audit_events (id, created_at, type, user_id, actor_id, ip, request_id)
         VALUES (1, 1, 'disabled', 2, 1, '192.0.2.7', 'r'), (2, 1, 'disabled', 2, 1, NULL, ''), (3, 1, 'enabled', 2, 2, '192.0.2.8', 's');
         UPDATE audit_events SET ip = '192.0.2.7', request_id = 'r' WHERE id = 1;
         UPDATE audit_events SET ip = '192.0.2.8', request_id = 's' WHERE id = 3;
         UPDATE users SET erasure_cursor = 3, is_active = 0, email = 'erased:1'",
    );
    for (_, sql) in from_own {
        db.execute(sql);
    }
    assert_eq!(db.one::<String>("SELECT position || previous FROM clean_up_positions WHERE walk = 'erasures'"), "");
    let service = Service::on(db.clone(), db.clone(), &[]);
    let store = Store::new(db.clone() as std::sync::Arc<dyn Db>, service.gate());
    assert!(erasure::step(&store, UserId::new(1).unwrap()).await.unwrap());
    let personal = "SELECT group_concat(id) FROM audit_events WHERE ip IS NOT NULL OR request_id <> ''";
    assert_eq!(db.one::<String>(personal), "3");
}

#[test]
fn the_tables_of_the_audit_archive_refuse_invalid_rows() {
    let key = |id: i64| format!("INSERT INTO audit_keys VALUES ({id}, 'k', '{{}}', 'p', 'm', 'e', 1);");
    assert!(refuses(&key(1), &key(1)), "one key");
    assert!(refuses("", &key(2)), "one key");
    let object = |object: i64, hash: &str, first: i64, events: i64, total: i64, newest: &str| {
        format!("INSERT INTO audit_objects VALUES ({object}, '{hash}', {first}, {events}, {total}, {newest}, 1);")
    };
    let hash = "ab".repeat(32);
    let db = Sqlite::migrated();
    db.execute(&object(1, &hash, 1, 5, 5, "7"));
    db.execute(&object(2, &hash, 2, 0, 5, "NULL"));
    for (refused, reason) in [
        (object(1, &hash, 1, 5, 5, "7"), "a number twice"),
        (object(0, &hash, 1, 5, 5, "7"), "no number"),
        (object(3, "ab", 1, 5, 5, "7"), "no hash"),
        (object(3, &hash, 4, 5, 5, "7"), "an object that does not keep itself"),
        (object(3, &hash, 0, 5, 5, "7"), "a first object that there is not"),
        (object(3, &hash, 1, 5, 4, "7"), "fewer events in all objects than in this one"),
        (object(3, &hash, 1, 0, 5, "7"), "a time without events"),
        (object(3, &hash, 1, 1, 5, "NULL"), "events without a time"),
    ] {
        assert!(refuses(&object(1, &hash, 1, 5, 5, "7"), &refused), "{reason}");
    }
    assert!(refuses("", "INSERT INTO audit_salts VALUES (1, NULL)"));
}

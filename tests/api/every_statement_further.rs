//! Further services of `every_statement`: with replicas, and with an archive of audit events.

use std::sync::Arc;

use edge_auth::ports::Db;
use serde_json::json;

use crate::every_statement::{Recorder, SETTINGS};
use crate::support::archive::{Bucket, add_events};
use crate::support::contract::is_built;
use crate::support::replicated::ON;
use crate::support::world::{World, address};
use crate::support::{PASSWORD, Service};

/// Changes whose caller a replica admits.
pub async fn change_near(world: &World, recorder: &Arc<Recorder>) {
    let settings: Vec<_> = SETTINGS.iter().copied().chain([ON]).collect();
    let service = Service::on(Arc::clone(&world.service.db), Arc::clone(recorder) as Arc<dyn Db>, &settings);
    service.send_mails().await;
    let stu = service.login(&address("stu"), PASSWORD).await.expect(200).tokens();
    let name = json!({"full_name": "Stu"});
    service.call("PATCH", "/users/me", &stu.access, Some(&name)).await.expect(200);
    if is_built("enroll") {
        service.call("POST", "/courses/3/enrollments", &stu.access, None).await.expect(201);
        let id: i64 = world.service.db.one("SELECT max(id) FROM enrollments");
        service.call("DELETE", &format!("/enrollments/{id}"), &stu.access, None).await.expect(204);
    }
}

/// An object of the audit archive, whose retention is over.
pub async fn archive_events(world: &World, recorder: &Arc<Recorder>) {
    let days = [("AUDIT_ARCHIVE_RETENTION_DAYS", "121")];
    let settings: Vec<_> = SETTINGS.iter().copied().chain(days).collect();
    let mut service = Service::on(Arc::clone(&world.service.db), Arc::clone(recorder) as Arc<dyn Db>, &settings);
    service.archive = Some(Arc::new(Bucket::default()));
    add_events(&service.db, (1, 3), "1", 130, 1000);
    service.tend().await;
    assert_eq!(service.db.one::<i64>("SELECT min(object) FROM audit_objects"), 2);
}

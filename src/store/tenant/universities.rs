//! Universities.

use serde::Deserialize;

use crate::domain::ids::{UniversityId, UserId};
use crate::domain::tenant::label::{Label, Slug};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement};
use crate::store::audit::RequestInfo;
use crate::store::page::{Page, PageRequest};
use crate::store::tenant::departments::DeletionOutcome;
use crate::store::{Store, statement};

/// A university.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct UniversityRow {
    /// Identifies it.
    pub id: UniversityId,
    /// What people call it.
    pub name: String,
    /// What URLs call it.
    pub slug: String,
    /// Since when it is on file.
    pub created_at: Timestamp,
}

const INSERT: &str = "
    INSERT INTO universities (name, slug, created_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (slug) DO NOTHING
    RETURNING id, name, slug, created_at";

const SELECT: &str = "SELECT id, name, slug, created_at FROM universities WHERE id = ?1";

const SELECT_ALL: &str = "SELECT id, name, slug, created_at FROM universities WHERE id > ?1 ORDER BY id LIMIT ?2";

const SELECT_OF_USER: &str = "
    SELECT id, name, slug, created_at FROM universities
    WHERE id IN (SELECT university_id FROM user_university_roles WHERE user_id = ?3) AND id > ?1
    ORDER BY id LIMIT ?2";

const UPDATE: &str = "
    UPDATE universities SET name = coalesce(?2, name), slug = coalesce(?3, slug) WHERE id = ?1
    RETURNING id, name, slug, created_at";

/// Before they are deleted, each role is an event of its own, under the conditions of the deletion.
const RECORD_ROLES: &str = "
    INSERT INTO audit_events
        (created_at, type, reason, user_id, university_id, actor_id, ip, user_agent, request_id)
    SELECT ?2, 'role_removed', role, user_id, university_id, ?3,
           CASE WHEN is_kept THEN ?4 END, CASE WHEN is_kept THEN ?5 END, CASE WHEN is_kept THEN ?6 ELSE '' END
    FROM user_university_roles
    JOIN (SELECT EXISTS (SELECT 1 FROM users WHERE id = ?3 AND erasure_cursor IS NULL) AS is_kept)
    WHERE university_id = ?1
      AND NOT EXISTS (SELECT 1 FROM courses WHERE university_id = ?1)
      AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = ?1)
      AND (SELECT count(*) FROM (SELECT 1 FROM user_university_roles WHERE university_id = ?1 LIMIT 1001)) <= 1000";

/// As many as one statement may delete without holding the database up.
const DELETE_ROLES: &str = "
    DELETE FROM user_university_roles
    WHERE university_id = ?1
      AND NOT EXISTS (SELECT 1 FROM courses WHERE university_id = ?1)
      AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = ?1)
      AND (SELECT count(*) FROM (SELECT 1 FROM user_university_roles WHERE university_id = ?1 LIMIT 1001)) <= 1000";

const DELETE: &str = "
    DELETE FROM universities
    WHERE id = ?1
      AND NOT EXISTS (SELECT 1 FROM courses WHERE university_id = ?1)
      AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = ?1)
      AND NOT EXISTS (SELECT 1 FROM user_university_roles WHERE university_id = ?1)
    RETURNING id";

const SELECT_PRESENT: &str = "SELECT id FROM universities WHERE id = ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[INSERT, SELECT, SELECT_ALL, SELECT_OF_USER, UPDATE, RECORD_ROLES, DELETE_ROLES, DELETE, SELECT_PRESENT];

/// Is there such a university?
pub(in crate::store) fn present(id: UniversityId) -> Statement {
    statement(SELECT_PRESENT, [id.get().into()])
}

/// Adds a university. Nothing, if the slug is taken.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    name: &Label,
    slug: &Slug,
    now: Timestamp,
) -> Result<Option<UniversityRow>, DbError> {
    let values = [name.as_str().into(), slug.as_str().into(), now.millis().into()];
    let [rows] = store.batch([statement(INSERT, values)]).await?;
    rows.first()
}

/// One university.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, id: UniversityId) -> Result<Option<UniversityRow>, DbError> {
    let [rows] = store.batch([statement(SELECT, [id.get().into()])]).await?;
    rows.first()
}

/// Universities: those in which a user has a role, or all.
///
/// # Errors
/// [`DbError`].
pub async fn list(store: &Store, of_user: Option<UserId>, page: PageRequest) -> Result<Page<UniversityRow>, DbError> {
    let (after, rows) = (page.after.unwrap_or(0).into(), page.rows().into());
    let query = match of_user {
        None => statement(SELECT_ALL, [after, rows]),
        Some(user_id) => statement(SELECT_OF_USER, [after, rows, user_id.get().into()]),
    };
    let [rows] = store.batch([query]).await?;
    Ok(Page::new(rows.all()?, page, |row: &UniversityRow| row.id.get()))
}

/// Changes what is given. Nothing, if it is gone; a slug that is taken is `DbError::Unique`.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    store: &Store,
    id: UniversityId,
    name: Option<&Label>,
    slug: Option<&Slug>,
) -> Result<Option<UniversityRow>, DbError> {
    let values = [id.get().into(), name.map(Label::as_str).into(), slug.map(Slug::as_str).into()];
    let [rows] = store.batch([statement(UPDATE, values)]).await?;
    rows.first()
}

/// Deletes a university that has neither departments nor courses, with its roles. `InUse`, if it has, or if it has
/// more than a thousand roles.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    store: &Store,
    id: UniversityId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<DeletionOutcome, DbError> {
    let values = || [id.get().into()];
    let record = [
        id.get().into(),
        request.now.millis().into(),
        actor.get().into(),
        request.peer.ip().as_deref().into(),
        request.peer.user_agent().into(),
        request.request_id.as_str().into(),
    ];
    let [_, _, deleted, present] = store
        .batch([
            statement(RECORD_ROLES, record),
            statement(DELETE_ROLES, values()),
            statement(DELETE, values()),
            present(id),
        ])
        .await?;
    DeletionOutcome::read(&deleted, &present)
}

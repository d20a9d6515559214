//! `/users`: what users see of themselves.

use axum::response::Response;
use serde::Serialize;

use super::body::json;
use super::context::SignedIn;
use crate::service::caller::Caller;

#[derive(Serialize)]
struct UserBody<'a> {
    id: i64,
    email: &'a str,
    full_name: Option<&'a str>,
    is_active: bool,
    created_at: String,
    roles: [RoleBody; 0],
}

/// A role in a university. There are no universities yet, so nobody has one.
#[derive(Serialize)]
struct RoleBody {}

pub(super) async fn me(SignedIn(Caller { user, .. }): SignedIn) -> Response {
    let body = UserBody {
        id: user.id.get(),
        email: &user.email,
        full_name: user.full_name.as_deref(),
        is_active: user.is_active,
        created_at: user.created_at.rfc3339(),
        roles: [],
    };
    json(200, &body)
}

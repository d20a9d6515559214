//! THE table of routes: method, path, `operationId`, who may call, how often from one address, handler.
//!
//! The router is built from it, so a route cannot exist without saying who may call it; the tests
//! compare it with `openapi.yaml`, line by line.

use axum::Router;
use axum::routing::{MethodFilter, on};

use super::access::{guarded, method_not_allowed, not_found};
use super::{auth, description, export, health, operator, pages, sessions, users};
use crate::domain::limits::Door;

pub use super::access::Access;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path pattern, with `{id}` for parameters as in `OpenAPI`.
    pub path: &'static str,
    /// `operationId` in the API description.
    pub operation_id: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whose limit per client address it has, if it has one.
    pub door: Option<Door>,
}

macro_rules! door {
    () => {
        None
    };
    ($door:ident) => {
        Some(Door::$door)
    };
}

macro_rules! routes {
    ($($method:ident $path:literal $operation_id:ident $access:ident [$($door:ident)?] => $handler:path;)*) => {
        /// Every route of the service.
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            operation_id: stringify!($operation_id),
            access: Access::$access,
            door: door!($($door)?),
        }),*];

        fn table() -> Router {
            Router::new()$(.route($path, guarded(
                Access::$access,
                door!($($door)?),
                on(MethodFilter::$method, $handler),
            )))*
        }
    };
}

routes! {
    POST   "/auth/register"      register        Public [Register] => auth::register;
    POST   "/auth/login"         login           Public [Login]    => auth::login;
    POST   "/auth/refresh"       refresh         Public [Refresh]  => auth::refresh;
    POST   "/auth/logout"        logout          Public []         => auth::logout;
    POST   "/auth/logout-all"    logoutAll       User   []         => sessions::end_all;
    GET    "/auth/sessions"      listSessions    User   []         => sessions::list;
    DELETE "/auth/sessions/{id}" endSession      User   []         => sessions::end;
    GET    "/users/me"           getCurrentUser  User   []         => users::me;
    PATCH  "/users/me"           updateProfile   User   []         => users::update;
    DELETE "/users/me"           deleteAccount   User   [Login]    => users::delete;
    PUT    "/users/me/password"  changePassword  User   [Login]    => users::change_password;
    GET    "/users/me/export"    exportData      User   []         => export::export;
    GET    "/health"             getHealth       Public []         => health::health;
    GET    "/health/ready"       getReadiness    Public [Ready]    => health::ready;
    GET    "/operator/circuit-breaker" getCircuitBreaker Operator [] => operator::inspect;
    POST   "/operator/circuit-breaker" setCircuitBreaker Operator [] => operator::command;
    GET    "/openapi.json"       getOpenapiJson  Public []         => description::json;
    GET    "/openapi.yaml"       getOpenapiYaml  Public []         => description::yaml;
}

/// The router, under the base path.
pub(super) fn router(base_path: &str) -> Router {
    let table = table().merge(pages::router());
    let router = if base_path.is_empty() {
        table
    } else {
        // Nesting covers `/api/v1`, not `/api/v1/`.
        Router::new().nest(base_path, table).route(&format!("{base_path}/"), pages::root())
    };
    router.method_not_allowed_fallback(method_not_allowed).fallback(not_found)
}

//! THE table of routes: method, path, `operationId`, access rule, rate limit per client network, plan, handler.
//!
//! `reads` names a plan: its statements run in the batch that reads the caller. A plan without a handler responds with
//! the rows, so a read is one round trip. With a handler it saves the handler its first read.
//!
//! The router is built from it, so no route lacks an access rule. A test compares it with `openapi.yaml`, line by line.

use axum::Router;
use axum::routing::{MethodFilter, on};

use crate::domain::authz::Permission;
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::limits::RateLimit;
use crate::http::account::{admin, export, users};
use crate::http::authz::roles;
#[cfg(feature = "campus")]
use crate::http::campus::courses;
use crate::http::kit::access::{guarded, method_not_allowed, no_reading, not_found, reading};
use crate::http::platform::{description, health, operator, pages};
use crate::http::session;
use crate::http::session::auth;
use crate::http::tenant::universities;

pub use crate::http::kit::access::{Access, PathResource};

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// HTTP method, in upper case.
    pub method: &'static str,
    /// Path pattern, with `{id}` for parameters as in `OpenAPI`.
    pub path: &'static str,
    /// `operationId` in the API description.
    pub operation_id: &'static str,
    /// Access rule, enforced before the handler runs.
    pub access: Access,
    /// Rate limit per client network. Routes with the same limit share its counter.
    pub rate_limit: Option<RateLimit>,
}

macro_rules! rate_limit {
    () => {
        None
    };
    ($rate_limit:ident) => {
        Some(RateLimit::$rate_limit)
    };
}

macro_rules! access {
    (Permit(Campus::$permission:ident on $resource:ident)) => {
        Access::Permit(Permission::Campus(CampusPermission::$permission), PathResource::$resource)
    };
    (Permit($permission:ident on $resource:ident)) => {
        Access::Permit(Permission::$permission, PathResource::$resource)
    };
    ($access:ident) => {
        Access::$access
    };
}

macro_rules! endpoint {
    ($access:expr, $rate_limit:expr, $method:expr, => $handler:path) => {
        guarded($access, $rate_limit, no_reading, on($method, $handler))
    };
    ($access:expr, $rate_limit:expr, $method:expr, reads $plan:path) => {
        reading($access, $rate_limit, $method, $plan)
    };
    ($access:expr, $rate_limit:expr, $method:expr, reads $plan:path => $handler:path) => {
        guarded($access, $rate_limit, $plan, on($method, $handler))
    };
}

macro_rules! routes {
    ($(
        $(#[$attribute:meta])?
        $method:ident $path:literal $operation_id:ident
        $access:ident $(($($permission:ident)::+ on $resource:ident))? [$($rate_limit:ident)?]
        $(reads $plan:path)? $(=> $handler:path)?;
    )*) => {
        /// Every route of the service.
        pub const ROUTES: &[Route] = &[$($(#[$attribute])? Route {
            method: stringify!($method),
            path: $path,
            operation_id: stringify!($operation_id),
            access: access!($access $(($($permission)::+ on $resource))?),
            rate_limit: rate_limit!($($rate_limit)?),
        }),*];

        fn table() -> Router {
            let router = Router::new();
            $(
                $(#[$attribute])?
                let router = router.route($path, endpoint!(
                    access!($access $(($($permission)::+ on $resource))?),
                    rate_limit!($($rate_limit)?),
                    MethodFilter::$method,
                    $(reads $plan)? $(=> $handler)?
                ));
            )*
            router
        }
    };
}

routes! {
    POST   "/auth/register"      register        Public [Register] => auth::register;
    POST   "/auth/login"         login           Public [Login]    => auth::login;
    POST   "/auth/refresh"       refresh         Public [Refresh]  => auth::refresh;
    POST   "/auth/logout"        logout          Public []         => auth::logout;
    POST   "/auth/logout-all"    logoutAll       User   []         => session::end_all;
    GET    "/auth/sessions"      listSessions    User   []         reads session::list;
    DELETE "/auth/sessions/{id}" endSession      User   []         => session::end;
    GET    "/users/me"           getCurrentUser  User   []         => users::me;
    PATCH  "/users/me"           updateProfile   User   [Account]  => users::update;
    DELETE "/users/me"           deleteAccount   User   [Login]    reads users::credentials => users::delete;
    POST   "/users/me/delete"    deleteAccountByPost User [Login]  reads users::credentials => users::delete;
    PUT    "/users/me/password"  changePassword  User   [Login]    reads users::credentials => users::change_password;
    GET    "/users/me/export"    exportData      User   [Account]  reads export::export;

    GET    "/universities"       listUniversities  User [] reads universities::list;
    POST   "/universities"       createUniversity  Permit(ManageUniversities on Platform)   [] => universities::create;
    GET    "/universities/{id}"  getUniversity     Permit(ViewUniversity on University)     [] reads universities::find;
    PATCH  "/universities/{id}"  updateUniversity  Permit(ManageUniversities on University) [] => universities::update;
    DELETE "/universities/{id}"  deleteUniversity  Permit(ManageUniversities on University) [] => universities::delete;
    GET    "/universities/{id}/departments" listDepartments
        Permit(ViewUniversity on University) [] reads universities::departments;
    POST   "/universities/{id}/departments" createDepartment
        Permit(ManageDepartments on University) [] => universities::create_department;
    DELETE "/universities/{id}/departments/{department_id}" deleteDepartment
        Permit(ManageDepartments on University) [] => universities::delete_department;

    // Whether the caller may change a role depends on the body or the grant, so the use case decides it.
    GET    "/universities/{id}/roles" listRoles   Permit(ViewUniversity on University) [] reads roles::list;
    POST   "/universities/{id}/roles" grantRole
        Permit(ViewUniversity on University) [ChangeRoles] reads roles::step_up => roles::grant;
    DELETE "/universities/{id}/roles/{grant_id}" removeRole
        Permit(ViewUniversity on University) [ChangeRoles] reads roles::find => roles::remove;

    #[cfg(feature = "campus")]
    GET    "/universities/{id}/courses" listUniversityCourses
        Permit(ViewUniversity on University) [] reads courses::of_university;
    #[cfg(feature = "campus")]
    POST   "/universities/{id}/courses" createCourse
        Permit(ViewUniversity on University) [] => courses::create;
    #[cfg(feature = "campus")]
    GET    "/courses"            listCourses       OptionalUser [] reads courses::list;
    #[cfg(feature = "campus")]
    GET    "/courses/{id}"       getCourse         OptionalUser [] reads courses::find;
    #[cfg(feature = "campus")]
    PATCH  "/courses/{id}"       updateCourse      Permit(Campus::ManageCourses on Course) [] => courses::update;
    #[cfg(feature = "campus")]
    DELETE "/courses/{id}"       deleteCourse      Permit(Campus::ManageCourses on Course) [] => courses::delete;
    #[cfg(feature = "campus")]
    GET    "/courses/{id}/enrollments" listEnrollments
        Permit(Campus::ViewEnrollments on Course) [] reads courses::participants;
    #[cfg(feature = "campus")]
    POST   "/courses/{id}/enrollments" enroll  Permit(Campus::Enroll on Course) [] => courses::enroll;
    #[cfg(feature = "campus")]
    GET    "/enrollments/{id}"   getEnrollment Permit(Campus::ViewEnrollment on Enrollment) [] reads courses::enrollment;
    #[cfg(feature = "campus")]
    DELETE "/enrollments/{id}"   endEnrollment
        Permit(Campus::EndEnrollment on Enrollment) [] => courses::end_enrollment;
    POST   "/authz/check"        checkPermission User [] => roles::check;

    GET    "/admin/users"        adminListUsers    Permit(Administer on Platform) [] reads admin::users;
    GET    "/admin/users/{id}"   adminGetUser      Permit(Administer on Platform) [] reads admin::user;
    PATCH  "/admin/users/{id}"   adminUpdateUser   Permit(Administer on Platform) [Login] reads admin::step_up => admin::change;
    DELETE "/admin/users/{id}"   adminDeleteUser   Permit(Administer on Platform) [Login] reads admin::step_up => admin::delete;
    POST   "/admin/users/{id}/logout"   adminEndSessions
        Permit(Administer on Platform) [Login] reads admin::step_up => admin::end_sessions;
    POST   "/admin/users/{id}/unlock"   adminUnlockUser   Permit(Administer on Platform) [] => admin::unlock;
    GET    "/admin/users/{id}/sessions" adminListSessions Permit(Administer on Platform) [] reads admin::sessions;
    GET    "/admin/audit-events" adminListEvents   Permit(Administer on Platform) [] reads admin::events;

    GET    "/health"             getHealth       Public []         => health::health;
    GET    "/health/ready"       getReadiness    Public [Ready]    => health::ready;
    GET    "/operator/circuit-breaker" getCircuitBreaker Operator [] => operator::inspect;
    POST   "/operator/circuit-breaker" setCircuitBreaker Operator [] => operator::command;
    GET    "/openapi.json"       getOpenapiJson  Public []         => description::json;
    GET    "/openapi.yaml"       getOpenapiYaml  Public []         => description::yaml;
}

/// The router of all routes and pages, under the base path.
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

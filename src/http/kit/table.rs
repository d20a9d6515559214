//! The macro that makes THE table of routes (`http/routes.rs`) from its lines, and the type of a line. The macro of access rules stands
//! beside the table, which knows all permissions.

use crate::domain::authz::credential::Accepted;
use crate::http::kit::access::Access;
use crate::http::kit::limits::Limits;
use crate::http::kit::near::ReadsAt;

/// Whether an operation needs a recent sign-in, with a second factor if the account has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The session is all that it asks for.
    NotNeeded,
    /// Always. The password beside the token does as well, for an account without a second factor.
    Needed,
    /// It depends on the body or on the user concerned.
    NeededForSome,
}

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
    /// The credentials that the route takes: those of sessions, and others only where the line says so.
    pub accepted: Accepted,
    /// The database that answers the operation.
    pub reads_at: ReadsAt,
    /// Whether the operation needs a recent sign-in.
    pub freshness: Freshness,
    /// Rate limits per client network and per user.
    pub limits: Limits,
}

macro_rules! limits {
    (Unlimited) => {
        $crate::http::kit::limits::Limits::Unlimited
    };
    ($network:ident) => {
        $crate::http::kit::limits::Limits::PerNetwork($crate::domain::limits::RateLimit::$network)
    };
    ($network:ident, $user:ident) => {
        $crate::http::kit::limits::Limits::PerUser(
            $crate::domain::limits::RateLimit::$network,
            $crate::domain::limits::UserLimit::$user,
        )
    };
}

/// `+ Fresh` and `+ FreshForSome` behind the access rule.
macro_rules! freshness {
    () => {
        $crate::http::kit::table::Freshness::NotNeeded
    };
    (+ Fresh $($rest:tt)*) => {
        $crate::http::kit::table::Freshness::Needed
    };
    (+ FreshForSome $($rest:tt)*) => {
        $crate::http::kit::table::Freshness::NeededForSome
    };
    (+ $other:ident ($scope:ident) $($rest:tt)*) => {
        $crate::http::kit::table::freshness!($($rest)*)
    };
    (+ $other:ident $($rest:tt)*) => {
        $crate::http::kit::table::freshness!($($rest)*)
    };
}

/// `+ Near` behind the access rule.
macro_rules! reads_at {
    () => {
        $crate::http::kit::near::ReadsAt::Primary
    };
    (+ Near $($rest:tt)*) => {
        $crate::http::kit::near::ReadsAt::Nearest
    };
    (+ $other:ident ($scope:ident) $($rest:tt)*) => {
        $crate::http::kit::table::reads_at!($($rest)*)
    };
    (+ $other:ident $($rest:tt)*) => {
        $crate::http::kit::table::reads_at!($($rest)*)
    };
}

/// `+ Keys` and `+ Service(Scope)` behind the access rule. Without them a route takes sessions only.
macro_rules! accepted {
    () => {
        $crate::domain::authz::credential::Accepted::SESSIONS
    };
    (+ Fresh $($rest:tt)*) => {
        $crate::http::kit::table::accepted!($($rest)*)
    };
    (+ FreshForSome $($rest:tt)*) => {
        $crate::http::kit::table::accepted!($($rest)*)
    };
    (+ Near $($rest:tt)*) => {
        $crate::http::kit::table::accepted!($($rest)*)
    };
    (+ Keys $($rest:tt)*) => {
        $crate::http::kit::table::accepted!($($rest)*).and_keys()
    };
    (+ Service($scope:ident) $($rest:tt)*) => {
        $crate::http::kit::table::accepted!($($rest)*).and_service($crate::domain::machine::scope::Scope::$scope)
    };
}

macro_rules! operation {
    (=> $handler:path) => {
        $crate::http::kit::operation::Operation::acts(None, |parts| {
            $crate::http::kit::operation::Handler::start($handler, parts)
        })
    };
    (reads $plan:path) => {
        $crate::http::kit::operation::Operation::reads(|parts| $crate::http::kit::operation::responding(parts, $plan))
    };
    (reads $plan:path => $handler:path) => {
        $crate::http::kit::operation::Operation::acts(
            Some(|parts| $crate::http::kit::operation::fetching(parts, $plan)),
            |parts| $crate::http::kit::operation::Handler::start($handler, parts),
        )
    };
}

macro_rules! routes {
    ($(
        $(#[$attribute:meta])?
        $method:ident $path:literal $operation_id:ident
        $access:ident $(($($permission:ident)::+ on $resource:ident))? $(+ $taken:ident $(($scope:ident))?)*
        [$network:ident $(, $user:ident)?]
        $(reads $plan:path)? $(=> $handler:path)?;
    )*) => {
        /// Every route of the service.
        pub const ROUTES: &[$crate::http::kit::table::Route] = &[$($(#[$attribute])? $crate::http::kit::table::Route {
            method: stringify!($method),
            path: $path,
            operation_id: stringify!($operation_id),
            access: access!($access $(($($permission)::+ on $resource))?),
            accepted: $crate::http::kit::table::accepted!($(+ $taken $(($scope))?)*),
            reads_at: $crate::http::kit::table::reads_at!($(+ $taken $(($scope))?)*),
            freshness: $crate::http::kit::table::freshness!($(+ $taken $(($scope))?)*),
            limits: $crate::http::kit::table::limits!($network $(, $user)?),
        }),*];

        /// The lines, as the router takes them.
        const TABLE: &[(&str, $crate::http::kit::access::Rule, axum::routing::MethodFilter, $crate::http::kit::operation::Operation)] = &[$($(#[$attribute])? {
            const RULE: $crate::http::kit::access::Rule = $crate::http::kit::access::Rule {
                access: access!($access $(($($permission)::+ on $resource))?),
                accepted: $crate::http::kit::table::accepted!($(+ $taken $(($scope))?)*),
                reads_at: $crate::http::kit::table::reads_at!($(+ $taken $(($scope))?)*),
                limits: $crate::http::kit::table::limits!($network $(, $user)?),
            };
            const _: () = assert!(RULE.is_limited() && RULE.is_coherent(), "{}", $path);
            ($path, RULE, axum::routing::MethodFilter::$method, $crate::http::kit::table::operation!($(reads $plan)? $(=> $handler)?))
        }),*];
    };
}
pub(in crate::http) use accepted;
pub(in crate::http) use freshness;
pub(in crate::http) use limits;
pub(in crate::http) use operation;
pub(in crate::http) use reads_at;
pub(in crate::http) use routes;

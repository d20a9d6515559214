//! The roles of a user in an access token (`TOKEN_ROLES = on`), for services that decide without asking. They are as old as
//! the token.

use serde::Serialize;

use crate::domain::authz::RoleGrant;
use crate::domain::ids::{DepartmentId, UniversityId};

/// Roles that a token has at most. Each takes about 80 bytes, and proxies limit the length of a header.
pub const MAX_ROLES: usize = 20;

/// The claims `roles` and `roles_truncated`.
#[derive(Debug, Clone, Serialize)]
pub struct RoleClaims {
    roles: Vec<RoleClaim>,
    #[serde(rename = "roles_truncated", skip_serializing_if = "std::ops::Not::not")]
    is_truncated: bool,
}

#[derive(Debug, Clone, Serialize)]
struct RoleClaim {
    university_id: Option<i64>,
    department_id: Option<i64>,
    role: &'static str,
}

impl RoleClaims {
    /// The claims for the first of these grants.
    #[must_use]
    pub fn of(grants: &[RoleGrant]) -> Self {
        let roles = grants.iter().take(MAX_ROLES).map(|grant| RoleClaim {
            university_id: grant.university_id.map(UniversityId::get),
            department_id: grant.department_id.map(DepartmentId::get),
            role: grant.role.as_str(),
        });
        Self { roles: roles.collect(), is_truncated: grants.len() > MAX_ROLES }
    }
}

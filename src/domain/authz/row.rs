//! A row of the permission table. The rows themselves stand with their capability: most in `authz`, those about courses in
//! `campus`.

use crate::domain::authz::role::Role;
use crate::domain::authz::role::Role::{DepartmentAdmin, PlatformAdmin, UniversityAdmin};

pub(in crate::domain) const ALL_ROLES: &[Role] = &Role::ALL;
pub(in crate::domain) const ADMINS: &[Role] = &[DepartmentAdmin, UniversityAdmin, PlatformAdmin];
pub(in crate::domain) const UNIVERSITY_ADMINS: &[Role] = &[UniversityAdmin, PlatformAdmin];
pub(in crate::domain) const PLATFORM_ADMINS: &[Role] = &[PlatformAdmin];

/// Whether a permission can also be had without a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum RoleExemption {
    RolesOnly,
    /// The owner of the resource needs no role.
    OrOwner,
    /// If the resource is published, users need no role.
    #[cfg(feature = "campus")]
    OrPublished,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Row {
    /// The permission's name for other services.
    pub(in crate::domain) name: &'static str,
    /// The roles that have the permission.
    pub(in crate::domain) roles: &'static [Role],
    pub(in crate::domain) exemption: RoleExemption,
    /// If true, a role that is narrowed to one department covers the whole university.
    pub(in crate::domain) is_across_departments: bool,
    /// If true, the roles do not cover an unpublished resource.
    pub(in crate::domain) needs_publication: bool,
}

impl Row {
    pub(in crate::domain) const fn new(name: &'static str, roles: &'static [Role], exemption: RoleExemption) -> Self {
        Self { name, roles, exemption, is_across_departments: false, needs_publication: false }
    }

    pub(in crate::domain) const fn across_departments(self) -> Self {
        Self { is_across_departments: true, ..self }
    }

    #[cfg(feature = "campus")]
    pub(in crate::domain) const fn when_published(self) -> Self {
        Self { needs_publication: true, ..self }
    }
}

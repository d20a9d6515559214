//! The permissions to which an API key is narrowed.

use crate::domain::authz::Permission;

/// A set of permissions, by their places in the table of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Is the permission one of these?
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// The names, in the order of the table.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Permission::all().filter(move |(_, permission)| self.contains(*permission)).map(|(name, _)| name)
    }

    /// Those of these names that are permissions of this build.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let find = |name: &str| Permission::all().find(|(known, _)| *known == name);
        names.into_iter().filter_map(find).map(|(_, permission)| permission).collect()
    }

    fn bit(permission: Permission) -> u64 {
        let place = Permission::all().position(|(_, other)| other == permission);
        place.map_or(0, |place| 1 << place)
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | Self::bit(permission)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_set_has_the_permissions_that_were_named() {
        assert!(Permission::all().count() <= 64);
        for (name, permission) in Permission::all() {
            let set = PermissionSet::of_names([name]);
            for (_, other) in Permission::all() {
                assert_eq!(set.contains(other), other == permission, "{name}");
            }
            assert_eq!(set.names().collect::<Vec<_>>(), [name]);
        }
        let set = PermissionSet::of_names(["roles:view", "of a later version", "universities:view"]);
        assert_eq!(set.names().collect::<Vec<_>>(), ["universities:view", "roles:view"], "in the order of the table");
        assert_eq!(PermissionSet::of_names([]), PermissionSet::default());
    }
}

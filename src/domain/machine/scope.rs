//! The scopes of a service account: each names operations that the account may use. They are a closed list.

/// A right of a service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Introspect and revoke tokens.
    Introspect,
    /// Check permissions of any user.
    AuthzCheck,
    /// Read users and their roles.
    UsersRead,
    /// Import users of another system.
    UsersImport,
    /// Give roles to imported users.
    RolesGrant,
    /// Read the audit events.
    AuditRead,
    /// Name the client for whom a request is made.
    ClientAddress,
}

impl Scope {
    /// Every scope, in the order in which lists show them.
    pub const ALL: [Self; 7] = [
        Self::Introspect,
        Self::AuthzCheck,
        Self::UsersRead,
        Self::UsersImport,
        Self::RolesGrant,
        Self::AuditRead,
        Self::ClientAddress,
    ];

    /// The name, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::AuthzCheck => "authz:check",
            Self::UsersRead => "users:read",
            Self::UsersImport => "users:import",
            Self::RolesGrant => "roles:grant",
            Self::AuditRead => "audit:read",
            Self::ClientAddress => "client-address",
        }
    }
}

/// The scopes of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// Is the scope one of these?
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The names, in the order of [`Scope::ALL`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope)).map(Scope::as_str)
    }

    /// The names with a space between (RFC 6749 §3.3).
    #[must_use]
    pub fn text(self) -> String {
        self.names().collect::<Vec<_>>().join(" ")
    }

    /// The scopes that both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of these names that are scopes of this version.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name)).collect()
    }

    const fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn stored_names_unchanged() {
        let names = Scope::ALL.map(Scope::as_str).join(" ");
        assert_eq!(names, "introspect authz:check users:read users:import roles:grant audit:read client-address");
    }

    #[test]
    fn a_set_has_the_scopes_that_were_named() {
        for scope in Scope::ALL {
            let set: ScopeSet = [scope].into_iter().collect();
            for other in Scope::ALL {
                assert_eq!(set.contains(other), other == scope);
            }
            assert_eq!(set, ScopeSet::of_names(set.names()));
        }
        let set = ScopeSet::of_names(["audit:read", "of a later version", "introspect"]);
        assert_eq!(set.names().collect::<Vec<_>>(), ["introspect", "audit:read"], "in the order of the list");
        assert_eq!(ScopeSet::of_names([]), ScopeSet::default());
    }
}

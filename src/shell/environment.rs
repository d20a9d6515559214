//! The environment of a deployment: variables and secrets as text, and the names of the bindings.

use std::collections::HashMap;

use serde::Deserialize;

/// Handed over by JavaScript once per instance, as JSON. Never logged: it contains the secrets.
#[derive(Default, Deserialize)]
pub struct Environment {
    /// Numbers, booleans and lists in `wrangler.toml` become JSON, so `PASSWORD_MIN_LENGTH = 12` means the same as
    /// `"12"`.
    variables: HashMap<String, String>,
    bindings: Vec<String>,
}

impl Environment {
    /// A variable or secret as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// Does the deployment have a binding of this name?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.bindings.iter().any(|binding| binding == name)
    }
}

//! An identity provider of the settings, and the addresses that it may vouch for.

use crate::domain::account::email::Email;
use crate::domain::secret::Secret;

/// The issuer of Google's ID tokens. Some have it without the scheme.
pub const GOOGLE_ISSUER: &str = "https://accounts.google.com";

/// A provider that users can sign in with.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name in paths: `google`.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// The protocol, and the place of the provider.
    pub kind: ProviderKind,
    /// The service's own id at the provider.
    pub client_id: String,
    /// The credential of a confidential client.
    pub client_secret: Option<Secret>,
    /// Further client ids, of native apps.
    pub audiences: Vec<String>,
    /// Domains whose addresses the provider itself gives out.
    pub authoritative_domains: Vec<String>,
}

/// The protocol of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenID Connect, with ID tokens.
    OpenId {
        /// The issuer, exactly as it stands in ID tokens.
        issuer: String,
    },
    /// OAuth 2.0 as GitHub speaks it, without ID tokens.
    GitHub {
        /// The address of the server, without a slash at its end.
        url: String,
    },
}

impl Provider {
    /// The first half of an identity. GitHub has no issuer, so its URL stands for it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        match &self.kind {
            ProviderKind::OpenId { issuer } => issuer,
            ProviderKind::GitHub { url } => url,
        }
    }

    /// Does the provider say when its user signed in? Google does so only for verified apps with a setting of their own, and
    /// never asks its users to sign in again; GitHub has no ID tokens.
    #[must_use]
    pub fn steps_up(&self) -> bool {
        matches!(&self.kind, ProviderKind::OpenId { issuer } if issuer != GOOGLE_ISSUER)
    }

    /// Does the provider own this address, so that its word proves the mailbox? Any other provider can only have asked its
    /// user. `hosted_domain` is Google's `hd`, the Workspace that the account belongs to.
    #[must_use]
    pub fn is_authoritative(&self, email: &Email, hosted_domain: Option<&str>) -> bool {
        let Some((_, domain)) = email.as_str().rsplit_once('@') else { return false };
        let is_listed = self.authoritative_domains.iter().any(|listed| listed == domain);
        is_listed || (self.issuer() == GOOGLE_ISSUER && hosted_domain == Some(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn provider(kind: ProviderKind, domains: &[&str]) -> Provider {
        Provider {
            id: "acme".into(),
            name: "Acme".into(),
            kind,
            client_id: "edge-auth".into(),
            client_secret: Some(Secret::new("hunter2hunter2")),
            audiences: Vec::new(),
            authoritative_domains: domains.iter().map(|&domain| domain.into()).collect(),
        }
    }

    fn open_id(issuer: &str, domains: &[&str]) -> Provider {
        provider(ProviderKind::OpenId { issuer: issuer.into() }, domains)
    }

    fn owns(provider: &Provider, email: &str, hosted_domain: Option<&str>) -> bool {
        let email = Email::parse(email, crate::domain::unicode::for_tests::normalize).unwrap();
        provider.is_authoritative(&email, hosted_domain)
    }

    #[test]
    fn a_provider_owns_the_addresses_of_its_listed_domains_only() {
        let acme = open_id("https://id.acme.example", &["acme.example", "xn--bcher-kva.example"]);
        for email in ["ada@acme.example", "Ada@ACME.example", "ada@bücher.example"] {
            assert!(owns(&acme, email, None), "{email}");
        }
        for email in
            ["ada@sub.acme.example", "ada@notacme.example", "ada@acme.example.evil", "acme.example@evil.example"]
        {
            assert!(!owns(&acme, email, None), "{email}");
        }
        assert!(!owns(&acme, "ada@other.example", Some("other.example")), "`hd` is a claim of Google");
    }

    #[test]
    fn google_owns_its_own_domain_and_hosted_ones() {
        let google = open_id(GOOGLE_ISSUER, &["gmail.com"]);
        assert!(owns(&google, "ada@gmail.com", None) && owns(&google, "ada@acme.example", Some("acme.example")));
        assert!(!owns(&google, "ada@acme.example", None) && !owns(&google, "ada@acme.example", Some("other.example")));
        assert!(!owns(&google, "ada@sub.acme.example", Some("acme.example")));
    }

    #[test]
    fn only_providers_that_tell_when_their_user_signed_in_step_up() {
        assert!(open_id("https://id.acme.example", &[]).steps_up());
        assert!(!open_id(GOOGLE_ISSUER, &[]).steps_up());
        assert!(!provider(ProviderKind::GitHub { url: "https://github.com".into() }, &[]).steps_up());
    }

    #[test]
    fn github_owns_no_address_unless_it_is_listed() {
        let kind = ProviderKind::GitHub { url: "https://github.com".into() };
        let github = provider(kind.clone(), &[]);
        assert_eq!(github.issuer(), "https://github.com");
        assert!(!owns(&github, "ada@github.com", Some("github.com")));
        assert!(owns(&provider(kind, &["acme.example"]), "ada@acme.example", None));
    }

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        assert!(!format!("{:?}", open_id("https://id.acme.example", &[])).contains("hunter2"));
    }
}

//! The settings of second factors.

use crate::domain::authz::Role;
use crate::domain::factor::webauthn::RelyingParty;
use crate::domain::json::JsonText;
use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::{integer, is_origin, public_url};
use crate::domain::time::DAY;

/// The settings of second factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorSettings {
    /// The service as browsers know it. Absent in a deployment without passkeys.
    pub relying_party: Option<RelyingParty>,
    /// Seconds for which a device that presented a second factor need not present another one at sign-in; 0 means never.
    pub remembered_seconds: i64,
    /// Roles that count only in sessions with more than one factor.
    pub required_roles: Vec<Role>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn factors(&mut self, service_url: Option<&str>, base_path: &str) -> Option<FactorSettings> {
        let id = self.optional("WEBAUTHN_RP_ID", domain);
        let origins = self.optional("WEBAUTHN_ORIGINS", origins);
        let roles = self.or("MFA_REQUIRED_ROLES", Some(Vec::new()), roles);
        let remembered_days = self.or("REMEMBER_DEVICE_DAYS", Some(0), |text| integer(text, 0, 90));
        let origin = service_url.and_then(|url| url.strip_suffix(base_path));
        let host = origin.and_then(host).and_then(domain);
        self.note_if(origins.is_some() && id.is_none() && host.is_none(), "WEBAUTHN_RP_ID");
        self.note_if(id.is_some() && origins.is_none() && origin.is_none(), "WEBAUTHN_ORIGINS");
        let relying_party = id.or(host).and_then(|id| {
            let origins = origins.or_else(|| Some(vec![origin?.to_owned()]))?;
            Some(RelyingParty { id, origins })
        });
        Some(FactorSettings { relying_party, remembered_seconds: remembered_days? * DAY, required_roles: roles? })
    }
}

/// The host of an origin, without its port.
fn host(origin: &str) -> Option<&str> {
    let (_, authority) = origin.split_once("://")?;
    Some(authority.split_once(':').map_or(authority, |(host, _)| host))
}

/// A domain: an IP address is no RP ID (W3C WebAuthn Level 3 §5.1.2).
fn domain(text: &str) -> Option<String> {
    let is_address = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    (!is_address && host(&public_url(&format!("https://{text}"), "")?) == Some(text)).then(|| text.to_owned())
}

/// Origins of pages, or of apps (`android:apk-key-hash:…`), exactly as they stand in the client data.
fn origins(text: &str) -> Option<Vec<String>> {
    let origins = JsonText::parse_texts(text)?;
    let is_known = |origin: &String| match origin.strip_prefix("android:apk-key-hash:") {
        Some(hash) => hash.len() == 43,
        None => is_origin(origin),
    };
    (!origins.is_empty() && origins.iter().all(is_known)).then_some(origins)
}

fn roles(text: &str) -> Option<Vec<Role>> {
    let names = JsonText::parse_texts(text)?;
    names.iter().map(|name| Role::parse(name)).collect()
}

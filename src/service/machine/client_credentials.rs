//! Access tokens for service accounts (RFC 6749 §4.4). Database round trips: none after the client's.

use crate::domain::machine::oauth::OAuthError;
use crate::domain::machine::scope::ScopeSet;
use crate::domain::machine::service_token::ServiceTokenClaims;
use crate::domain::secret::Secret;
use crate::service::keys::signing::sign_service;
use crate::service::machine::client::Client;
use crate::service::{Context, Error, ErrorKind};

/// An access token of a service account.
pub struct ServiceToken {
    /// The text of the token.
    pub text: Secret,
    /// Seconds until it expires.
    pub expires_in: i64,
    /// The scopes of the token.
    pub scopes: ScopeSet,
}

/// Issues a token with the requested scopes, or with all scopes of the account.
///
/// # Errors
/// `invalid_scope` for a scope that is unknown or not the account's; [`Error`] otherwise.
pub async fn issue(
    ctx: &Context<'_>,
    client: &Client,
    client_id: &str,
    requested: Option<&str>,
) -> Result<ServiceToken, Error> {
    let scopes = match requested {
        None => client.service.scopes,
        Some(text) => granted(client.service.scopes, text).ok_or(ErrorKind::OAuth(OAuthError::InvalidScope))?,
    };
    let expires_at = ctx.now().plus_seconds(ctx.settings.lifetimes.access_seconds);
    let claims = ServiceTokenClaims {
        id: ctx.new_token_id()?,
        client_id: client_id.to_owned(),
        key_id: client.service.key_id,
        scopes,
        issued_at: ctx.now(),
        expires_at,
    };
    let text = sign_service(ctx, &claims, client.ring_version).await?;
    tracing::info!(target: "app.machine", client_id, key_id = claims.key_id.get(), "Service token issued");
    Ok(ServiceToken { text, expires_in: expires_at.seconds() - ctx.now().seconds(), scopes })
}

/// The named scopes, if the account has each of them.
fn granted(own: ScopeSet, text: &str) -> Option<ScopeSet> {
    let names = || text.split(' ').filter(|name| !name.is_empty());
    let requested = ScopeSet::of_names(names());
    let is_known = names().count() > 0 && names().all(|name| requested.names().any(|known| known == name));
    (is_known && requested.and(own) == requested).then_some(requested)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_known_scopes_of_the_account_are_granted() {
        let own = ScopeSet::of_names(["introspect", "users:read"]);
        assert_eq!(granted(own, "introspect"), Some(ScopeSet::of_names(["introspect"])));
        assert_eq!(granted(own, "users:read introspect  introspect"), Some(own));
        for text in ["", " ", "audit:read", "introspect audit:read", "introspect unknown", "Introspect"] {
            assert_eq!(granted(own, text), None, "{text:?}");
        }
    }
}

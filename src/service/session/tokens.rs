//! The pair of tokens that a sign-in or a refresh returns.

use crate::domain::authz::RoleGrant;
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::secret::Secret;
use crate::domain::session::device_token::RememberedFactor;
use crate::domain::session::methods::AuthMethods;
use crate::domain::session::role_claims::{MAX_ROLES, RoleClaims};
use crate::domain::session::token::{TokenClaims, TokenKind};
use crate::domain::session::{RecordedToken, SessionState};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::service::authz::bookmark::seal_latest;
use crate::service::authz::caller::Subject;
use crate::service::keys::signing::sign_access;
use crate::service::{Context, Error};
use crate::store::audit::RequestInfo;
use crate::store::authz::granting::MAX_GRANTS;
use crate::store::session::opening::NewSession;
use crate::store::session::token_inputs::TokenInputs;

/// An access token and the refresh token to replace it with.
#[derive(Debug)]
pub struct TokenPair {
    /// Presented with each request.
    pub access_token: Secret,
    /// Exchanged for the next pair.
    pub refresh_token: Secret,
    /// Seconds until the access token expires.
    pub expires_in: i64,
    /// Seconds until the session ends, however often it is refreshed.
    pub session_ends_in: i64,
}

/// The tokens that a sign-in returns.
#[derive(Debug)]
pub struct SignInTokens {
    /// The tokens of the new session.
    pub pair: TokenPair,
    /// Tells the throttle that the client signed in before. It opens nothing.
    pub device_token: Secret,
    /// Belongs to the mail that asks for a proof of a new account's address.
    pub flow: Option<Secret>,
}

/// The ids and expiries of a session to be opened, drawn before the batch that writes them.
pub(in crate::service) struct Opening {
    methods: AuthMethods,
    network_tag: String,
    max_roles: i64,
    pub(in crate::service) session_id: SessionId,
    pub(in crate::service) session_expires_at: Timestamp,
    pub(in crate::service) refresh: RecordedToken,
}

impl Opening {
    pub(in crate::service) fn draw(ctx: &Context<'_>, methods: AuthMethods) -> Result<Self, Error> {
        let session_expires_at = ctx.settings.lifetimes.session_end(ctx.now());
        let expires_at = ctx.settings.lifetimes.refresh_end(ctx.now(), session_expires_at);
        let refresh = RecordedToken { id: ctx.new_token_id()?, issued_at: ctx.now(), expires_at };
        let network_tag = ctx.request.key.network_tag(&ctx.request.peer.network());
        let max_roles = max_roles(ctx.settings);
        Ok(Self { methods, network_tag, max_roles, session_id: ctx.new_session_id()?, session_expires_at, refresh })
    }

    pub(in crate::service) fn as_row<'a>(&'a self, request: RequestInfo<'a>) -> NewSession<'a> {
        NewSession {
            id: self.session_id,
            methods: self.methods,
            network_tag: &self.network_tag,
            request,
            expires_at: self.session_expires_at,
            token_id: &self.refresh.id,
            token_expires_at: self.refresh.expires_at,
            max_roles: self.max_roles,
        }
    }

    /// Issues the tokens of the session, and a device token: of this device, or of a new one. `factor` is the second factor
    /// that the device remembers.
    pub(in crate::service) async fn issue(
        self,
        ctx: &Context<'_>,
        user_id: UserId,
        device: Option<TokenId>,
        factor: Option<RememberedFactor>,
        inputs: TokenInputs,
    ) -> Result<SignInTokens, Error> {
        let device = device.map_or_else(|| ctx.new_token_id(), Ok)?;
        let device_token = ctx.tokens.sign_device(user_id, &device, factor, ctx.now())?;
        let session = SessionState {
            signed_in_at: ctx.now(),
            methods: self.methods,
            expires_at: self.session_expires_at,
            current: self.refresh,
            previous_id: None,
        };
        let pair = issue(ctx, user_id, self.session_id, session, inputs).await?;
        Ok(SignInTokens { pair, device_token, flow: None })
    }
}

/// Signs the refresh token that the database has recorded, and a new access token with the time of the sign-in.
pub(in crate::service) async fn issue(
    ctx: &Context<'_>,
    user_id: UserId,
    session_id: SessionId,
    session: SessionState,
    inputs: TokenInputs,
) -> Result<TokenPair, Error> {
    let access_expires_at = ctx.settings.lifetimes.access_end(ctx.now(), session.expires_at);
    let RecordedToken { id, issued_at, expires_at } = session.current;
    let methods = session.methods;
    let refresh =
        TokenClaims { id, user_id, session_id, issued_at, expires_at, auth_time: None, methods, bookmark: None };
    let access = TokenClaims {
        id: ctx.new_token_id()?,
        issued_at: ctx.now(),
        expires_at: access_expires_at,
        auth_time: Some(session.signed_in_at),
        bookmark: seal_latest(ctx).await,
        ..refresh.clone()
    };
    let roles = role_claims(ctx.settings, access.methods, inputs.grants);
    Ok(TokenPair {
        access_token: sign_access(ctx, &access, roles, inputs.ring_version).await?,
        refresh_token: ctx.tokens.sign(TokenKind::Refresh, &refresh)?,
        expires_in: access_expires_at.seconds() - ctx.now().seconds(),
        session_ends_in: session.expires_at.seconds() - ctx.now().seconds(),
    })
}

/// Signs an access token of a session that was stepped up now, without a refresh token. Beside it, the seconds until it
/// expires.
pub(in crate::service) async fn issue_fresh(
    ctx: &Context<'_>,
    subject: &Subject,
    methods: AuthMethods,
    session_expires_at: Timestamp,
    inputs: TokenInputs,
) -> Result<(Secret, i64), Error> {
    let expires_at = ctx.settings.lifetimes.access_end(ctx.now(), session_expires_at);
    let claims = TokenClaims {
        id: ctx.new_token_id()?,
        user_id: subject.user_id,
        session_id: subject.session_id,
        issued_at: ctx.now(),
        expires_at,
        auth_time: Some(ctx.now()),
        methods,
        bookmark: seal_latest(ctx).await,
    };
    let roles = role_claims(ctx.settings, methods, inputs.grants);
    let token = sign_access(ctx, &claims, roles, inputs.ring_version).await?;
    Ok((token, expires_at.seconds() - ctx.now().seconds()))
}

/// The roles that the token lists: those that count in its session.
fn role_claims(settings: &Settings, methods: AuthMethods, mut grants: Vec<RoleGrant>) -> Option<RoleClaims> {
    if !methods.include(AuthMethods::MULTIPLE) {
        grants.retain(|grant| !settings.factors.required_roles.contains(&grant.role));
    }
    settings.tokens.include_roles.then(|| RoleClaims::of(&grants))
}

/// The number of roles to read for a token: one more than it lists, to see whether there are more. Where some may not count,
/// all that a user can have.
pub(in crate::service) fn max_roles(settings: &Settings) -> i64 {
    match (settings.tokens.include_roles, settings.factors.required_roles.is_empty()) {
        (false, _) => 0,
        (true, true) => i64::try_from(MAX_ROLES).unwrap_or_default() + 1,
        (true, false) => MAX_GRANTS,
    }
}

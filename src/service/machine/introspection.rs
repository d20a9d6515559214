//! Introspection (RFC 7662): the state of a token at this moment, for resource servers. Database round trips: 1, with the
//! client's. It never counts as a use of a token or a key.

use crate::domain::authz::permission_set::PermissionSet;
use crate::domain::ids::UserId;
use crate::domain::keys::ring::SignedBy;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::machine::scope::Scope;
use crate::domain::session::shown::ShownClaims;
use crate::domain::session::token::{TokenClaims, TokenKind};
use crate::domain::time::Timestamp;
use crate::service::authz::admission::identify;
use crate::service::authz::caller::{Caller, Principal, Subject};
use crate::service::authz::presented::Presented;
use crate::service::keys::copy;
use crate::service::keys::verifying::{AccessClaims, is_accepted, verify_access};
use crate::service::machine::client::{Client, authenticate, confirm};
use crate::service::{Context, Error, ErrorKind};
use crate::store::account::users;
use crate::store::authz::viewer::PresentedKey;
use crate::store::machine::presented;
use crate::store::read::Read;
use crate::store::session::rotation;

/// The members of an active token or key.
#[derive(Debug)]
pub enum Introspected {
    /// A token, with the claims that it carries.
    Token {
        /// The claims, as they stand in the token.
        claims: ShownClaims,
        /// A refresh token cannot be presented to a resource server.
        is_refresh: bool,
    },
    /// An API key of a user or of a service account.
    Key(IntrospectedKey),
}

/// An active API key.
#[derive(Debug)]
pub struct IntrospectedKey {
    /// The owner's id, unless the key is a service account's.
    pub user_id: Option<UserId>,
    /// The name of the service account, if the key is one's.
    pub client_id: Option<String>,
    /// The permissions of a user's key, or the scopes of a service account.
    pub scope: String,
    /// The time at which the key was made.
    pub created_at: Timestamp,
    /// The end of the key, if it has one.
    pub expires_at: Option<Timestamp>,
}

/// The token in question, as far as it is verified without the database.
enum Token {
    /// Malformed, foreign or expired.
    Dead,
    /// It names a key that this isolate does not know, and that it may not look up yet.
    OfUnknownKey,
    Access {
        subject: Subject,
        claims: ShownClaims,
    },
    Refresh {
        refresh: TokenClaims,
        claims: ShownClaims,
    },
    Service {
        key: PresentedKey,
        signed_by: SignedBy,
        issued_at: Timestamp,
        claims: ShownClaims,
    },
    Key(PresentedKey),
}

/// The answer of the database about the token.
struct State {
    introspected: Option<Introspected>,
    /// The signature to be judged by the ring of this version.
    signature: Option<(SignedBy, Timestamp, i64)>,
}

impl State {
    const DEAD: Self = Self { introspected: None, signature: None };
}

/// Looks at a token for a client with the scope `introspect`. `None` means that the token is not active.
///
/// # Errors
/// Those of `confirm`; [`Error`] otherwise.
pub async fn introspect(
    ctx: &Context<'_>,
    client: &Presented,
    token: &str,
) -> Result<(Client, Option<Introspected>), Error> {
    let verified = verify(ctx, token).await?;
    if matches!(verified, Token::OfUnknownKey) {
        return introspect_later(ctx, client, token).await;
    }
    let question = read(verified, ctx.now());
    let (identified, state) = ctx.store.run(identify(ctx, client, None).and(question)).await?;
    let client = confirm(ctx, client, identified, Some(Scope::Introspect)).await?;
    Ok((client, judge(ctx, state).await?))
}

/// The read of the client says whether the ring has changed. If it has, the isolate reads it, and may know the key then.
/// Otherwise no ring has the key: tokens of strangers must not make introspection unavailable.
async fn introspect_later(
    ctx: &Context<'_>,
    client: &Presented,
    token: &str,
) -> Result<(Client, Option<Introspected>), Error> {
    let client = authenticate(ctx, client, Some(Scope::Introspect)).await?;
    copy::at_version(ctx, client.ring_version).await?;
    let state = match verify(ctx, token).await? {
        Token::Dead | Token::OfUnknownKey => State::DEAD,
        known => ctx.store.run(read(known, ctx.now())).await?,
    };
    Ok((client, judge(ctx, state).await?))
}

async fn judge(ctx: &Context<'_>, state: State) -> Result<Option<Introspected>, Error> {
    let is_accepted = match state.signature {
        Some((signed_by, issued_at, version)) => is_accepted(ctx, signed_by, issued_at, version).await?,
        None => true,
    };
    Ok(state.introspected.filter(|_| is_accepted))
}

async fn verify(ctx: &Context<'_>, token: &str) -> Result<Token, Error> {
    if ApiKey::is_claimed_by(token) {
        return Ok(ApiKey::parse(token).map_or(Token::Dead, |key| Token::Key(PresentedKey::new(&key))));
    }
    let Some(presented) = ctx.tokens.parse(token) else { return Ok(Token::Dead) };
    let Some(claims) = presented.shown_claims() else { return Ok(Token::Dead) };
    if let Ok(refresh) = ctx.tokens.claims(TokenKind::Refresh, &presented, None, ctx.now()) {
        return Ok(Token::Refresh { refresh, claims });
    }
    let signed_by = presented.signed_by();
    let verified = match verify_access(ctx, &presented).await {
        Err(error) if matches!(error.kind(), ErrorKind::KeyNotKnownYet) => return Ok(Token::OfUnknownKey),
        verified => verified?,
    };
    Ok(match verified.filter(|claims| claims.expires_at() > ctx.now()) {
        None => Token::Dead,
        Some(AccessClaims::User(TokenClaims { user_id, session_id, auth_time, methods, issued_at, .. })) => {
            Token::Access { subject: Subject { user_id, session_id, auth_time, methods, signed_by, issued_at }, claims }
        }
        Some(AccessClaims::Service(service)) => {
            let issued_at = service.issued_at;
            Token::Service { key: PresentedKey::of_token(service, signed_by), signed_by, issued_at, claims }
        }
    })
}

fn read(token: Token, now: Timestamp) -> Read<State> {
    match token {
        Token::Dead | Token::OfUnknownKey => Read::nothing().map(|()| State::DEAD),
        Token::Access { subject, claims } => {
            users::caller(subject.user_id, subject.session_id, None, now).map(move |read| {
                let version = read.caller.as_ref().map(|row| row.ring_version);
                let signature = version.map(|version| (subject.signed_by, subject.issued_at, version));
                let is_live = Caller::of(subject, read, &[]).is_ok();
                State { introspected: token_if(is_live, claims, false), signature }
            })
        }
        Token::Refresh { refresh, claims } => rotation::state(&refresh).map(move |state| {
            let is_live = state.is_some_and(|state| state.is_current(&refresh.id, now));
            State { introspected: token_if(is_live, claims, true), signature: None }
        }),
        Token::Service { key, signed_by, issued_at, claims } => presented::find(&key).map(move |read| {
            let version = read.key.as_ref().map(|row| row.ring_version);
            let signature = version.map(|version| (signed_by, issued_at, version));
            // The scopes of this moment: one that was removed from the account is gone from its tokens, too.
            let introspected = match Principal::of_key(&key, read, &[], now) {
                Ok(Principal::Service(service)) => {
                    token_if(true, ShownClaims { scope: Some(service.scopes.text()), ..claims }, false)
                }
                Ok(Principal::User(_)) | Err(_) => None,
            };
            State { introspected, signature }
        }),
        Token::Key(key) => presented::find(&key).map(move |read| {
            let times = read.key.as_ref().map(|row| (row.client_id.clone(), row.created_at, row.expires_at));
            let principal = Principal::of_key(&key, read, &[], now).ok();
            let shown = principal.zip(times).map(|(principal, times)| shown_key(&principal, times));
            State { introspected: shown, signature: None }
        }),
    }
}

fn token_if(is_live: bool, claims: ShownClaims, is_refresh: bool) -> Option<Introspected> {
    is_live.then_some(Introspected::Token { claims, is_refresh })
}

fn shown_key(
    principal: &Principal,
    (client_id, created_at, expires_at): (Option<String>, Timestamp, Option<Timestamp>),
) -> Introspected {
    let (user_id, scope) = match principal {
        Principal::User(caller) => (Some(caller.user.id), permissions(caller)),
        Principal::Service(service) => (None, service.scopes.text()),
    };
    Introspected::Key(IntrospectedKey { user_id, client_id, scope, created_at, expires_at })
}

fn permissions(caller: &Caller) -> String {
    let names = caller.credential.permissions().map(|set: PermissionSet| set.names().collect::<Vec<_>>().join(" "));
    names.unwrap_or_default()
}

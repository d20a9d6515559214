//! Authentication and authorization of the caller: one read finds the user, the session, the grants and the resource
//! that the path names. Database round trips: 1.

use crate::domain::authz;
use crate::domain::authz::credential::Credential;
use crate::domain::authz::{AllowedBy, Permission, Resource, RoleGrant};
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::problem::{Code, Problem};
use crate::domain::session::token::{TokenFault, TokenKind};
use crate::service::{Context, Error};
use crate::store::account::users;
use crate::store::account::users::UserRow;
use crate::store::authz::resources::{ResourceRow, Target};

/// The refusal of a student's enrolment in an unpublished course.
pub(in crate::service) const UNPUBLISHED: Problem = Problem::forbidden("Course is not published");

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, read for this request.
    pub user: UserRow,
    /// The session, key or service behind the request.
    pub credential: Credential,
    /// The roles of the user, read with every request.
    pub grants: Vec<RoleGrant>,
}

impl Caller {
    /// Checks that the caller has a permission on a resource.
    ///
    /// # Errors
    /// `FORBIDDEN`; `NOT_FOUND` for a resource that the caller may not see.
    pub fn may(&self, permission: Permission, resource: &Resource) -> Result<AllowedBy, Error> {
        authz::decide(self.user.id, &self.grants, permission, resource).map_err(|refusal| match refusal {
            #[cfg(feature = "campus")]
            authz::Denial::Forbidden if permission == Permission::Campus(CampusPermission::ViewEnrollment) => {
                Error::Refused(Problem::forbidden("Not your enrollment"))
            }
            authz::Denial::Forbidden => Code::Forbidden.into(),
            authz::Denial::Unpublished => Error::Refused(UNPUBLISHED),
            authz::Denial::Invisible => Code::NotFound.into(),
        })
    }
}

/// Checks an access token, and that its user is active and its session alive.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_REVOKED`, `AUTH_INACTIVE_USER`; [`Error`]
/// otherwise.
pub async fn authenticate(ctx: &Context<'_>, access_token: &str) -> Result<Caller, Error> {
    read(ctx, access_token, None).await.map(|(caller, _)| caller)
}

/// As [`authenticate`], and checks that the caller has a permission on the resource that the path names. Returns the
/// row of that resource.
///
/// # Errors
/// As [`authenticate`]; `FORBIDDEN`, `NOT_FOUND`.
pub async fn authorize(
    ctx: &Context<'_>,
    access_token: &str,
    permission: Permission,
    target: Option<Target>,
) -> Result<(Caller, Option<ResourceRow>), Error> {
    let (caller, found) = read(ctx, access_token, target).await?;
    let resource = match (target, &found) {
        (None, _) => Resource::default(),
        (Some(_), Some(row)) => row.resource(),
        (Some(_), None) => return Err(Code::NotFound.into()),
    };
    caller.may(permission, &resource)?;
    Ok((caller, found))
}

async fn read(
    ctx: &Context<'_>,
    access_token: &str,
    target: Option<Target>,
) -> Result<(Caller, Option<ResourceRow>), Error> {
    let claims = ctx.tokens.verify(TokenKind::Access, access_token, ctx.now()).map_err(|fault| match fault {
        TokenFault::Invalid => Code::TokenInvalid,
        TokenFault::Expired(_) => Code::TokenExpired,
    })?;
    let read = users::caller(ctx.store, claims.user_id, claims.session_id, target, ctx.now()).await?;
    let row = read.caller.ok_or(Code::TokenInvalid)?;
    if !row.user.is_active {
        return Err(Code::InactiveUser.into());
    }
    if !row.session_is_live {
        return Err(Code::TokenRevoked.into());
    }
    Ok((
        Caller { user: row.user, credential: Credential::Session(claims.session_id), grants: read.grants },
        read.resource,
    ))
}

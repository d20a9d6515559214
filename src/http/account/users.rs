//! `/users`: the caller's own profile, password and account.

use axum::response::Response;
use serde::Serialize;

use crate::domain::authz::RoleGrant;
use crate::domain::ids::{DepartmentId, UniversityId};
use crate::domain::password::Password;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::refusal::Refusal;
use crate::service::account::profile::ProfileChange;
use crate::service::account::{delete, profile};
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up;
use crate::service::authz::step_up::OwnAccount;
use crate::service::password::change as password_change;
use crate::store::account::users::UserRow;

impl FromFields for ProfileChange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.if_named("full_name", Fields::full_name).map(|full_name| Self { full_name })
    }
}

/// The body of a password change.
pub(in crate::http) struct PasswordChange {
    current: Option<Password>,
    new: Password,
}

impl FromFields for PasswordChange {
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        let current = fields.optional_password("current_password");
        let is_missing = matches!(current, Ok(None));
        let new = fields.new_password("new_password", settings.password_min_length);
        if new.is_err() && is_missing {
            // Only an account without a password may leave it out, which is decided later. The list of faults is complete.
            fields.refuse_missing::<()>("current_password")?;
        }
        if let Ok(new) = &new {
            fields.refuse_guessable("new_password", new, None, &settings.presentation.app_name)?;
        }
        Ok(Self { current: current?, new: new? })
    }
}

/// The body of an account deletion.
pub(in crate::http) struct ProofOfPassword(Option<Password>);

impl FromFields for ProofOfPassword {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.optional_password("password").map(Self)
    }
}

#[derive(Serialize)]
pub(in crate::http) struct UserBody<'a> {
    id: i64,
    email: &'a str,
    email_verified: bool,
    has_password: bool,
    full_name: Option<&'a str>,
    is_active: bool,
    created_at: String,
    roles: Vec<RoleBody>,
}

/// A role. Without a university it applies to the whole platform.
#[derive(Serialize)]
struct RoleBody {
    university_id: Option<i64>,
    department_id: Option<i64>,
    role: &'static str,
}

impl From<&RoleGrant> for RoleBody {
    fn from(grant: &RoleGrant) -> Self {
        Self {
            university_id: grant.university_id.map(UniversityId::get),
            department_id: grant.department_id.map(DepartmentId::get),
            role: grant.role.as_str(),
        }
    }
}

impl<'a> UserBody<'a> {
    pub(in crate::http) fn new(user: &'a UserRow, grants: &[RoleGrant]) -> Self {
        Self {
            id: user.id.get(),
            email: &user.email,
            email_verified: user.email_verified_at.is_some(),
            has_password: user.has_password,
            full_name: user.full_name.as_deref(),
            is_active: user.is_active,
            created_at: user.created_at.rfc3339(),
            roles: grants.iter().map(RoleBody::from).collect(),
        }
    }
}

pub(in crate::http) async fn me(SignedIn(caller): SignedIn) -> Result<Response, Refusal> {
    Ok(json(200, &UserBody::new(&caller.user, &caller.all_grants())))
}

pub(in crate::http) async fn update(
    configured: Configured,
    SignedIn(caller): SignedIn,
    JsonBody(body): JsonBody<ProfileChange>,
) -> Result<Response, Refusal> {
    let user = profile::change(&configured.service(), &caller, &body).await?;
    Ok(json(200, &UserBody::new(&user, &caller.all_grants())))
}

/// The plan of the operations that ask for the password again.
pub(in crate::http) fn own_account((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<OwnAccount> {
    step_up::own_account(&configured.service(), subject)
}

pub(in crate::http) async fn change_password(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(own): Fetched<OwnAccount>,
    JsonBody(body): JsonBody<PasswordChange>,
) -> Result<Response, Refusal> {
    password_change::change_password(&configured.service(), &caller, &own, body.current.as_ref(), &body.new).await?;
    Ok(json(200, &MessageBody { message: "Password changed" }))
}

pub(in crate::http) async fn delete(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(own): Fetched<OwnAccount>,
    OptionalJsonBody(body): OptionalJsonBody<ProofOfPassword>,
) -> Result<Response, Refusal> {
    delete::delete_account(&configured.service(), &caller, &own, body.0.as_ref()).await?;
    Ok(no_content())
}

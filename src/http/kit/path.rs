//! Ids in paths.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::domain::ids::{
    ApiKeyId, CourseId, DepartmentId, EnrollmentId, GrantId, IdentityId, InvitationId, PasskeyId, ServiceAccountId,
    SessionId, UniversityId, UserId,
};
use crate::domain::problem::Code;
use crate::http::kit::extract::FromParts;
use crate::http::kit::refusal::Refusal;

/// An id that can be a path parameter.
pub(in crate::http) trait PathId: Sized {
    /// Name of the path parameter, without braces.
    const NAME: &'static str;

    /// Parses the canonical spelling; any other text is no id.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! path_id {
    ($($id:ident $name:literal;)*) => {$(
        impl PathId for $id {
            const NAME: &'static str = $name;

            fn parse(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )*};
}

path_id! {
    ApiKeyId "key_id";
    CourseId "id";
    DepartmentId "department_id";
    EnrollmentId "id";
    GrantId "grant_id";
    IdentityId "identity_id";
    InvitationId "invitation_id";
    PasskeyId "passkey_id";
    ServiceAccountId "id";
    SessionId "id";
    UniversityId "id";
    UserId "id";
}

/// The parameters of the path, decoded.
#[derive(Clone)]
struct PathParams(Arc<RawPathParams>);

/// Notes the parameters of the path, for [`parameter`].
pub(in crate::http) async fn note_parameters(parts: &mut Parts) {
    if let Ok(params) = RawPathParams::from_request_parts(parts, &()).await
        && params.iter().next().is_some()
    {
        parts.extensions.insert(PathParams(Arc::new(params)));
    }
}

/// The text of a path parameter.
pub(in crate::http) fn parameter<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let PathParams(params) = parts.extensions.get()?;
    params.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The name of a provider in the path.
pub(in crate::http) struct ProviderName(pub(in crate::http) String);

impl FromParts for ProviderName {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        Ok(Self(parameter(parts, "id").unwrap_or_default().to_owned()))
    }
}

/// The id in the path. Malformed text gets the same 404 as an unknown id.
pub(in crate::http) struct Id<T>(pub(in crate::http) T);

impl<T: PathId> FromParts for Id<T> {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parameter(parts, T::NAME).and_then(T::parse).map(Self).ok_or_else(|| Code::NotFound.into())
    }
}

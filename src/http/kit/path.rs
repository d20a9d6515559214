//! Ids in paths, and the rows that the access rule read.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, GrantId, SessionId, UniversityId, UserId};
use crate::domain::problem::Code;
use crate::http::kit::access::{Fetched, Found};
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
    CourseId "id";
    DepartmentId "department_id";
    EnrollmentId "id";
    GrantId "grant_id";
    SessionId "id";
    UniversityId "id";
    UserId "id";
}

/// The id in the path. Malformed text gets the same 404 as an unknown id.
pub(in crate::http) struct Id<T>(pub(in crate::http) T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Code::NotFound)?;
        let text = params.iter().find(|(name, _)| *name == T::NAME).map(|(_, value)| value);
        text.and_then(T::parse).map(Self).ok_or_else(|| Code::NotFound.into())
    }
}

impl<S: Sync, T: Clone + Send + Sync + 'static> FromRequestParts<S> for Fetched<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::internal("the route has another plan"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Found {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get().copied().ok_or_else(|| Refusal::internal("the route's access rule reads no resource"))
    }
}

//! Ids in paths.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, GrantId, SessionId, UniversityId, UserId};
use crate::domain::problem::Code;
use crate::http::kit::access::Found;
use crate::http::kit::refusal::Refusal;

/// An identifier that a path can name.
pub(in crate::http) trait PathId: Sized {
    /// The name of the parameter.
    const NAME: &'static str;

    /// Reads its only spelling.
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

/// The id in the path. What is no id names nothing: 404, as for an id that nobody has.
pub(in crate::http) struct Id<T>(pub(in crate::http) T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Code::NotFound)?;
        let text = params.iter().find(|(name, _)| *name == T::NAME).map(|(_, value)| value);
        text.and_then(T::parse).map(Self).ok_or_else(|| Code::NotFound.into())
    }
}

/// What the path names, as the access rule found it.
impl<S: Send + Sync> FromRequestParts<S> for Found {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get().copied().ok_or_else(|| Refusal::internal("the route's rule looks nothing up"))
    }
}

//! Extractors: the parts of a request that a handler or a plan takes, all but the body.

use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::http::kit::refusal::Refusal;

/// A value made of the head of a request. Nothing is waited for, so an operation is no state machine before it runs.
pub(in crate::http) trait FromParts: Sized {
    /// Returns the value, or the refusal of a request that does not have it.
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal>;
}

impl FromParts for HeaderMap {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        Ok(parts.headers.clone())
    }
}

/// Several values, taken from left to right.
macro_rules! tuples {
    ($(($($part:ident),+))*) => {$(
        impl<$($part: FromParts),+> FromParts for ($($part,)+) {
            fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
                Ok(($($part::from_parts(parts)?,)+))
            }
        }
    )*};
}

tuples! {
    (A, B)
    (A, B, C)
    (A, B, C, D)
}

//! The age of a sign-in, and bodies whose member `password` may stand for a recent one.

use crate::domain::password::Password;
use crate::domain::settings::Settings;
use crate::http::kit::body::FromFields;
use crate::http::kit::context::{Bearer, Configured};
use crate::http::kit::fields::{Fields, Invalid};
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::{Proof, SignInAge, sign_in_age};

/// The plan of operations that have callers without a session too: strangers or service accounts.
pub(in crate::http) fn age_if_session(
    (configured, bearer): (Configured, Option<Bearer>),
) -> Reading<Option<SignInAge>> {
    bearer.map_or_else(
        || Reading::nothing().map(|()| None),
        |Bearer(subject)| sign_in_age(&configured.service(), subject, None).map(Some),
    )
}

/// The members of an operation, or none, and the password beside them.
pub(in crate::http) struct WithPassword<T> {
    pub(in crate::http) body: T,
    password: Option<Password>,
}

impl<T> WithPassword<T> {
    pub(in crate::http) const fn proof<'a>(&'a self, age: &'a SignInAge) -> Proof<'a> {
        Proof { age, password: self.password.as_ref() }
    }
}

impl<T: FromFields> FromFields for WithPassword<T> {
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        let body = T::read(fields, settings);
        let password = fields.optional_password("password");
        Ok(Self { body: body?, password: password? })
    }
}

/// An operation without members of its own.
impl FromFields for () {
    fn read(_: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        Ok(())
    }
}

//! Names in a body: of users, of objects, and slugs.

use crate::domain::account::full_name;
use crate::domain::account::full_name::FullName;
use crate::domain::display_name::NameFault;
use crate::domain::problem::FaultKind;
use crate::domain::tenant::label::{Label, Slug};
use crate::http::kit::fields::{Fields, Invalid};

impl Fields {
    /// A required name of an object, such as a university.
    pub(in crate::http) fn label(&mut self, field: &'static str, max_length: usize) -> Result<Label, Invalid> {
        let text = self.string(field)?;
        Label::parse(&text, max_length).or_else(|fault| self.no_name(field, fault, max_length))
    }

    /// The same, which may be absent or null.
    pub(in crate::http) fn optional_label(
        &mut self,
        field: &'static str,
        max_length: usize,
    ) -> Result<Option<Label>, Invalid> {
        let Some(text) = self.optional_string(field)? else {
            return Ok(None);
        };
        Label::parse(&text, max_length).map(Some).or_else(|fault| self.no_name(field, fault, max_length))
    }

    /// A required slug, in its canonical spelling.
    pub(in crate::http) fn slug(&mut self, field: &'static str) -> Result<Slug, Invalid> {
        let text = self.string(field)?;
        let message =
            "value must be words of lower-case letters and digits with hyphens between, 63 characters at most";
        Slug::parse(&text).map_or_else(|| self.note(field, FaultKind::ValueError, message), Ok)
    }

    /// A user's full name. An absent field, null and blank text all mean no name.
    pub(in crate::http) fn full_name(&mut self, field: &'static str) -> Result<Option<FullName>, Invalid> {
        let Some(text) = self.optional_string(field)? else {
            return Ok(None);
        };
        FullName::parse(&text).or_else(|fault| self.no_name(field, fault, full_name::MAX_LENGTH))
    }

    fn no_name<T>(&mut self, field: &'static str, fault: NameFault, max_length: usize) -> Result<T, Invalid> {
        match fault {
            NameFault::Blank => {
                self.note(field, FaultKind::StringTooShort, "value must have at least 1 visible character")
            }
            NameFault::TooLong => self.too_long(field, max_length),
            NameFault::HiddenCharacter => {
                self.note(field, FaultKind::ValueError, "value must not contain control or invisible characters")
            }
        }
    }
}

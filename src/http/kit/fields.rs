//! The fields of a JSON body, read one by one, so that all the faults are reported, not only the first.

use crate::domain::account::email;
use crate::domain::account::email::{Email, EmailFault};
use crate::domain::account::full_name;
use crate::domain::account::full_name::{FullName, FullNameFault};
use crate::domain::password;
use crate::domain::password::common::{COMMON, GUESSABLE, is_common, is_guessable_from};
use crate::domain::password::{Password, PasswordFault};
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::domain::tenant::label::{Label, LabelFault, Slug};
use crate::domain::unicode::Normalize;
use crate::http::kit::json::{JsonText, Object};

/// At least one fault was noted, so there is no value.
pub(in crate::http) struct Invalid;

/// The body is no JSON text.
pub(in crate::http) fn json_invalid(message: &str) -> Problem {
    Problem::validation(vec![Fault::of_body(FaultKind::JsonInvalid, message)])
}

/// The fields of a JSON object, and the faults found so far.
pub(in crate::http) struct Fields {
    object: Object,
    faults: Vec<Fault>,
    normalize: Normalize,
    /// Of who sends the body, if they are signed in.
    caller_address: Option<String>,
}

impl Fields {
    /// Reads a JSON object.
    pub(in crate::http) fn parse(
        bytes: &[u8],
        normalize: Normalize,
        caller_address: Option<String>,
    ) -> Result<Self, Problem> {
        let parsed = serde_json::from_slice::<JsonText>(bytes).map_err(|error| {
            // The parser's own text may quote the body; its place is enough.
            json_invalid(&format!("body is not valid JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let JsonText::Object(object) = parsed else {
            let fault = Fault::of_body(FaultKind::TypeError, "body must be a JSON object");
            return Err(Problem::validation(vec![fault]));
        };
        if object.has_duplicates {
            return Err(json_invalid("body has two fields of the same name"));
        }
        Ok(Self { object, faults: Vec::new(), normalize, caller_address })
    }

    /// Every fault that was noted.
    pub(in crate::http) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    fn note<T>(&mut self, member: &'static str, kind: FaultKind, message: impl Into<String>) -> Result<T, Invalid> {
        self.faults.push(Fault::of(member, kind, message));
        Err(Invalid)
    }

    /// A string that must be there.
    pub(in crate::http) fn string(&mut self, member: &'static str) -> Result<String, Invalid> {
        match self.object.take(member) {
            Some(JsonText::Text(text)) => Ok(text),
            Some(_) => self.note(member, FaultKind::TypeError, "value must be a string"),
            None => self.note(member, FaultKind::Missing, "field is required"),
        }
    }

    /// A string that may be absent or null.
    fn optional_string(&mut self, member: &'static str) -> Result<Option<String>, Invalid> {
        match self.object.take(member) {
            None | Some(JsonText::Null) => Ok(None),
            Some(JsonText::Text(text)) => Ok(Some(text)),
            Some(_) => self.note(member, FaultKind::TypeError, "value must be a string or null"),
        }
    }

    /// `true` or `false`, which must be there.
    pub(in crate::http) fn boolean(&mut self, member: &'static str) -> Result<bool, Invalid> {
        match self.object.take(member) {
            Some(JsonText::Bool(value)) => Ok(value),
            Some(_) => self.note(member, FaultKind::TypeError, "value must be true or false"),
            None => self.note(member, FaultKind::Missing, "field is required"),
        }
    }

    /// An id that may be absent or null.
    pub(in crate::http) fn optional_id<T>(
        &mut self,
        member: &'static str,
        new: impl Fn(i64) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let value = match self.object.take(member) {
            None | Some(JsonText::Null) => return Ok(None),
            Some(JsonText::Integer(value)) => value,
            Some(_) => return self.note(member, FaultKind::TypeError, "value must be an integer or null"),
        };
        match new(value) {
            Some(id) => Ok(Some(id)),
            None => self.note(member, FaultKind::ValueError, "value must be the id of something: a positive integer"),
        }
    }

    /// What `read` gives for a member that is there; nothing for one that is absent.
    pub(in crate::http) fn if_named<T>(
        &mut self,
        member: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        if self.object.has(member) { read(self, member).map(Some) } else { Ok(None) }
    }

    /// The name of something.
    pub(in crate::http) fn label(&mut self, member: &'static str, max_length: usize) -> Result<Label, Invalid> {
        let text = self.string(member)?;
        match Label::parse(&text, max_length) {
            Ok(label) => Ok(label),
            Err(LabelFault::Blank) => {
                self.note(member, FaultKind::StringTooShort, "value must have at least 1 character")
            }
            Err(LabelFault::TooLong) => self.too_long(member, max_length),
            Err(LabelFault::ControlCharacter) => self.control_character(member),
        }
    }

    /// A slug.
    pub(in crate::http) fn slug(&mut self, member: &'static str) -> Result<Slug, Invalid> {
        let text = self.string(member)?;
        let message =
            "value must be words of lower-case letters and digits with hyphens between, 63 characters at most";
        Slug::parse(&text).map_or_else(|| self.note(member, FaultKind::ValueError, message), Ok)
    }

    /// Notes that a member is required.
    pub(in crate::http) fn refuse_missing<T>(&mut self, member: &'static str) -> Result<T, Invalid> {
        self.note(member, FaultKind::Missing, "field is required")
    }

    /// Notes that a member has a value that cannot be.
    pub(in crate::http) fn refuse_value<T>(&mut self, member: &'static str, message: &str) -> Result<T, Invalid> {
        self.note(member, FaultKind::ValueError, message)
    }

    fn control_character<T>(&mut self, member: &'static str) -> Result<T, Invalid> {
        self.note(member, FaultKind::ValueError, "value must not contain control characters")
    }

    /// One of several words.
    pub(in crate::http) fn choice<T: Copy>(
        &mut self,
        member: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, Invalid> {
        let text = self.string(member)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.note(member, FaultKind::ValueError, format!("value must be one of: {}", words.join(", ")))
    }

    /// An e-mail address.
    pub(in crate::http) fn email(&mut self, member: &'static str) -> Result<Email, Invalid> {
        let text = self.string(member)?;
        match Email::parse(&text, self.normalize) {
            Ok(email) => Ok(email),
            Err(EmailFault::Invalid) => self.note(member, FaultKind::Email, "value is not a valid email address"),
            Err(EmailFault::TooLong) => self.too_long(member, email::MAX_LENGTH),
        }
    }

    /// A password that somebody wants from now on.
    pub(in crate::http) fn new_password(
        &mut self,
        member: &'static str,
        min_length: usize,
    ) -> Result<Password, Invalid> {
        let text = self.string(member)?;
        match Password::choose(&text, min_length, self.normalize) {
            Ok(password) if is_common(&password) => self.note(member, FaultKind::PasswordCommon, COMMON),
            Ok(password) => Ok(password),
            Err(PasswordFault::TooLong) => self.too_long(member, password::MAX_LENGTH),
            Err(PasswordFault::TooShort) => {
                let message = format!("value must have at least {min_length} characters");
                self.note(member, FaultKind::StringTooShort, message)
            }
        }
    }

    /// Notes a password that the address or the service's name suggests. Without an address, that of the caller.
    pub(in crate::http) fn refuse_guessable(
        &mut self,
        member: &'static str,
        password: &Password,
        email: Option<&Email>,
        app_name: &str,
    ) -> Result<(), Invalid> {
        let address = email.map(Email::as_str).or(self.caller_address.as_deref()).unwrap_or_default();
        if is_guessable_from(password, address, app_name, self.normalize) {
            return self.note(member, FaultKind::PasswordCommon, GUESSABLE);
        }
        Ok(())
    }

    /// A password that somebody presents.
    pub(in crate::http) fn presented_password(&mut self, member: &'static str) -> Result<Password, Invalid> {
        let normalize = self.normalize;
        self.string(member).map(|text| Password::presented(&text, normalize))
    }

    /// A person's name, or none.
    pub(in crate::http) fn full_name(&mut self, member: &'static str) -> Result<Option<FullName>, Invalid> {
        let Some(text) = self.optional_string(member)? else {
            return Ok(None);
        };
        match FullName::parse(&text) {
            Ok(name) => Ok(name),
            Err(FullNameFault::TooLong) => self.too_long(member, full_name::MAX_LENGTH),
            Err(FullNameFault::ControlCharacter) => self.control_character(member),
        }
    }

    fn too_long<T>(&mut self, member: &'static str, max_length: usize) -> Result<T, Invalid> {
        let message = format!("value must have at most {max_length} characters");
        self.note(member, FaultKind::StringTooLong, message)
    }
}

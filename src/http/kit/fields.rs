//! The fields of a JSON body. They are read one by one and all faults are collected, so a response reports every fault.

use std::collections::BTreeSet;

use crate::domain::account::email;
use crate::domain::account::email::{Email, EmailFault};
use crate::domain::json::{JsonText, Object};
use crate::domain::password;
use crate::domain::password::common::{COMMON, FindCommonPasswords, GUESSABLE, is_guessable_from};
use crate::domain::password::{Password, PasswordFault};
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::domain::unicode::Normalize;
use crate::http::kit::context::Texts;
use crate::http::kit::query::decoded;
use crate::http::kit::refusal::Refusal;

/// At least one fault was noted, so there is no value.
pub(in crate::http) struct Invalid;

/// The refusal of a body that is not valid JSON.
pub(in crate::http) fn json_invalid(message: &str) -> Problem {
    Problem::validation(vec![Fault::of_body(FaultKind::JsonInvalid, message)])
}

/// The fields of a JSON object, and the faults found so far.
pub(in crate::http) struct Fields {
    object: Object,
    faults: Vec<Fault>,
    normalize: Normalize,
    common_passwords: FindCommonPasswords,
    /// The caller's e-mail address, on a route with authentication.
    caller_address: Option<String>,
}

impl Fields {
    /// Parses a body, which must be an object without duplicate names.
    pub(in crate::http) fn parse(
        bytes: &[u8],
        (normalize, common_passwords): Texts,
        caller_address: Option<String>,
    ) -> Result<Self, Problem> {
        let parsed = serde_json::from_slice::<JsonText>(bytes).map_err(|error| {
            // The parser's message may quote the body, so only the position is reported.
            json_invalid(&format!("body is not valid JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let JsonText::Object(object) = parsed else {
            let fault = Fault::of_body(FaultKind::TypeError, "body must be a JSON object");
            return Err(Problem::validation(vec![fault]));
        };
        if object.has_duplicates {
            return Err(json_invalid("body has two fields of the same name"));
        }
        Ok(Self { object, faults: Vec::new(), normalize, common_passwords, caller_address })
    }

    /// Parses a form (URL Standard, "application/x-www-form-urlencoded"). A parameter without a value counts as absent, and
    /// one given twice is refused (RFC 6749 §3.2).
    pub(in crate::http) fn of_form(bytes: &[u8], (normalize, common_passwords): Texts) -> Result<Self, Problem> {
        let invalid = |message| Problem::validation(vec![Fault::of_body(FaultKind::ValueError, message)]);
        let text = std::str::from_utf8(bytes).map_err(|_| invalid("body is not UTF-8"))?;
        let mut object = Object::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = decoded(name).zip(decoded(value)).ok_or_else(|| invalid("body is not a valid form"))?;
            if !value.is_empty() {
                object.add(name, JsonText::Text(value));
            }
        }
        if object.has_duplicates {
            return Err(invalid("a parameter is given twice"));
        }
        Ok(Self { object, faults: Vec::new(), normalize, common_passwords, caller_address: None })
    }

    /// The refusal of a body, with all its faults.
    pub(in crate::http) fn into_refusal(self) -> Refusal {
        Problem::validation(self.faults).into()
    }

    /// A required object, whose members the caller reads.
    pub(in crate::http) fn object(&mut self, field: &'static str) -> Result<Object, Invalid> {
        match self.object.take(field) {
            Some(JsonText::Object(object)) => Ok(object),
            Some(_) => self.note(field, FaultKind::TypeError, "value must be an object"),
            None => self.refuse_missing(field),
        }
    }

    /// Has the body this field, perhaps with null?
    pub(in crate::http) fn has(&self, field: &str) -> bool {
        self.object.has(field)
    }

    pub(in crate::http) fn note<T>(
        &mut self,
        field: &'static str,
        kind: FaultKind,
        message: impl Into<String>,
    ) -> Result<T, Invalid> {
        self.faults.push(Fault::of(field, kind, message));
        Err(Invalid)
    }

    /// A required string; it may be empty.
    pub(in crate::http) fn string(&mut self, field: &'static str) -> Result<String, Invalid> {
        match self.object.take(field) {
            Some(JsonText::Text(text)) => Ok(text),
            Some(_) => self.note(field, FaultKind::TypeError, "value must be a string"),
            None => self.note(field, FaultKind::Missing, "field is required"),
        }
    }

    /// A string that may be absent or null.
    pub(in crate::http) fn optional_string(&mut self, field: &'static str) -> Result<Option<String>, Invalid> {
        match self.object.take(field) {
            None | Some(JsonText::Null) => Ok(None),
            Some(JsonText::Text(text)) => Ok(Some(text)),
            Some(_) => self.note(field, FaultKind::TypeError, "value must be a string or null"),
        }
    }

    /// A required boolean; strings and numbers are not converted.
    pub(in crate::http) fn boolean(&mut self, field: &'static str) -> Result<bool, Invalid> {
        match self.object.take(field) {
            Some(JsonText::Bool(value)) => Ok(value),
            Some(_) => self.note(field, FaultKind::TypeError, "value must be true or false"),
            None => self.note(field, FaultKind::Missing, "field is required"),
        }
    }

    /// A boolean that may be absent or null, and is false then.
    pub(in crate::http) fn optional_boolean(&mut self, field: &'static str) -> Result<bool, Invalid> {
        match self.object.take(field) {
            None | Some(JsonText::Null) => Ok(false),
            Some(JsonText::Bool(value)) => Ok(value),
            Some(_) => self.note(field, FaultKind::TypeError, "value must be true, false or null"),
        }
    }

    /// An id that may be absent or null.
    pub(in crate::http) fn optional_id<T>(
        &mut self,
        field: &'static str,
        new: impl Fn(i64) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let value = match self.object.take(field) {
            None | Some(JsonText::Null) => return Ok(None),
            Some(JsonText::Integer(value)) => value,
            Some(_) => return self.note(field, FaultKind::TypeError, "value must be an integer or null"),
        };
        match new(value) {
            Some(id) => Ok(Some(id)),
            None => self.note(field, FaultKind::ValueError, "value must be the id of something: a positive integer"),
        }
    }

    /// The result of `read` for a field that is present; `None` for an absent one.
    pub(in crate::http) fn if_named<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        if self.object.has(field) { read(self, field).map(Some) } else { Ok(None) }
    }

    /// Notes that a required field is missing.
    pub(in crate::http) fn refuse_missing<T>(&mut self, field: &'static str) -> Result<T, Invalid> {
        self.note(field, FaultKind::Missing, "field is required")
    }

    /// Notes that the value of a field is not allowed.
    pub(in crate::http) fn refuse_value<T>(&mut self, field: &'static str, message: &str) -> Result<T, Invalid> {
        self.note(field, FaultKind::ValueError, message)
    }

    /// A required string that must be one of `choices`.
    pub(in crate::http) fn choice<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, Invalid> {
        let text = self.string(field)?;
        self.chosen(field, &text, choices)
    }

    fn chosen<T: Copy>(&mut self, field: &'static str, text: &str, choices: &[(&str, T)]) -> Result<T, Invalid> {
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.note(field, FaultKind::ValueError, format!("value must be one of: {}", words.join(", ")))
    }

    /// The same, which may be absent or null.
    pub(in crate::http) fn optional_choice<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Invalid> {
        let text = self.optional_string(field)?;
        text.map(|text| self.chosen(field, &text, choices)).transpose()
    }

    /// A required list of different texts, each of them one of `choices`, and at least `min` of them.
    pub(in crate::http) fn choices<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &[(&str, T)],
        min: usize,
    ) -> Result<Vec<T>, Invalid> {
        let items = match self.object.take(field) {
            Some(JsonText::Array(items)) => items,
            Some(_) => return self.note(field, FaultKind::TypeError, "value must be a list of strings"),
            None => return self.refuse_missing(field),
        };
        let mut words = BTreeSet::new();
        let mut values = Vec::new();
        for item in items {
            let JsonText::Text(text) = item else {
                return self.note(field, FaultKind::TypeError, "value must be a list of strings");
            };
            let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) else {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                let message = format!("each value must be one of: {}", words.join(", "));
                return self.note(field, FaultKind::ValueError, message);
            };
            if !words.insert(text) {
                return self.note(field, FaultKind::ValueError, "no value may be given twice");
            }
            values.push(*value);
        }
        if values.len() < min {
            return self.note(field, FaultKind::ValueError, format!("value must have at least {min} items"));
        }
        Ok(values)
    }

    /// A required e-mail address, normalized.
    pub(in crate::http) fn email(&mut self, field: &'static str) -> Result<Email, Invalid> {
        let text = self.string(field)?;
        match Email::parse(&text, self.normalize) {
            Ok(email) => Ok(email),
            Err(EmailFault::Invalid) => self.note(field, FaultKind::Email, "value is not a valid email address"),
            Err(EmailFault::TooLong) => self.too_long(field, email::MAX_LENGTH),
        }
    }

    /// A password to be set: neither too short nor too long, nor a common one.
    pub(in crate::http) fn new_password(
        &mut self,
        field: &'static str,
        min_length: usize,
    ) -> Result<Password, Invalid> {
        let text = self.string(field)?;
        match Password::choose(&text, min_length, self.normalize) {
            Ok(password) if (self.common_passwords)().contain(&password, self.normalize) => {
                self.note(field, FaultKind::PasswordCommon, COMMON)
            }
            Ok(password) => Ok(password),
            Err(PasswordFault::ControlCharacter) => {
                self.note(field, FaultKind::ValueError, "value must not contain control characters")
            }
            Err(PasswordFault::TooLong) => self.too_long(field, password::MAX_LENGTH),
            Err(PasswordFault::TooShort) => {
                let message = format!("value must have at least {min_length} characters");
                self.note(field, FaultKind::StringTooShort, message)
            }
        }
    }

    /// Notes a password that can be guessed from the e-mail address or the service's name. Without `email`, the
    /// caller's address is used.
    pub(in crate::http) fn refuse_guessable(
        &mut self,
        field: &'static str,
        password: &Password,
        email: Option<&Email>,
        app_name: &str,
    ) -> Result<(), Invalid> {
        let address = email.map(Email::as_str).or(self.caller_address.as_deref()).unwrap_or_default();
        if is_guessable_from(password, address, app_name, self.normalize) {
            return self.note(field, FaultKind::PasswordCommon, GUESSABLE);
        }
        Ok(())
    }

    /// A password to be verified. The rules for new passwords do not apply, since it may be older than they are.
    pub(in crate::http) fn presented_password(&mut self, field: &'static str) -> Result<Password, Invalid> {
        let normalize = self.normalize;
        self.string(field).map(|text| Password::presented(&text, normalize))
    }

    /// The same, which may be absent or null.
    pub(in crate::http) fn optional_password(&mut self, field: &'static str) -> Result<Option<Password>, Invalid> {
        let normalize = self.normalize;
        let text = self.optional_string(field)?;
        Ok(text.map(|text| Password::presented(&text, normalize)))
    }

    pub(super) fn too_long<T>(&mut self, field: &'static str, max_length: usize) -> Result<T, Invalid> {
        let message = format!("value must have at most {max_length} characters");
        self.note(field, FaultKind::StringTooLong, message)
    }
}

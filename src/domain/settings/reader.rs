//! Reads settings one by one, and notes the names of those that are missing or invalid.

use std::borrow::Cow;

/// The source of the settings, and the names of the wrong ones.
pub(super) struct Reader<F> {
    pub(super) lookup: F,
    pub(super) wrong: Vec<Cow<'static, str>>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn required<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.or(name, None, parse)
    }

    /// An unset or empty setting is `None`, without an error.
    pub(super) fn optional<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = (self.lookup)(name).filter(|text| !text.is_empty())?;
        self.noted(name, parse(&text))
    }

    pub(super) fn or<T>(
        &mut self,
        name: &'static str,
        default: Option<T>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = match (self.lookup)(name) {
            Some(text) => parse(&text),
            None => default,
        };
        self.noted(name, value)
    }

    /// Notes a setting that another one makes wrong, or necessary.
    pub(super) fn note_if(&mut self, is_wrong: bool, name: &'static str) {
        if is_wrong && !self.wrong.iter().any(|known| known == name) {
            self.wrong.push(Cow::Borrowed(name));
        }
    }

    fn noted<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong.push(Cow::Borrowed(name));
        }
        value
    }
}

//! The settings of the pages.

use crate::domain::settings::reader::Reader;
use crate::domain::settings::values::switch;

/// The pages that a deployment has, and their look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSettings {
    /// The API description and the pages that show it.
    pub has_api: bool,
    /// The pages for people: the account and the console.
    pub has_people: bool,
    /// Path of a picture at the origin of the service.
    pub logo_url: Option<String>,
    /// A colour as CSS has it: `#` and six hexadecimal digits.
    pub accent: Option<String>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { has_api: true, has_people: true, logo_url: None, accent: None }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn pages(&mut self) -> PageSettings {
        let has_api = self.or("API_PAGES", Some(true), switch);
        let has_people = self.or("PAGES", Some(true), switch);
        let logo_url = self.optional("PAGES_LOGO_URL", logo_url);
        let accent = self.optional("PAGES_ACCENT", accent);
        PageSettings { has_api: has_api.unwrap_or(true), has_people: has_people.unwrap_or(true), logo_url, accent }
    }
}

/// A path of the same origin: two slashes, or a backslash, would begin another host (URL Standard §4.4).
fn logo_url(text: &str) -> Option<String> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    (is_path && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

fn accent(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::tests::{read, wrong};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn pages_are_on_and_have_a_logo_of_their_own_origin_and_a_colour() {
        assert_eq!(*read(&[]).unwrap().presentation.pages, PageSettings::default());
        let pairs =
            [("PAGES", "off"), ("API_PAGES", "off"), ("PAGES_LOGO_URL", "/logo.svg?v=2"), ("PAGES_ACCENT", "#33AAff")];
        let pages = PageSettings {
            has_api: false,
            has_people: false,
            logo_url: Some("/logo.svg?v=2".to_owned()),
            accent: Some("#33AAff".to_owned()),
        };
        assert_eq!(*read(&pairs).unwrap().presentation.pages, pages);
        assert_eq!(read(&[("PAGES_LOGO_URL", ""), ("PAGES_ACCENT", "")]).unwrap().presentation.pages.logo_url, None);
        for name in ["PAGES", "API_PAGES"] {
            for value in ["", "On", "true", "1"] {
                assert_eq!(wrong(name, value), [name], "{value:?}");
            }
        }
        for value in
            ["logo.svg", "//evil.example/x", "/\\evil.example", "https://a.example/x", "/a b", "/\u{e9}", "data:,x"]
        {
            assert_eq!(wrong("PAGES_LOGO_URL", value), ["PAGES_LOGO_URL"], "{value:?}");
        }
        for value in ["red", "#fff", "33aaff", "#33aaf", "#33aafg", "#33aaff;", "#33aaffff"] {
            assert_eq!(wrong("PAGES_ACCENT", value), ["PAGES_ACCENT"], "{value:?}");
        }
    }
}

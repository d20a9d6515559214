//! Comparison of texts: Unicode normalisation (UAX #15) and case folding, by a function that is passed in.
//!
//! The tables take 115 kB and 15 kB, and the Workers runtime contains them already. The rules therefore take a function:
//! methods of JavaScript's `String` in the Worker, a crate and the standard library in the native tests.

/// The normal forms that the service uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormalForm {
    /// Canonical composition, for e-mail addresses (RFC 6532 §3.1).
    Nfc,
    /// The ASCII form of a domain name (UTS #46, non-transitional, as in the URL Standard). Empty if there is none. The
    /// runtime may pass an encoded part that decodes to no name; no such domain exists.
    Idna,
    /// Compatibility composition, for passwords: also folds ligatures and full-width letters.
    Nfkc,
    /// Unicode's default conversion to lower case (The Unicode Standard §3.13).
    LowerCase,
}

/// Converts a text to a normal form. A domain name must have no ASCII characters but letters, digits, `.`, `-` and `_`.
pub type Normalize = fn(&str, NormalForm) -> String;

/// Converts a text to a normal form. ASCII already is in every form, which saves the call.
pub(super) fn normalized(text: &str, form: NormalForm, normalize: Normalize) -> String {
    if text.is_ascii() { text.to_owned() } else { normalize(text, form) }
}

/// Lower-cases each letter by itself. A letter's result must not depend on its position in the word, so the Greek
/// final sigma becomes a sigma: the only letter whose conversion looks at its neighbours.
pub(super) fn fold_case(text: &str, normalize: Normalize) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { normalize(text, NormalForm::LowerCase).replace('ς', "σ") }
}

/// Removes the blanks and hyphens that people type between the groups of a code.
pub(super) fn ungrouped(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-')).collect()
}

/// Characters that leave no mark themselves: Unicode's `Default_Ignorable_Code_Point`, line separators, and controls of the
/// direction and of annotations. With them, two texts can look the same.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The implementation for the unit tests, natively and on Wasm.
#[cfg(test)]
pub(crate) mod for_tests {
    #[cfg(not(target_arch = "wasm32"))]
    use super::NormalForm;

    /// The same crate as in the native tests of the whole service.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn normalize(text: &str, form: NormalForm) -> String {
        use unicode_normalization::UnicodeNormalization as _;
        match form {
            NormalForm::Nfc => text.nfc().collect(),
            NormalForm::Idna => idna::domain_to_ascii(text).unwrap_or_default(),
            NormalForm::Nfkc => text.nfkc().collect(),
            NormalForm::LowerCase => text.to_lowercase(),
        }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) use crate::shell::unicode::normalize;
}

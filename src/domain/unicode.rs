//! What makes two spellings of a text the same: Unicode normalisation (UAX #15), as an argument, and case.
//!
//! The tables of normalisation weigh 115 kB, and the runtime of every Worker has them already. So the rules
//! here take a function: in the Worker it is JavaScript's `String.prototype.normalize`, in the native tests
//! a crate. Lower case is the standard library's.

/// The two normal forms that the service uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormalForm {
    /// Canonical composition.
    Nfc,
    /// Compatibility composition: also folds ligatures, full-width letters and the like.
    Nfkc,
}

/// Brings a text into a normal form.
pub type Normalize = fn(&str, NormalForm) -> String;

/// Brings a text into a normal form; ASCII is in all of them.
pub(super) fn normalized(text: &str, form: NormalForm, normalize: Normalize) -> String {
    if text.is_ascii() { text.to_owned() } else { normalize(text, form) }
}

/// Lower case, letter by letter: what a letter becomes must not depend on its place in the word, as it
/// does for the Greek sigma.
pub(super) fn fold_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// The implementation for the unit tests of each target.
#[cfg(test)]
pub(crate) mod for_tests {
    #[cfg(not(target_arch = "wasm32"))]
    use super::NormalForm;

    /// As the native tests of the whole service do it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn normalize(text: &str, form: NormalForm) -> String {
        use unicode_normalization::UnicodeNormalization as _;
        match form {
            NormalForm::Nfc => text.nfc().collect(),
            NormalForm::Nfkc => text.nfkc().collect(),
        }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) use crate::shell::unicode::normalize;
}

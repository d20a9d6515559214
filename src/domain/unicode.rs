//! Unicode normalisation (UAX #15), as an argument.
//!
//! Its tables weigh 115 kB, and the runtime of every Worker has them already. So the rules here take a
//! function: in the Worker it is JavaScript's `String.prototype.normalize`, in the native tests a crate.

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

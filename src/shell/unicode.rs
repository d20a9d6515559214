//! Unicode normalisation with the runtime's own tables.

use worker::js_sys::JsString;

use crate::domain::unicode::NormalForm;

/// Normalises with `String.prototype.normalize`, without tables in the Wasm.
pub(crate) fn normalize(text: &str, form: NormalForm) -> String {
    let form = match form {
        NormalForm::Nfc => "NFC",
        NormalForm::Nfkc => "NFKC",
    };
    JsString::from(text).normalize(form).into()
}

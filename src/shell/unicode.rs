//! Unicode normalisation with the runtime's own tables.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::domain::unicode::NormalForm;

#[wasm_bindgen]
extern "C" {
    type Text;

    /// `String.prototype.normalize` of the runtime.
    #[wasm_bindgen(method)]
    fn normalize(this: &Text, form: &str) -> String;
}

/// Normalises without tables in the Wasm.
pub(crate) fn normalize(text: &str, form: NormalForm) -> String {
    let form = match form {
        NormalForm::Nfc => "NFC",
        NormalForm::Nfkc => "NFKC",
    };
    JsValue::from_str(text).unchecked_into::<Text>().normalize(form)
}

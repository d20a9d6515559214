//! Unicode normalisation, lower case and domain names with the runtime's own tables.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::domain::unicode::NormalForm;

#[wasm_bindgen]
extern "C" {
    type Text;

    /// `String.prototype.normalize` of the runtime.
    #[wasm_bindgen(method)]
    fn normalize(this: &Text, form: &str) -> String;

    /// `String.prototype.toLowerCase` of the runtime, which knows no locale.
    #[wasm_bindgen(method, js_name = toLowerCase)]
    fn to_lower_case(this: &Text) -> String;

    #[wasm_bindgen(js_name = URL)]
    type Url;

    #[wasm_bindgen(constructor, catch, js_class = "URL")]
    fn new(text: &str) -> Result<Url, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn hostname(this: &Url) -> String;
}

/// Normalises without tables in the Wasm.
pub(crate) fn normalize(text: &str, form: NormalForm) -> String {
    let form = match form {
        NormalForm::Nfc => "NFC",
        NormalForm::Nfkc => "NFKC",
        NormalForm::Idna => return host(text),
        NormalForm::LowerCase => return js_text(text).to_lower_case(),
    };
    js_text(text).normalize(form)
}

fn js_text(text: &str) -> Text {
    JsValue::from_str(text).unchecked_into()
}

/// The host name of a URL is in its ASCII form (URL Standard, "domain to ASCII").
fn host(text: &str) -> String {
    Url::new(&format!("http://{text}")).map_or_else(|_| String::new(), |url| url.hostname())
}

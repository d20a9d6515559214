//! The environment of a deployment: variables and secrets, converted to text.

use worker::Env;
use worker::js_sys::{JSON, Reflect};
use worker::wasm_bindgen::JsValue;

/// A variable or secret as text. Numbers, booleans and lists in `wrangler.toml` become JSON, so
/// `PASSWORD_MIN_LENGTH = 12` means the same as `"12"`.
pub(super) fn text(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value.as_string().or_else(|| JSON::stringify(&value).ok().and_then(|json| json.as_string()))
}

/// Does the deployment have a binding of this name?
pub(super) fn has(env: &Env, name: &str) -> bool {
    Reflect::get(env, &JsValue::from_str(name)).is_ok_and(|value| value.is_object())
}

//! The environment of a deployment: variables and secrets as text, whatever way they were written.

use worker::Env;
use worker::js_sys::{JSON, Reflect};
use worker::wasm_bindgen::JsValue;

/// A variable or secret as text. `wrangler.toml` also knows numbers, booleans and lists: they are read
/// as the JSON they stand for, so `PASSWORD_MIN_LENGTH = 12` means the same as `"12"`.
pub(super) fn text(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value.as_string().or_else(|| JSON::stringify(&value).ok().and_then(|json| json.as_string()))
}

/// Is there such a binding?
pub(super) fn has(env: &Env, name: &str) -> bool {
    Reflect::get(env, &JsValue::from_str(name)).is_ok_and(|value| value.is_object())
}

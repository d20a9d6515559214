//! What entry.mjs does for Rust: each of these is one crossing between JavaScript and Wasm, where the same through
//! the platform's own types would be dozens. A crossing costs as much as a small piece of the work behind it.

use worker::Env;
use worker::js_sys::Promise;
use worker::wasm_bindgen;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::web_sys::Request;

#[wasm_bindgen]
extern "C" {
    /// The object that entry.mjs hands in with each request.
    #[derive(Clone)]
    pub(super) type Platform;

    /// What a request says before its body, in the form that `wire` reads.
    #[wasm_bindgen(method)]
    pub(super) fn head(this: &Platform, request: &Request) -> String;

    /// Notes the id of a request with the request.
    #[wasm_bindgen(method)]
    pub(super) fn note(this: &Platform, request: &Request, request_id: &str);

    /// Reads the body of a request, one byte more than this at most: a `Uint8Array`, empty if the body breaks. `is_short`:
    /// it was announced to be no longer than this.
    #[wasm_bindgen(method, js_name = readBody)]
    pub(super) fn read_body(this: &Platform, request: &Request, limit: u32, is_short: bool) -> Promise;

    /// Remembers the text of a statement under a number.
    #[wasm_bindgen(method)]
    pub(super) fn learn(this: &Platform, number: u32, sql: &str);

    /// Runs a batch: `[[number, [value, …]], …]`. Gives the rows of each statement as one JSON text; null, if there was
    /// no answer in time; nothing, if the answer was none.
    #[wasm_bindgen(method)]
    pub(super) fn batch(this: &Platform, env: &Env, statements: &str, timeout_ms: u32) -> Promise;
}

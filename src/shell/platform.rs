//! The functions of platform.mjs. Each takes one crossing between Wasm and JavaScript, where the runtime's own types
//! would need dozens, and each crossing has a cost.

use worker::Env;
use worker::js_sys::Promise;
use worker::wasm_bindgen;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::web_sys::Request;

#[wasm_bindgen]
extern "C" {
    /// The object of platform.mjs, which entry.mjs passes with each request.
    #[derive(Clone)]
    pub(super) type Platform;

    /// The head of a request, in the format that `wire` parses.
    #[wasm_bindgen(method)]
    pub(super) fn head(this: &Platform, request: &Request) -> String;

    /// Stores the request id on the JavaScript request, for entry.mjs.
    #[wasm_bindgen(method)]
    pub(super) fn note(this: &Platform, request: &Request, request_id: &str);

    /// Reads at most `limit + 1` bytes of the body into a `Uint8Array`, which is empty if reading fails. `is_short`
    /// means that the announced length is within the limit.
    #[wasm_bindgen(method, js_name = readBody)]
    pub(super) fn read_body(this: &Platform, request: &Request, limit: u32, is_short: bool) -> Promise;

    /// Stores the text of a statement under a number.
    #[wasm_bindgen(method)]
    pub(super) fn learn(this: &Platform, number: u32, sql: &str);

    /// Runs a batch: `[[number, [value, …]], …]`. Resolves to the rows of each statement as one JSON text, to `null`
    /// after the deadline, or to `undefined` if D1's answer is malformed.
    #[wasm_bindgen(method)]
    pub(super) fn batch(this: &Platform, env: &Env, statements: &str, timeout_ms: u32) -> Promise;
}

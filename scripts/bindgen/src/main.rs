//! Generates the JavaScript glue of the Worker's Wasm: `edge-auth-bindgen <Wasm of cargo> <folder>`.
//!
//! It calls the library of `wasm-bindgen` with the options of this project. The complete command line tool takes three
//! times as long to compile, because it includes the servers of its test runner.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [wasm, folder] = arguments.as_slice() else {
        return Err("usage: edge-auth-bindgen <Wasm of cargo> <folder>".into());
    };
    Bindgen::new()
        .input_path(wasm)
        .out_name("index")
        .module(true)?
        .typescript(false)
        // A crash ends an instance, not the isolate: `src/shell/entry.mjs` starts a new one.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)?;
    // On Cloudflare a plain `import` returns the compiled module.
    let glue = Path::new(folder).join("index.js");
    let text = fs::read_to_string(&glue)?;
    fs::write(&glue, text.replace("import source ", "import "))?;
    Ok(())
}

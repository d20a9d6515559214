// The deployed module: the Rust Worker, and crash handling that only JavaScript can do.
//
// A panic in Rust stops its Wasm instance at once. The `worker` crate starts a new instance for the next request. The
// requests in flight would hang until the runtime ends them with its own error page. This module answers them with the
// service's error envelope. It also converts the output of libraries to JSON log lines.
import { WorkerEntrypoint } from "cloudflare:workers";

import Service from "../../build/index.js";
import platform from "./platform.mjs";

export * from "../../build/index.js";

/** The reject functions of the requests in flight. */
const inFlight = new Set();

// An uncaught error comes from the Wasm or its glue code, so no request in flight will be answered.
addEventListener("error", (event) => inFlight.forEach((crash) => crash(event.error)));

// The functions that Rust exports. The classes of the `worker` crate around them are nested proxies, which would double
// the overhead between a request and Rust. They are used only after a crash.
const { answer, clean } = Service.prototype;
const wasm = globalThis.__worker_init_state;

export default class extends WorkerEntrypoint {
  fetch(request) {
    const response = this.#answer(request);
    // A client that disconnects must not cancel a use case half-way, nor leave its entry in `inFlight`.
    this.ctx.waitUntil(response);
    return response;
  }

  async #answer(request) {
    let crash;
    try {
      this.#recover();
      const answered = await new Promise((resolve, reject) => {
        crash = reject;
        inFlight.add(crash);
        answer(request, this.env, this.ctx, platform).then(resolve, reject);
      });
      return platform.response(answered);
    } catch (error) {
      note(error);
      return crashed(request, error);
    } finally {
      inFlight.delete(crash);
    }
  }

  async scheduled() {
    this.#recover();
    try {
      await clean(this.env, this.ctx, platform);
    } catch (error) {
      note(error);
      throw error;
    }
  }

  /** The `worker` crate replaces a crashed instance whenever an object of one of its classes is constructed. */
  #recover() {
    if (wasm.criticalError) {
      new Service(this.ctx, this.env);
    }
  }
}

/** Marks the instance as unusable after a crash. */
function note(error) {
  if (causeOf(error) instanceof WebAssembly.RuntimeError) {
    wasm.criticalError = true;
  }
}

/** Errors that pass through Wasm are wrapped; the original is the cause. */
const causeOf = (error) => error?.cause ?? error;

/** INTERNAL_ERROR, with the request id that Rust has stored on the request. */
function crashed(request, error) {
  const cause = causeOf(error);
  const requestId = request.requestId ?? crypto.randomUUID().replaceAll("-", "");
  log("ERROR", "app.errors", "Request lost in a crash", { request_id: requestId, cause: String(cause) });
  const body = { code: "INTERNAL_ERROR", message: "Internal error", details: {} };
  const headers = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Request-ID": requestId,
  };
  if (request.url.startsWith("https:")) {
    headers["Strict-Transport-Security"] = "max-age=31536000";
  }
  return Response.json({ error: body, request_id: requestId }, { status: 500, headers });
}

/** One line in the format of `shell/logging.rs`. */
function log(level, name, message, fields = {}) {
  print(JSON.stringify({ timestamp: new Date().toISOString(), level, name, message, ...fields }));
}

const print = console.log.bind(console);

// The `worker` crate and its glue code print plain text when a panic resets the instance: convert it to JSON lines.
// Rust writes its own lines with `console.debug`, `info`, `warn` and `error`, and they are JSON already.
const isLine = (args) => args.length === 1 && typeof args[0] === "string" && args[0].startsWith("{");
// The panic hook in `entry.rs` already logs a panic with its request id, so it is not logged again.
const isPanic = (args) => args[1] instanceof Error && args[1].message.startsWith("Rust panic");
for (const [method, level] of Object.entries({ log: "INFO", error: "ERROR" })) {
  const original = console[method].bind(console);
  console[method] = (...args) => {
    if (isLine(args)) {
      original(...args);
    } else if (!isPanic(args)) {
      log(level, "app.runtime", args.map((arg) => arg?.stack ?? String(arg)).join(" "));
    }
  };
}

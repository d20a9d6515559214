// The deployed module: the Rust Worker, and crash handling that only JavaScript can do.
//
// A panic in Rust stops its Wasm instance at once, and the next call starts a new one. The requests in flight would hang
// until the runtime ends them with its own error page. This module answers them with the service's error envelope. It
// also converts the output of libraries to JSON log lines.
import { WorkerEntrypoint } from "cloudflare:workers";

import { __wbg_reset_state, __worker_init_state, answer, CircuitBreaker as Breaker, clean } from "../../build/index.js";
import platform from "./platform.mjs";

/** The state of the Wasm instance, kept by the `worker` crate: `criticalError`, and an `instanceId` that is never used twice. */
const wasm = __worker_init_state();

/** The reject functions of the requests in flight. */
const inFlight = new Set();

// An uncaught error comes from the Wasm or its glue code, so no request in flight will be answered.
addEventListener("error", ({ error }) => {
  lost(error);
  inFlight.forEach((crash) => crash(error));
});

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
      recover();
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
    recover();
    try {
      await clean(this.env, this.ctx, platform);
    } catch (error) {
      note(error);
      throw error;
    }
  }
}

/** The circuit breaker. Its Rust object is lost with the Wasm instance; a new one reads the state from storage. */
export class CircuitBreaker {
  #given;
  #instanceId;
  #object;

  constructor(...given) {
    this.#given = given;
  }

  fetch(request) {
    try {
      recover();
      if (this.#instanceId !== wasm.instanceId) {
        this.#object = new Breaker(...this.#given);
        this.#instanceId = wasm.instanceId;
      }
      return this.#object.fetch(request);
    } catch (error) {
      lost(error);
      throw error;
    }
  }
}

/** Starts a new instance if this one has crashed. */
function recover() {
  if (wasm.criticalError) {
    log("INFO", "app.runtime", "Reinitializing Wasm application");
    __wbg_reset_state();
    wasm.criticalError = false;
  }
}

/** No answer reports this error, so the log does if the instance is lost. */
function lost(error) {
  if (note(error)) {
    log("ERROR", "app.runtime", `Critical ${error.stack}`);
  }
}

/** Marks the instance as unusable after a crash, and returns whether this was one. */
function note(error) {
  const isCrash = causeOf(error) instanceof WebAssembly.RuntimeError;
  wasm.criticalError ||= isCrash;
  return isCrash;
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

// Libraries and the glue code print plain text: convert it to JSON lines.
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

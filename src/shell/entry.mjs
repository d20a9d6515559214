// The module that is deployed: the Rust Worker, and what only JavaScript can do for it.
//
// A panic in Rust stops its Wasm instance at once. `worker` starts a new instance for the next request, but
// those in flight would never be answered: the runtime calls them hung and shows an error page of its own.
// Here they get the service's error envelope instead, and what libraries print gets the form of all logs.
import { WorkerEntrypoint } from "cloudflare:workers";

import Service from "../../build/index.js";
import platform from "./platform.mjs";

export * from "../../build/index.js";

/** How to end each request that Rust has not answered yet. */
const inFlight = new Set();

// Whatever nobody caught came out of the Wasm or its glue: what it was doing will not be finished.
addEventListener("error", (event) => inFlight.forEach((crash) => crash(event.error)));

// The functions that Rust exports. The classes of `worker` around them are proxies of proxies, which cost as much as
// everything else between a request and Rust; they are asked only when an instance has crashed.
const { answer, clean } = Service.prototype;
const wasm = globalThis.__worker_init_state;

export default class extends WorkerEntrypoint {
  fetch(request) {
    const response = this.#answer(request);
    // A client that goes away must not stop a use case half-way, nor leave its entry behind in `inFlight`.
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

  /** `worker` starts a new instance, if this one crashed, before it makes an object of any class. */
  #recover() {
    if (wasm.criticalError) {
      new Service(this.ctx, this.env);
    }
  }
}

/** An instance in which this happened is not to be used again. */
function note(error) {
  if (causeOf(error) instanceof WebAssembly.RuntimeError) {
    wasm.criticalError = true;
  }
}

/** What passes through Wasm is wrapped on its way. */
const causeOf = (error) => error?.cause ?? error;

/** INTERNAL_ERROR, with the request id that Rust noted on the request before it began. */
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

/** One line, of the form that `shell/logging.rs` writes. */
function log(level, name, message, fields = {}) {
  print(JSON.stringify({ timestamp: new Date().toISOString(), level, name, message, ...fields }));
}

const print = console.log.bind(console);

// `worker` and its glue print plain text when a panic resets the instance: one line of JSON each instead.
// Rust writes its own lines with `console.debug`, `info`, `warn` and `error`, and they are JSON already.
const isLine = (args) => args.length === 1 && typeof args[0] === "string" && args[0].startsWith("{");
// The message of a panic is logged by our own hook, with the id of its request: not once more.
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

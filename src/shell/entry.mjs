// The deployed module. Rust asks, and JavaScript does: each call into Rust hands over a text with log lines, wants and
// perhaps the response (`tasks.rs`). This module carries it out, and calls back with each answer.
//
// A panic in Rust, or an exception where none may occur, ends the Wasm instance. The call that throws shows it. All
// events in flight are then answered with the service's error envelope, and a new instance starts.
import { WorkerEntrypoint } from "cloudflare:workers";

import * as rust from "../../build/index.js";
import commonPasswords from "../domain/password/common_passwords.bin";
import { carryOut, discardBody, environmentText, headText, responseOf } from "./platform.mjs";

/** Log lines by the first character of their record. */
const CONSOLE = { d: console.debug, i: console.info, w: console.warn, e: console.error };
/**
 * Turns of the event loop that still wait for an answer after the deadline, enough for one whose head, body and end
 * arrive separately. If the isolate was busy computing when the deadline passed, the answer may have arrived long ago,
 * and the other side is not at fault. If it is at fault, the turns cost a few milliseconds.
 */
const LATE_TURNS = 5;
/** The edge's id of a request. Locally a client may send another text, which must not be logged. */
const RAY = /^[0-9a-f]{16}(-[A-Z]{3})?$/;
/** The Cron Trigger in wrangler.toml that sends mails. */
const EVERY_MINUTE = "* * * * *";
/** The runtime may abandon an event without notice. No event lasts that long. */
const LIFETIME_MS = 3_600_000;

/** The events in flight, the oldest first. */
const events = new Set();
/** Does this instance have the environment? */
let isConnected = false;
/** Was this instance lost in a crash? The next event starts a new one. */
let isLost = false;
/** The text of the current turn; a panic hands over its log lines, too. */
let records = "";
const taker = { take: (text) => (records = text), commonPasswords: () => new Uint8Array(commonPasswords) };

export default class extends WorkerEntrypoint {
  fetch(request) {
    const event = eventOf(this.env, { request, fail: crashed });
    begin(event, () => rust.answer(headText(request), event.begun));
    return finish(event, this.ctx);
  }

  scheduled({ cron }) {
    const event = eventOf(this.env);
    begin(event, () => (cron === EVERY_MINUTE ? rust.send_mails(event.begun) : rust.clean(event.begun)));
    return finish(event, this.ctx);
  }
}

/** The circuit breaker. Its state is in the storage only, so it survives the Wasm instance. */
export class CircuitBreaker {
  #env;
  #sql;

  constructor({ storage: { sql } }, env) {
    this.#env = env;
    this.#sql = { exec: (text, values) => JSON.stringify(sql.exec(text, ...JSON.parse(values)).toArray()) };
  }

  fetch({ url }) {
    const event = eventOf(this.#env);
    begin(event, () => rust.ask_breaker(url, this.#sql, event.begun));
    return event.response;
  }
}

/** `open` counts the wants that wait for an answer; `fail` makes the response after a crash. */
const eventOf = (env, more) => ({ env, begun: Date.now(), open: 0, fail: (_, error) => Promise.reject(error), ...more });

function begin(event, call) {
  const [oldest] = events;
  if (oldest !== undefined && oldest.begun + LIFETIME_MS < event.begun) {
    events.delete(oldest);
  }
  events.add(event);
  turn(event, () => {
    if (isLost) {
      rust.__wbg_reset_state();
      isLost = false;
    }
    if (!isConnected) {
      rust.connect(taker, environmentText(event.env));
      isConnected = true;
    }
    call();
  });
}

/**
 * The response, or a promise of it. A client that disconnects must not cancel a use case half-way, and tasks may go on
 * behind the response, even behind one that was made at once.
 */
function finish(event, ctx) {
  if (events.has(event)) {
    ctx.waitUntil(new Promise((resolve) => (event.end = resolve)));
  }
  if (event.response !== undefined) {
    return event.response;
  }
  const response = new Promise((resolve, reject) => Object.assign(event, { respond: resolve, reject }));
  // The runtime ties a response to the event that makes it, so the crash of another one only rejects.
  return response.catch((error) => event.fail(event, error));
}

/** One call into Rust, and its records. */
function turn(event, call) {
  let hasThrown = true;
  try {
    try {
      call();
      hasThrown = false;
    } finally {
      const text = records;
      records = "";
      perform(event, text, hasThrown);
    }
  } catch (error) {
    crash(error);
  }
  if (event.response !== undefined && event.open === 0) {
    events.delete(event);
    event.end?.();
  }
}

/** Carries out the records of a turn, in their order. Of a turn that ended in a crash, only the log lines count. */
function perform(event, text, hasThrown) {
  for (let start = 0, end; start < text.length; start = end + 1) {
    const kind = text[start];
    if (kind === "R" || kind === "S") {
      respond(event, text.slice(start));
      return;
    }
    end = text.indexOf("\n", start);
    if (end < 0) {
      throw new Error("a record without an end");
    }
    if (kind === "[") {
      if (!hasThrown) {
        want(event, JSON.parse(text.slice(start, end)));
      }
    } else if (kind === "#") {
      event.requestId = text.slice(start + 1, end);
    } else {
      CONSOLE[kind](text.slice(start + 1, end));
    }
  }
}

/** Makes the response. A text from which none can be made is the fault of this request alone. */
function respond(event, text) {
  if (!text.startsWith("S")) {
    // A response to HEAD, or an error, has no use for a file that was opened. Cancelling one may fail, which is the same.
    event.stream?.cancel().catch(() => {});
  }
  try {
    event.response = responseOf(text, event.requestId, text.startsWith("S") ? event.stream : null);
  } catch (error) {
    event.response = event.fail(event, error);
  }
  discardBody(event);
  event.respond?.(event.response);
}

/** A binding that throws at once fails this want only, as one that rejects does. */
function carriedOut(kind, event, given) {
  try {
    return carryOut[kind](event, given);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Carries out a want, and resumes its task with the answer, an error, or nothing after the deadline. */
function want(event, [kind, number, deadlineMs, given]) {
  let timer;
  let isOpen = true;
  const settle = (resume, answer) => {
    if (!isOpen) {
      return;
    }
    isOpen = false;
    clearTimeout(timer);
    event.open -= 1;
    // After a crash the event is no longer in flight.
    if (events.has(event)) {
      turn(event, () => resume(number, answer, Date.now()));
    }
  };
  const late = (turns) => {
    if (turns === 0) {
      settle(rust.resume_failed);
    } else {
      timer = setTimeout(late, 0, turns - 1);
    }
  };
  event.open += 1;
  carriedOut(kind, event, given).then(
    (answer) => settle(typeof answer === "string" ? rust.resume : rust.resume_with_bytes, answer),
    (error) => settle(rust.resume_failed, error?.message ?? String(error)),
  );
  if (deadlineMs > 0) {
    timer = setTimeout(late, deadlineMs, LATE_TURNS);
  }
}

/** Answers every event in flight. The next event starts a new instance, so a failure of that start is its own. */
function crash(error) {
  log("ERROR", "app.runtime", `The instance is lost: ${error?.stack ?? error}`);
  isLost = true;
  isConnected = false;
  const lost = [...events];
  events.clear();
  for (const event of lost) {
    if (event.reject === undefined) {
      event.response ??= event.fail(event, error);
    }
    event.reject?.(error);
    event.end?.();
  }
}

/** INTERNAL_ERROR, with the request id that Rust chose. */
function crashed(event, error) {
  discardBody(event);
  const { env, request, requestId = crypto.randomUUID().replaceAll("-", "") } = event;
  const ray = request.headers.get("CF-Ray");
  const ids = { request_id: requestId, ...(RAY.test(ray) && { ray }) };
  log("ERROR", "app.errors", "Request lost in a crash", { ...ids, cause: String(error) });
  const body = { code: "INTERNAL_ERROR", message: "Internal error", details: {} };
  const headers = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Request-ID": requestId,
    ...corsHeaders(env.BACKEND_CORS_ORIGINS, request.headers.get("origin")),
  };
  if (request.url.startsWith("https:")) {
    headers["Strict-Transport-Security"] = "max-age=31536000";
  }
  return Response.json({ error: body, request_id: requestId }, { status: 500, headers });
}

/** As `http/kit/cors.rs` has them: without these, a browser hides the response from the page. */
function corsHeaders(setting, origin) {
  const exposed = { "Access-Control-Expose-Headers": "x-request-id,x-edge-auth-bookmark,retry-after,www-authenticate" };
  try {
    const allowed = typeof setting === "string" ? JSON.parse(setting) : setting;
    if (allowed[0] === "*") {
      return { ...exposed, "Access-Control-Allow-Origin": "*" };
    }
    if (allowed.includes(origin)) {
      const allowing = { "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true" };
      return { ...exposed, ...allowing, Vary: "origin" };
    }
  } catch {
    // No setting, or a wrong one, allows no origin.
  }
  return {};
}

/** One line in the format of `shell/logging.rs`. */
function log(level, name, message, fields = {}) {
  console.error(JSON.stringify({ timestamp: new Date().toISOString(), level, name, message, ...fields }));
}

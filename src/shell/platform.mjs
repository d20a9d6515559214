// Functions for Rust, each with one crossing between Wasm and JavaScript; `platform.rs` declares them and says why.
// `wire.rs` and `d1.rs` are the Rust side of the text formats used here.

/** The headers that the service uses, in the order in which `wire.rs` reads them. */
const HEADERS = [
  "access-control-request-headers",
  "access-control-request-method",
  "authorization",
  "content-length",
  "content-type",
  "origin",
  "user-agent",
  "cf-connecting-ip",
  "x-request-id",
];

/** The texts of the statements; Rust refers to them by their index. */
const statements = [];

/**
 * A cache of `Headers` by their text. Except for the request id, nearly all responses have one of a few sets of
 * headers. Building an object from text costs three times as much as copying one.
 */
const knownHeaders = new Map();
/** Bounds the cache, because some texts contain a number of seconds or an origin. */
const MAX_KNOWN_HEADERS = 100;

/** Parses headers. There is always at least one, because `http/kit/headers.rs` adds some to every response. */
function headersOf(text) {
  let headers = knownHeaders.get(text);
  if (headers === undefined) {
    if (knownHeaders.size >= MAX_KNOWN_HEADERS) {
      knownHeaders.clear();
    }
    const pairs = text.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
    headers = new Headers(pairs);
    knownHeaders.set(text, headers);
  }
  return headers;
}

export default {
  /** One line each for the presence of a body, the method, the URL and every header; a colon precedes a present one. */
  head(request) {
    const { method, url, headers } = request;
    let head = `${request.body === null ? "" : "body"}\n${method}\n${url}`;
    for (const name of HEADERS) {
      const value = headers.get(name);
      head += value === null ? "\n" : `\n:${value}`;
    }
    return head;
  },

  /**
   * Makes a response from a text: a line with status and request id, the other headers, an empty line and the body. A
   * complete response is returned as it is.
   */
  response(answer) {
    if (typeof answer !== "string") {
      return answer;
    }
    const [first, end] = [answer.indexOf("\n"), answer.indexOf("\n\n")];
    const headers = headersOf(answer.slice(first + 1, end));
    const response = new Response(answer.slice(end + 2) || null, { status: Number(answer.slice(0, 3)), headers });
    response.headers.set("X-Request-ID", answer.slice(4, first));
    return response;
  },

  /**
   * All bytes of a body, or the first `limit + 1`, or none if reading fails. It awaits once, however many chunks the
   * client sends: one await per chunk would let a small body cost more than a password hash. A body with an announced
   * length cannot exceed it, so `arrayBuffer` suffices there and saves a tenth of the request's time.
   */
  async readBody(request, limit, isShort) {
    try {
      if (isShort) {
        const body = await request.arrayBuffer();
        // If more arrives nevertheless, the excess must not enter the Wasm memory, which never shrinks.
        return new Uint8Array(body, 0, Math.min(body.byteLength, limit + 1));
      }
      const reader = request.body.getReader({ mode: "byob" });
      const { value } = await reader.readAtLeast(limit + 1, new Uint8Array(limit + 1));
      return value ?? new Uint8Array();
    } catch {
      return new Uint8Array();
    }
  },

  /** Stores the request id for entry.mjs, which answers if Rust crashes. */
  note(request, requestId) {
    request.requestId = requestId;
  },

  learn(number, sql) {
    statements[number] = sql;
  },

  /** Runs a batch: the rows of each statement as one JSON text, or null after the deadline. */
  batch({ DB: database }, message, timeoutMs) {
    const prepared = JSON.parse(message).map(([number, values]) => database.prepare(statements[number]).bind(...values));
    return inTime(database.batch(prepared), timeoutMs);
  },
};

async function inTime(results, timeoutMs) {
  let timer;
  const deadline = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs, null);
  });
  try {
    let found = await Promise.race([results, deadline]);
    for (let turn = 0; found === null && turn < LATE_TURNS; turn += 1) {
      found = await Promise.race([results, nextTurn()]);
    }
    return found === null ? null : rowsOf(found);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Turns of the event loop that still wait for an answer after the deadline, enough for one whose head, body and end
 * arrive separately. If the isolate was busy computing when the deadline passed, the answer may have arrived long ago,
 * and the database is not at fault. If the database is at fault, the turns cost a few milliseconds.
 */
const LATE_TURNS = 5;

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 0, null));

/** The rows as one JSON text, or undefined if D1's answer is malformed. */
function rowsOf(results) {
  try {
    return JSON.stringify(results.map((result) => result.results));
  } catch {
    return undefined;
  }
}

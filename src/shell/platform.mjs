// What JavaScript does for Rust, each with one crossing between them: `platform.rs` says which and why, `wire.rs` and
// `d1.rs` are the other side of the forms used here.

/** The headers that the service looks at, in the order in which `wire.rs` reads them. */
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

/** The texts of the statements that Rust knows by numbers. */
const statements = [];

/**
 * Headers by their text: nearly all responses have one of a few sets, but for the request's id. To make an object of a
 * text costs three times what it costs to copy one.
 */
const knownHeaders = new Map();
/** Some texts hold a number of seconds, or an origin: what was noted is forgotten before it is many. */
const MAX_KNOWN_HEADERS = 100;

/** At least one header: `http/kit/headers.rs` sees to that. */
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
  /** A line each: is there a body, the method, the URL, the headers; a colon in front of those that are there. */
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
   * Makes a response of a line with status and request id, the other headers, an empty line and the body; or takes one
   * that is made already.
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
   * All bytes of a body, or the first `limit + 1`, or none if it breaks. One wait, however many chunks a client makes of
   * it: one for each would let a small body cost more than a password hash. Where the length was announced no more than
   * that ever comes, so there the simplest means does, for a tenth less of the request's time.
   */
  async readBody(request, limit, isShort) {
    try {
      if (isShort) {
        const body = await request.arrayBuffer();
        // Should more come all the same, it does not get into memory that only ever grows.
        return new Uint8Array(body, 0, Math.min(body.byteLength, limit + 1));
      }
      const reader = request.body.getReader({ mode: "byob" });
      const { value } = await reader.readAtLeast(limit + 1, new Uint8Array(limit + 1));
      return value ?? new Uint8Array();
    } catch {
      return new Uint8Array();
    }
  },

  /** For entry.mjs, which answers if Rust crashes. */
  note(request, requestId) {
    request.requestId = requestId;
  },

  learn(number, sql) {
    statements[number] = sql;
  },

  /** The rows of each statement as one JSON text, or null after the deadline. */
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
    for (let round = 0; found === null && round < LATE_ROUNDS; round += 1) {
      found = await Promise.race([results, nextRound()]);
    }
    return found === null ? null : rowsOf(found);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Rounds of the event loop in which an answer is still looked for after the deadline: enough for one whose head, body and
 * end come one after another. If this isolate computed when the deadline passed, it may have been there for long, and that
 * is not the database's fault. If the database is, they cost a few milliseconds.
 */
const LATE_ROUNDS = 5;

const nextRound = () => new Promise((resolve) => setTimeout(resolve, 0, null));

/** As one JSON text; nothing, if D1 answered something else. */
function rowsOf(results) {
  try {
    return JSON.stringify(results.map((result) => result.results));
  } catch {
    return undefined;
  }
}

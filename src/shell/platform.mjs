// The part of JavaScript: it reads the head of a request, carries out wants, and makes responses. `wire.rs`,
// `tasks.rs` and the adapters of the ports are the Rust side of the texts.
import { cryptography } from "./web-crypto.mjs";

/** The headers that the service uses, in the order in which `wire.rs` reads them. */
const HEADERS = [
  "access-control-request-headers",
  "access-control-request-method",
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "if-none-match",
  "origin",
  "user-agent",
  "cf-connecting-ip",
  "cf-ray",
  "sec-fetch-site",
  "x-edge-auth-bookmark",
  "x-edge-auth-client",
  "x-edge-auth-key",
  "x-request-id",
];

/** The texts of the statements; Rust refers to them by their numbers. */
const statements = [];

/**
 * A cache of `Headers` by their text. Except for the request id, nearly all responses have one of a few sets of
 * headers. Building an object from text costs three times as much as copying one.
 */
const knownHeaders = new Map();
/** Bounds the cache, because some texts contain a number of seconds or an origin. */
const MAX_KNOWN_HEADERS = 100;
/** A text with a cookie, or with the code of a redirect, is never the same again, and has a secret. */
const SECRET = /^(set-cookie|location): /m;

/** Parses headers. There is always at least one, because `http/kit/headers.rs` adds some to every response. */
function headersOf(text) {
  let headers = knownHeaders.get(text);
  if (headers === undefined) {
    const pairs = text.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
    headers = new Headers(pairs);
    keep(text, headers);
  }
  return headers;
}

function keep(text, headers) {
  if (SECRET.test(text)) {
    return;
  }
  if (knownHeaders.size >= MAX_KNOWN_HEADERS) {
    knownHeaders.clear();
  }
  knownHeaders.set(text, headers);
}

/** Variables and secrets as text, and the names of bindings. A list or table of `wrangler.toml` is both. */
export function environmentText(env) {
  const isBinding = (value) => typeof value === "object" && value !== null;
  const isPlain = (value) => !isBinding(value) || [Object, Array].some(({ prototype }) => Object.getPrototypeOf(value) === prototype);
  const variables = Object.entries(env).filter(([, value]) => value != null && isPlain(value));
  const texts = variables.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  const bindings = Object.keys(env).filter((name) => isBinding(env[name]));
  return JSON.stringify({ variables: Object.fromEntries(texts), bindings });
}

/** One line each for the presence of a body, the method, the URL and every header; a colon precedes a present one. */
export function headText(request) {
  const { method, url, headers } = request;
  let head = `${request.body === null ? "" : "body"}\n${method}\n${url}`;
  for (const name of HEADERS) {
    const value = headers.get(name);
    head += value === null ? "\n" : `\n:${value}`;
  }
  return head;
}

/** Makes a response from a text: a line with the status, the other headers, an empty line and the body. */
export function responseOf(text, requestId, stream) {
  const [first, end] = [text.indexOf("\n"), text.indexOf("\n\n")];
  const headers = headersOf(text.slice(first + 1, end));
  const response = new Response(stream ?? (text.slice(end + 2) || null), { status: Number(text.slice(1, first)), headers });
  if (requestId !== undefined) {
    response.headers.set("X-Request-ID", requestId);
  }
  return response;
}

/**
 * Cancels the rest of a request's body when the response is there. `wrangler dev` would otherwise wait for the end of
 * a body that nothing has read, and the client might never send it.
 */
export function discardBody({ request, reader }) {
  const rest = reader ?? (request?.bodyUsed === false ? request.body : null);
  // It fails if the client is gone, which ends the body as well.
  rest?.cancel().catch(() => {});
}

/**
 * The wants by their kinds. Each gets the event, and the members of the want after its deadline; it resolves to a text,
 * or to bytes.
 */
export const carryOut = {
  /**
   * All bytes of a body, or the first `limit + 1`, or none if reading fails. It awaits once, however many chunks the
   * client sends: one await per chunk would let a small body cost more than a password hash. A body with an announced
   * length cannot exceed it, so `arrayBuffer` suffices there and saves a tenth of the request's time.
   */
  async body(event, [limit, isShort]) {
    const { request } = event;
    try {
      if (isShort) {
        const body = await request.arrayBuffer();
        // If more arrives nevertheless, the excess must not enter the Wasm memory, which never shrinks.
        return new Uint8Array(body, 0, Math.min(body.byteLength, limit + 1));
      }
      event.reader = request.body.getReader({ mode: "byob" });
      const { value } = await event.reader.readAtLeast(limit + 1, new Uint8Array(limit + 1));
      return value ?? new Uint8Array();
    } catch {
      return new Uint8Array();
    }
  },

  /** The next `size` bytes of a body, or the rest, which may be empty. It fails if reading does: a part is not the whole. */
  async piece(event, size) {
    event.reader ??= event.request.body.getReader({ mode: "byob" });
    const { value } = await event.reader.readAtLeast(size, new Uint8Array(size));
    return value ?? new Uint8Array();
  },

  /** Runs a batch, and learns new statements: the size of the database and the rows of each statement as JSON, or "" if D1's answer is malformed. */
  batch({ env: { DB } }, calls) {
    return DB.batch(prepared(DB, calls)).then((results) => rowsOf(results, []));
  },

  /** The same where reads are replicated, at the primary or at the nearest replica. The state of the database is the second item. */
  session({ env: { DB } }, place, calls) {
    const session = DB.withSession(place);
    return session.batch(prepared(session, calls)).then((results) => rowsOf(results, [session.getBookmark()]));
  },

  /** Counts at each limiter in turn, until one refuses. */
  async limit({ env }, counters) {
    for (const [binding, key] of counters) {
      if (!(await env[binding].limit({ key })).success) {
        return "false";
      }
    }
    return "true";
  },

  /** A question to the circuit breaker's object; there is one per database. */
  async breaker({ env }, url) {
    return (await env.CIRCUIT_BREAKER.getByName("d1").fetch(url)).text();
  },

  async file(event, path) {
    return (await asset(event, path)).text();
  },

  /** Opens a file for the response of this event. */
  async stream(event, path) {
    event.stream = (await asset(event, path)).body;
    return "";
  },

  /** Hands a mail to the binding; the answer is empty if it was accepted. Its errors have codes, which a rejection would lose. */
  async mail({ env: { EMAIL } }, mail) {
    try {
      await EMAIL.send(mail);
      return "";
    } catch (error) {
      return JSON.stringify({ code: String(error?.code ?? ""), message: String(error?.message ?? error) });
    }
  },

  /** The status, and the beginning of the body with its length in bytes. A redirect would carry the credential to another server. */
  async fetch(_, { url, headers, body, limit, deadline }) {
    const signal = AbortSignal.timeout(deadline);
    const method = body === null ? "GET" : "POST";
    const response = await fetch(url, { method, headers, body, redirect: "manual", signal });
    const reader = response.body?.getReader({ mode: "byob" });
    const { value } = (await reader?.readAtLeast(limit, new Uint8Array(limit))) ?? {};
    // It fails if the server is gone, which ends the body as well.
    reader?.cancel().catch(() => {});
    return JSON.stringify([response.status, value?.byteLength ?? 0, new TextDecoder().decode(value)]);
  },

  ...cryptography,

  /** This many milliseconds; none is one turn of the event loop. */
  pause: (event, ms) => new Promise((resolve) => setTimeout(resolve, ms, "")),
};

function prepared(database, calls) {
  return calls.map(([number, values, sql]) => {
    statements[number] = sql ?? statements[number];
    return database.prepare(statements[number]).bind(...values);
  });
}

/** The size of the database after the batch, further facts about it, and the rows, as one JSON text. */
function rowsOf(results, facts) {
  try {
    return JSON.stringify([results.at(-1)?.meta?.size_after, ...facts, ...results.map((result) => result.results)]);
  } catch {
    return "";
  }
}

async function asset({ env }, path) {
  // The binding uses only the path, but a URL needs a host.
  const response = await env.ASSETS.fetch(`https://assets.invalid${path}`);
  if (response.status !== 200) {
    throw new Error(`status ${response.status}`);
  }
  return response;
}

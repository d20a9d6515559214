// An HTTP server of a provider that counts its requests, and whose endpoints can fail. `respond` gives the right answer; a fault
// decides about the bytes that are sent in its place.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const LIMIT = 64 * 1024;
const DRIP_MS = 500;
const JSON_TYPE = { "Content-Type": "application/json" };

/** Without the length, which belongs to another body. */
const type = (headers) => ({ "Content-Type": headers["content-type"] ?? "application/json" });

/** Ways to answer badly. Each gets the response and the right answer: `{status, headers, body}`. */
export const FAULTS = {
  /** The right answer, padded with white space of JSON: only its size is wrong. */
  huge: (response, { headers, body }) => response.writeHead(200, type(headers)).end(body + " ".repeat(LIMIT)),
  /** The same without a Content-Length, in pieces. */
  async "huge in pieces"(response, { headers, body }) {
    response.writeHead(200, type(headers)).write(body);
    for (let sent = 0; sent <= LIMIT && !response.destroyed; sent += 4096) {
      response.write(" ".repeat(4096));
    }
    response.end();
  },
  /** To the right answer. */
  redirect: (response, { path }) => response.writeHead(307, { Location: `/elsewhere${path}` }).end(),
  "500": (response) => response.writeHead(500, JSON_TYPE).end('{"error":"server_error"}'),
  "429": (response) => response.writeHead(429, { ...JSON_TYPE, "Retry-After": "120" }).end('{"error":"slow_down"}'),
  "401": (response) => response.writeHead(401, { ...JSON_TYPE, "WWW-Authenticate": "Bearer" }).end("{}"),
  "404": (response) => response.writeHead(404, JSON_TYPE).end("{}"),
  /** Never answers. */
  silence: () => {},
  /** The head at once, and the body never. */
  "half silence": (response, { headers }) => response.writeHead(200, type(headers)).write("{"),
  /** The right answer, one byte at a time. */
  drip(response, { headers, body }) {
    response.writeHead(200, type(headers));
    const bytes = Buffer.from(body);
    let sent = 0;
    const timer = setInterval(() => response.write(bytes.subarray(sent, (sent += 1))), DRIP_MS);
    response.on("close", () => clearInterval(timer));
  },
  /** The connection breaks within the body. */
  torn(response, { headers, body }) {
    response.writeHead(200, { ...type(headers), "Content-Length": Buffer.byteLength(body) });
    response.write(body.slice(0, body.length / 2), () => response.destroy());
  },
  hangup: (response) => response.destroy(),
  "no JSON": (response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><h1>Maintenance</h1>"),
  "no object": (response) => response.writeHead(200, JSON_TYPE).end('["issuer"]'),
  "an empty object": (response) => response.writeHead(200, JSON_TYPE).end("{}"),
  empty: (response) => response.writeHead(200, JSON_TYPE).end(),
};

/**
 * Starts the server of a provider.
 * @param {(request: {method: string, path: string, url: URL, headers: object, body: string}) => Promise<{status: number,
 *   headers?: object, body?: string}>} respond
 * @param {(path: string) => string} endpointOf the name of an endpoint, for counts and faults
 */
export async function startFaultyServer(respond, endpointOf) {
  const state = { counts: {}, faults: {} };
  const server = createServer(async (request, response) => {
    const isFollowed = request.url.startsWith("/elsewhere/");
    const path = isFollowed ? request.url.slice("/elsewhere".length) : request.url;
    const url = new URL(path, "http://provider");
    const endpoint = isFollowed ? "elsewhere" : endpointOf(url.pathname);
    state.counts[endpoint] = (state.counts[endpoint] ?? 0) + 1;
    const { method, headers } = request;
    const answer = await respond({ method, path, url, headers, body: await text(request) });
    const right = { status: 200, headers: {}, body: "", path, ...answer };
    const fault = state.faults[endpoint];
    if (fault) {
      fault(response, right);
    } else {
      response.writeHead(right.status, right.headers).end(right.body);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return {
    origin: `http://127.0.0.1:${port}`,
    /** Requests so far of one endpoint. */
    count: (endpoint) => state.counts[endpoint] ?? 0,
    /** Each request to an endpoint is answered by a fault of this name from now on; rightly, without one. */
    fail(endpoint, name) {
      if (name !== undefined && FAULTS[name] === undefined) {
        throw new Error(`no fault is named ${name}`);
      }
      state.faults[endpoint] = FAULTS[name];
    },
    heal: () => (state.faults = {}),
    /** After it nothing listens at the address, until `start`. */
    stop() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
    async start() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
  };
}

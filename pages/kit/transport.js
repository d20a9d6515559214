// One exchange with the service, without a session: it owns the URL, the waits and the shape of an answer. `api.js` is the
// place for requests of views; only the modules of the session use this one.
//
//   const { status, body, requestId, seconds } = await exchange("POST", "auth/login", { body: { email, password } });

/** A password hash may wait for others. After a longer silence the answer is taken as lost. */
const PATIENCE_MS = 60_000;

/** The state of the database after the latest change of this page. A replica that answers a later request must have it. */
const BOOKMARK = "X-Edge-Auth-Bookmark";
let bookmark = "";

/** The folder of the pages: "/", or that of a base path. Names in storage that differ by it keep two services apart. */
export const BASE = new URL(".", location.href).pathname;

/**
 * Sends a request and reads the answer. Never throws: without an answer the status is 0.
 * @param {string} method
 * @param {string} path relative, "users/me": the pages may stand below a base path
 * @param {{body?: object, query?: object, access?: string, patience?: number}} [options] members of `query` that are
 *   undefined, null or empty are left out; `patience` is in milliseconds
 * @returns {Promise<{status: number, body: any, requestId?: string, seconds: number, code?: string, details: object}>}
 */
export async function exchange(method, path, { body, query, access, patience = PATIENCE_MS } = {}) {
  try {
    const response = await fetch(urlOf(path, query), {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(access === undefined ? {} : { Authorization: `Bearer ${access}` }),
        ...(bookmark === "" ? {} : { [BOOKMARK]: bookmark }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
    bookmark = response.headers.get(BOOKMARK) ?? bookmark;
    return await answerOf(response);
  } catch {
    return { status: 0, body: {}, seconds: 0, details: {} };
  }
}

async function answerOf(response) {
  const { status, headers } = response;
  const body = status === 204 ? {} : await response.json().catch((error) => unreadable(response, error));
  const requestId = body.request_id ?? headers.get("X-Request-ID") ?? undefined;
  const { code, details = {} } = body.error ?? {};
  return { status, body, requestId, seconds: Number(headers.get("Retry-After")), code, details };
}

/** A proxy in between may refuse with a page of its own. A success whose body was lost is no answer. */
function unreadable({ ok }, error) {
  if (ok) {
    throw error;
  }
  return {};
}

function urlOf(path, query = {}) {
  const url = new URL(path, new URL(BASE, location.href));
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") {
      url.searchParams.set(name, value);
    }
  }
  return url;
}

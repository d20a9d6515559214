// The plain service: a hand-tuned Worker in JavaScript, without a framework, that keeps the product's promises for
// health, me, refresh and logout. It checks its input, verifies and signs tokens by WebCrypto, asks the same rate
// limiter, runs the same statements in one batch with a deadline, decides by the rows, and writes the same log lines and
// headers. `faithful.mjs` compares statements, bodies, headers, log lines and refusals.
//
// It has no circuit breaker, no retry interval and no answer after a crash.
//
// The statements are those that the product sent to D1 when `recording.mjs` recorded it, so the schema may change; only
// the names of the columns that it reads stand here.
import { BATCHES } from "./statements.js";
import { checkedClaims, keysOf, randomId, signed } from "./plain-tokens.js";
import { bearerToken, clientOf, FAULTS, presentedToken, Refused } from "./plain-input.js";

const ACCESS_SECONDS = 900;
const REFRESH_SECONDS = 7 * 86_400;
const D1_TIMEOUT_MS = 5000;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

const ROUTES = {
  // `isLocal`: answered at once, without a promise.
  "/health": { method: "GET", isLocal: true, answer: () => '{"status":"ok"}' },
  "/users/me": { method: "GET", answer: me },
  "/auth/refresh": { method: "POST", answer: refresh, limiter: "REFRESH_LIMITER" },
  "/auth/logout": { method: "POST", answer: logout },
};

/** Copied for each response, which costs a third of building them. */
const HEADERS = new Headers({
  "Content-Type": "application/json",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
});

export default {
  fetch(request, env, context) {
    const { url, method, headers } = request;
    const begin = url.indexOf("/", 8);
    const end = url.indexOf("?", begin);
    const path = end < 0 ? url.slice(begin) : url.slice(begin, end);
    const brought = headers.get("X-Request-ID");
    const id = brought !== null && REQUEST_ID.test(brought) ? brought : randomId();
    const shown = `"method":"${method}","path":${JSON.stringify(path)}`;
    const call = { request, url, env, headers, id, now: Date.now(), d1Calls: 0, shown, path };
    log(call, "INFO", "app.access", "Request started", shown);
    const route = ROUTES[path];
    if (route !== undefined && route.method === method && route.isLocal) {
      return finished(call, route, 200, route.answer());
    }
    const response = respond(call, route, method);
    context.waitUntil(response);
    return response;
  },
};

async function respond(call, route, method) {
  let status = 200;
  let body;
  try {
    body = await answerOf(route, call, method);
  } catch (error) {
    ({ status, body } = refusal(call, error));
  }
  return finished(call, route, status, body);
}

function finished(call, route, status, body) {
  const { url, id, shown, path } = call;
  const duration = Date.now() - call.now;
  const response = new Response(body, { status, headers: HEADERS });
  response.headers.set("X-Request-ID", id);
  call.more?.forEach(([name, value]) => response.headers.set(name, value));
  if (url.startsWith("https:")) {
    response.headers.set("Strict-Transport-Security", "max-age=31536000");
  }
  const outcome = `"status_code":${status},"duration_ms":${duration},"d1_calls":${call.d1Calls},"do_calls":0`;
  log(call, "INFO", "app.access", "Request finished", `${shown},"route":"${route ? path : ""}",${outcome}`);
  return response;
}

async function answerOf(route, call, method) {
  if (route === undefined) {
    throw new Refused("NOT_FOUND");
  }
  if (route.method !== method) {
    throw new Refused("METHOD_NOT_ALLOWED", [["Allow", route.method]]);
  }
  if (route.limiter !== undefined && call.env.RATE_LIMITING !== "off") {
    const { success } = await call.env[route.limiter].limit({ key: clientOf(call.headers).network });
    if (!success) {
      throw new Refused("RATE_LIMITED", [["Retry-After", "60"]]);
    }
  }
  return route.answer(call);
}

/** The envelope of a refusal, logged once. */
function refusal(call, error) {
  const code = error instanceof Refused ? error.code : "INTERNAL_ERROR";
  const { status, message } = FAULTS[code];
  const name = status === 401 ? "app.auth" : "app.errors";
  const fields = `"code":"${code}","status_code":${status}`;
  if (status < 500) {
    log(call, "WARNING", name, "Request refused", fields);
  } else {
    log(call, "ERROR", name, "Request failed", `${fields},"cause":${JSON.stringify(String(error))}`);
  }
  call.more = error.headers;
  return { status, body: `{"error":{"code":"${code}","message":"${message}","details":{}},"request_id":"${call.id}"}` };
}

/** Texts from a client are encoded by the caller; all others have nothing to escape. */
function log({ id }, level, name, message, fields) {
  const timestamp = new Date().toISOString();
  const head = `{"timestamp":"${timestamp}","level":"${level}","name":"${name}","message":"${message}"`;
  console.log(`${head},"request_id":"${id}",${fields}}`);
}

/** The rows of the operation's batch. */
async function ask(call, operation, fact) {
  call.d1Calls += 1;
  let timer;
  const deadline = new Promise((resolve) => {
    timer = setTimeout(resolve, D1_TIMEOUT_MS);
  });
  try {
    const results = await Promise.race([BATCHES[operation][0](call.env.DB, fact), deadline]);
    if (results === undefined) {
      throw new Refused("SERVICE_UNAVAILABLE", [["Retry-After", "5"]]);
    }
    return results.map((result) => result.results);
  } finally {
    clearTimeout(timer);
  }
}

/** The values that the statements refer to. */
const factOf = ({ id, now }, claims) => {
  return { now, request_id: id, user: Number(claims.sub), session: Number(claims.sid), presented: claims.jti };
};

async function me(call) {
  const token = bearerToken(call.headers);
  const keys = await keysOf(call.env);
  const claims = await checkedClaims(keys, "access", token, call.now);
  const [[user], roles] = await ask(call, "me", factOf(call, claims));
  if (user === undefined) {
    throw new Refused("AUTH_TOKEN_INVALID");
  }
  if (user.is_active !== 1) {
    throw new Refused("AUTH_INACTIVE_USER");
  }
  if (user.session_is_live !== 1) {
    throw new Refused("AUTH_TOKEN_REVOKED");
  }
  const { id, email, full_name, created_at } = user;
  const shown = roles.map(({ university_id, department_id, role }) => ({ university_id, department_id, role }));
  return JSON.stringify({
    id,
    email,
    full_name,
    is_active: true,
    created_at: new Date(created_at).toISOString(),
    roles: shown,
  });
}

async function refresh(call) {
  const token = await presentedToken(call.request);
  const keys = await keysOf(call.env);
  const claims = await checkedClaims(keys, "refresh", token, call.now);
  const { ip, agent } = clientOf(call.headers);
  const fact = { ...factOf(call, claims), issued: randomId(), ip, agent };
  const found = (await ask(call, "refresh", fact)).flat();
  // Only the winner of concurrent refreshes finds the id that it proposed.
  const won = found.find((row) => Object.values(row).includes(fact.issued));
  if (won === undefined) {
    throw new Refused("AUTH_TOKEN_REVOKED");
  }
  log(call, "INFO", "app.auth", "Refreshed", `"user_id":${fact.user},"session_id":${fact.session},"retried":false`);
  return pairOf(keys, claims, fact, won);
}

/** The next pair of tokens; neither outlives the session. The access token says when the session was opened. */
async function pairOf(keys, { sub, sid }, { now, issued }, session) {
  const issuedAt = Math.floor(now / 1000);
  const last = Math.floor(session.expires_at / 1000);
  const accessEnd = Math.min(issuedAt + ACCESS_SECONDS, last);
  const refreshEnd = Math.min(issuedAt + REFRESH_SECONDS, last);
  const [access, next] = await Promise.all([
    signed(keys, "access", { exp: accessEnd, iat: issuedAt, sub, jti: randomId(), sid, ...signInOf(session) }),
    signed(keys, "refresh", { exp: refreshEnd, iat: issuedAt, sub, jti: issued, sid }),
  ]);
  const expiry = `"token_type":"bearer","expires_in":${accessEnd - issuedAt}`;
  return `{"access_token":"${access}","refresh_token":"${next}",${expiry}}`;
}

const signInOf = ({ created_at }) => ({ auth_time: Math.floor(created_at / 1000), amr: ["pwd"] });

async function logout(call) {
  const token = await presentedToken(call.request);
  const keys = await keysOf(call.env);
  const claims = await checkedClaims(keys, "refresh", token, call.now, { mayBeExpired: true });
  const { ip, agent } = clientOf(call.headers);
  const fact = { ...factOf(call, claims), ip, agent };
  const wasLive = (await ask(call, "logout", fact)).flat().length > 0;
  const ids = `"user_id":${fact.user},"session_id":${fact.session}`;
  log(call, "INFO", "app.auth", "Signed out", `${ids},"session_was_live":${wasLive}`);
  return '{"message":"Logged out successfully"}';
}

// A resource server on Cloudflare Workers that accepts access tokens of edge-auth.
//
// `GET /profile` verifies the token offline, with the public keys of edge-auth. `POST /transfer` cannot be undone, so it
// also asks edge-auth whether the session is still alive. With a service binding named AUTH, both the key set and the
// question go to edge-auth directly, without the network; the host names in the URLs are then not resolved.
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from "jose";
import type { JWTVerifyGetKey } from "jose";

interface Bindings {
  ISSUER: string;
  AUDIENCE: string;
  JWKS_URL: string;
  INTROSPECTION_URL: string;
  /** The service account of this server, with the scope `introspect`. */
  CLIENT_ID?: string;
  CLIENT_KEY?: string;
  /** A service binding to edge-auth. Without it, requests take the network. */
  AUTH?: { fetch: typeof fetch };
}

interface User {
  id: number;
  sessionId: string;
  token: string;
}

type Environment = { Bindings: Bindings; Variables: { user: User } };

const TIMEOUT_MS = 5_000;
/** Errors of `jose` that say nothing about the token: the key set could not be read. */
const KEY_SET_ERRORS = ["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID"];

/** A request to edge-auth. */
const ask = (env: Bindings, url: string, init?: RequestInit) => (env.AUTH ? env.AUTH.fetch(url, init) : fetch(url, init));

let keySet: JWTVerifyGetKey | undefined;

/** The key set, kept by the isolate. An unknown `kid` reads it again, but at most once in ten seconds. */
function keysOf(env: Bindings): JWTVerifyGetKey {
  keySet ??= createRemoteJWKSet(new URL(env.JWKS_URL), {
    cacheMaxAge: 300_000,
    cooldownDuration: 10_000,
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: (url, init) => ask(env, url, init),
  });
  return keySet;
}

/** The user that a token names; throws if the token is not an access token of a user. */
async function verify(env: Bindings, token: string): Promise<User> {
  const { payload } = await jwtVerify(token, keysOf(env), {
    algorithms: ["EdDSA", "ES256"],
    typ: "at+jwt",
    issuer: env.ISSUER,
    audience: env.AUDIENCE,
    requiredClaims: ["exp"],
    clockTolerance: 5,
  });
  const { sub, sid, type } = payload;
  // Tokens of service accounts have the subject `sa_…` and no session.
  if (type !== "access" || typeof sub !== "string" || !/^[1-9][0-9]{0,15}$/.test(sub) || typeof sid !== "string") {
    throw new errors.JWTClaimValidationFailed("not an access token of a user", payload);
  }
  return { id: Number(sub), sessionId: sid, token };
}

/** RFC 6750 §3: without a token, the challenge names no error. */
function unauthorized(challenge: string): HTTPException {
  const res = Response.json({ error: "unauthorized" }, { status: 401, headers: { "WWW-Authenticate": challenge } });
  return new HTTPException(401, { res });
}

/** The token may be good, and this server cannot know. */
function unavailable(cause: unknown): HTTPException {
  console.error("edge-auth cannot be asked:", cause);
  const res = Response.json({ error: "temporarily_unavailable" }, { status: 503, headers: { "Retry-After": "5" } });
  return new HTTPException(503, { res });
}

const requireUser = createMiddleware<Environment>(async (c, next) => {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(c.req.header("Authorization") ?? "") ?? [];
  if (token === undefined) {
    throw unauthorized("Bearer");
  }
  const user = await verify(c.env, token).catch((error: unknown) => {
    const isRefused = error instanceof errors.JOSEError && !KEY_SET_ERRORS.includes(error.code);
    throw isRefused ? unauthorized('Bearer error="invalid_token"') : unavailable(error);
  });
  c.set("user", user);
  await next();
});

/** RFC 7662: the state of the session at this moment. */
async function isActive(env: Bindings, token: string): Promise<boolean> {
  const response = await ask(env, env.INTROSPECTION_URL, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${env.CLIENT_ID ?? ""}:${env.CLIENT_KEY ?? ""}`)}` },
    body: new URLSearchParams({ token }),
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) {
    throw new Error(`introspection was answered ${response.status}`);
  }
  const answer = (await response.json()) as { active?: unknown };
  return answer.active === true;
}

/** Comes after `requireUser`. Without an answer of edge-auth the request is refused. */
const requireLiveSession = createMiddleware<Environment>(async (c, next) => {
  const active = await isActive(c.env, c.get("user").token).catch((error: unknown) => {
    throw unavailable(error);
  });
  if (!active) {
    throw unauthorized('Bearer error="invalid_token"');
  }
  await next();
});

const app = new Hono<Environment>();

app.get("/profile", requireUser, (c) => {
  const { id, sessionId } = c.get("user");
  return c.json({ user_id: id, session_id: sessionId });
});

app.post("/transfer", requireUser, requireLiveSession, (c) => {
  return c.json({ user_id: c.get("user").id, transferred: true });
});

export default app;

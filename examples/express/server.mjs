// A resource server with Express that accepts access tokens of edge-auth.
//
// `GET /profile` verifies the token offline, with the public keys of edge-auth. `POST /transfer` cannot be undone, so it
// also asks edge-auth whether the session is still alive.
import express from "express";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

// The defaults are those of edge-auth under `make dev`. Deployed, the issuer is its PUBLIC_URL, and the URLs begin with it.
const {
  PORT = "3000",
  ISSUER = "http://localhost:8787",
  AUDIENCE = "edge-auth",
  JWKS_URL = "http://127.0.0.1:8787/.well-known/jwks.json",
  INTROSPECTION_URL = "http://127.0.0.1:8787/oauth/introspect",
  // The service account of this server, with the scope `introspect`.
  CLIENT_ID = "",
  CLIENT_KEY = "",
} = process.env;

const TIMEOUT_MS = 5_000;
/** Errors of `jose` that say nothing about the token: the key set could not be read. */
const KEY_SET_ERRORS = ["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID"];

/** An unknown `kid` reads the key set again, but at most once in ten seconds. */
const keySet = createRemoteJWKSet(new URL(JWKS_URL), {
  cacheMaxAge: 300_000,
  cooldownDuration: 10_000,
  timeoutDuration: TIMEOUT_MS,
});

/** The user that a token names; throws if the token is not an access token of a user. */
async function verify(token) {
  const { payload } = await jwtVerify(token, keySet, {
    algorithms: ["EdDSA", "ES256"],
    typ: "at+jwt",
    issuer: ISSUER,
    audience: AUDIENCE,
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
function refuse(response, challenge) {
  response.status(401).set("WWW-Authenticate", challenge).json({ error: "unauthorized" });
}

/** The token may be good, and this server cannot know. */
function beUnavailable(response, cause) {
  console.error("edge-auth cannot be asked:", cause);
  response.status(503).set("Retry-After", "5").json({ error: "temporarily_unavailable" });
}

async function requireUser(request, response, next) {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(request.get("Authorization") ?? "") ?? [];
  if (token === undefined) {
    return refuse(response, "Bearer");
  }
  try {
    request.user = await verify(token);
  } catch (error) {
    const isRefused = error instanceof errors.JOSEError && !KEY_SET_ERRORS.includes(error.code);
    return isRefused ? refuse(response, 'Bearer error="invalid_token"') : beUnavailable(response, error);
  }
  next();
}

/** RFC 7662: the state of the session at this moment. */
async function isActive(token) {
  const response = await fetch(INTROSPECTION_URL, {
    method: "POST",
    headers: { Authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_KEY}`).toString("base64")}` },
    body: new URLSearchParams({ token }),
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) {
    throw new Error(`introspection was answered ${response.status}`);
  }
  return (await response.json()).active === true;
}

/** Comes after `requireUser`. Without an answer of edge-auth the request is refused. */
async function requireLiveSession(request, response, next) {
  let active;
  try {
    active = await isActive(request.user.token);
  } catch (error) {
    return beUnavailable(response, error);
  }
  return active ? next() : refuse(response, 'Bearer error="invalid_token"');
}

const app = express();
app.disable("x-powered-by");

app.get("/profile", requireUser, (request, response) => {
  response.json({ user_id: request.user.id, session_id: request.user.sessionId });
});

app.post("/transfer", requireUser, requireLiveSession, (request, response) => {
  response.json({ user_id: request.user.id, transferred: true });
});

const server = app.listen(Number(PORT), "127.0.0.1", (error) => {
  if (error) {
    throw error;
  }
  console.log(`Listening on http://127.0.0.1:${server.address().port}`);
});

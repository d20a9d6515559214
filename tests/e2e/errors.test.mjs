// Every refusal of the contract's error table that is the caller's fault and not about a body: 401, 403, 404,
// 405, 409. At this level, because a real runtime stands in front that could answer in a format of its own.
// FORBIDDEN and RATE_LIMITED are tested with the roles and with the limits.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, logout, me, newUser, refresh, register, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, said } from "./support/envelope.mjs";
import { startService } from "./support/service.mjs";
import { claimsOf, decode, expired, forge, headerOf, keyId, sign } from "./support/tokens.mjs";

const OTHER_SECRET = "another-secret-0f1e2d3c4b5a69788796a5b4";

let service;
before(async () => (service = await startService()));
after(() => service.stop());

const assertRejected = (response, code) => {
  assertEnvelope(response, 401, code);
  assert.equal(response.headers["www-authenticate"], 'Bearer realm="edge-auth", error="invalid_token"');
};

const setActive = (id, isActive) => rows(service.db, "UPDATE users SET is_active = ?2 WHERE id = ?1", id, isActive);

test("a wrong password, an unknown address and a disabled account look the same without the password", async () => {
  const { user } = await signUp(service);
  const disabled = await signUp(service);
  await setActive(disabled.id, 0);
  const password = "not the right password";
  const wrongPassword = await login(service, { ...user, password });
  assertEnvelope(wrongPassword, 401, "AUTH_INVALID_CREDENTIALS");
  assert.equal(wrongPassword.headers["www-authenticate"], undefined, "no access token is asked for here");
  assert.deepEqual(said(await login(service, newUser())), said(wrongPassword));
  assert.deepEqual(said(await login(service, { ...disabled.user, password })), said(wrongPassword));
  assert.deepEqual(said(await login(service, { ...user, password: "" })), said(wrongPassword));
  assert.deepEqual(said(await login(service, { ...user, password: "x".repeat(10_000) })), said(wrongPassword));
});

test("passwords are compared as typed: case, blanks and every character up to the last", async () => {
  const user = { ...newUser(), password: `Sesame ${"0123456789".repeat(12)}!` };
  await signUp(service, user);
  assertSuccess(await login(service, user), 200);
  const { password } = user;
  for (const wrong of [password.toLowerCase(), ` ${password}`, `${password} `, password.slice(0, -1), `${password}0`]) {
    assertEnvelope(await login(service, { ...user, password: wrong }), 401, "AUTH_INVALID_CREDENTIALS");
  }
});

test("a disabled account is reported only after authentication, on every route at once", async () => {
  const { id, user, access, refresh: token } = await signUp(service);
  await setActive(id, 0);
  assertEnvelope(await login(service, user), 403, "AUTH_INACTIVE_USER");
  const refused = await me(service, access);
  assertEnvelope(refused, 403, "AUTH_INACTIVE_USER");
  assert.equal(refused.headers["www-authenticate"], undefined);
  assertEnvelope(await refresh(service, token), 403, "AUTH_INACTIVE_USER");
  await setActive(id, 1);
  assertSuccess(await me(service, access), 200);
  assertSuccess(await refresh(service, token), 200);
});

test("an expired token that we issued is reported as expired", async () => {
  const { access, refresh: token } = await signUp(service);
  assertRejected(await me(service, expired(access)), "AUTH_TOKEN_EXPIRED");
  assertEnvelope(await refresh(service, expired(token)), 401, "AUTH_TOKEN_EXPIRED");
  const { header, claims } = decode(expired(access));
  assertRejected(await me(service, sign(header, claims, { secret: OTHER_SECRET })), "AUTH_TOKEN_INVALID");
  assertRejected(await me(service, expired(token)), "AUTH_TOKEN_INVALID");
});

test("a token is expired from the second of its exp on", async () => {
  const { access } = await signUp(service);
  const { header, claims } = decode(access);
  const now = Math.floor(Date.now() / 1000);
  assertRejected(await me(service, sign(header, { ...claims, exp: now })), "AUTH_TOKEN_EXPIRED");
});

test("a revoked token is reported as revoked", async () => {
  const { access, refresh: token } = await signUp(service);
  const { body } = await refresh(service, token);
  await logout(service, body.refresh_token);
  for (const dead of [access, body.access_token]) {
    assertRejected(await me(service, dead), "AUTH_TOKEN_REVOKED");
  }
  for (const dead of [token, body.refresh_token]) {
    assertEnvelope(await refresh(service, dead), 401, "AUTH_TOKEN_REVOKED");
  }
});

// Only the service signs, so a token that the session's row does not name is an old one, and ends the session.
test("a well-signed token with an unknown session or id is revoked", async () => {
  const { access, refresh: token } = await signUp(service);
  const change = (text, change) => sign(decode(text).header, { ...decode(text).claims, ...change });
  assertRejected(await me(service, change(access, { sid: "4503599627370497" })), "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, change(token, { sid: "4503599627370497" })), 401, "AUTH_TOKEN_REVOKED");
  assertSuccess(await me(service, access), 200);
  assertEnvelope(await refresh(service, change(token, { jti: "0".repeat(32) })), 401, "AUTH_TOKEN_REVOKED");
  assertRejected(await me(service, access), "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
});

/** Faults of a token, by name; each takes a valid token of its kind. */
function invalidTokens(kind, good) {
  const { header, claims } = decode(good);
  const other = kind === "access" ? "refresh" : "access";
  const [head, payload, signature] = good.split(".");
  const changed = (change) => sign({ ...header, ...change.header }, { ...claims, ...change.claims }, change.options);
  const none = Buffer.from(JSON.stringify({ ...header, alg: "none" })).toString("base64url");
  const others = { secret: OTHER_SECRET };
  const jwk = { kty: "oct", k: Buffer.from(OTHER_SECRET).toString("base64url") };
  return {
    "no JWT": "nonsense",
    "two parts": `${head}.${payload}`,
    "four parts": `${good}.${signature}`,
    "empty parts": "..",
    "no signature": `${head}.${payload}.`,
    "a changed signature": `${head}.${payload}.${signature.slice(1)}A`,
    "another spelling of the signature": `${good}=`,
    "a signature with stray bits": good.slice(0, -1) + String.fromCharCode(good.charCodeAt(good.length - 1) + 1),
    "a changed payload": `${head}.${decodeAndRaise(payload)}.${signature}`,
    "more than 4096 characters": changed({ claims: { padding: "x".repeat(4096) } }),
    "another secret": changed({ options: others }),
    "another secret and its key id": changed({ header: { kid: keyId(OTHER_SECRET) }, options: others }),
    "a key that it brings along": changed({ header: { jwk }, options: others }),
    "no key id": changed({ header: { kid: undefined } }),
    "alg none": `${none}.${payload}.`,
    "alg none, signed": changed({ header: { alg: "none" } }),
    "alg HS512": changed({ header: { alg: "HS512" }, options: { hash: "sha512" } }),
    "alg RS256": changed({ header: { alg: "RS256" } }),
    "no alg": changed({ header: { alg: undefined } }),
    "typ JWT": changed({ header: { typ: "JWT" } }),
    "no typ": changed({ header: { typ: undefined } }),
    "the other kind": forge(other, { claims: { sub: claims.sub, sid: claims.sid } }),
    "typ of the other kind": changed({ header: { typ: headerOf(other).typ } }),
    "type of the other kind": changed({ claims: { type: other } }),
    "no type": changed({ claims: { type: undefined } }),
    "another issuer": changed({ claims: { iss: "somebody-else" } }),
    "no issuer": changed({ claims: { iss: undefined } }),
    "another audience": changed({ claims: { aud: "somebody-else" } }),
    "no audience": changed({ claims: { aud: undefined } }),
    "no exp": changed({ claims: { exp: undefined } }),
    "exp as text": changed({ claims: { exp: String(claims.exp) } }),
    "no iat": changed({ claims: { iat: undefined } }),
    "iat in the future": changed({ claims: { iat: claims.iat + 3600, exp: claims.exp + 3600 } }),
    "no sub": changed({ claims: { sub: undefined } }),
    "sub 0": changed({ claims: { sub: "0" } }),
    "sub as a number": changed({ claims: { sub: Number(claims.sub) } }),
    "sub with SQL in it": changed({ claims: { sub: `${claims.sub} OR 1=1` } }),
    "an unknown user": changed({ claims: { sub: "987654321" } }),
    "no jti": changed({ claims: { jti: undefined } }),
    "a jti with SQL in it": changed({ claims: { jti: "' OR ''='" } }),
    "no sid": changed({ claims: { sid: undefined } }),
    "claims that are a list": sign(header, [claims]),
  };
}

/** The payload with another user in it, under the old signature. */
function decodeAndRaise(payload) {
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  return Buffer.from(JSON.stringify({ ...claims, sub: String(Number(claims.sub) + 1) })).toString("base64url");
}

describe("an invalid token is AUTH_TOKEN_INVALID and changes nothing", () => {
  for (const fault of Object.keys(invalidTokens("access", forge("access")))) {
    test(fault, async () => {
      const { access, refresh: token } = await signUp(service);
      const badAccess = invalidTokens("access", access)[fault];
      const badRefresh = invalidTokens("refresh", token)[fault];
      assertRejected(await me(service, badAccess), "AUTH_TOKEN_INVALID");
      assertEnvelope(await refresh(service, badRefresh), 401, "AUTH_TOKEN_INVALID");
      const signedOut = await logout(service, badRefresh);
      if (fault === "an unknown user") {
        assertSuccess(signedOut, 200);
      } else {
        assertEnvelope(signedOut, 401, "AUTH_TOKEN_INVALID");
      }
      assertSuccess(await me(service, access), 200);
      assertSuccess(await refresh(service, token), 200);
    });
  }
});

test("addresses of keys in a token are ignored, not fetched", async () => {
  const { access } = await signUp(service);
  const { header, claims } = decode(access);
  const url = "http://127.0.0.1:9/keys.json";
  assertSuccess(await me(service, sign({ ...header, jku: url, x5u: url, jwk: {} }, claims)), 200);
});

test("an access token is read from the Authorization header only, and the challenge depends on it", async () => {
  const { access } = await signUp(service);
  const get = (headers, path = "/users/me") => send(service, path, { headers });
  for (const absent of [
    await get({}),
    await get({ Cookie: `access_token=${access}` }),
    await get({ "X-Access-Token": access }),
    await get({}, `/users/me?access_token=${access}`),
  ]) {
    assertEnvelope(absent, 401, "AUTH_TOKEN_INVALID");
    assert.equal(absent.headers["www-authenticate"], 'Bearer realm="edge-auth"');
  }
  for (const value of ["Bearer x", [`Bearer ${access}`, `Bearer ${access}`]]) {
    assertRejected(await get({ Authorization: value }), "AUTH_TOKEN_INVALID");
  }
  const basic = `Basic ${Buffer.from("ada:lovelace").toString("base64")}`;
  for (const value of ["", "Bearer", "Bearer ", basic, access, `Bearer${access}`, `Token ${access}`]) {
    const response = await get({ Authorization: value });
    assertEnvelope(response, 401, "AUTH_TOKEN_INVALID");
    assert.equal(response.headers["www-authenticate"], 'Bearer realm="edge-auth"', "no bearer token was sent");
  }
  assertSuccess(await get({ Authorization: `bEARER ${access}` }), 200);
});

test("signing out is repeatable with any token that we issued, and does nothing for others", async () => {
  const { access, refresh: token } = await signUp(service);
  const { body } = await refresh(service, token);
  const unknown = forge("refresh", { claims: { ...claimsOf("refresh"), sub: decode(token).claims.sub } });
  assertSuccess(await logout(service, unknown), 200);
  assertSuccess(await me(service, access), 200);
  for (const ours of [token, expired(token), body.refresh_token, expired(body.refresh_token), token]) {
    assertSuccess(await logout(service, ours), 200);
    assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
  }
});

test("an unknown path is NOT_FOUND, for every method", async () => {
  for (const path of ["/nowhere", "/auth", "/auth/login/", "/users", "/users/1", "/.env", "/.dev.vars", "/HEALTH"]) {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
      assertEnvelope(await send(service, path, { method }), 404, "NOT_FOUND");
    }
  }
});

test("a known path with another method is METHOD_NOT_ALLOWED with Allow", async () => {
  const posts = ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"];
  const gets = ["/auth/sessions", "/users/me/export", "/health", "/openapi.json", "/openapi.yaml"];
  for (const [paths, allow, methods] of [
    [posts, ["POST"], ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]],
    [gets, ["GET", "HEAD"], ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]],
    [["/users/me"], ["DELETE", "GET", "HEAD", "PATCH"], ["POST", "PUT", "OPTIONS", "TRACE"]],
  ]) {
    for (const [path, method] of paths.flatMap((path) => methods.map((method) => [path, method]))) {
      const response = await send(service, path, { method });
      assertEnvelope(response, 405, "METHOD_NOT_ALLOWED");
      assert.deepEqual(response.headers.allow.split(/, ?/).sort(), allow);
    }
  }
});

test("a taken address is CONFLICT, in any spelling, and the account is unchanged", async () => {
  const { user, access } = await signUp(service);
  for (const email of [user.email, user.email.toUpperCase(), `\t${user.email}\n`]) {
    const response = await register(service, { email, password: "somebody else's password", full_name: "Mallory" });
    assertEnvelope(response, 409, "CONFLICT");
  }
  assertSuccess(await login(service, user), 200);
  assert.equal((await me(service, access)).body.full_name, user.full_name);
});

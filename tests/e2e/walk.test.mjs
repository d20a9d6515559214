// A user's whole journey through the service, on workerd with a real D1, and its traces: in the
// log and in the database. At this level, because only the deployed bundle has the real console and D1.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { login, logout, me, newUser, post, refresh, register, send, signUp } from "./support/client.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertLogLine, logged, loggedOf, loggedText } from "./support/logs.mjs";
import { SECRET_KEY, startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";

let service;
before(async () => (service = await startService()));
after(() => service.stop());

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function assertTokenPair(body, { userId, sessionId }) {
  assert.equal(body.token_type, "bearer");
  assert.equal(body.expires_in, 900);
  const [access, refreshing] = [decode(body.access_token), decode(body.refresh_token)];
  assert.equal(access.header.typ, "at+jwt");
  assert.equal(refreshing.header.typ, "rt+jwt");
  for (const { header, claims } of [access, refreshing]) {
    assert.deepEqual(Object.keys(header).sort(), ["alg", "kid", "typ"]);
    assert.equal(header.alg, "HS256");
    const signIn = claims.type === "access" ? ["amr", "auth_time"] : [];
    const common = ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "type"];
    assert.deepEqual(Object.keys(claims).sort(), [...signIn, ...common].sort());
    assert.equal(claims.sub, String(userId));
    assert.equal(claims.sid, sessionId ?? access.claims.sid);
    assert.equal(claims.iss, "edge-auth");
    assert.equal(claims.aud, "edge-auth");
  }
  assert.equal(access.claims.type, "access");
  assert.equal(refreshing.claims.type, "refresh");
  assert.notEqual(access.claims.jti, refreshing.claims.jti);
  assert.equal(access.claims.exp - access.claims.iat, 900);
  assert.deepEqual(access.claims.amr, ["pwd"]);
  const age = access.claims.iat - access.claims.auth_time;
  assert.ok(age >= 0 && age < 600, `signed in ${age} s before`);
  assert.equal(refreshing.claims.exp - refreshing.claims.iat, 7 * 86_400);
  return access.claims.sid;
}

/** One of every operation, successful and refused: `{user, tokens, secrets}` of the run. */
async function walk() {
  const user = newUser();
  user.email = `Ada.${user.email}`;
  const wrongPassword = "entirely wrong passphrase";
  const first = (await register(service, user)).body;
  await me(service, first.access_token);
  await send(service, "/users/me?probe=query-string-of-the-run", { headers: { Authorization: "Bearer no.jwt.this" } });
  const second = (await refresh(service, first.refresh_token)).body;
  await refresh(service, first.refresh_token);
  await refresh(service, second.refresh_token);
  await me(service, second.access_token);
  const third = (await login(service, user)).body;
  await login(service, { ...user, password: wrongPassword });
  await register(service, user);
  await post(service, "/auth/register", { email: "no-address", password: "Tiny-pw" });
  await logout(service, third.refresh_token);
  const tokens = [first, second, third].flatMap((pair) => [pair.access_token, pair.refresh_token]);
  const address = user.email.toLowerCase();
  return { user, tokens, secrets: [user.password, wrongPassword, "Tiny-pw", "no-address", user.email, address] };
}

test("a reused refresh token ends the session, its newest tokens included", async () => {
  const user = newUser();
  const registered = await register(service, user);
  assertSuccess(registered, 201);
  const { id, access_token, refresh_token, token_type, expires_in, device_token, ...shown } = registered.body;
  assert.ok(Number.isSafeInteger(id) && id > 0);
  assert.match(shown.created_at, ISO_TIME);
  const { created_at } = shown;
  assert.deepEqual(shown, { email: user.email, full_name: user.full_name, is_active: true, created_at });
  assert.equal(decode(device_token).header.typ, "dt+jwt");
  const sessionId = assertTokenPair({ access_token, refresh_token, token_type, expires_in }, { userId: id });

  const known = await me(service, access_token);
  assertSuccess(known, 200);
  assert.deepEqual(known.body, { id, ...shown, email_verified: false, has_password: true, roles: [] });

  const refreshed = await refresh(service, refresh_token);
  assertSuccess(refreshed, 200);
  assert.deepEqual(Object.keys(refreshed.body).sort(), ["access_token", "expires_in", "refresh_token", "token_type"]);
  assertTokenPair(refreshed.body, { userId: id, sessionId });
  assert.notEqual(refreshed.body.refresh_token, refresh_token);
  assertSuccess(await me(service, refreshed.body.access_token), 200);

  assertEnvelope(await refresh(service, refresh_token), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, refreshed.body.refresh_token), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await me(service, refreshed.body.access_token), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await me(service, access_token), 401, "AUTH_TOKEN_REVOKED");
});

test("each sign-in starts a session of its own, and signing out ends that one only", async () => {
  const { user, id, access } = await signUp(service);
  const signedIn = await login(service, { ...user, email: `  ${user.email.toUpperCase()} ` });
  assertSuccess(signedIn, 200);
  assert.deepEqual(Object.keys(signedIn.body).sort(), ["access_token", "device_token", "expires_in", "refresh_token", "token_type"]);
  const sessionId = assertTokenPair(signedIn.body, { userId: id });
  assert.notEqual(sessionId, decode(access).claims.sid);
  assertSuccess(await me(service, signedIn.body.access_token), 200);

  const signedOut = await logout(service, signedIn.body.refresh_token);
  assertSuccess(signedOut, 200);
  assert.deepEqual(signedOut.body, { message: "Logged out successfully" });
  assertEnvelope(await me(service, signedIn.body.access_token), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, signedIn.body.refresh_token), 401, "AUTH_TOKEN_REVOKED");
  assertSuccess(await logout(service, signedIn.body.refresh_token), 200);
  assertSuccess(await me(service, access), 200);
});

test("every console line is one JSON object with the common members", async () => {
  await walk();
  const lines = await loggedText(service);
  assert.ok(lines.length > 24, `${lines.length} lines`);
  lines.forEach(assertLogLine);
});

test("each request logs its start and its end, with the fields of the access log", async () => {
  const common = ["timestamp", "level", "name", "message", "request_id"];
  const { access } = await signUp(service);
  for (const [response, method, path, route] of [
    [await me(service, access), "GET", "/users/me", "/users/me"],
    [await send(service, "/nowhere?x=1"), "GET", "/nowhere", ""],
    [await login(service, newUser()), "POST", "/auth/login", "/auth/login"],
  ]) {
    const [started, ...others] = await loggedOf(service, response);
    const finished = others.pop();
    assert.deepEqual(Object.keys(started), [...common, "method", "path"]);
    const end = ["method", "path", "route", "status_code", "duration_ms", "d1_calls", "do_calls"];
    assert.deepEqual(Object.keys(finished), [...common, ...end]);
    for (const line of [started, finished]) {
      assert.equal(line.level, "INFO");
      assert.equal(line.name, "app.access");
      assert.equal(line.method, method);
      assert.equal(line.path, path);
    }
    assert.deepEqual([started.message, finished.message], ["Request started", "Request finished"]);
    assert.equal(finished.route, route);
    assert.equal(finished.status_code, response.status);
    assert.ok(Number.isInteger(finished.duration_ms) && finished.duration_ms >= 0);
  }
});

test("each operation makes exactly the calls to D1 that it needs, and to a Durable Object only before it ends a session for reuse", async () => {
  const user = newUser();
  const registered = await register(service, user);
  const refreshed = await refresh(service, registered.body.refresh_token);
  const calls = async (response, expectedStatus, count, label, objectCalls = 0) => {
    assert.equal(response.status, expectedStatus, label);
    const finished = (await loggedOf(service, response)).at(-1);
    assert.deepEqual([finished.d1_calls, finished.do_calls], [count, objectCalls], label);
  };
  await calls(registered, 201, 1, "register");
  await calls(refreshed, 200, 1, "refresh");
  await calls(await login(service, user), 200, 2, "login");
  await calls(await login(service, { ...user, password: "wrong password" }), 401, 2, "login with a wrong password");
  await calls(await login(service, newUser()), 401, 2, "login of an unknown address");
  await calls(await me(service, refreshed.body.access_token), 200, 1, "me");
  await calls(await refresh(service, registered.body.refresh_token), 401, 2, "reuse: the object is asked whether it is a retry", 1);
  await calls(await me(service, refreshed.body.access_token), 401, 1, "me of an ended session");
  await calls(await logout(service, refreshed.body.refresh_token), 200, 1, "logout");
  await calls(await register(service, user), 409, 1, "register a taken address");
  await calls(await me(service, "no.jwt.this"), 401, 0, "me with a bad token");
  await calls(await post(service, "/auth/register", {}), 422, 0, "register with faults");
  await calls(await send(service, "/health"), 200, 0, "health");
  await calls(await send(service, "/openapi.json"), 200, 0, "openapi");
});

test("session events are logged as INFO, refusals as WARNING", async () => {
  const user = newUser();
  const levels = async (response) => {
    const lines = await loggedOf(service, response);
    return lines.filter((line) => line.name !== "app.access").map((line) => `${line.level} ${line.name}`);
  };
  const registered = await register(service, user);
  const refreshed = await refresh(service, registered.body.refresh_token);
  const signedIn = await login(service, user);
  for (const response of [registered, refreshed, signedIn, await logout(service, signedIn.body.refresh_token)]) {
    assert.deepEqual(await levels(response), ["INFO app.auth"]);
  }
  const reused = await refresh(service, registered.body.refresh_token);
  assert.deepEqual(await levels(reused), ["WARNING app.auth", "WARNING app.auth"]);
  assert.match((await loggedOf(service, reused))[1].message, /reuse/i);
  assert.deepEqual(await levels(await login(service, newUser())), ["WARNING app.auth"]);
  assert.deepEqual(await levels(await me(service, "no.jwt.this")), ["WARNING app.auth"]);
  assert.deepEqual(await levels(await send(service, "/nowhere")), ["WARNING app.errors"]);
  assert.deepEqual(await logged(service, (line) => line.level === "ERROR"), []);
});

test("no secret of the run is in any log line", async () => {
  const { tokens, secrets } = await walk();
  const hashes = (await rows(service.db, "SELECT password_hash FROM users")).map((row) => row.password_hash);
  assert.match(hashes[0], /^\$pbkdf2-sha256\$i=1000,l=32\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/);
  const forbidden = [
    SECRET_KEY,
    ...secrets,
    ...tokens,
    ...tokens.flatMap((token) => token.split(".").slice(1)),
    ...hashes,
    ...hashes.flatMap((hash) => hash.split("$").slice(-2)),
    "query-string-of-the-run",
    "probe",
  ];
  const text = (await loggedText(service)).join("\n");
  forbidden.forEach((secret) => assert.ok(!text.includes(secret), `logged: ${secret}`));
});

test("the database holds no token, no signature of one, no password and no secret", async () => {
  const { user, tokens: walked } = await walk();
  const { refresh: first } = await signUp(service);
  const { body } = await refresh(service, first);
  const tokens = [first, body.refresh_token, body.access_token, ...walked];
  const stored = await dump(service.db);
  assert.ok(stored.includes(user.email.toLowerCase()), "the dump has the stored rows");
  [first, body.refresh_token].forEach((token) => {
    assert.ok(stored.includes(decode(token).claims.jti), "the dump shows the refresh tokens' ids");
  });
  const forbidden = [SECRET_KEY, user.password, ...tokens, ...tokens.map((token) => decode(token).signature)];
  forbidden.forEach((secret) => assert.ok(!stored.includes(secret), `stored: ${secret}`));
});

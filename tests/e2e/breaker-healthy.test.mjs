// The cost and the effect of the circuit breaker while D1 is healthy: requests do not wait for the Durable Object, and
// the caller's faults never count against D1, however often they happen.
import assert from "node:assert/strict";
import { test } from "node:test";

import { login, logout, me, newUser, post, refresh, register, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { accessLines, batches, breakerLines, CLOSED, counters, inspect, startFaulty } from "./support/faults.mjs";
import { logged } from "./support/logs.mjs";
import { forge } from "./support/tokens.mjs";

const FRESH_MS = 5000;
const CLIENTS = 10;
const isRefreshed = (line) => line.message === "Circuit breaker copy refreshed";

/** A user signs in and does the usual: eleven requests, all answered well. */
async function visit(service, user) {
  const answers = [await login(service, user)];
  let tokens = answers[0].body;
  for (let round = 0; round < 3; round += 1) {
    answers.push(await me(service, tokens.access_token), await refresh(service, tokens.refresh_token));
    tokens = answers.at(-1).body;
    answers.push(await me(service, tokens.access_token));
  }
  answers.push(await logout(service, tokens.refresh_token));
  answers.forEach((response) => assertSuccess(response, 200));
  return answers;
}

test("a thousand healthy requests never wait for the Durable Object; the copy is refreshed meantime", async (t) => {
  const settings = { LOG_LEVEL: "DEBUG", PASSWORD_ITERATIONS: "1" };
  const service = await startFaulty(t, { settings });
  const started = Date.now();
  const answers = [];
  // At least a thousand, and until the copy was stale and refreshed: otherwise there is nothing to bound.
  const client = async () => {
    const user = newUser();
    answers.push(await register(service, user));
    assertSuccess(answers.at(-1), 201);
    while (answers.length < 1000 || !(await counters(service)).fetches.inspect) {
      answers.push(...(await visit(service, user)));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const elapsed = Date.now() - started;

  const { fetches } = await counters(service);
  await service.logged(isRefreshed, fetches.admit + fetches.inspect);
  const lines = await accessLines(service, answers);
  assert.ok(lines.length >= 1000);
  assert.equal(lines.reduce((sum, line) => sum + line.do_calls, 0), 0);
  const calls = lines.reduce((sum, line) => sum + line.d1_calls, 0);
  assert.equal(calls, await batches(service), "each call of D1 is in an access line");
  assert.deepEqual(Object.keys(fetches).sort(), ["admit", "inspect"], "nothing was reported");
  assert.ok(fetches.admit <= CLIENTS, "only the first requests of the isolate introduced themselves");
  const refreshes = await logged(service, isRefreshed);
  assert.equal(refreshes.length, fetches.admit + fetches.inspect);
  refreshes.forEach((line) => assert.deepEqual([line.level, line.reached], ["DEBUG", true]));
  const most = CLIENTS + Math.floor(elapsed / FRESH_MS);
  assert.ok(refreshes.length <= most, `${refreshes.length} refreshes in ${elapsed} ms, at most ${most}`);
  assert.deepEqual(await breakerLines(service), []);
});

test("no fault of the caller counts: not a thousand wrong passwords, nor 404, 409, 415 or 422", async (t) => {
  const service = await startFaulty(t, { settings: { PASSWORD_ITERATIONS: "1" } });
  const { user, access, refresh: token } = await signUp(service);
  const wrong = { ...user, password: "a wrong password" };
  for (let hundred = 0; hundred < 10; hundred += 1) {
    const refused = await Promise.all(Array.from({ length: 100 }, () => login(service, wrong)));
    refused.forEach((response) => assertEnvelope(response, 401, "AUTH_INVALID_CREDENTIALS"));
    assert.deepEqual(await inspect(service), CLOSED);
  }
  assertSuccess(await refresh(service, token), 200);
  const cases = [
    [401, "AUTH_INVALID_CREDENTIALS", () => login(service, newUser())],
    [401, "AUTH_TOKEN_REVOKED", () => refresh(service, token)],
    [401, "AUTH_TOKEN_INVALID", () => me(service, forge("access", { claims: { sub: "999999" } }))],
    [401, "AUTH_TOKEN_REVOKED", () => me(service, access)],
    [404, "NOT_FOUND", () => send(service, "/nowhere")],
    [409, "CONFLICT", () => register(service, user)],
    [415, "UNSUPPORTED_MEDIA_TYPE", () => send(service, "/auth/login", { method: "POST", body: "{}" })],
    [422, "VALIDATION_ERROR", () => post(service, "/auth/register", {})],
  ];
  for (const [status, code, request] of cases) {
    // One after another first: the second use of the refresh token ends the session of the access token.
    assertEnvelope(await request(), status, code);
    const responses = await Promise.all(Array.from({ length: 20 }, request));
    responses.forEach((response) => assertEnvelope(response, status, code));
    assert.deepEqual(await inspect(service), CLOSED, code);
  }
  const { fetches } = await counters(service);
  assert.equal(fetches.failed, undefined, "no failure was ever reported");
  // They do count for the throttle of the account, and close it to unknown networks.
  assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
  await rows(service.db, "UPDATE throttles SET failures = 0, recent_failures = 0, blocked_until = 0, closed_until = 0");
  assertSuccess(await login(service, user), 200);
  assert.deepEqual(await breakerLines(service), []);
});

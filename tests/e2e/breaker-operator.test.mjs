// The operator's endpoint of the circuit breaker, which must work while D1 is down, and the breaker's own lines in
// the log: each change once, under the id of the request that caused it, and never a key.
import assert from "node:assert/strict";
import { test } from "node:test";

import { me, post, send, signUp } from "./support/client.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import {
  accessLines,
  assertRefusedAtOnce,
  assertUnavailable,
  batches,
  breakerLines,
  breakOpen,
  CLOSED,
  command,
  everyOperation,
  inspect,
  inspection,
  oneOfManyProbes,
  OPERATOR_KEY,
  retryTime,
  setFaults,
  startFaulty,
  until,
  untilProbeIsDue,
} from "./support/faults.mjs";
import { assertLogLine, loggedText } from "./support/logs.mjs";
import { testInTime } from "./support/patience.mjs";
import { startFor } from "./support/start.mjs";

const PATH = "/operator/circuit-breaker";
const DOWN = { db: { kind: "before" } };
const WHOLE = { db: { kind: "ok" } };
/** The breaker recovers in this many seconds; no request waits for D1 in vain. */
const settingsOf = (seconds) => ({ BREAKER_RECOVERY_TIMEOUT_SECONDS: String(seconds), D1_TIMEOUT_MS: "20000" });
const bearer = (key) => ({ Authorization: `Bearer ${key}` });
const many = (count, request) => Promise.all(Array.from({ length: count }, request));
const named = (id) => ({ "X-Request-ID": id });

/** Both operations, with these headers. */
function both(service, headers) {
  return [send(service, PATH, { headers }), post(service, PATH, { state: "open" }, headers)];
}

/** The log is well-formed, and holds none of these. */
async function assertNeverLogged(service, ...secrets) {
  const lines = await loggedText(service);
  lines.forEach(assertLogLine);
  secrets.forEach((secret) => assert.ok(!lines.join("\n").includes(secret), `logged: ${secret}`));
}

testInTime("forced open refuses everything, in any state of D1, until the next command", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds) });
  const { access } = await signUp(service);
  const open = { state: "open", failure_count: 0, retry_after_seconds: story.seconds, forced: true, shared: true };
  const reached = await batches(service);
  await story.inTime(story.ms, async () => {
    const { body, ...ordered } = await command(service, "open");
    assertSuccess({ body, ...ordered }, 200);
    assert.deepEqual(body, open);
    const refused = await Promise.all([me(service, access), ...everyOperation(service)]);
    await assertRefusedAtOnce(service, refused);
  });
  // Twice as long as an open breaker would stay so by itself; later requests are told to wait again.
  for (let round = 0; round < 2; round += 1) {
    await retryTime(await me(service, access));
    const answers = await many(10, () => me(service, access));
    answers.forEach(assertUnavailable);
    assert.ok((await accessLines(service, answers)).some((line) => line.do_calls === 1), "no request asked");
  }
  assert.equal(await batches(service), reached);
  assert.deepEqual(await inspect(service), open);
  assertSuccess(await send(service, "/health"), 200);
  const readiness = await send(service, "/health/ready", { headers: { Authorization: `Bearer ${OPERATOR_KEY}` } });
  assert.equal(readiness.status, 503);
  const { storage, ...checks } = readiness.body.checks;
  assert.equal(storage.state, "ok");
  assert.deepEqual(checks, { database: "not_asked", circuit_breaker: open });
  const told = (await send(service, "/health/ready")).body.checks;
  assert.deepEqual(told.circuit_breaker, { state: "open", forced: true, shared: true }, "no numbers for strangers");

  const automatic = await command(service, "automatic");
  assertSuccess(automatic, 200);
  assert.deepEqual(automatic.body, CLOSED);
  assertSuccess(await me(service, access), 200);
});

testInTime("forced closed admits all calls while D1 is down and never opens; automatic counts again", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds) });
  const { access } = await signUp(service);
  await breakOpen(service);
  const { body, ...ordered } = await command(service, "closed");
  assertSuccess({ body, ...ordered }, 200);
  const closed = { state: "closed", failure_count: 0, retry_after_seconds: 0, forced: true, shared: true };
  assert.deepEqual(body, closed);
  const reached = await batches(service);
  (await many(20, () => me(service, access))).forEach(assertUnavailable);
  assert.equal(await batches(service), reached + 20);
  assert.deepEqual(await inspect(service), closed);

  assertSuccess(await command(service, "automatic"), 200);
  (await many(4, () => me(service, access))).forEach(assertUnavailable);
  assert.deepEqual([(await inspect(service)).state, (await inspect(service)).failure_count], ["closed", 4]);
  await story.inTime(story.ms, async () => {
    assertUnavailable(await me(service, access));
    assert.equal((await inspect(service)).state, "open");
  });
  await setFaults(service, WHOLE);
  await untilProbeIsDue(service);
  assertSuccess(await me(service, access), 200);
});

testInTime("the operator is answered at once while D1 never answers, without a call of it", async (story) => {
  const service = await story.start({ settings: { D1_TIMEOUT_MS: "3000" } });
  await setFaults(service, { db: { kind: "never" } });
  const stuck = Promise.all(everyOperation(service, 4));
  const answers = [];
  for (const ask of [inspection, (at) => command(at, "open"), (at) => command(at, "automatic")]) {
    answers.push(await story.inTime(1000, () => ask(service)));
  }
  answers.forEach((response) => assertSuccess(response, 200));
  for (const line of await accessLines(service, answers)) {
    assert.deepEqual([line.d1_calls, line.do_calls, line.route], [0, 1, PATH]);
    assert.ok(line.duration_ms < 1000, `${line.duration_ms} ms`);
  }
  (await stuck).forEach(assertUnavailable);
});

test("without an operator key the endpoint does not exist", async (t) => {
  const service = await startFaulty(t, { settings: { OPERATOR_KEY: undefined } });
  const { access } = await signUp(service);
  for (const headers of [{}, bearer(OPERATOR_KEY), bearer(""), bearer(access)]) {
    for (const response of await Promise.all(both(service, headers))) {
      assertEnvelope(response, 404, "NOT_FOUND");
      assert.equal(response.headers["www-authenticate"], undefined);
    }
  }
  assertSuccess(await me(service, access), 200);
});

test("another key is refused like an invalid token, and commands nothing", async (t) => {
  const service = await startFaulty(t);
  const { access } = await signUp(service);
  const wrong = "e2e-not-the-operator-9f8e7d6c5b4a39";
  const cases = [
    [{}, undefined],
    [bearer(wrong), /error="invalid_token"/],
    [bearer(access), /error="invalid_token"/],
    [bearer(OPERATOR_KEY.slice(0, -1)), /error="invalid_token"/],
    [bearer(`${OPERATOR_KEY}0`), /error="invalid_token"/],
    [bearer(OPERATOR_KEY.toUpperCase()), /error="invalid_token"/],
    [{ Authorization: OPERATOR_KEY }, undefined],
    [{ Authorization: `Basic ${OPERATOR_KEY}` }, undefined],
  ];
  for (const [headers, challenge] of cases) {
    for (const response of await Promise.all(both(service, headers))) {
      assertEnvelope(response, 401, "AUTH_TOKEN_INVALID");
      assert.match(response.headers["www-authenticate"], challenge ?? /^Bearer realm="[^"]+"$/);
      assert.ok(!response.text.includes(OPERATOR_KEY));
    }
  }
  assert.deepEqual([(await inspect(service)).state, (await inspect(service)).forced], ["closed", false]);
  assertEnvelope(await me(service, OPERATOR_KEY), 401, "AUTH_TOKEN_INVALID");

  assertFaults(await command(service, "half_open"), "state: value_error");
  assertFaults(await command(service, undefined), "state: missing");
  assertFaults(await command(service, 1), "state: type_error");
  assert.equal((await inspect(service)).forced, false);
  await assertNeverLogged(service, OPERATOR_KEY, OPERATOR_KEY.slice(0, -1), wrong, access);
});

testInTime("each transition is logged once, under the id of the request that caused it", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds) });
  const { access } = await signUp(service);
  const ask = (id) => me(service, access, named(id));
  await setFaults(service, DOWN);
  for (let failure = 1; failure < 5; failure += 1) {
    assertUnavailable(await ask(`failure-${failure}`));
  }
  await story.inTime(story.ms, async () => {
    assertUnavailable(await ask("failure-5"));
    assertUnavailable(await ask("refused"));
  });
  await untilProbeIsDue(service);
  assertUnavailable(await ask("bad-probe"));
  await untilProbeIsDue(service);
  await setFaults(service, WHOLE);
  assertSuccess(await ask("good-probe"), 200);
  for (const [id, state] of Object.entries({ "order-1": "open", "order-2": "closed", "order-3": "automatic" })) {
    assertSuccess(await command(service, state, named(id)), 200);
  }
  assertSuccess(await command(service, "automatic", named("order-4")), 200);

  const lines = await breakerLines(service);
  lines.forEach((line) => assert.deepEqual([line.level, line.message], ["WARNING", "Circuit breaker changed"]));
  const told = lines.map((line) => {
    return `${line.request_id}: ${line.from} → ${line.to}, ${line.failure_count}${line.forced ? ", forced" : ""}`;
  });
  assert.deepEqual(told, [
    "failure-5: closed → open, 5",
    "bad-probe: open → half_open, 5",
    "bad-probe: half_open → open, 6",
    "good-probe: open → half_open, 6",
    "good-probe: half_open → closed, 0",
    "order-1: closed → open, 0, forced",
    "order-2: open → closed, 0, forced",
    "order-3: closed → closed, 0",
  ]);
  await assertNeverLogged(service, OPERATOR_KEY, access);
});

test("many parallel probes log one transition, under the id of the request that probed", async (t) => {
  const service = await startFaulty(t, { settings: settingsOf(2) });
  const { access } = await signUp(service);
  await breakOpen(service);
  await untilProbeIsDue(service);
  const answers = await oneOfManyProbes([service], () => me(service, access));
  assertSuccess(answers.at(-1), 200);
  const closings = (await breakerLines(service)).filter((line) => line.to === "closed");
  assert.deepEqual(closings.map((line) => line.request_id), [answers.at(-1).headers["x-request-id"]]);
});

test("a refusal that is made at once still has its copy of the breaker refreshed behind it", async (t) => {
  const settings = { OPERATOR_KEY, LOG_LEVEL: "DEBUG" };
  const service = await startFor(t, { wrapper: "tests/e2e/wrappers/counted-waits.mjs", settings });
  const { access } = await signUp(service);
  assertSuccess(await command(service, "open"), 200);
  // The copy is fresh for some seconds. The first refusal after that starts the refresh, and does not wait for it.
  await until("a refusal refreshes the copy", async () => {
    const response = await me(service, access);
    assertUnavailable(response);
    return response.headers["x-test-waits"] === "at once, 1";
  });
  await service.logged((line) => line.message === "Circuit breaker copy refreshed" && line.reached);
});

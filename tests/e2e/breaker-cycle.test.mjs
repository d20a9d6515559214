// The cycle of the circuit breaker, for every way in which D1 fails: five failures open it, then nothing reaches D1
// until the recovery time is over, then one request of many does; its outcome closes the breaker or opens it
// again. At this level, because the count is taken in front of the real D1.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { me, send, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import {
  accessLines,
  assertRefusedAtOnce,
  assertUnavailable,
  batches,
  breakOpen,
  CLOSED,
  everyOperation,
  inspect,
  oneOfManyProbes,
  setFaults,
  startFaulty,
  until,
  untilProbeIsDue,
} from "./support/faults.mjs";
import { assertLogLine, logged, loggedText } from "./support/logs.mjs";
import { testInTime } from "./support/patience.mjs";

const THRESHOLD = 5;
/** The breaker's recovery time, where nothing must happen within it. */
const SECONDS = 2;
/** The timeout where nothing is late on purpose. */
const LONG_MS = 20_000;
/** A failure is reported before it is answered: by at most this much earlier the breaker has opened. */
const REPORT_MS = 500;

const FAULTS = [
  ["answers too late", { kind: "slow" }, /no answer within \d+ ms/],
  ["never answers", { kind: "never" }, /no answer within \d+ ms/],
  ["fails before it does anything", { kind: "before" }, /exceeded its memory limit/],
  ["fails after the write", { kind: "after" }, /exceeded its memory limit/],
  ["is overloaded", { kind: "overloaded" }, /D1 DB is overloaded/],
  ["answers with nothing", { kind: "corrupt", answer: "nothing" }, /corrupt answer/],
  ["answers with too few results", { kind: "corrupt", answer: "too few" }, /corrupt answer/],
  ["answers with invalid JSON", { kind: "corrupt", answer: "no json" }, /corrupt answer/],
];

/** The breaker is open: no call reaches D1, and operations without the database work. */
async function assertOpen(service, person, failureCount, seconds) {
  const reached = await batches(service);
  const refused = await Promise.all([me(service, person.access), ...everyOperation(service)]);
  assertSuccess(await send(service, "/health"), 200);
  assert.equal((await send(service, "/openapi.json")).status, 200);
  assert.equal((await send(service, "/docs")).status, 200);
  const breaker = await inspect(service);
  assert.deepEqual([breaker.state, breaker.failure_count], ["open", failureCount]);
  assert.deepEqual([breaker.forced, breaker.shared], [false, true]);
  assert.equal(await batches(service), reached, "D1 was called");
  await assertRefusedAtOnce(service, refused);
  for (const { headers } of refused) {
    assert.ok(Number(headers["retry-after"]) <= seconds, headers["retry-after"]);
  }
}

/** The breaker recovers in this many seconds. */
function settingsOf(seconds, deadline = LONG_MS) {
  return { D1_TIMEOUT_MS: String(deadline), BREAKER_RECOVERY_TIMEOUT_SECONDS: String(seconds) };
}

describe("five failures open the breaker, and one probe decides the rest, when D1", { concurrency: 3 }, () => {
  for (const [name, fault, cause] of FAULTS) {
    testInTime(name, async (story) => {
      const { seconds, ms } = story;
      const deadline = ["slow", "never"].includes(fault.kind) ? ms : LONG_MS;
      const service = await story.start({ settings: settingsOf(seconds, deadline) });
      const person = await signUp(service);
      const started = await setFaults(service, { db: { ...fault, ms: 2 * deadline } });

      const failed = everyOperation(service, THRESHOLD - 1);
      (await Promise.all(failed)).forEach(assertUnavailable);
      const almost = { state: "closed", failure_count: THRESHOLD - 1, retry_after_seconds: 0 };
      assert.deepEqual(await inspect(service), { ...almost, forced: false, shared: true });
      const fifth = await me(service, person.access);
      assertUnavailable(fifth);
      assert.equal(await batches(service), started.batches + THRESHOLD);
      await story.inTime(ms - REPORT_MS, () => assertOpen(service, person, THRESHOLD, seconds));
      const errors = await logged(service, (line) => line.level === "ERROR" && cause.test(line.cause));
      assert.equal(errors.length, THRESHOLD, "each failure is logged once, with its cause");

      await untilProbeIsDue(service);
      const before = await batches(service);
      const badProbe = await me(service, person.access);
      assertUnavailable(badProbe);
      assert.equal(await batches(service), before + 1);
      await story.inTime(ms - REPORT_MS, () => assertOpen(service, person, THRESHOLD + 1, seconds));

      await untilProbeIsDue(service);
      const ask = () => me(service, person.access);
      const answers = await story.inTime(deadline, () => oneOfManyProbes([service], ask));
      assertSuccess(answers.at(-1), 200);
      const [probe] = await accessLines(service, [answers.at(-1)]);
      assert.deepEqual([probe.d1_calls, probe.do_calls], [1, 2], "it asked for the probe and reported its outcome");
      assert.deepEqual(await inspect(service), CLOSED);
      const afterwards = await Promise.all(Array.from({ length: 20 }, () => me(service, person.access)));
      afterwards.forEach((response) => assertSuccess(response, 200));
      (await accessLines(service, afterwards)).forEach((line) => assert.equal(line.do_calls, 0));
      (await loggedText(service)).forEach(assertLogLine);
    });
  }
});

testInTime("readiness reports D1 and the breaker, and is itself a probe", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds) });
  const readiness = async (status) => {
    const { body, ...response } = await send(service, "/health/ready");
    assert.equal(response.status, status, response.text);
    return [body.status, body.checks.database, body.checks.circuit_breaker.state];
  };
  assert.deepEqual(await readiness(200), ["ready", "ok", "closed"]);
  await setFaults(service, { db: { kind: "before" } });
  for (let failures = 1; failures < THRESHOLD; failures += 1) {
    assert.deepEqual(await readiness(503), ["degraded", "failing", "closed"]);
  }
  await story.inTime(story.ms, async () => {
    assert.deepEqual(await readiness(503), ["degraded", "failing", "open"]);
    const reached = await batches(service);
    assert.deepEqual(await readiness(503), ["degraded", "not_asked", "open"]);
    assert.equal(await batches(service), reached);
  });
  await untilProbeIsDue(service);
  await story.inTime(story.ms, async () => {
    assert.deepEqual(await readiness(503), ["degraded", "failing", "open"]);
    await setFaults(service, { db: { kind: "ok" } });
    assert.deepEqual(await readiness(503), ["degraded", "not_asked", "open"]);
  });
  await untilProbeIsDue(service);
  assert.deepEqual(await readiness(200), ["ready", "ok", "closed"]);
});

test("with three probes allowed exactly three of fifty requests probe, and one closes the breaker", async (t) => {
  const settings = { ...settingsOf(SECONDS), BREAKER_HALF_OPEN_MAX_CALLS: "3" };
  const service = await startFaulty(t, { settings });
  const person = await signUp(service);
  await breakOpen(service);
  await untilProbeIsDue(service);
  const answers = await oneOfManyProbes([service], () => me(service, person.access), { probes: 3 });
  answers.slice(-3).forEach((response) => assertSuccess(response, 200));
  assert.equal((await inspect(service)).state, "closed");
  assertSuccess(await me(service, person.access), 200);
});

test("failures older than the window do not count", async (t) => {
  const service = await startFaulty(t, { settings: { ...settingsOf(SECONDS), BREAKER_FAILURE_WINDOW_SECONDS: "1" } });
  const person = await signUp(service);
  await setFaults(service, { db: { kind: "before" } });
  for (let round = 0; round < 2; round += 1) {
    const failed = Array.from({ length: THRESHOLD - 1 }, () => me(service, person.access));
    (await Promise.all(failed)).forEach(assertUnavailable);
    await until("the failures are forgotten", async () => {
      const { state, failure_count: count } = await inspect(service);
      assert.equal(state, "closed");
      return count === 0;
    });
  }
});

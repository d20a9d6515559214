// The Durable Object does not answer: each isolate falls back to a breaker of its own, logs so once, and follows the
// shared one again when it is back. No request waits for it while D1 is healthy.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { me, send, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import {
  accessLines,
  assertRefusedAtOnce,
  assertUnavailable,
  batches,
  breakerLines,
  breakOpen,
  CLOSED,
  command,
  counters,
  everyOperation,
  inspect,
  inspection,
  oneOfManyProbes,
  retryTime,
  setFaults,
  startFaulty,
  until,
  untilProbeIsDue,
} from "./support/faults.mjs";
import { assertLogLine, logged, loggedText } from "./support/logs.mjs";
import { testInTime } from "./support/patience.mjs";

const OBJECT_TIMEOUT_MS = 500;
/** The seconds of a test's first run, and the breaker's recovery time. */
const SECONDS = 3;
/** The timeout where D1 is late. Elsewhere no request waits for it in vain. */
const D1_TIMEOUT_MS = 2000;
const settingsOf = (seconds, timeout = 20_000) => {
  return { D1_TIMEOUT_MS: String(timeout), BREAKER_RECOVERY_TIMEOUT_SECONDS: String(seconds) };
};
const WHOLE = { kind: "ok" };
const LOST = "Circuit breaker is out of reach: this isolate decides alone";
const BACK = "Circuit breaker is back: this isolate follows it again";
const OWN = "Circuit breaker of this isolate changed";
const REFRESHED = "Circuit breaker copy refreshed";

const FAULTS = [
  ["cannot be named", { kind: "throws" }],
  ["loses its connection", { kind: "rejects" }],
  ["never answers", { kind: "never" }],
  ["answers too late", { kind: "slow", ms: 2 * OBJECT_TIMEOUT_MS }],
  ["answers nonsense", { kind: "nonsense" }],
];
const many = (count, request) => Promise.all(Array.from({ length: count }, request));

/** The log lines about the breaker: the messages, and the states where they changed. */
async function saidOfBreaker(service) {
  const lines = await breakerLines(service);
  return lines.map(({ level, message, from, to }) => `${level} ${message}${from ? `: ${from} → ${to}` : ""}`);
}

/** Repeats a request until this was logged: every answer is good, for D1 is healthy. */
function untilLogged(service, message, access) {
  return until(message, async () => {
    assertSuccess(await me(service, access), 200);
    return service.logs((line) => line.message === message).length > 0;
  });
}

describe("an isolate decides alone, and logs so once, when the object", { concurrency: 3 }, () => {
  for (const [name, fault] of FAULTS) {
    const tell = async (story) => {
      const service = await story.start({ settings: settingsOf(story.seconds) });
      await setFaults(service, { breaker: fault });
      const { access } = await signUp(service);
      // One after another, so that each waits only for its own question; then all concurrently.
      const healthy = [];
      for (let count = 0; count < 5; count += 1) {
        healthy.push(await story.inTime(OBJECT_TIMEOUT_MS, () => me(service, access)));
      }
      const lines = await accessLines(service, healthy);
      lines.forEach((line) => assert.ok(line.duration_ms < OBJECT_TIMEOUT_MS, `${line.duration_ms} ms`));
      healthy.push(...(await many(50, () => me(service, access))));
      healthy.forEach((response) => assertSuccess(response, 200));
      await service.logged((line) => line.message === LOST);
      for (const line of await accessLines(service, healthy)) {
        assert.equal(line.do_calls, 0, "it waited for the object");
      }

      await setFaults(service, { db: { kind: "before" } });
      const failed = await Promise.all(everyOperation(service, 4));
      await story.inTime(story.ms - 1000, async () => {
        failed.push(await me(service, access));
        failed.forEach(assertUnavailable);
        const reached = await batches(service);
        const refused = await Promise.all([me(service, access), ...everyOperation(service)]);
        assert.equal(await batches(service), reached);
        await assertRefusedAtOnce(service, refused);
        const { retry_after_seconds: seconds, ...alone } = await inspect(service);
        assert.deepEqual(alone, { state: "open", failure_count: 5, forced: false, shared: false });
        assert.ok(seconds >= 1 && seconds <= story.seconds, seconds);
      });
      (await accessLines(service, failed)).forEach((line) => assert.equal(line.do_calls, 0, "it is known to be lost"));
      // A late answer does not tell whether the command took effect: this command would change nothing.
      assertUnavailable(await command(service, fault.kind === "slow" ? "automatic" : "closed"));
      assert.equal((await inspect(service)).shared, false);

      await untilProbeIsDue(service);
      const answers = await oneOfManyProbes([service], () => me(service, access));
      assertSuccess(answers.at(-1), 200);
      const { status, body: { checks } } = await send(service, "/health/ready");
      assert.deepEqual([status, checks.database, checks.circuit_breaker.shared], [200, "ok", false]);
      (await many(20, () => me(service, access))).forEach((response) => assertSuccess(response, 200));
      // The half-open transition has a test of its own below.
      const lonely = [`WARNING ${LOST}`, `WARNING ${OWN}: closed → open`, `WARNING ${OWN}: half_open → closed`];
      assert.deepEqual((await saidOfBreaker(service)).filter((line) => !line.endsWith("→ half_open")), lonely);

      await setFaults(service, { breaker: WHOLE });
      await untilLogged(service, BACK, access);
      assert.equal((await saidOfBreaker(service)).at(-1), `INFO ${BACK}`);
      assert.deepEqual(await inspect(service), CLOSED);
      assertSuccess(await command(service, "automatic"), 200);
      (await loggedText(service)).forEach(assertLogLine);
    };
    testInTime(name, tell, SECONDS);
  }
});

testInTime("an object that is slow but answers in time is followed, and no request waits for it", async (story) => {
  const service = await story.start({ settings: { ...settingsOf(story.seconds), LOG_LEVEL: "DEBUG" } });
  await setFaults(service, { breaker: { kind: "slow", ms: 300 } });
  const { access } = await signUp(service);
  const healthy = await many(50, () => me(service, access));
  healthy.forEach((response) => assertSuccess(response, 200));
  (await accessLines(service, healthy)).forEach((line) => assert.equal(line.do_calls, 0));
  await service.logged((line) => line.message === REFRESHED && line.reached);
  await story.inTime(story.ms, async () => {
    await breakOpen(service);
    const reached = await batches(service);
    await assertRefusedAtOnce(service, await many(10, () => me(service, access)));
    assert.equal(await batches(service), reached);
    assert.deepEqual([(await inspect(service)).state, (await inspect(service)).shared], ["open", true]);
  });
  assert.ok(!(await saidOfBreaker(service)).some((line) => line.includes(LOST)));
}, SECONDS);

testInTime("the object is lost while the breaker is open: it stays open its time, then one probes", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds, D1_TIMEOUT_MS) });
  const { access } = await signUp(service);
  const reached = await story.inTime(story.ms, async () => {
    await breakOpen(service);
    await setFaults(service, { breaker: { kind: "never" } });
    await assertRefusedAtOnce(service, await many(10, () => me(service, access)));
    return batches(service);
  });
  // No request looks at it in the meantime: those that ask for the probe find out that it is lost.
  await setFaults(service, { db: { kind: "held" } });
  await retryTime(await me(service, access));
  assert.equal(await batches(service), reached);
  const answers = await story.inTime(D1_TIMEOUT_MS, () => oneOfManyProbes([service], () => me(service, access)));
  assertSuccess(answers.at(-1), 200);
  const lines = await accessLines(service, answers);
  for (const line of lines) {
    assert.ok(line.duration_ms < D1_TIMEOUT_MS + OBJECT_TIMEOUT_MS, JSON.stringify(line));
  }
  assert.equal(lines.reduce((sum, line) => sum + line.do_calls, 0), 1, "one asked for all of them");
  assert.equal(await batches(service), reached + 1);
  assert.equal((await saidOfBreaker(service)).filter((line) => line === `WARNING ${LOST}`).length, 1);
  assertSuccess(await me(service, access), 200);

  // The shared breaker has waited for a probe all along: this isolate provides it.
  await setFaults(service, { breaker: WHOLE });
  const found = (await inspection(service)).body;
  assert.deepEqual([found.state, found.shared], ["half_open", true]);
  assertSuccess(await me(service, access), 200);
  assert.equal((await inspect(service)).state, "closed");
}, SECONDS);

testInTime("an outdated answer of the object does not undo newer knowledge", async (story) => {
  const service = await story.start({ settings: { ...settingsOf(story.seconds), LOG_LEVEL: "DEBUG" } });
  const { access } = await signUp(service);
  // The copy becomes stale after a while; the next request then asks for the state: closed, which arrives late.
  const delay = OBJECT_TIMEOUT_MS - 200;
  await setFaults(service, { breaker: { kind: "slow", ms: delay } });
  await until("a request asks", async () => {
    assertSuccess(await me(service, access), 200);
    return (await counters(service)).fetches.inspect;
  });
  await story.inTime(delay, async () => {
    await setFaults(service, { breaker: WHOLE });
    await breakOpen(service);
  });
  await service.logged((line) => line.message === REFRESHED, 2);
  const lines = await logged(service, (line) => line.name === "app.breaker");
  const order = lines.slice(-2).map(({ message, reached, to }) => [message, reached ?? to]);
  assert.deepEqual(order, [["Circuit breaker changed", "open"], [REFRESHED, true]], "it was overtaken");
  const reached = await batches(service);
  await assertRefusedAtOnce(service, await many(10, () => me(service, access)));
  assert.equal(await batches(service), reached);
}, SECONDS);

testInTime("with D1 and the object both silent, no request waits longer than for each in turn", async (story) => {
  const service = await story.start({ settings: settingsOf(story.seconds, D1_TIMEOUT_MS) });
  const { access } = await signUp(service);
  await setFaults(service, { db: { kind: "never" }, breaker: { kind: "never" } });
  const longest = D1_TIMEOUT_MS + OBJECT_TIMEOUT_MS + 200;
  const failed = await story.inTime(longest, () => many(5, () => me(service, access)));
  await story.inTime(story.ms - OBJECT_TIMEOUT_MS, async () => {
    failed.forEach(assertUnavailable);
    await assertRefusedAtOnce(service, await many(10, () => me(service, access)));
  });
  for (const { duration_ms: duration } of await accessLines(service, failed)) {
    assert.ok(duration >= D1_TIMEOUT_MS && duration < longest, `${duration} ms`);
  }
  assert.equal((await inspect(service)).failure_count, 5);
}, SECONDS);

test("each change of an isolate's own breaker is logged, under the id of the request that caused it", async (t) => {
  const service = await startFaulty(t, { settings: settingsOf(SECONDS) });
  await setFaults(service, { breaker: { kind: "rejects" } });
  const { access } = await signUp(service);
  const ask = (id) => me(service, access, { "X-Request-ID": id });
  await service.logged((line) => line.message === LOST);
  await setFaults(service, { db: { kind: "before" } });
  for (let failure = 1; failure <= 5; failure += 1) {
    assertUnavailable(await ask(`failure-${failure}`));
  }
  await untilProbeIsDue(service);
  assertUnavailable(await ask("bad-probe"));
  await untilProbeIsDue(service);
  await setFaults(service, { db: WHOLE });
  assertSuccess(await ask("good-probe"), 200);
  const lines = (await breakerLines(service)).filter((line) => line.message === OWN);
  assert.deepEqual(lines.map(({ request_id: id, from, to }) => `${id}: ${from} → ${to}`), [
    "failure-5: closed → open",
    "bad-probe: open → half_open",
    "bad-probe: half_open → open",
    "good-probe: open → half_open",
    "good-probe: half_open → closed",
  ]);
});

// The breaker opens only if the failures are a sufficient share of the calls, and only calls that prove something
// count. At this level, because the good calls are counted in the isolate and reported with each failure.
import assert from "node:assert/strict";
import { test } from "node:test";

import { me, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import {
  accessLines,
  assertUnavailable,
  batches,
  breakerLines,
  breakOpen,
  CLOSED,
  counters,
  inspect,
  setFaults,
  startFaulty,
  transitions,
  untilProbeIsDue,
} from "./support/faults.mjs";

const many = (count, request) => Promise.all(Array.from({ length: count }, request));
const settings = { BREAKER_RECOVERY_TIMEOUT_SECONDS: "1" };

test("one failure in a hundred calls leaves the breaker closed, however many there are", async (t) => {
  const service = await startFaulty(t, { isolates: 2 });
  const person = await signUp(service);
  const faulty = service.isolates;
  for (const isolate of faulty) {
    (await many(20, () => me(isolate, person.access))).forEach((response) => assertSuccess(response, 200));
    await setFaults(isolate, { db: { kind: "rare", probability: 0.01, seed: 20261129 } });
  }
  let failed = [];
  for (let round = 0; round < 100; round += 1) {
    const answers = await many(20, (_, index) => me(faulty[index % 2], person.access));
    failed = failed.concat(answers.filter(({ status }) => status !== 200));
  }
  failed.forEach(assertUnavailable);
  assert.ok(failed.length >= 10, `${failed.length} failures, twice as many as open a breaker that only counts them`);
  for (const line of await accessLines(service, failed)) {
    assert.deepEqual([line.d1_calls, line.do_calls], [1, 1], "it reached D1, and was reported");
  }
  const { state, failure_count: count } = await inspect(service);
  assert.deepEqual([state, count], ["closed", failed.length]);
  assert.deepEqual(await breakerLines(service), []);

  for (const isolate of faulty) {
    await setFaults(isolate, { db: { kind: "ok" } });
  }
  assertSuccess(await me(service, person.access), 200);
});

test("an outage after many good calls opens it with the fifth failure of two isolates", async (t) => {
  const service = await startFaulty(t, { isolates: 2 });
  const [here, there] = service.isolates;
  const { access } = await signUp(here);
  for (const isolate of [here, there]) {
    (await many(60, () => me(isolate, access))).forEach((response) => assertSuccess(response, 200));
    await setFaults(isolate, { db: { kind: "before" } });
  }
  for (const isolate of [here, there, here, there]) {
    assertUnavailable(await me(isolate, access));
  }
  assert.equal((await inspect(here)).state, "closed");
  assertUnavailable(await me(here, access));
  assert.deepEqual([(await inspect(here)).state, (await inspect(there)).failure_count], ["open", 5]);
});

test("calls of clients that disconnected are no failures, and such a probe decides nothing", async (t) => {
  const service = await startFaulty(t, { settings });
  const { access } = await signUp(service);
  await setFaults(service, { db: { kind: "disconnected" } });
  (await many(20, () => me(service, access))).forEach(assertUnavailable);
  assert.deepEqual(await inspect(service), CLOSED);
  assert.equal((await counters(service)).fetches.failed, undefined, "nothing was reported");

  await breakOpen(service);
  await untilProbeIsDue(service);
  const { batches: before } = await setFaults(service, { db: { kind: "disconnected" } });
  assertUnavailable(await me(service, access));
  assert.equal(await batches(service), before + 1, "it probed");
  await setFaults(service, { db: { kind: "ok" } });
  const { state, failure_count: count } = await inspect(service);
  assert.deepEqual([state, count], ["half_open", 5]);
  assert.deepEqual(await transitions(service), ["closed → open", "open → half_open"]);
});

test("an isolate that fails alone is not believed right after the probe of another", async (t) => {
  const service = await startFaulty(t, { isolates: 2, settings });
  const [here, there] = service.isolates;
  const { access } = await signUp(here);
  assertSuccess(await me(there, access), 200);
  await breakOpen(here);
  await setFaults(there, { db: { kind: "before" } });
  assertUnavailable(await me(there, access));
  await untilProbeIsDue(here);
  await setFaults(there, { db: { kind: "ok" } });
  assertSuccess(await me(there, access), 200);
  assert.equal((await inspect(here)).state, "closed", "the probe of the other one closed it");

  for (let failures = 0; failures < 10; failures += 1) {
    assertUnavailable(await me(here, access));
  }
  const { state, failure_count: count } = await inspect(here);
  assert.deepEqual([state, count], ["closed", 10]);
  await setFaults(there, { db: { kind: "before" } });
  assertUnavailable(await me(there, access));
  assert.equal((await inspect(here)).state, "open", "two isolates agree");
});

// One circuit breaker for all: two isolates of the service, each with its own copy of what it knows, share one D1 and
// one Durable Object. What one of them finds out is true for the other, and there is one probe in the whole world.
import assert from "node:assert/strict";
import { test } from "node:test";

import { me, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import {
  accessLines,
  assertRefusedAtOnce,
  assertUnavailable,
  batches,
  breakOpen,
  command,
  inspect,
  oneOfManyProbes,
  setFaults,
  startFaulty,
  transitions,
  until,
  untilProbeIsDue,
} from "./support/faults.mjs";

const BROKEN = { db: { kind: "before" } };
const WHOLE = { db: { kind: "ok" } };

/** Two isolates that have learnt that all is well, and somebody who is known in both. */
async function startTwo(t, settings) {
  const service = await startFaulty(t, { isolates: 2, settings: { LOG_LEVEL: "DEBUG", ...settings } });
  const [here, there] = service.isolates;
  const person = await signUp(here);
  const ask = (isolate) => me(isolate, person.access);
  assertSuccess(await ask(there), 200);
  await service.logged((line) => line.message === "Circuit breaker copy refreshed" && line.reached, 2);
  return { service, here, there, ask };
}

/** Asks there until the answer is this; gives that answer. */
function untilAnswered(status, isolate, ask) {
  return until(`an answer ${status}`, async () => {
    const response = await ask(isolate);
    return response.status === status && response;
  });
}

test("failures of two isolates add up, and the fifth opens the breaker for both", async (t) => {
  const { here, there, ask } = await startTwo(t);
  await Promise.all([setFaults(here, BROKEN), setFaults(there, BROKEN)]);
  for (const isolate of [here, there, here, there]) {
    assertUnavailable(await ask(isolate));
  }
  assert.deepEqual(await inspect(here), {
    state: "closed",
    failure_count: 4,
    retry_after_seconds: 0,
    forced: false,
    shared: true,
  });
  assertUnavailable(await ask(here));
  // The other one learns it by its next failure.
  assertUnavailable(await ask(there));
  const reached = [await batches(here), await batches(there)];
  await assertRefusedAtOnce(here, [await ask(here), await ask(there)]);
  assert.deepEqual([await batches(here), await batches(there)], reached);
  const [first, second] = [await inspect(here), await inspect(there)];
  assert.deepEqual([first.state, first.failure_count], ["open", 5]);
  assert.deepEqual([second.state, second.failure_count], ["open", 5]);
});

test("an isolate for which D1 is well learns within seconds that it is down elsewhere, and refuses", async (t) => {
  // Longer than a copy is taken for fresh: the breaker must still be open when the other isolate looks.
  const { service, here, there, ask } = await startTwo(t, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "30" });
  await breakOpen(here);
  const opened = Date.now();
  const response = await untilAnswered(503, there, ask);
  assert.ok(Date.now() - opened < 6000, "fresh for five seconds, and a moment to ask");
  const reached = await batches(there);
  await assertRefusedAtOnce(service, [response, await ask(there), await ask(there)]);
  assert.ok(Number(response.headers["retry-after"]) <= 30 - 1);
  assert.equal(await batches(there), reached);
  assert.deepEqual(await transitions(service), ["closed → open"]);
});

test("an operator's order to one isolate is followed by the other within seconds", async (t) => {
  const { here, there, ask } = await startTwo(t, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "1" });
  for (const [state, status] of [["open", 503], ["closed", 200]]) {
    const ordered = Date.now();
    assertSuccess(await command(here, state), 200);
    await untilAnswered(status, there, ask);
    assert.ok(Date.now() - ordered < 6000, "fresh for five seconds, and a moment to ask");
  }
});

test("a good probe of one isolate closes the breaker for the other", async (t) => {
  const { here, there, ask } = await startTwo(t, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "2" });
  await breakOpen(here);
  await setFaults(there, BROKEN);
  assertUnavailable(await ask(there));
  await Promise.all([setFaults(here, WHOLE), setFaults(there, WHOLE)]);
  await untilProbeIsDue(here);
  const reached = await batches(there);
  assertSuccess(await ask(here), 200);
  assert.equal((await inspect(here)).state, "closed");

  const response = await untilAnswered(200, there, ask);
  assert.equal(await batches(there), reached + 1, "those before were refused");
  const [line] = await accessLines(here, [response]);
  assert.equal(line.do_calls, 1, "it asked whether it is the probe, and needed not to report that it is none");
  const afterwards = await Promise.all(Array.from({ length: 20 }, () => ask(there)));
  afterwards.forEach((answer) => assertSuccess(answer, 200));
  (await accessLines(here, afterwards)).forEach(({ do_calls: calls }) => assert.equal(calls, 0));
});

test("a bad probe of one isolate opens it again for the other", async (t) => {
  const { here, there, ask } = await startTwo(t, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "2" });
  await breakOpen(here);
  await setFaults(there, BROKEN);
  assertUnavailable(await ask(there));
  await untilProbeIsDue(here);
  const reached = await batches(there);
  assertUnavailable(await ask(here));
  // Its own time is over too, so it asks, and is told to wait.
  await setFaults(there, WHOLE);
  const refused = await Promise.all(Array.from({ length: 10 }, () => ask(there)));
  refused.forEach(assertUnavailable);
  assert.equal(await batches(there), reached);
  assert.deepEqual([(await inspect(there)).state, (await inspect(there)).failure_count], ["open", 6]);
});

test("of fifty parallel requests to two isolates exactly one probes", async (t) => {
  const settings = { BREAKER_RECOVERY_TIMEOUT_SECONDS: "1", D1_TIMEOUT_MS: "3000" };
  const { service, here, there, ask } = await startTwo(t, settings);
  await breakOpen(here);
  await setFaults(there, BROKEN);
  assertUnavailable(await ask(there));
  for (let round = 0; round < 3; round += 1) {
    await untilProbeIsDue(here);
    await untilProbeIsDue(there);
    const answers = await oneOfManyProbes([here, there], ask);
    assertSuccess(answers.at(-1), 200);
    await Promise.all([here, there].map((isolate) => untilAnswered(200, isolate, ask)));
    await Promise.all([setFaults(here, BROKEN), setFaults(there, BROKEN)]);
    const failed = Array.from({ length: 6 }, (_, index) => ask([here, there][index % 2]));
    (await Promise.all(failed)).forEach(assertUnavailable);
  }
  const changes = await transitions(service);
  assert.equal(changes.filter((change) => change === "half_open → closed").length, 3);
  assert.equal(changes.filter((change) => change === "closed → open").length, 4);
});

// One circuit breaker for all: two isolates of the service, each with its own copy of the state, share one D1 and
// one Durable Object. The findings of one apply to the other, and there is only one probe overall.
import assert from "node:assert/strict";

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
  transitions,
  until,
  untilProbeIsDue,
} from "./support/faults.mjs";
import { testInTime } from "./support/patience.mjs";

/** The time for which an isolate trusts its copy. */
const FRESH_MS = 5000;
/** The longest that a request waits for the object. */
const OBJECT_TIMEOUT_MS = 500;
/** Then the isolate asks in the background: at most this many more requests, one after another, get the old answer. */
const STALE_ANSWERS = 25;

const BROKEN = { db: { kind: "before" } };
const WHOLE = { db: { kind: "ok" } };

/** Two isolates that have learnt that all is well, and a user known in both. */
async function startTwo(story, settings) {
  const service = await story.start({ isolates: 2, settings: { LOG_LEVEL: "DEBUG", ...settings } });
  const [here, there] = service.isolates;
  const person = await signUp(here);
  const ask = (isolate) => me(isolate, person.access);
  assertSuccess(await ask(there), 200);
  await service.logged((line) => line.message === "Circuit breaker copy refreshed" && line.reached, 2);
  return { service, here, there, ask };
}

/** Asks this isolate until the answer has this status, soon after its copy is stale; returns that answer. */
async function untilAnswered(status, isolate, ask) {
  const begun = Date.now();
  let late = 0;
  const found = await until(`an answer ${status}`, async () => {
    const asked = Date.now();
    late += asked - begun > FRESH_MS ? 1 : 0;
    const response = await ask(isolate);
    return response.status === status && { response, asked };
  });
  assert.ok(late <= STALE_ANSWERS, `${late} requests were answered from a stale copy`);
  return found;
}

testInTime("failures of two isolates add up, and the fifth opens the breaker for both", async (story) => {
  const { here, there, ask } = await startTwo(story);
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
  // The other isolate learns it by its next failure.
  assertUnavailable(await ask(there));
  const reached = [await batches(here), await batches(there)];
  await assertRefusedAtOnce(here, [await ask(here), await ask(there)]);
  assert.deepEqual([await batches(here), await batches(there)], reached);
  const [first, second] = [await inspect(here), await inspect(there)];
  assert.deepEqual([first.state, first.failure_count], ["open", 5]);
  assert.deepEqual([second.state, second.failure_count], ["open", 5]);
});

testInTime("an isolate with a healthy D1 learns in time that D1 is down elsewhere, and refuses", async (story) => {
  // Longer than a copy is fresh: the breaker must still be open when the other isolate looks.
  const { service, here, there, ask } = await startTwo(story, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "30" });
  await breakOpen(here);
  const opened = Date.now();
  const { response, asked } = await untilAnswered(503, there, ask);
  const reached = await batches(there);
  await assertRefusedAtOnce(service, [response, await ask(there), await ask(there)]);
  const left = 30_000 - (asked - opened) + OBJECT_TIMEOUT_MS;
  assert.ok(Number(response.headers["retry-after"]) <= Math.ceil(left / 1000), "told the rest of the time only");
  assert.equal(await batches(there), reached);
  assert.deepEqual(await transitions(service), ["closed → open"]);
});

testInTime("an operator's command to one isolate is followed by the other within seconds", async (story) => {
  const { here, there, ask } = await startTwo(story, { BREAKER_RECOVERY_TIMEOUT_SECONDS: "1" });
  for (const [state, status] of [["open", 503], ["closed", 200]]) {
    assertSuccess(await command(here, state), 200);
    await untilAnswered(status, there, ask);
  }
});

testInTime("a successful probe of one isolate closes the breaker for the other", async (story) => {
  const { here, there, ask } = await startTwo(story, { BREAKER_RECOVERY_TIMEOUT_SECONDS: String(story.seconds) });
  await story.inTime(story.ms, async () => {
    await breakOpen(here);
    await setFaults(there, BROKEN);
    assertUnavailable(await ask(there));
  });
  await Promise.all([setFaults(here, WHOLE), setFaults(there, WHOLE)]);
  await untilProbeIsDue(here);
  const reached = await batches(there);
  assertSuccess(await ask(here), 200);
  assert.equal((await inspect(here)).state, "closed");

  const { response } = await untilAnswered(200, there, ask);
  assert.equal(await batches(there), reached + 1, "those before were refused");
  const [line] = await accessLines(here, [response]);
  assert.equal(line.do_calls, 1, "it asked whether it is the probe, and needed not to report that it is none");
  const afterwards = await Promise.all(Array.from({ length: 20 }, () => ask(there)));
  afterwards.forEach((answer) => assertSuccess(answer, 200));
  (await accessLines(here, afterwards)).forEach(({ do_calls: calls }) => assert.equal(calls, 0));
});

testInTime("a failed probe of one isolate opens the breaker again for the other", async (story) => {
  const { here, there, ask } = await startTwo(story, { BREAKER_RECOVERY_TIMEOUT_SECONDS: String(story.seconds) });
  await story.inTime(story.ms, async () => {
    await breakOpen(here);
    await setFaults(there, BROKEN);
    assertUnavailable(await ask(there));
  });
  await untilProbeIsDue(here);
  const reached = await batches(there);
  await story.inTime(story.ms, async () => {
    assertUnavailable(await ask(here));
    // Its own copy is due too, so it asks for the probe, and is told to wait.
    await setFaults(there, WHOLE);
    const refused = await Promise.all(Array.from({ length: 10 }, () => ask(there)));
    refused.forEach(assertUnavailable);
    assert.equal(await batches(there), reached);
    assert.deepEqual([(await inspect(there)).state, (await inspect(there)).failure_count], ["open", 6]);
  });
});

testInTime("of fifty parallel requests to two isolates exactly one probes", async (story) => {
  const settings = { BREAKER_RECOVERY_TIMEOUT_SECONDS: "1", D1_TIMEOUT_MS: "20000" };
  const { service, here, there, ask } = await startTwo(story, settings);
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

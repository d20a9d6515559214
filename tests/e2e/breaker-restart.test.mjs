// The breaker outlives everything that runs: its object evicted, the service stopped or killed. It stays open until
// its time, counts on where it was, and obeys the operator still. At this level, because storage is workerd's.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { me, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import {
  assertRefusedAtOnce,
  assertUnavailable,
  batches,
  breakOpen,
  command,
  counters,
  everyOperation,
  inspect,
  oneOfManyProbes,
  OPERATOR_KEY,
  setFaults,
  startFaulty,
  untilCalled,
  untilProbeIsDue,
  WRAPPER,
} from "./support/faults.mjs";
import { startKillable } from "./support/killable.mjs";
import { NAME, startService } from "./support/service.mjs";
import { stateFolder } from "./support/start.mjs";

const WHOLE = { db: { kind: "ok" } };

/** Evicts the breaker's object, and makes sure that another one takes its place. */
async function evict(service) {
  const { objectStarts } = await counters(service);
  await service.miniflare.unsafeEvictDurableObject(NAME, "CircuitBreaker", { name: "d1" });
  const breaker = await inspect(service);
  assert.equal((await counters(service)).objectStarts, objectStarts + 1, "it was not evicted");
  return breaker;
}

describe("when the object is evicted,", () => {
  const settings = { BREAKER_RECOVERY_TIMEOUT_SECONDS: "2", D1_TIMEOUT_MS: "3000" };

  test("an open breaker stays open until its time, and then lets one probe through", async (t) => {
    const service = await startFaulty(t, { settings });
    const { access } = await signUp(service);
    const opening = Date.now();
    await breakOpen(service);
    await setFaults(service, WHOLE);
    const breaker = await evict(service);
    assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["open", 5, true]);
    const reached = await batches(service);
    await assertRefusedAtOnce(service, await Promise.all([me(service, access), ...everyOperation(service)]));
    await evict(service);
    await untilProbeIsDue(service);
    assert.ok(Date.now() - opening >= 2000, "before its time");
    await evict(service);
    assert.equal(await batches(service), reached);
    const answers = await oneOfManyProbes([service], () => me(service, access));
    assertSuccess(answers.at(-1), 200);
    assert.deepEqual([(await evict(service)).state, (await inspect(service)).failure_count], ["closed", 0]);
  });

  test("the lease of a probe under way is kept, and its answer still counts", async (t) => {
    const service = await startFaulty(t, { settings });
    const { access } = await signUp(service);
    await breakOpen(service);
    await untilProbeIsDue(service);
    const { batches: before } = await setFaults(service, { db: { kind: "held" } });
    const probe = me(service, access);
    await untilCalled(service, before);
    assert.equal((await evict(service)).state, "half_open");
    const others = await Promise.all(Array.from({ length: 20 }, () => me(service, access)));
    others.forEach(assertUnavailable);
    await evict(service);
    assert.equal(await batches(service), before + 1);
    await setFaults(service, { ...WHOLE, release: true });
    assertSuccess(await probe, 200);
    assert.equal((await evict(service)).state, "closed");
  });

  test("failures that were counted before count on", async (t) => {
    const service = await startFaulty(t, { settings });
    await setFaults(service, { db: { kind: "before" } });
    for (let failures = 1; failures < 5; failures += 1) {
      (await Promise.all(everyOperation(service, 1))).forEach(assertUnavailable);
      const breaker = await evict(service);
      assert.deepEqual([breaker.state, breaker.failure_count], ["closed", failures]);
    }
    (await Promise.all(everyOperation(service, 1))).forEach(assertUnavailable);
    const breaker = await evict(service);
    assert.deepEqual([breaker.state, breaker.failure_count], ["open", 5]);
  });

  test("what the operator forced stays forced", async (t) => {
    const service = await startFaulty(t, { settings });
    for (const state of ["open", "closed"]) {
      assertSuccess(await command(service, state), 200);
      const breaker = await evict(service);
      assert.deepEqual([breaker.state, breaker.forced], [state, true]);
    }
    assertSuccess(await command(service, "automatic"), 200);
    assert.deepEqual([(await evict(service)).state, (await inspect(service)).forced], ["closed", false]);
  });
});

describe("when everything is started again on the same data,", () => {
  // Longer than a start takes, so that it is still open then.
  const RECOVERY_MS = 8000;
  const settings = { OPERATOR_KEY, BREAKER_RECOVERY_TIMEOUT_SECONDS: String(RECOVERY_MS / 1000), LOG_LEVEL: "DEBUG" };
  const WAYS = { stopped: (service) => service.stop(), killed: (service) => service.kill() };

  for (const [way, end] of Object.entries(WAYS)) {
    test(`because it was ${way}: an open breaker stays open until its time, then one probes`, async (t) => {
      const options = { state: stateFolder(t), settings, wrapper: WRAPPER };
      const first = await (way === "killed" ? startKillable(t, options) : startService(options));
      const { access } = await signUp(first);
      const opening = Date.now();
      await breakOpen(first);
      const opened = Date.now();
      assert.equal((await inspect(first)).state, "open");
      await end(first);

      const service = await startService(options);
      t.after(() => service.stop());
      const breaker = await inspect(service);
      assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["open", 5, true]);
      await assertRefusedAtOnce(service, await Promise.all([me(service, access), ...everyOperation(service)]));
      assert.equal(await batches(service), 0);
      await untilProbeIsDue(service);
      const due = Date.now();
      assert.ok(due - opening >= RECOVERY_MS, "before its time");
      assert.ok(due - opened < RECOVERY_MS + 1000, "after its time: a start must not prolong it");
      const answers = await oneOfManyProbes([service], () => me(service, access));
      assertSuccess(answers.at(-1), 200);
      assert.equal((await inspect(service)).state, "closed");
    });
  }

  test("a new isolate learns of an open breaker with its first request, whose success proves nothing", async (t) => {
    const options = { state: stateFolder(t), settings, wrapper: WRAPPER };
    const first = await startService(options);
    const { access } = await signUp(first);
    await breakOpen(first);
    await first.stop();
    const service = await startService(options);
    t.after(() => service.stop());
    await me(service, access);
    await service.logged((line) => line.message === "Circuit breaker copy refreshed" && line.reached);
    const reached = await batches(service);
    await assertRefusedAtOnce(service, await Promise.all([me(service, access), ...everyOperation(service)]));
    assert.equal(await batches(service), reached);
    assert.equal((await inspect(service)).state, "open");
  });
});

// The breaker outlives its processes: its object is evicted, the service is stopped or killed. It stays open until
// its time, keeps its counts, and still obeys the operator. At this level, because storage is workerd's.
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
import { testInTime } from "./support/patience.mjs";
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
  const settingsOf = (seconds) => ({ BREAKER_RECOVERY_TIMEOUT_SECONDS: String(seconds), D1_TIMEOUT_MS: "20000" });
  const settings = settingsOf(2);

  testInTime("an open breaker stays open until its time, and then admits one probe", async (story) => {
    const service = await story.start({ settings: settingsOf(story.seconds) });
    const { access } = await signUp(service);
    const opening = Date.now();
    const reached = await story.inTime(story.ms, async () => {
      await breakOpen(service);
      await setFaults(service, WHOLE);
      const breaker = await evict(service);
      assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["open", 5, true]);
      await assertRefusedAtOnce(service, await Promise.all([me(service, access), ...everyOperation(service)]));
      return batches(service);
    });
    await evict(service);
    await untilProbeIsDue(service);
    assert.ok(Date.now() - opening >= story.ms, "before its time");
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

  test("failures that were counted before still count", async (t) => {
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

  test("a state forced by the operator stays forced", async (t) => {
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

describe("when everything is restarted on the same data,", () => {
  // Longer than a start takes, so that the breaker is still open then.
  const SECONDS = 8;
  const WAYS = { stopped: (service) => service.stop(), killed: (service) => service.kill() };

  /** `{start, options}` for services on the same data, whose breaker recovers in the time of the story. */
  function onSameData(story) {
    const settings = { OPERATOR_KEY, BREAKER_RECOVERY_TIMEOUT_SECONDS: String(story.seconds), LOG_LEVEL: "DEBUG" };
    const options = { state: stateFolder(), settings, wrapper: WRAPPER };
    const start = async () => {
      const service = story.observe(await startService(options), settings);
      story.t.after(() => service.stop());
      return service;
    };
    return { start, options };
  }

  for (const [way, end] of Object.entries(WAYS)) {
    testInTime(`because it was ${way}: an open breaker stays open until its time, then one probes`, async (story) => {
      const { start, options } = onSameData(story);
      const first = await (way === "killed" ? startKillable(story.t, options) : start());
      const { access } = await signUp(first);
      const opening = Date.now();
      const service = await story.inTime(story.ms, async () => {
        await breakOpen(first);
        const opened = Date.now();
        assert.equal((await inspect(first)).state, "open");
        await end(first);

        const again = await start();
        const left = story.ms - (Date.now() - opened);
        const breaker = await inspect(again);
        assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["open", 5, true]);
        assert.ok(breaker.retry_after_seconds <= Math.ceil(left / 1000), "a start must not prolong it");
        await assertRefusedAtOnce(again, await Promise.all([me(again, access), ...everyOperation(again)]));
        assert.equal(await batches(again), 0);
        return again;
      });
      await untilProbeIsDue(service);
      assert.ok(Date.now() - opening >= story.ms, "before its time");
      const answers = await oneOfManyProbes([service], () => me(service, access));
      assertSuccess(answers.at(-1), 200);
      assert.equal((await inspect(service)).state, "closed");
    }, SECONDS);
  }

  testInTime("a new isolate learns of an open breaker with its first request, and does not close it", async (story) => {
    const { start } = onSameData(story);
    const first = await start();
    const { access } = await signUp(first);
    await story.inTime(story.ms, async () => {
      await breakOpen(first);
      await first.stop();
      const service = await start();
      await me(service, access);
      await service.logged((line) => line.message === "Circuit breaker copy refreshed" && line.reached);
      const reached = await batches(service);
      await assertRefusedAtOnce(service, await Promise.all([me(service, access), ...everyOperation(service)]));
      assert.equal(await batches(service), reached);
      assert.equal((await inspect(service)).state, "open");
    });
  }, SECONDS);
});

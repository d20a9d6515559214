// Requests vanish before they report to the breaker: a probe whose client hung up, whose isolate crashed or was
// killed; clients that do not wait as long as the service does. No state of the breaker may depend on their reports.
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";

import { me, signUp } from "./support/client.mjs";
import { assertEnvelope } from "./support/envelope.mjs";
import {
  assertUnavailable,
  batches,
  breakOpen,
  inspect,
  OPERATOR_KEY,
  setFaults,
  startFaulty,
  until,
  untilCalled,
  untilProbeIsDue,
  WRAPPER,
} from "./support/faults.mjs";
import { startKillable } from "./support/killable.mjs";
import { testInTime } from "./support/patience.mjs";
import { startService } from "./support/service.mjs";
import { stateFolder } from "./support/start.mjs";

const WHOLE = { db: { kind: "ok" } };
const SILENT = { db: { kind: "never" } };

/** Requests `/users/me`, and hangs up as soon as D1 was called: with a reset, as a phone that lost its network. */
async function hangUp(service, access) {
  const before = await batches(service);
  const outgoing = request(`${service.origin}/users/me`, { headers: { Authorization: `Bearer ${access}` } });
  const closed = new Promise((resolve) => outgoing.on("close", resolve));
  outgoing.on("error", () => {});
  outgoing.end();
  await untilCalled(service, before);
  outgoing.socket.resetAndDestroy();
  await closed;
}

/** Repeats a request until one is admitted and succeeds; the others are refused. One call of D1; returns its time. */
async function untilNextProbe(service, access) {
  const before = await batches(service);
  const probed = await until("a request may probe", async () => {
    const response = await me(service, access);
    const now = Date.now();
    return response.status === 200 ? now : void assertUnavailable(response);
  });
  assert.equal(await batches(service), before + 1, "the first that D1 was asked was answered well");
  return probed;
}

describe("the next request probes when the probe", () => {
  /** D1 may take as long as the story has. */
  const settingsOf = ({ ms }) => ({ D1_TIMEOUT_MS: String(ms), BREAKER_RECOVERY_TIMEOUT_SECONDS: "1" });
  /** The probe may take as long as D1 may, and has a second to report. */
  const leaseOf = ({ ms }) => ms + 1000;
  /** Longer than a start takes, so that the lease has not ended by then. */
  const SECONDS_TO_START = 7;

  testInTime("never gets an answer and its client hangs up", async (story) => {
    const service = await story.start({ settings: settingsOf(story) });
    const { access } = await signUp(service);
    await breakOpen(service);
    await untilProbeIsDue(service);
    await setFaults(service, SILENT);
    const probing = Date.now();
    await story.inTime(leaseOf(story), () => hangUp(service, access));
    await setFaults(service, WHOLE);
    const probed = await untilNextProbe(service, access);
    assert.ok(probed - probing >= leaseOf(story), `${probed - probing} ms after the first`);
    assert.equal((await inspect(service)).state, "closed");
  });

  testInTime("crashes its isolate, which takes the object's instance with it", async (story) => {
    const service = await story.start({ settings: settingsOf(story) });
    const { access } = await signUp(service);
    await breakOpen(service);
    await untilProbeIsDue(service);
    await setFaults(service, { db: { kind: "panic" } });
    const probing = Date.now();
    await story.inTime(leaseOf(story), async () => {
      assertEnvelope(await me(service, access), 500, "INTERNAL_ERROR");
      await setFaults(service, WHOLE);
      const breaker = await inspect(service);
      assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["half_open", 5, true]);
    });
    const probed = await untilNextProbe(service, access);
    assert.ok(probed - probing >= leaseOf(story), `${probed - probing} ms after the first`);
    assert.equal((await inspect(service)).state, "closed");
  });

  testInTime("is killed with everything else", async (story) => {
    const settings = { OPERATOR_KEY, ...settingsOf(story) };
    const options = { state: stateFolder(), settings, wrapper: WRAPPER };
    const mortal = await startKillable(story.t, options);
    const { access } = await signUp(mortal);
    await breakOpen(mortal);
    await untilProbeIsDue(mortal);
    const { batches: before } = await setFaults(mortal, { db: { kind: "held" } });
    const probing = Date.now();
    const service = await story.inTime(story.ms, async () => {
      const probe = assert.rejects(me(mortal, access));
      await untilCalled(mortal, before);
      await mortal.kill();
      await probe;

      const again = story.observe(await startService(options), settings);
      story.t.after(() => again.stop());
      const breaker = await inspect(again);
      assert.deepEqual([breaker.state, breaker.failure_count, breaker.shared], ["half_open", 5, true]);
      const seconds = breaker.retry_after_seconds;
      assert.ok(seconds > 1 && seconds <= leaseOf(story) / 1000, seconds);
      return again;
    });
    const probed = await untilNextProbe(service, access);
    assert.ok(probed - probing >= leaseOf(story), `${probed - probing} ms after the first`);
    assert.equal((await inspect(service)).state, "closed");
  }, SECONDS_TO_START);
});

test("five clients that hang up before D1's timeout open the breaker all the same", async (t) => {
  const service = await startFaulty(t, { settings: { D1_TIMEOUT_MS: "2000" } });
  const { access } = await signUp(service);
  await setFaults(service, SILENT);
  for (let failures = 0; failures < 5; failures += 1) {
    await hangUp(service, access);
  }
  // A later client waits for its answer: D1 was late for all the others before.
  assertUnavailable(await me(service, access));
  const breaker = await inspect(service);
  assert.deepEqual([breaker.state, breaker.failure_count], ["open", 5]);
});

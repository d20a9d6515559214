// The service with faults in front of its bindings (wrappers/faulty-bindings.mjs), and the state of its breaker.
import assert from "node:assert/strict";

import { login, logout, me, newUser, post, refresh, register, send } from "./client.mjs";
import { assertEnvelope } from "./envelope.mjs";
import { accessLines, logged } from "./logs.mjs";
import { startFor } from "./start.mjs";
import { forge } from "./tokens.mjs";

export { accessLines };
export const WRAPPER = "tests/e2e/wrappers/faulty-bindings.mjs";
/** The operator's view of a breaker at rest. */
export const CLOSED = { state: "closed", failure_count: 0, retry_after_seconds: 0, forced: false, shared: true };
export const OPERATOR_KEY = "e2e-operator-71c0d4f2a9b84e35d6c7";
/** The pause between two polls: it leaves the processor to the service and decides nothing. */
const PAUSE_MS = 20;
/** Longer than anything a test waits for: then the test fails instead of hanging. */
const PATIENCE_MS = 120_000;
/** The timeout of the breaker's object; that of D1 is longer. */
const SHORTEST_DEADLINE_MS = 500;
const AUTHORIZED = { Authorization: `Bearer ${OPERATOR_KEY}` };

/** A service of the test `t` whose bindings can be made to fail. */
export function startFaulty(t, { settings, ...options } = {}) {
  return startFor(t, { wrapper: WRAPPER, settings: { OPERATOR_KEY, ...settings }, ...options });
}

/** Chooses the faults, in this isolate; returns the counts so far. */
export async function setFaults(service, faults) {
  const { status, body, text } = await post(service, "/__faults", faults);
  assert.equal(status, 200, text);
  return body;
}

/** The counts of the isolate: `{batches, fetches, flapped, objectStarts, slowest}`. */
export const counters = (service) => setFaults(service, {});
export const batches = async (service) => (await counters(service)).batches;

/** The operator's view, in full. */
export function inspection(service) {
  return send(service, "/operator/circuit-breaker", { headers: AUTHORIZED });
}

export async function inspect(service) {
  const { status, body, text } = await inspection(service);
  assert.equal(status, 200, text);
  return body;
}

/** A command of the operator: "open", "closed" or "automatic". */
export function command(service, state, headers) {
  return post(service, "/operator/circuit-breaker", { state }, { ...AUTHORIZED, ...headers });
}

/** Polls until the result is truthy, and returns that; for at most this long. */
export async function until(label, look, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `waited in vain: ${label}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Waits until an open breaker's time is over: the next request is the probe. Polling admits nothing. */
export function untilProbeIsDue(service) {
  return until("the recovery time is over", async () => {
    const { state } = await inspect(service);
    assert.notEqual(state, "closed", "no request has probed yet");
    return state === "half_open";
  });
}

/** Waits until the service has called D1 more often than this. */
export function untilCalled(service, before) {
  return until("D1 is called", async () => (await batches(service)) > before);
}

const OPERATIONS = [
  (service) => register(service, newUser()),
  (service) => login(service, newUser()),
  (service) => refresh(service, forge("refresh")),
  (service) => logout(service, forge("refresh")),
  (service) => me(service, forge("access")),
];

/** One of every operation that needs the database, for no user in particular: five, and one call of D1 each. */
export function everyOperation(service, count = OPERATIONS.length) {
  return OPERATIONS.slice(0, count).map((operation) => operation(service));
}

/** Makes the database fail until the breaker, closed and at rest, has opened. */
export async function breakOpen(service, fault = { kind: "before" }) {
  await setFaults(service, { db: fault });
  (await Promise.all(everyOperation(service))).forEach(assertUnavailable);
}

/** The 503 of a database that was not called, or did not answer; returns the seconds of its Retry-After. */
export function assertUnavailable(response) {
  assertEnvelope(response, 503, "SERVICE_UNAVAILABLE");
  assert.match(response.headers["retry-after"], /^[1-9]\d*$/);
  assert.equal(response.headers["www-authenticate"], undefined);
  assert.doesNotMatch(response.body.error.message, /D1|connection|database|breaker|circuit/i);
  return Number(response.headers["retry-after"]);
}

/** Obeys a refusal as a client should: waits for as long as it was told to. */
export function retryTime(response) {
  const seconds = assertUnavailable(response);
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** The breaker of this isolate refused these by its copy: no call was made, so none was waited for. */
export async function assertRefusedAtOnce(service, responses) {
  responses.forEach(assertUnavailable);
  for (const line of await accessLines(service, responses)) {
    assert.deepEqual([line.d1_calls, line.do_calls], [0, 0], JSON.stringify(line));
    assert.ok(line.duration_ms < SHORTEST_DEADLINE_MS, JSON.stringify(line));
  }
}

/** The lines about the breaker, oldest first. */
export function breakerLines(service) {
  return logged(service, (line) => line.name === "app.breaker" && line.level !== "DEBUG");
}

/** The transitions of the shared breaker as they were logged: `["closed → open", …]`. */
export async function transitions(service) {
  const lines = await breakerLines(service);
  const changes = lines.filter((line) => line.message === "Circuit breaker changed");
  return changes.map(({ from, to }) => `${from} → ${to}`);
}

/**
 * Sends many requests concurrently while a probe is due, and holds back the database's answers to the admitted ones
 * until all others were answered. Exactly one is admitted, or `probes`; returns all answers, the admitted ones last.
 */
export async function oneOfManyProbes(services, request, { count = 50, probes = 1 } = {}) {
  const before = await Promise.all(services.map((service) => setFaults(service, { db: { kind: "held" } })));
  const answers = [];
  const { promise: othersAnswered, resolve } = Promise.withResolvers();
  const all = Array.from({ length: count }, async (_, index) => {
    answers.push(await request(services[index % services.length]));
    if (answers.length === count - probes) {
      resolve();
    }
  });
  await othersAnswered;
  const calledSince = async () => {
    const reached = await Promise.all(services.map(batches));
    return reached.map((now, index) => now - before[index].batches);
  };
  const total = (calls) => calls.reduce((sum, number) => sum + number);
  // The probes may still be asking for admission when all the others have been refused.
  await until("a request probes", async () => total(await calledSince()) >= probes);
  const calls = await calledSince();
  assert.equal(total(calls), probes, `probes per isolate: ${calls}`);
  answers.forEach(assertUnavailable);
  await Promise.all(services.map((service) => setFaults(service, { db: { kind: "ok" }, release: true })));
  await Promise.all(all);
  return answers;
}

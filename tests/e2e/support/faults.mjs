// The service with faults in front of its bindings (wrappers/faulty-bindings.mjs), and what is known of its breaker.
import assert from "node:assert/strict";

import { login, logout, me, newUser, post, refresh, register, send } from "./client.mjs";
import { assertEnvelope } from "./envelope.mjs";
import { accessLines, logged } from "./logs.mjs";
import { startFor } from "./start.mjs";
import { forge } from "./tokens.mjs";

export { accessLines };
export const WRAPPER = "tests/e2e/wrappers/faulty-bindings.mjs";
/** What the operator is told of a breaker at rest. */
export const CLOSED = { state: "closed", failure_count: 0, retry_after_seconds: 0, forced: false, shared: true };
export const OPERATOR_KEY = "e2e-operator-71c0d4f2a9b84e35d6c7";
/** Between two looks at the same thing: leaves the processor to the service, decides nothing. */
const PAUSE_MS = 20;
/** Nothing that is waited for takes so long: a test fails then, instead of hanging. */
const PATIENCE_MS = 120_000;
/** Whoever waits for the breaker's object in vain waits so long; for D1, longer. */
const SHORTEST_DEADLINE_MS = 500;
const AUTHORIZED = { Authorization: `Bearer ${OPERATOR_KEY}` };

/** A service of the test `t` whose bindings can be made to fail. */
export function startFaulty(t, { settings, ...options } = {}) {
  return startFor(t, { wrapper: WRAPPER, settings: { OPERATOR_KEY, ...settings }, ...options });
}

/** Chooses the faults, in this isolate; gives back what it has counted so far. */
export async function setFaults(service, faults) {
  const { status, body, text } = await post(service, "/__faults", faults);
  assert.equal(status, 200, text);
  return body;
}

/** What the isolate has counted: `{batches, fetches, flapped, objectStarts, slowest}`. */
export const counters = (service) => setFaults(service, {});
export const batches = async (service) => (await counters(service)).batches;

/** What the operator is told, in full. */
export function inspection(service) {
  return send(service, "/operator/circuit-breaker", { headers: AUTHORIZED });
}

export async function inspect(service) {
  const { status, body, text } = await inspection(service);
  assert.equal(status, 200, text);
  return body;
}

/** What the operator orders: "open", "closed" or "automatic". */
export function command(service, state, headers) {
  return post(service, "/operator/circuit-breaker", { state }, { ...AUTHORIZED, ...headers });
}

/** Looks again and again until there is something, and gives that; at most for so long. */
export async function until(what, look, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Waits until the time of an open breaker is over: the next request is the probe. Looking lets nothing through. */
export function untilProbeIsDue(service) {
  return until("the recovery time is over", async () => {
    const { state } = await inspect(service);
    assert.notEqual(state, "closed", "nobody has probed yet");
    return state === "half_open";
  });
}

/** Waits until the service has called D1 more often than so. */
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

/** One of every operation that needs the database, for nobody in particular: five, and one call of D1 each. */
export function everyOperation(service, count = OPERATIONS.length) {
  return OPERATIONS.slice(0, count).map((operation) => operation(service));
}

/** Makes the database fail until the breaker, closed and at rest, has opened. */
export async function breakOpen(service, fault = { kind: "before" }) {
  await setFaults(service, { db: fault });
  (await Promise.all(everyOperation(service))).forEach(assertUnavailable);
}

/** The 503 of a database that was not asked, or did not answer; gives the seconds of its Retry-After. */
export function assertUnavailable(response) {
  assertEnvelope(response, 503, "SERVICE_UNAVAILABLE");
  assert.match(response.headers["retry-after"], /^[1-9]\d*$/);
  assert.equal(response.headers["www-authenticate"], undefined);
  assert.doesNotMatch(response.body.error.message, /D1|connection|database|breaker|circuit/i);
  return Number(response.headers["retry-after"]);
}

/** Does as a client should that was refused: waits for as long as it was told to. */
export function retryTime(response) {
  const seconds = assertUnavailable(response);
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** These were refused by the breaker as this isolate knew it: nobody was asked, so nobody was waited for. */
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
 * Sends many requests at once while a probe is due, and keeps the answers of the database from whoever gets through
 * until all others were answered. Exactly one gets through, or `probes`; gives back all answers, theirs last.
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
  // Those who are to probe may still be asking whether they may, when all the others have been refused.
  await until("somebody probes", async () => total(await calledSince()) >= probes);
  const calls = await calledSince();
  assert.equal(total(calls), probes, `probes per isolate: ${calls}`);
  answers.forEach(assertUnavailable);
  await Promise.all(services.map((service) => setFaults(service, { db: { kind: "ok" }, release: true })));
  await Promise.all(all);
  return answers;
}

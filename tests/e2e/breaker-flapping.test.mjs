// Half a minute of a D1 that fails three calls of ten, half of them after the write, some at once and some by never
// answering: every request of sixteen clients gets its proper answer or a 503 in time, and no write is lost,
// doubled or halved. The tables are checked directly. A slow machine gets more, until enough has happened.
import assert from "node:assert/strict";
import { test } from "node:test";

import { send } from "./support/client.mjs";
import { assertSoundSessions, endingsOf, rows } from "./support/database.mjs";
import { counters, setFaults, startFaulty, until } from "./support/faults.mjs";
import { Client } from "./support/flapping-client.mjs";
import { assertLogLine, logged, loggedText } from "./support/logs.mjs";
import { decode } from "./support/tokens.mjs";

const USUAL_MS = 30_000;
/** Longer than any machine needs for the required events. */
const LONGEST_MS = 8 * USUAL_MS;
const PAUSE_MS = 40;
const CLIENTS = 16;
const D1_TIMEOUT_MS = 500;
const SEED = 20261120;
const settings = {
  D1_TIMEOUT_MS: String(D1_TIMEOUT_MS),
  BREAKER_RECOVERY_TIMEOUT_SECONDS: "1",
  // Three failures of ten calls open it.
  BREAKER_FAILURE_PERCENT: "10",
  REFRESH_REUSE_INTERVAL_SECONDS: "600",
};
const PROPER = [200, 201, 401, 409, 503];

/** A linear congruential generator: the seed decides which acts each client performs, but not their timing. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** The counts of the required events so far. */
async function seen(service) {
  const { flapped } = await counters(service);
  const count = (filter) => service.logs(filter).length;
  const isChange = (line) => line.message === "Circuit breaker changed" && line.from === "half_open";
  const change = (to) => (line) => isChange(line) && line.to === to;
  return {
    flapped,
    closings: count(change("closed")),
    openings: count(change("open")),
    refused: count((line) => line.status_code === 503 && line.d1_calls === 0),
    retried: count((line) => line.message === "Refreshed" && line.retried),
  };
}

/** Whether D1 flapped as intended, and every required event has happened. */
function isEnough({ flapped, closings, openings, refused, retried }) {
  const failed = flapped.before + flapped.never + flapped.after + flapped.silent;
  const calls = failed + flapped.ok;
  const isFlapping = failed > 0.2 * calls && failed < 0.4 * calls && Object.values(flapped).every((n) => n >= 20);
  return isFlapping && closings >= 10 && openings >= 1 && refused >= 100 && retried >= 20;
}

/** The longest concurrent request without the database: the delay that the machine adds to every wait. */
async function slowest(service, isOver) {
  let longest = 0;
  while (!isOver()) {
    const begun = performance.now();
    assert.equal((await send(service, "/health")).status, 200);
    longest = Math.max(longest, performance.now() - begun);
    await pause();
  }
  return longest;
}

/** Each request was answered properly and in time, and a lost answer explains each refusal. */
async function assertAnswers(service, clients, lateness) {
  const lines = await logged(service, (line) => line.message === "Request finished");
  const byId = new Map(lines.map((line) => [line.request_id, line]));
  const tries = clients.flatMap((client) => client.tries);
  assert.equal(new Set(tries.map(({ id }) => id)).size, tries.length);
  for (const { id, status } of tries) {
    const line = byId.get(id);
    assert.equal(line.status_code, status);
    assert.ok(PROPER.includes(status), JSON.stringify(line));
    assert.ok(line.duration_ms <= D1_TIMEOUT_MS + 1000 + lateness, JSON.stringify({ ...line, lateness }));
  }
  // A failure is reported, unless the breaker is known to be open by then: then it no longer counts.
  const failed = lines.filter((line) => line.status_code === 503 && line.d1_calls > 0);
  assert.ok(failed.some((line) => line.do_calls > 0), "failures were reported");
  for (const { kind, lost } of clients.flatMap((client) => client.explained)) {
    assert.ok(lost.some((id) => byId.get(id).d1_calls > 0), `${kind} refused, though nothing was lost: ${lost}`);
  }
  const failures = await logged(service, (line) => line.level === "ERROR" && line.name === "app.errors");
  failures.forEach((line) => assert.equal(line.status_code ?? 503, 503, JSON.stringify(line)));
  return tries.map(({ id }) => byId.get(id));
}

/** The tables hold exactly the state that the clients were told. */
async function assertTables(service, clients) {
  const { db } = service;
  const found = await assertSoundSessions(db);
  for (const orphans of [
    "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM sessions)",
    "SELECT id FROM sessions WHERE user_id NOT IN (SELECT id FROM users)",
    "SELECT id FROM audit_events WHERE type = 'reuse_detected'",
  ]) {
    assert.deepEqual(await rows(db, orphans), [], orphans);
  }
  const people = clients.flatMap((client) => client.people);
  const emails = (await rows(db, "SELECT email FROM users ORDER BY email")).map(({ email }) => email);
  assert.deepEqual(emails, people.map(({ user }) => user.email).sort());
  // Sessions that were opened: an event each.
  const counts = await rows(
    db,
    `SELECT u.email, count(*) AS sessions FROM users AS u JOIN audit_events AS e ON e.user_id = u.id
     WHERE e.type IN ('registered', 'signed_in') GROUP BY u.id`,
  );
  const sessions = new Map(counts.map((row) => [row.email, row.sessions]));
  for (const { user, signIns, signInTries } of people) {
    const count = sessions.get(user.email) - 1;
    assert.ok(count >= signIns && count <= signInTries, `${count} sessions of ${signIns} to ${signInTries} logins`);
  }
  const live = await rows(db, "SELECT id, refresh_id FROM sessions");
  const newest = new Map(live.map(({ id, refresh_id: jti }) => [id, jti]));
  for (const { refresh: token, isOver } of clients.flatMap((client) => client.sessions)) {
    const { sid, jti } = decode(token).claims;
    assert.equal(newest.get(Number(sid)), isOver ? undefined : jti, "as handed out last");
    assert.deepEqual(await endingsOf(db, Number(sid)), isOver ? ["signed_out"] : []);
  }
  return found;
}

test("half a minute of a flapping D1: proper answers or a 503 in time, and nothing lost, doubled or halved", async (t) => {
  const service = await startFaulty(t, { settings });
  await setFaults(service, { db: { kind: "flapping", probability: 0.3, seed: SEED } });
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    return new Client(service, `client-${index}`, generator(SEED + index));
  });
  const begun = Date.now();
  let isOver = false;
  const watching = slowest(service, () => isOver);
  const lives = clients.map(async (client) => {
    while (!isOver) {
      await client.live();
    }
  });
  const enough = until(
    "half a minute is over, and it has flapped enough",
    async () => Date.now() - begun >= USUAL_MS && isEnough(await seen(service)),
    LONGEST_MS,
  );
  // A client that gives up ends the test at once.
  await Promise.race([enough, Promise.all(lives)]).finally(() => (isOver = true));
  await setFaults(service, { db: { kind: "ok" } });
  // They finish their current operations.
  await Promise.all(lives);
  await until("it is ready again", async () => (await send(service, "/health/ready")).status === 200);

  // One wait for D1, and one for the breaker before it and after it.
  const lines = await assertAnswers(service, clients, 3 * (await watching));
  const found = await assertTables(service, clients);
  await Promise.all(clients.map((client) => client.goOn()));
  await assertTables(service, clients);
  (await loggedText(service)).forEach(assertLogLine);

  const total = await seen(service);
  assert.ok(isEnough(total), JSON.stringify(total));
  t.diagnostic(`${lines.length} requests, ${JSON.stringify(total)}`);
  t.diagnostic(`${found.sessions} sessions, ${found.tokens} tokens`);
  const longest = Math.max(...lines.map((line) => line.duration_ms));
  const explained = clients.flatMap((client) => client.explained).length;
  t.diagnostic(`${explained} refusals after a lost answer; the longest request took ${longest} ms`);
  assert.equal((await counters(service)).objectStarts, 1);
});

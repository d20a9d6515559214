// The rows that the timer removes, and above all those it keeps: a session in use must go on, and still detect theft.
// At this level, because the deployed Worker is triggered as Cloudflare does it, on a real D1 whose every row is
// compared before and after. Time passes by moving stored times.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { deleteAccount, from, login, logout, me, newIp, newUser, refresh, signUp } from "./support/client.mjs";
import { cleanUp } from "./support/clean-up.mjs";
import { dump, inShort, eventsOf, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { setFaults, WRAPPER } from "./support/faults.mjs";
import { decode } from "./support/tokens.mjs";
import { startWatched, watchedFor } from "./support/watched.mjs";

const DAY = 86_400_000;
const RETENTION_DAYS = 30;
/** A session is kept for the lifetime of an access token after its end. */
const ACCESS_MS = 900_000;
const MINUTE = 60_000;
const FAILED = ["ERROR", "app.clean_up", "Clean-up failed, the next one goes on"];
/** A registration of long ago: its window is over. */
const OLD_COUNT =
  "INSERT INTO registration_counts (network, window_started_at, attempts) VALUES ('192.0.2.1', 1, 1)";
const COUNTS = ["sessions", "audit_events", "registration_counts", "users"];

const sessionOf = (token) => Number(decode(token).claims.sid);
const jtiOf = (token) => decode(token).claims.jti;
const counts = (line) => COUNTS.map((name) => line[name]);

/** Every row of every table, as text, except the clean-up's own record of its progress. */
async function everything(db) {
  const { clean_up_positions: _, ...tables } = JSON.parse(await dump(db));
  const lines = ([name, all]) => all.map((row) => `${name} ${JSON.stringify(row)}`);
  return Object.entries(tables).flatMap(lines).sort();
}

/** The rows that a run removed, as `{table: [rows]}`; it adds and changes nothing. */
async function removedBy(service, run) {
  const before = await everything(service.db);
  const line = await run();
  const afterwards = new Set(await everything(service.db));
  assert.deepEqual([...afterwards].filter((row) => !before.includes(row)), [], "added or changed");
  const gone = before.filter((row) => !afterwards.has(row)).map((row) => [row.split(" ", 1)[0], row]);
  const removed = Object.groupBy(gone, ([name]) => name);
  return { line, removed: (name) => (removed[name] ?? []).map(([, row]) => JSON.parse(row.slice(name.length + 1))) };
}

/** Sessions of a user that are over, with ids that count up from `first`: before those of all others. */
function addExpiredSessions(db, userId, count, first = 1) {
  // Half of them reached their absolute end, the others were not used any more.
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT ?3 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?3 + ?1)
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_id, refresh_expires_at)
    SELECT i, ?2, 1, 1, iif(i % 2, 2, ?4), printf('%032x', i), 2 FROM n`;
  return rows(db, sql, count, userId, first, Date.now() + DAY);
}
const EXPIRED = "sessions WHERE created_at = 1";

const sessionRow = async (db, token) => (await rows(db, "SELECT * FROM sessions WHERE id = ?1", sessionOf(token)))[0];
const countOf = async (db, table) => (await rows(db, `SELECT count(*) AS n FROM ${table}`))[0].n;

describe("one run", () => {
  let service;
  before(async () => (service = await startWatched({ settings: { AUDIT_RETENTION_DAYS: String(RETENTION_DAYS) } })));
  after(() => service.end());

  test("removes everything that is over and nothing else, and logs how much", async () => {
    const { db } = service;
    const old = await signUp(service, newUser(), from("192.0.2.1"));
    const person = await signUp(service, newUser(), from("192.0.2.2"));
    const more = async () => (await login(service, person.user)).body.refresh_token;
    const [out, ended, worn, recent, lately] = [await more(), await more(), await more(), await more(), await more()];
    const used = (await refresh(service, person.refresh)).body;
    const newest = (await refresh(service, used.refresh_token)).body;
    const outNext = (await refresh(service, out)).body.refresh_token;
    const { access_token: recentAccess, refresh_token: recentNext } = (await refresh(service, recent)).body;
    assert.ok(await sessionRow(db, out));
    await logout(service, outNext);
    assert.equal(await sessionRow(db, out), undefined, "the end of a session needs no clean-up");

    // Time passes: two sessions end, one absolutely and one because it was not refreshed, and longer ago than an access
    // token lives. Two others have ended since.
    const end = (token, column, at) => {
      return rows(db, `UPDATE sessions SET created_at = 2, ${column} = ?2 WHERE id = ?1`, sessionOf(token), at);
    };
    const cutoff = Date.now() - ACCESS_MS;
    await end(ended, "expires_at", cutoff);
    await end(worn, "refresh_expires_at", cutoff);
    await end(recent, "refresh_expires_at", cutoff + 5 * MINUTE);
    await end(lately, "expires_at", cutoff + 5 * MINUTE);
    const [first, second, third] = await rows(db, "SELECT id FROM audit_events ORDER BY id LIMIT 3");
    const age = "UPDATE audit_events SET created_at = ?2 WHERE id = ?1";
    const retained = Date.now() - RETENTION_DAYS * DAY;
    await rows(db, age, first.id, retained - 2 * DAY);
    await rows(db, age, second.id, retained);
    await rows(db, age, third.id, retained + DAY);
    const window = "UPDATE registration_counts SET window_started_at = ?2 WHERE network = ?1";
    await rows(db, window, "192.0.2.1", Date.now() - 3_600_000);
    await rows(db, window, "192.0.2.2", Date.now() - 3_600_000 + 600_000);

    const { line, removed } = await removedBy(service, () => cleanUp(service));
    assert.deepEqual(removed("sessions").map(({ id }) => id).sort(), [ended, worn].map(sessionOf).sort());
    assert.deepEqual(removed("audit_events").map(({ id }) => id), [first.id, second.id]);
    assert.deepEqual(removed("registration_counts").map(({ network }) => network), ["192.0.2.1"]);
    assert.deepEqual(counts(line), [2, 2, 1, 0]);
    assert.deepEqual([line.level, line.name, line.message], ["INFO", "app.clean_up", "Cleaned up"]);
    assert.match(line.request_id, /^[0-9a-f]{32}$/);
    assert.equal(line.is_complete, true);
    assert.ok(line.d1_calls > 0);

    // Sessions in use go on, and so do access tokens that were issued just before the end of their session.
    assertSuccess(await me(service, newest.access_token), 200);
    assertSuccess(await me(service, recentAccess), 200);
    const { body } = await refresh(service, newest.refresh_token);
    for (const over of [out, outNext, ended, worn, recentNext, lately]) {
      assertEnvelope(await refresh(service, over), 401, "AUTH_TOKEN_REVOKED");
    }
    assertSuccess(await login(service, old.user), 200);
    assertSuccess(await refresh(service, body.refresh_token), 200);
    // Exchanged tokens are still known.
    assertEnvelope(await refresh(service, person.refresh, from("192.0.2.66")), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(inShort((await eventsOf(db, person.id)).slice(-1)), ["reuse_detected"]);
    assertEnvelope(await me(service, newest.access_token), 401, "AUTH_TOKEN_REVOKED");
  });

  test("right after another removes nothing, and touches no row", async () => {
    await signUp(service, newUser(), from(newIp()));
    await cleanUp(service);
    const { line } = await removedBy(service, () => cleanUp(service));
    assert.deepEqual(counts(line), [0, 0, 0, 0]);
  });

  test("removes thousands of rows in bounded steps", async () => {
    const { id, refresh: token, access } = await signUp(service, newUser(), from(newIp()));
    await addExpiredSessions(service.db, id, 3500);
    const before = await countOf(service.db, "sessions");
    const line = await cleanUp(service);
    assert.equal(line.sessions, 3500);
    assert.equal(await countOf(service.db, "sessions"), before - 3500);
    assert.equal(await countOf(service.db, EXPIRED), 0);
    assert.ok(line.d1_calls > 7, "no single statement did it");
    assertSuccess(await me(service, access), 200);
    assertSuccess(await refresh(service, token), 200);
  });

  test("removes thousands of registration counts in bounded steps, and none of the current hour", async () => {
    const sql = `
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500)
      INSERT INTO registration_counts (network, window_started_at, attempts)
      SELECT 'net ' || i, iif(i % 7, 1, ?1), 1 FROM n`;
    await cleanUp(service);
    const before = await countOf(service.db, "registration_counts");
    await rows(service.db, sql, Date.now());
    const { line, removed } = await removedBy(service, () => cleanUp(service));
    assert.deepEqual(counts(line), [0, 0, 3000, 0]);
    assert.ok(removed("registration_counts").every(({ window_started_at: begun }) => begun === 1));
    assert.equal(await countOf(service.db, "registration_counts"), before + 500);
    assert.ok(line.d1_calls > 6, "no single statement did it");
    const positions = await rows(service.db, "SELECT position, previous FROM clean_up_positions");
    assert.doesNotMatch(JSON.stringify(positions), /net /, "no address is left in its record of its progress");
  });

  test("leaves the throttle of accounts and of unknown addresses as it is", async () => {
    const { user, id } = await signUp(service, newUser(), from(newIp()));
    for (let failure = 0; failure < 7; failure += 1) {
      await login(service, { ...user, password: "an entirely wrong passphrase" });
      await login(service, { ...newUser(), password: "an entirely wrong passphrase" });
    }
    const kept = async () => {
      const sum = "SELECT count(*) AS rows, sum(failures) AS n, sum(blocked_until) AS t FROM throttles";
      return [await userRow(service.db, id), await rows(service.db, sum)];
    };
    const before = await kept();
    await cleanUp(service);
    assert.deepEqual(await kept(), before);
  });

  test("and concurrent requests do not interfere with each other", async () => {
    const person = await signUp(service, newUser(), from(newIp()));
    await addExpiredSessions(service.db, person.id, 2500);
    const runs = [cleanUp(service), cleanUp(service)];
    let [previous, token] = [undefined, person.refresh];
    for (let round = 0; round < 20; round += 1) {
      const response = await refresh(service, token);
      assertSuccess(response, 200);
      [previous, token] = [token, response.body.refresh_token];
    }
    await Promise.all(runs);
    await cleanUp(service);
    assert.equal(await countOf(service.db, EXPIRED), 0);
    const { refresh_id: current, previous_refresh_id: before } = await sessionRow(service.db, token);
    assert.deepEqual([current, before], [token, previous].map(jtiOf));
    assertEnvelope(await refresh(service, person.refresh), 401, "AUTH_TOKEN_REVOKED");
  });
});

describe("an interrupted run", () => {
  for (const [when, kind, steps] of [
    ["before its second step does anything", "before", 1],
    ["when its second step is done, and the answer lost", "after", 2],
  ]) {
    test(`${when}, is logged, keeps its progress, and the next one continues from there`, async (t) => {
      const service = await watchedFor(t, { wrapper: WRAPPER });
      const { id, refresh: token, access } = await signUp(service);
      const add = (count) => addExpiredSessions(service.db, id, count);
      const left = () => countOf(service.db, EXPIRED);
      await add(2500);
      await rows(service.db, OLD_COUNT);
      // The first call reads the erasures, the second is the first step of the sessions.
      await setFaults(service, { db: { kind, skip: 2, times: 1 } });
      const line = await cleanUp(service);
      assert.deepEqual([line.level, line.name, line.message], FAILED);
      assert.match(line.cause, /D1_ERROR/);
      assert.ok(line.d1_calls > 3);
      assert.equal(await left(), 2500 - steps * 1000);
      assert.equal(await countOf(service.db, "registration_counts WHERE window_started_at = 1"), 0, "others went on");

      // These come before the place where it stopped: not for the next run, but for the one after it.
      await add(3);
      await setFaults(service, { db: { kind: "ok" } });
      const next = await cleanUp(service);
      assert.deepEqual([next.message, next.sessions], ["Cleaned up", 2500 - steps * 1000]);
      assert.equal(await left(), 3, "it did not begin anew");
      assert.equal((await cleanUp(service)).sessions, 3);
      assertSuccess(await me(service, access), 200);
      assertSuccess(await refresh(service, token), 200);
    });
  }

  test("after the erasures has finished them: they come first", async (t) => {
    const service = await watchedFor(t, { wrapper: WRAPPER });
    const { user, id, access } = await signUp(service);
    const neighbour = await signUp(service);
    await addExpiredSessions(service.db, id, 1500);
    assert.equal((await deleteAccount(service, access, user.password)).status, 204);
    assert.notEqual(await userRow(service.db, id), undefined, "more was left behind than one step removes");
    await addExpiredSessions(service.db, neighbour.id, 10, 2001);
    // Admitted calls: the list of erasures, the note of its end, and their one step.
    await setFaults(service, { db: { kind: "before", skip: 3 } });
    const line = await cleanUp(service);
    assert.deepEqual([line.level, line.name, line.message], FAILED);
    assert.equal(await userRow(service.db, id), undefined);
    assert.equal(await countOf(service.db, `sessions WHERE user_id = ${id}`), 0);
    assert.equal(await countOf(service.db, EXPIRED), 10, "nothing came after them");
  });

  test("by an open breaker calls no database, and logs so", async (t) => {
    const service = await watchedFor(t, { wrapper: WRAPPER });
    const { id, access } = await signUp(service);
    await addExpiredSessions(service.db, id, 10);
    await setFaults(service, { db: { kind: "before" } });
    for (let failure = 0; failure < 5; failure += 1) {
      assertEnvelope(await me(service, access), 503, "SERVICE_UNAVAILABLE");
    }
    const { line, removed } = await removedBy(service, () => cleanUp(service));
    assert.deepEqual([line.level, line.name, line.message, line.d1_calls], [...FAILED, 0]);
    assert.deepEqual(removed("sessions"), []);
  });
});

test("a run with invalid settings logs so, names no value, and does nothing", async (t) => {
  const service = await watchedFor(t, { settings: { SECRET_KEY: "a1b2c3d4-too-short", D1_TIMEOUT_MS: "soonish" } });
  await rows(service.db, OLD_COUNT);
  const { line, removed } = await removedBy(service, () => cleanUp(service));
  assert.deepEqual([line.level, line.name], ["ERROR", "app.clean_up"]);
  assert.match(line.message, /settings/);
  assert.doesNotMatch(JSON.stringify(line), /too-short|soonish/);
  assert.deepEqual(removed("registration_counts"), []);
});

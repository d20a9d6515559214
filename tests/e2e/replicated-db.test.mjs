// The tests' own D1 with replicas (`wrappers/replicated-db.mjs`): it answers as the plain one when nothing is far, and
// otherwise as D1's documentation says.
import assert from "node:assert/strict";
import { test } from "node:test";

import { asUser, me, post, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { made } from "./support/roles.mjs";
import { restarting, startFor } from "./support/start.mjs";
import { assertReplicated, callsOf, databaseOf, forgetCalls, setWorld } from "./support/world.mjs";

const WRAPPER = "tests/e2e/wrappers/d1-sessions.mjs";
const FAR = { "X-World-Region": "far" };
/** The primary is far, and one replica is near. */
const REGIONS = { far: { primary: 180, east: 8 }, remote: { primary: 240, west: 90 } };
const HOUR = 3_600_000;

const statement = (sql, ...values) => ({ sql, values });
const CREATE = [statement("CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE) STRICT")];
const write = (text) => [statement("INSERT INTO notes (text) VALUES (?1) RETURNING id", text)];
const READ = [statement("SELECT text FROM notes ORDER BY id")];

/** D1's interface, asked from a region. */
const d1 = (service, session, batches, headers = FAR) => made(post(service, "/__d1", { session, batches }, headers));

async function started(t) {
  const service = await startFor(t, { isReplicated: true, wrapper: WRAPPER, migrate: false });
  await d1(service, null, [CREATE, write("old")]);
  await setWorld(service, { regions: REGIONS });
  return service;
}

const textsOf = ({ results }) => results.at(-1).results.map(({ text }) => text);
/** The texts that one read of a new session sees. */
const seen = async (service, session) => textsOf((await d1(service, session, [READ])).answers[0]);
/** Writes a note; the bookmark that the session then has. */
async function written(service, text) {
  const { answers } = await d1(service, "first-unconstrained", [write(text)]);
  return answers[0].bookmark;
}

/** The fields of `meta` that do not depend on time or place. */
const inShort = ({ meta, ...result }) => ({ ...result, changes: meta.changes, written: meta.rows_written, id: meta.last_row_id });

test("with everything near it answers as the plain D1", async (t) => {
  const batches = [
    CREATE,
    [...write("a"), ...write("b"), statement("UPDATE notes SET text = 'c' WHERE changes() > 0 AND id = 1")],
    [...write("d"), ...write("b")],
    [statement("SELECT * FROM nowhere")],
    [statement("DELETE FROM notes WHERE id = 2"), ...write("e")],
    READ,
  ];
  const answers = {};
  for (const isReplicated of [false, true]) {
    const service = await startFor(t, { isReplicated, wrapper: WRAPPER, migrate: false });
    for (const session of [null, "first-primary", "first-unconstrained"]) {
      const asked = await d1(service, session, session === null ? batches : [READ, write(session), READ], {});
      const short = asked.answers.map(({ results, ...rest }) => ({
        ...rest,
        bookmark: typeof rest.bookmark,
        results: results?.map(inShort),
      }));
      (answers[isReplicated] ??= []).push([asked.before, short]);
    }
  }
  assert.deepEqual(answers.true, answers.false);
  assert.match(JSON.stringify(answers.true), /UNIQUE constraint failed.*no such table/);
});

test("a replica lacks what its lag has not let through, until a bookmark demands it", async (t) => {
  const service = await started(t);
  assert.deepEqual(await seen(service, "first-unconstrained"), ["old"]);
  await setWorld(service, { east: { lag: HOUR } });
  const begun = Date.now();
  const bookmark = await written(service, "new");
  assert.deepEqual(await seen(service, "first-unconstrained"), ["old"]);
  const lag = 1000;
  await setWorld(service, { east: { lag } });
  assert.deepEqual(await seen(service, bookmark), ["old", "new"]);
  assert.ok(Date.now() - begun >= lag);
  const places = (await callsOf(service)).slice(-3).map(({ place }) => place);
  assert.deepEqual(places, ["primary", "east", "east"]);
  assert.deepEqual(await seen(service, "first-unconstrained"), ["old", "new"]);
});

test("a session begins where its constraint says, writes at the primary, and never goes back", async (t) => {
  const service = await started(t);
  await setWorld(service, { east: { lag: HOUR } });
  await d1(service, null, [write("second")]);
  await forgetCalls(service);
  for (const session of [null, "first-primary", "first-unconstrained"]) {
    await d1(service, session, [READ]);
  }
  await setWorld(service, { east: { lag: 0 } });
  const { before, answers } = await d1(service, "first-primary", [READ, READ, write("third"), READ, [...write("fourth"), ...READ]]);
  const calls = await callsOf(service);
  assert.deepEqual(
    calls.map(({ place, kind }) => `${place} ${kind}`),
    [
      ...["primary read", "primary read", "east read"],
      ...["primary read", "east read", "primary write", "east read", "primary write"],
    ],
  );
  assert.equal(before, null);
  assert.deepEqual(textsOf(answers[3]), ["old", "second", "third"]);
  assert.deepEqual(answers[1].results[0].meta.served_by_primary, false);
  const bookmarks = answers.map(({ bookmark }) => bookmark);
  assert.deepEqual(bookmarks, bookmarks.toSorted());
  assert.equal(new Set(bookmarks).size, 3);
});

test("a replica that stands still serves what it has, and lets a newer bookmark wait until it goes on", async (t) => {
  const service = await started(t);
  assert.deepEqual(await seen(service, "first-unconstrained"), ["old"]);
  await setWorld(service, { east: { isStill: true } });
  const bookmark = await written(service, "new");
  let isAnswered = false;
  const waiting = seen(service, bookmark).then((texts) => ((isAnswered = true), texts));
  // The other replica goes on.
  assert.deepEqual(textsOf((await d1(service, bookmark, [READ], { "X-World-Region": "remote" })).answers[0]), ["old", "new"]);
  assert.deepEqual(await seen(service, "first-unconstrained"), ["old"]);
  assert.equal(isAnswered, false);
  await setWorld(service, { east: { isStill: false } });
  assert.deepEqual(await waiting, ["old", "new"]);
});

test("of a bookmark ahead of the database the test decides", async (t) => {
  const service = await started(t);
  const bookmark = await written(service, "new");
  const ahead = bookmark.replace(/^.{17}/, (text) => `${text.slice(0, 9)}${"00001000"}`);
  assert.ok(ahead > bookmark);
  await setWorld(service, { ahead: "error" });
  assert.deepEqual((await d1(service, ahead, [READ])).answers, [{ message: "D1_ERROR: The bookmark is ahead of the database." }]);
  await setWorld(service, { ahead: "accept" });
  assert.deepEqual(await seen(service, ahead), ["old", "new"]);
  await setWorld(service, { ahead: "wait" });
  const waits = seen(service, ahead);
  assert.equal(await Promise.race([waits, seen(service, bookmark).then(() => "waits")]), "waits");
  await setWorld(service, { ahead: "accept" });
});

test("the tests' own writes reach the replicas, as does everything of an earlier run", async (t) => {
  const start = restarting(t, { isReplicated: true });
  const first = await start({});
  const { access } = await signUp(first);
  await rows(first.db, "UPDATE users SET full_name = 'Someone else'");
  await assertReplicated(first);
  await setWorld(first, { east: { lag: HOUR } });
  await rows(first.db, "UPDATE users SET full_name = 'Yet another'");
  await assert.rejects(assertReplicated(first), /east/);

  const second = await start({});
  await assertReplicated(second);
  assert.deepEqual(await rows(databaseOf(second, "west"), "SELECT full_name FROM users"), [{ full_name: "Yet another" }]);
  assertSuccess(await me(second, access), 200);
});

test("a request takes its region's way to the primary, and its calls are known by its id", async (t) => {
  const service = await startFor(t, { isReplicated: true, settings: { READ_REPLICATION: undefined } });
  const { access } = await signUp(service);
  await setWorld(service, { regions: REGIONS });
  const request = "0123456789abcdef0123456789abcdef";
  const begun = performance.now();
  const change = await asUser(service, access, "PATCH", "/users/me", { full_name: "New" }, { ...FAR, "X-Request-ID": request });
  assertSuccess(change, 200);
  const calls = await callsOf(service, request);
  const trips = calls.filter(({ place }) => place === "primary").length;
  assert.ok(trips > 0);
  assert.ok(performance.now() - begun >= 180 * trips);
  assert.equal(calls.at(-1).kind, "write");
  assert.ok(calls.at(-1).statements.some((sql) => sql.includes("UPDATE users")));
});

test("a primary that stalls, fails or loses its answers: the replicas still read", async (t) => {
  const settings = { D1_TIMEOUT_MS: "400", READ_REPLICATION: undefined };
  const service = await startFor(t, { isReplicated: true, wrapper: WRAPPER, settings });
  const { access, id } = await signUp(service);
  await setWorld(service, { regions: { far: { primary: 20, east: 2 } } });
  const SELECT = [statement("SELECT full_name FROM users WHERE id = ?1", id)];
  for (const state of ["stalled", "failing", "silent"]) {
    await setWorld(service, { primary: { state }, object: state === "failing" ? "failing" : "stalled" });
    const { answers } = await d1(service, "first-unconstrained", [SELECT]);
    assert.equal(answers[0].results[0].results.length, 1, state);
    const change = await asUser(service, access, "PATCH", "/users/me", { full_name: state }, FAR);
    assertEnvelope(change, 503, "SERVICE_UNAVAILABLE");
    await setWorld(service, { primary: { state: "ok" }, object: "ok" });
  }
  await setWorld(service, { east: { state: "failing" } });
  const { answers } = await d1(service, "first-unconstrained", [SELECT]);
  assert.deepEqual(answers, [{ message: "D1_ERROR: Network connection lost." }]);
});

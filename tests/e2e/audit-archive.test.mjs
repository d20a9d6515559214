// The audit archive on the deployed bundle: the timer moves old events from D1 into R2. At this level, because the conditional
// write, the hash that R2 compares, WebCrypto's signatures and encryption, and deadlines are the runtime's.
import assert from "node:assert/strict";
import { test } from "node:test";

import { asUser, login, newUser, send, signUp } from "./support/client.mjs";
import { objectsOf, verifiedObjects } from "./support/bucket.mjs";
import { cleanUp } from "./support/clean-up.mjs";
import { rows } from "./support/database.mjs";
import { appoint } from "./support/roles.mjs";
import { startFor } from "./support/start.mjs";
import { watchedFor } from "./support/watched.mjs";

const DAY = 86_400_000;
const WRAPPER = "tests/e2e/wrappers/failing-archive.mjs";
const NOT_ARCHIVED = "Audit events were not archived, the next run continues";

/** Events of a user 40 days ago, with ids from `first` on. */
function addEvents({ db }, count, { first = 1, user = null } = {}) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 + ?2)
    INSERT INTO audit_events (id, created_at, type, user_id, ip, user_agent, request_id, ray)
    SELECT i, ?3 + i, 'signed_in', ?4, '192.0.2.7', 'Grüße "☺" \\', 'request-' || i, NULL FROM n`;
  return rows(db, sql, first, count, Date.now() - 40 * DAY, user);
}

const oldIds = async ({ db }) => {
  const old = await rows(db, "SELECT id FROM audit_events WHERE id < 1000000 ORDER BY id");
  return old.map(({ id }) => id);
};
const idsOf = (objects) => objects.flatMap(({ events }) => events.map(({ id }) => id));
const from1 = (count) => Array.from({ length: count }, (_, index) => index + 1);
const causes = (service) => service.logs((line) => line.message === NOT_ARCHIVED).map(({ cause }) => cause);
const choose = (service, fault) => send(service, `/__archive?fault=${fault}`);

test("old events move to R2, the list says so, and the log has the head", async (t) => {
  const service = await watchedFor(t, { archive: true });
  const root = await signUp(service, newUser());
  await appoint(service, root);
  const access = (await login(service, root.user)).body.access_token;
  const list = async () => (await asUser(service, access, "GET", "/admin/audit-events")).body;
  assert.equal((await list()).archive, null);
  await addEvents(service, 2500, { user: root.id });
  const [newest] = await rows(service.db, "SELECT created_at FROM audit_events WHERE id = 2500");
  await cleanUp(service);
  assert.deepEqual(await oldIds(service), []);
  const objects = await verifiedObjects(service);
  assert.deepEqual(objects.map(({ events }) => events.length), [1000, 1000, 500]);
  assert.deepEqual(idsOf(objects), from1(2500));
  const { items, archive } = await list();
  assert.ok(items.length > 1);
  const until = new Date(newest.created_at).toISOString();
  assert.deepEqual(archive, { first_object: 1, last_object: 3, events_until: until });
  const [{ kid }] = await rows(service.db, "SELECT kid FROM audit_keys");
  const heads = service.logs(({ message }) => message === "Audit events archived").map(({ head }) => head);
  assert.deepEqual(heads, objects.map(({ header, sha256 }) => `${header.object}:${sha256}:${kid}`));
  const stored = JSON.stringify(await objectsOf(service));
  assert.ok(!stored.includes("Grüße") && !stored.includes("192.0.2.7"), "personal fields are encrypted");
});

test("two isolates at once write each object once", async (t) => {
  const service = await startFor(t, { archive: true, isolates: 2 });
  await addEvents(service, 5500);
  const workers = await Promise.all([undefined, "edge-auth-2"].map((name) => service.miniflare.getWorker(name)));
  const run = () => Promise.all(workers.map((worker) => worker.scheduled({ cron: "*/15 * * * *" })));
  for (const { outcome } of await run()) {
    assert.equal(outcome, "ok");
  }
  await run();
  assert.deepEqual(idsOf(await verifiedObjects(service)), from1(5500));
  assert.deepEqual([await oldIds(service), causes(service)], [[], []]);
});

test("an alien object stops the archive, and nothing is deleted until it is gone", async (t) => {
  const service = await watchedFor(t, { archive: true });
  await addEvents(service, 3);
  const name = "audit/0000000001.ndjson";
  for (const text of ["alien\n", "x".repeat(5_000_000)]) {
    await objectsOf(service, { put: [name, text] });
    await cleanUp(service);
    assert.deepEqual(await oldIds(service), [1, 2, 3]);
  }
  const [first, second] = causes(service);
  assert.match(first, /0000000001\.ndjson is not the next object/);
  assert.match(second, /an object of 5000000 bytes/);
  await objectsOf(service, { remove: name });
  await cleanUp(service);
  assert.deepEqual(idsOf(await verifiedObjects(service)), [1, 2, 3]);
});

test("whatever R2 does, no event is lost and sign-ins work", async (t) => {
  const service = await watchedFor(t, { archive: true, wrapper: WRAPPER });
  const { user } = await signUp(service, newUser());
  await addEvents(service, 3);
  for (const fault of ["down", "throws", "silent"]) {
    await choose(service, fault);
    await cleanUp(service);
    assert.deepEqual(await oldIds(service), [1, 2, 3], fault);
    assert.equal((await login(service, user)).status, 200, fault);
  }
  const [down, thrown, silent] = causes(service);
  assert.match(down, /archiveGet: .*Unspecified error/);
  assert.match(thrown, /the binding is broken/);
  assert.match(silent, /archivePut: no answer in time/);
  await choose(service, "loses");
  await cleanUp(service);
  await choose(service, "none");
  await addEvents(service, 3, { first: 4 });
  await cleanUp(service);
  assert.deepEqual(idsOf(await verifiedObjects(service)), from1(6));
  assert.deepEqual(await oldIds(service), []);
});

test("objects whose retention is over are deleted behind an object that says so", async (t) => {
  const settings = { AUDIT_RETENTION_DAYS: "4", AUDIT_ARCHIVE_RETENTION_DAYS: "35" };
  const service = await watchedFor(t, { archive: true, settings });
  await addEvents(service, 1500);
  await cleanUp(service);
  const objects = (await objectsOf(service)).map(([name, text]) => [name, JSON.parse(text.split("\n")[0])]);
  const [[name, { first, events, total }]] = objects;
  assert.deepEqual([objects.length, name], [1, "audit/0000000003.ndjson"]);
  assert.deepEqual([first, events, total], [3, 0, 1500]);
});

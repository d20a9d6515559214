// The archive that the service itself writes, read by `make audit-verify` and `make audit-export`: the deployed bundle, its Cron
// Trigger, and its bucket and database on this machine.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { asUser, deleteAccount, login, signUp } from "../e2e/support/client.mjs";
import { cleanUp } from "../e2e/support/clean-up.mjs";
import { rows } from "../e2e/support/database.mjs";
import { SECRET_KEY, startService } from "../e2e/support/service.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, assertGaveUp, make, migratedFolders } from "./support/make.mjs";

const migrated = migratedFolders();
const DAY = 86_400_000;
const COUNT = 2300;
const nameOf = (number) => `audit/${String(number).padStart(10, "0")}.ndjson`;
const isArchived = ({ message }) => message === "Audit events archived";
/** A text in which writers of JSON differ, if they do. */
const REASON = "\"\\\b\f\n\r\t\u0001\u001f\u007f'/<\u00fc\u2028\u{1f600}";
const time = (milliseconds) => new Date(milliseconds).toISOString();

/** Runs the service on the folder for the length of one function. */
async function serving(STATE, use) {
  const service = await startService({ state: join(STATE, "v3"), migrate: false, archive: true, settings: { AUDIT_ARCHIVE_DAYS: "1" } });
  try {
    return await use(service, await service.miniflare.getR2Bucket("ARCHIVE"));
  } finally {
    await service.stop();
  }
}

/** An event of the database as a line of the export. */
function lineOf({ created_at, last_at, count, nonce, refusal_tag, ip, user_agent, request_id, ray, ...others }, object) {
  const [first, last] = [created_at, last_at ?? created_at].map(time);
  return { ...others, created_at: first, first_at: first, last_at: last, count: count ?? 1, ip, user_agent, request_id, ray, object };
}

/** Three people, an act of one on another, refusals, and many old events; all are three days old then. */
async function populate(service) {
  const [admin, usual, leaving] = [await signUp(service), await signUp(service), await signUp(service)];
  const grant = "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at) VALUES (?1, NULL, 'PLATFORM_ADMIN', NULL, 1)";
  await rows(service.db, grant, admin.id);
  for (const { id } of [usual, leaving]) {
    const { status, text } = await asUser(service, admin.access, "PATCH", `/admin/users/${id}`, { full_name: "Ada \u{1f600} \u2028" });
    assert.equal(status, 200, text);
  }
  await login(service, { ...usual.user, password: "a wrong one" });
  await login(service, { email: "nobody@example.com", password: "a wrong one" });
  const many = `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
    INSERT INTO audit_events (id, created_at, type, user_id, session_id, ip, user_agent, request_id)
    SELECT n, ?2 + n, 'signed_in', iif(n % 3 = 0, ?3, ?4), n, '203.0.113.' || (n % 250), 'agent ' || n, 'r' || n FROM numbers`;
  await rows(service.db, many, COUNT, Date.now() - DAY, usual.id, leaving.id);
  await rows(service.db, "UPDATE audit_events SET reason = ?1, user_agent = ?1 WHERE id BETWEEN 9 AND 12", REASON);
  await rows(service.db, "UPDATE audit_events SET created_at = created_at - ?1, last_at = last_at - ?1", 3 * DAY);
  return { admin, usual, leaving };
}

/** The archive of a service, made once: its folder, its heads by the log, its events, its objects, and people. */
const archived = (t) => (made ??= makeArchive(t));
let made;

async function makeArchive(t) {
  const STATE = migrated(t);
  return serving(STATE, async (service, bucket) => {
    const people = await populate(service);
    const stored = await rows(service.db, "SELECT * FROM audit_events ORDER BY created_at, id");
    await cleanUp(service);
    const heads = service.logs(isArchived).map(({ head }) => head);
    assert.equal(heads.length, Math.ceil(stored.length / 1000), "objects");
    assert.deepEqual(await rows(service.db, "SELECT id FROM audit_events"), []);
    await login(service, people.usual.user);
    const recent = await rows(service.db, "SELECT * FROM audit_events ORDER BY created_at, id");
    const objects = await Promise.all(heads.map(async (_, index) => Buffer.from(await (await bucket.get(nameOf(index + 1))).arrayBuffer())));
    return { STATE, people, stored, recent, heads, objects };
  });
}

test("the objects of the service are verified and exported, erased accounts without their personal fields", async (t) => {
  const { STATE, people, stored, recent, heads, objects } = await archived(t);
  const summary = `Verified 3 objects (1 to 3) with ${stored.length.toLocaleString("en")} events, in the local database in ${STATE}. The head is ${heads.at(-1)}.`;
  const TO = join(STATE, "all.ndjson");
  const { code, stderr } = await make("audit-export", { STATE, TO }, { SECRET_KEY });
  assert.equal(code, 0, stderr);
  const exported = readFileSync(TO, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  const objectOf = new Map(objects.flatMap((bytes, index) => bytes.toString().trimEnd().split("\n").slice(1, -1).map((line) => [JSON.parse(line).id, index + 1])));
  const wanted = [...stored, ...recent].map((event) => lineOf(event, objectOf.get(event.id) ?? null));
  assert.deepEqual(exported, wanted);
  assert.ok(exported.some(({ actor_id: actor, ip }) => actor === people.admin.id && ip !== null), "an act on another user");

  const { leaving } = people;
  await serving(STATE, async (service) => {
    assert.equal((await deleteAccount(service, leaving.access, leaving.user.password)).status, 204);
  });
  const again = await make("audit-export", { STATE, SINCE: time(stored[0].created_at) }, { SECRET_KEY });
  const after = again.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const isErased = ({ user_id: subject, actor_id: actor }) => [subject, actor].includes(leaving.id);
  const none = { ip: null, user_agent: null, request_id: null, ray: null };
  assert.deepEqual(after.slice(0, wanted.length), wanted.map((event) => (isErased(event) ? { ...event, ...none } : event)));
  assert.deepEqual(after.slice(wanted.length).map(({ type, ip, request_id: request }) => [type, ip, request]), [["deleted", null, null]]);
  assert.doesNotMatch(again.stderr, /personal fields/);
  assert.deepEqual(assertDone(await make("audit-verify", { STATE, HEAD: heads.at(-1) })), [summary], "an erasure changes no object");
});

test("tampering of each kind with the objects of the service is found", async (t) => {
  const { STATE, heads, objects } = await archived(t);
  const HEAD = heads.at(-1);
  const [first, second, third] = objects;
  const edited = (bytes, from, to) => Buffer.from(bytes.toString("latin1").replace(from, to), "latin1");
  const lines = second.toString().split("\n");
  const joined = (list) => Buffer.from(list.join("\n"));
  const cases = [
    [[first, edited(second, '"user_id":2', '"user_id":1'), third], /^audit\/0000000002\.ndjson, line 1002: the signature does not fit/],
    [[first, edited(second, '"made_at":1', '"made_at":2'), third], /^audit\/0000000002\.ndjson, line 1002: the signature does not fit/],
    [[first, edited(second, /"signature":"./, '"signature":"_'), third], /^audit\/0000000002\.ndjson, line 1002: the signature does not fit/],
    [[first, joined(lines.toSpliced(5, 1)), third], /^audit\/0000000002\.ndjson, line 1: the header says 1000 events, and the object has 999 /],
    [[first, joined(lines.toSpliced(5, 2, lines[6], lines[5])), third], /^audit\/0000000002\.ndjson, line 7: the event is not later/],
    [[first, second.subarray(0, -2), third], /^audit\/0000000002\.ndjson, line 1002: the line has no end/],
    [[first, third, second], /^audit\/0000000002\.ndjson, line 1: the header is that of object 3/],
    [[first, undefined, third], /^audit\/0000000002\.ndjson: the object is missing/],
    [[undefined, second, third], /^audit\/0000000001\.ndjson: the object is missing/],
    [[first, second], /^audit\/0000000003\.ndjson: HEAD= is of this object, but the folder ends with object 2: the end was cut off/],
    [[first, second, third, third], /^audit\/0000000004\.ndjson, line 1: the header is that of object 3/],
  ];
  for (const [list, message] of cases) {
    const FROM = stateFolder();
    list.forEach((bytes, index) => bytes && writeFileSync(join(FROM, nameOf(index + 1).slice("audit/".length)), bytes));
    assert.match(assertGaveUp(await make("audit-verify", { FROM, HEAD })), message);
  }
  const FROM = stateFolder();
  mkdirSync(join(FROM, "audit"));
  objects.forEach((bytes, index) => writeFileSync(join(FROM, nameOf(index + 1)), bytes));
  assert.equal(assertDone(await make("audit-verify", { FROM, HEAD: heads[1] })).length, 2);

  // In its own bucket, and by an attacker that may write to the database, too.
  await serving(STATE, async (service, bucket) => {
    await bucket.delete(nameOf(3));
    await rows(service.db, "DELETE FROM audit_objects WHERE object = 3");
  });
  assert.match(assertGaveUp(await make("audit-verify", { STATE, HEAD })), /^audit\/0000000003\.ndjson: HEAD= is of this object, but the register ends with object 2/);
});

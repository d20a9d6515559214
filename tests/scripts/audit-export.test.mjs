// `make audit-export` as an operator runs it: the lines, the file, and how far they are good where the archive is not.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { Archive, event } from "./support/audit-chain.mjs";
import { localPlace, remotePlace } from "./support/audit-place.mjs";
import { newSalt, newSealedKey, withPersonal } from "./support/audit-secrets.mjs";
import { assertDone, assertGaveUp, make, migratedFolders } from "./support/make.mjs";
import { standIn } from "./support/stand-in.mjs";

const migrated = migratedFolders();
const SECRET_KEY = "a-secret-key-of-the-export-0123456789";
const FIELDS = { ip: "203.0.113.7", user_agent: null, request_id: "r", ray: "ray" };
const read = (text) => text.trimEnd().split("\n").map((line) => JSON.parse(line));
const inShort = (events) => events.map(({ id, ip, object }) => [id, ip, object]);

/** Three objects of two events each, of which account 9 is erased; and two events in the database. */
async function populated() {
  const salts = new Map([[7, newSalt()], [9, newSalt()]]);
  const key = await newSealedKey(SECRET_KEY);
  const archive = new Archive(key);
  for (const number of [0, 1, 2]) {
    const events = [event(2 * number + 1), event(2 * number + 2, { user_id: 9 })];
    archive.add(await Promise.all(events.map((one) => withPersonal(one, FIELDS, key, salts))));
  }
  const rows = [7, 8].map((id) => {
    const { personal, ...row } = event(id, { user_id: null });
    return ["audit_events", { ...row, ...FIELDS }];
  });
  return { archive, others: [["audit_salts", { user_id: 7, salt: salts.get(7) }], ...rows] };
}
const ALL = [[1, FIELDS.ip, 1], [2, null, 1], [3, FIELDS.ip, 2], [4, null, 2], [5, FIELDS.ip, 3], [6, null, 3], [7, FIELDS.ip, null], [8, FIELDS.ip, null]];

test("on this machine: all events into a file for its owner's eyes, or those since a moment to the standard output", async (t) => {
  const { archive, others } = await populated();
  const { STATE, folder, script } = await localPlace(migrated(t), archive, others);
  const TO = join(STATE, "events.ndjson");
  const { code, stdout, stderr } = await script("audit-export", { TO, SECRET_KEY });
  assert.equal(stderr, `Wrote 8 events to ${TO}, from the local database in ${STATE} and 3 objects (1 to 3) with 6 events.\n`);
  assert.deepEqual([code, stdout], [0, ""]);
  assert.deepEqual(inShort(read(readFileSync(TO, "utf8"))), ALL);
  assert.equal(statSync(TO).mode & 0o777, 0o600);
  assert.equal(assertGaveUp(await script("audit-export", { TO, SECRET_KEY })), `${TO} exists already: choose another file.`);

  writeFileSync(join(folder, ".dev.vars"), `SECRET_KEY="${SECRET_KEY}"\n`);
  const since = await script("audit-export", { SINCE: new Date(event(4).created_at).toISOString() });
  assert.equal(since.stderr, `Wrote 5 events, from the local database in ${STATE} and 3 objects (1 to 3) with 6 events.\n`);
  assert.deepEqual(inShort(read(since.stdout)), ALL.slice(3));
});

test("another SECRET_KEY is a clear error, before anything is written", async () => {
  const { archive, others } = await populated();
  const { script, folder } = remotePlace(archive, { others });
  const TO = join(folder, "events.ndjson");
  const wanted = /^The archive's key is encrypted by the SECRET_KEY with the id [0-9a-f]{16}, and that of the environment is [0-9a-f]{16}\. Export SECRET_KEY in this shell\.$/;
  assert.match(assertGaveUp(await script("audit-export", { TO, SECRET_KEY: `${SECRET_KEY}!` })), wanted);
  assert.match(assertGaveUp(await script("audit-export", { TO, SECRET_KEY: "" })), /, and \.dev\.vars has none\. Export SECRET_KEY/);
  assert.equal(assertGaveUp(await script("audit-export", { TO: join(TO, "x"), SECRET_KEY })), `${join(TO, "x")} cannot be written: ENOENT.`);
  assert.ok(!existsSync(TO));
  const result = await script("audit-export", { TO, SECRET_KEY });
  assert.equal(result.stderr, `Wrote 8 events to ${TO}, from the remote database of production and 3 objects (1 to 3) with 6 events.\n`);
  assert.deepEqual(inShort(read(readFileSync(TO, "utf8"))), ALL);
});

test("a broken chain ends the export, which says how far the output is good", async () => {
  const { archive, others } = await populated();
  const broken = archive.copy().edit(3, 1, (line) => line.replace('"user_id":7', '"user_id":8'));
  const { script, folder } = remotePlace(broken, { others });
  const good = "Before it, 2 objects (1 to 2) with 4 events were verified. The output is incomplete: it ends with the last of 4 events that are good.";
  const { code, stdout, stderr } = await script("audit-export", { SECRET_KEY });
  assert.equal(stderr, `audit/0000000003.ndjson, line 4: the signature does not fit the lines above it: a byte of the object was changed. ${good}\n`);
  assert.equal(code, 1);
  assert.deepEqual(inShort(read(stdout)), ALL.slice(0, 4));

  const TO = join(folder, "events.ndjson");
  broken.objects.set(1, Buffer.from("{}\n"));
  const nothing = assertGaveUp(await remotePlace(broken, { others }).script("audit-export", { SECRET_KEY, TO }));
  assert.match(nothing, /^audit\/0000000001\.ndjson, line 1: .*\. No object was verified\. No event was written\.$/);
  assert.ok(!existsSync(TO));
  const head = archive.head(2).replace(/:\w/, ":x").replace("x", archive.head(2)[2] === "0" ? "1" : "0");
  const other = await remotePlace(archive, { others }).script("audit-export", { SECRET_KEY, HEAD: head });
  assert.match(other.stderr, /^audit\/0000000002\.ndjson: its SHA-256 is .*\. Before it, 1 object \(1 to 1\) with 2 events were verified\. .* 2 events that are good\.$/m);
});

test("downloaded objects are exported with the keys of a database, and its own events", async (t) => {
  const { archive, others } = await populated();
  const { STATE } = await localPlace(migrated(t), archive, others);
  const FROM = archive.writeTo(join(stateFolder(), "it's $HOME"));
  const { code, stdout, stderr } = await make("audit-export", { STATE, FROM, SINCE: "2026-01-01" }, { SECRET_KEY });
  assert.equal(code, 0, stderr);
  assert.deepEqual(inShort(read(stdout)), ALL);
});

test("an option that means nothing is refused before anything is read", async (t) => {
  const { PATH, calls } = standIn(t, { code: 1 });
  const STATE = stateFolder();
  const refuse = async (variables) => assertGaveUp(await make("audit-export", { STATE, PATH, ...variables }));
  assert.match(await refuse({ SINCE: "last year" }), /^SINCE= is a date or a time with its zone/);
  assert.match(await refuse({ HEAD: "1" }), /^HEAD= is no head of the archive/);
  assert.deepEqual(calls(), []);
  const { PATH: failing } = standIn(t, { code: 1, stderr: "✘ [ERROR] refused" });
  const FROM = stateFolder();
  assert.match(await refuse({ REMOTE: "production", FROM, PATH: failing }), /^wrangler gave up on the remote database of production: refused/);
});

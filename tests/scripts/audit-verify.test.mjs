// `make audit-verify` as an operator runs it: on the bucket and the database of this machine, on those of a deployment, and on
// downloaded objects alone.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { Archive, archiveOf } from "./support/audit-chain.mjs";
import { localPlace, remotePlace } from "./support/audit-place.mjs";
import { assertDone, assertGaveUp, make, migratedFolders } from "./support/make.mjs";
import { standIn } from "./support/stand-in.mjs";

const migrated = migratedFolders();
const valid = archiveOf(4);
const HEAD = valid.head();
const UNSIGNED = "the signature does not fit the lines above it: a byte of the object was changed";
const edited = (archive, number) => archive.copy().edit(number, 2, (line) => line.replace('"user_id":7', '"user_id":8'));

test("on this machine: an archive that is valid, one with an unfinished move, and one that was tampered with", async (t) => {
  const archive = archiveOf(5, valid.key);
  archive.rows.pop();
  const { STATE, change, script } = await localPlace(migrated(t), archive);
  const where = `the local database in ${STATE}`;
  const unfinished = [
    `Verified 5 objects (1 to 5) with 15 events, in ${where}. The head is ${HEAD}.`,
    `Object 5 belongs to a move that has not ended: the next run of the service registers it.`,
  ];
  assert.deepEqual(assertDone(await script("audit-verify")), unfinished);

  await change(({ bucket, nameOf }) => bucket.delete(nameOf(5)));
  const good = `Verified 4 objects (1 to 4) with 12 events, in ${where}. The head is ${HEAD}.`;
  const former = valid.head(2);
  assert.deepEqual(assertDone(await script("audit-verify", { HEAD: former })), [good, "HEAD= proves the objects up to 2; the later ones are signed by the same key."]);
  assert.match(assertGaveUp(await script("audit-verify", { HEAD: archive.head(5) })), /^audit\/0000000005\.ndjson: HEAD= is of this object, but the register ends with object 4: the end was cut off/);

  await change(({ bucket, nameOf }) => bucket.put(nameOf(3), edited(valid, 3).objects.get(3)));
  const failure = `audit/0000000003.ndjson, line 5: ${UNSIGNED}. Before it, 2 objects (1 to 2) with 6 events were verified, in ${where}.`;
  const result = await script("audit-verify");
  assert.equal(assertGaveUp(result), failure);
  assert.equal(result.code, 1);
  await change(({ bucket, nameOf }) => Promise.all([bucket.put(nameOf(1_000_000), "any"), bucket.put(nameOf(3), valid.objects.get(3))]));
  assert.match(assertGaveUp(await script("audit-verify")), /^audit\/0001000000\.ndjson: the object is beyond the end, and object 5 is missing/);
});

test("where there is no local data, nothing is made, and without tables it says how to make them", async () => {
  const STATE = join(stateFolder(), "no where");
  const remedy = `make migrate STATE='${STATE}'.`;
  assert.equal(assertGaveUp(await make("audit-verify", { STATE })), `There is no folder ${STATE} with local data: name another STATE=, or make one: ${remedy}`);
  assert.ok(!existsSync(STATE));
  assert.match((await make("audit-verify", { STATE: "" })).stderr, /STATE= is empty: name a folder, or leave it out/);
  mkdirSync(STATE);
  assert.ok(assertGaveUp(await make("audit-verify", { STATE })).endsWith(`. Apply the migrations first: ${remedy}`));
});

test("on this machine without a single object: there is nothing to verify, and a head says that there was", async (t) => {
  const { STATE, script } = await localPlace(migrated(t), new Archive(valid.key));
  assert.deepEqual(assertDone(await script("audit-verify")), [`No audit events are archived in the local database in ${STATE}.`]);
  const failure = assertGaveUp(await script("audit-verify", { HEAD }));
  assert.match(failure, /^audit\/0000000004\.ndjson: .* but the register has no object: .*\. No object was verified, in /);
});

test("without a bucket in wrangler.toml the register must be empty", async (t) => {
  const { folder, script } = await localPlace(migrated(t), valid);
  writeFileSync(join(folder, "wrangler.toml"), readFileSync(join(folder, "wrangler.toml"), "utf8").replace("ARCHIVE", "OTHER"));
  assert.equal(assertGaveUp(await script("audit-verify")), "The register has objects, but wrangler.toml has no R2 bucket with the binding ARCHIVE (docs/audit.md).");
});

test("a deployment is read by wrangler, in its environment, bucket and jurisdiction, and objects some ahead", async () => {
  const archive = archiveOf(20, valid.key);
  const { script, calls } = remotePlace(archive, { jurisdiction: "eu" });
  const where = "the remote database of production";
  const good = `Verified 20 objects (1 to 20) with 60 events, in ${where}. The head is ${archive.head()}.`;
  assert.deepEqual(assertDone(await script("audit-verify", { HEAD: archive.head(20) })), [good]);
  const commands = readFileSync(calls, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.ok(commands.every((args) => args.includes("--remote") && args.includes("--env=production")), JSON.stringify(commands));
  const objects = commands.filter(([word]) => word === "r2");
  const name = (number) => `archive-of-the-test/audit/${String(number).padStart(10, "0")}.ndjson`;
  assert.deepEqual(objects.map((args) => args[3]).sort(), Array.from({ length: 21 }, (_, index) => name(index + 1)), "each once, and the one behind the head");
  const options = ["--pipe", "--remote", "--env=production", "--jurisdiction", "eu"];
  assert.deepEqual(objects[0], ["r2", "object", "get", objects[0][3], ...options]);

  const changed = edited(archive, 17);
  assert.match(assertGaveUp(await remotePlace(changed).script("audit-verify")), /^audit\/0000000017\.ndjson, line 5: the signature .* Before it, 16 objects/);
  changed.objects.delete(16);
  assert.match(assertGaveUp(await remotePlace(changed).script("audit-verify")), /^audit\/0000000016\.ndjson: the object is missing/);
});

test("a deployment that cannot be read is no archive that was tampered with", async () => {
  const bucket = remotePlace(valid, { fault: "0000000002" });
  assert.equal(
    assertGaveUp(await bucket.script("audit-verify")),
    "wrangler gave up on audit/0000000002.ndjson in the bucket archive-of-the-test: Authentication error [code: 10000]",
  );
  const database = remotePlace(valid, { fault: "d1 execute" });
  assert.equal(assertGaveUp(await database.script("audit-verify")), "wrangler gave up on the remote database of production: Authentication error [code: 10000]");
});

test("downloaded objects and a head need neither a database nor wrangler", async (t) => {
  const STATE = stateFolder();
  const { PATH, calls } = standIn(t, { code: 1 });
  const FROM = valid.writeTo(join(stateFolder(), "down loaded $(x)"));
  const verify = (variables) => make("audit-verify", { PATH, FROM, ...variables }, { STATE });
  const good = `Verified 4 objects (1 to 4) with 12 events, in the folder ${FROM}. The head is ${HEAD}.`;
  assert.deepEqual(assertDone(await verify({ HEAD })), [good]);
  assert.deepEqual(assertDone(await verify({ HEAD: valid.head(3) })), [good, "HEAD= proves the objects up to 3; the later ones are signed by the same key."]);
  assert.match(assertGaveUp(await verify({})), /^FROM= alone needs HEAD= from the log of the service/);
  assert.match(assertGaveUp(await verify({ HEAD: "4:abc" })), /^HEAD= is no head of the archive/);
  assert.equal(assertGaveUp(await verify({ HEAD, FROM: join(FROM, "nowhere") })), `FROM=${join(FROM, "nowhere")} cannot be read: ENOENT.`);

  renameSync(join(FROM, "audit"), join(FROM, "objects"));
  writeFileSync(join(FROM, "objects", "index.html"), "another file");
  const below = { FROM: join(FROM, "objects") };
  assert.deepEqual(assertDone(await verify({ HEAD, ...below })), [good.replace(FROM, below.FROM)]);
  edited(valid, 2).writeTo(FROM);
  const failure = assertGaveUp(await verify({ HEAD }));
  assert.equal(failure, `audit/0000000002.ndjson, line 5: ${UNSIGNED}. Before it, 1 object (1 to 1) with 3 events were verified, in the folder ${FROM}.`);
  assert.deepEqual(calls(), []);
});

test("downloaded objects are compared with the register of a database that the operator names", async (t) => {
  const archive = valid.copy();
  archive.rows[2].total = 8;
  const { STATE } = await localPlace(migrated(t), archive);
  const FROM = valid.writeTo(stateFolder());
  assert.match(assertGaveUp(await make("audit-verify", { STATE, FROM })), /^audit\/0000000003\.ndjson: total is 9, and in the register 8\. /);
  const remote = remotePlace(archive);
  assert.match(assertGaveUp(await remote.script("audit-verify", { FROM })), /^audit\/0000000003\.ndjson: total is 9, and in the register 8\. /);
  assert.ok(!readFileSync(remote.calls, "utf8").includes('"r2"'));
  const OTHER = migrated(t);
  const alien = assertGaveUp(await make("audit-verify", { STATE: OTHER, FROM }));
  const where = `in the folder ${FROM}, with the register of the local database in ${OTHER}`;
  const question = "the database has no archive: is it another one, or was D1 restored?";
  assert.equal(alien, `audit/0000000001.ndjson, line 1: the key is ${valid.key.kid}, and ${question}. No object was verified, ${where}.`);
  mkdirSync(join(FROM, "empty"));
  const empty = { FROM: join(FROM, "empty") };
  assert.match(assertGaveUp(await make("audit-verify", { ...empty, STATE })), /^audit\/0000000001\.ndjson: the object is missing, and the register ends with object 4/);
});

// Tampering with the audit archive: each change of an object, of the register or of both is found, with the object, the line and the
// reason; without and with the hashes that an attacker can mend.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Register } from "../../scripts/audit/register.mjs";
import { Archive, archiveOf, event, newKey, signed } from "./support/audit-chain.mjs";
import { databaseOf } from "./support/audit-database.mjs";
import { assertFound, found, UNSIGNED, walked, walkedAlone } from "./support/audit-walks.mjs";

const valid = archiveOf(5);
const head = valid.head();

test("an edited byte is found in each kind of line, without and with new hashes", async () => {
  const edits = [
    [0, (line) => line.replace('"made_at":1800000000003', '"made_at":1800000000004')],
    [2, (line) => line.replace('"user_id":7', '"user_id":8')],
    [-1, (line) => line.replace(/.{4}"\}$/, 'AAAA"}')],
  ];
  for (const [line, edit] of edits) {
    const archive = valid.copy().edit(3, line, edit);
    assert.notDeepEqual(archive.objects.get(3), valid.objects.get(3));
    await assertFound(archive, head, found(3, 5, line === -1 ? "(the signature does not|the value of signature)" : UNSIGNED));
    archive.rehash();
    const first = found(3, 5, line === -1 ? "(the signature does not|the value of signature)" : UNSIGNED);
    await assertFound(archive, archive.head(), first);
  }
});

test("a dropped object is found: in the middle, at the end, and with its row in the register", async () => {
  for (const number of [3, 5]) {
    const archive = valid.copy();
    archive.objects.delete(number);
    assert.match(await walked(archive), found(number, 0, "the object is missing, and the register ends with object 5"));
    assert.match(await walkedAlone(archive, head), number === 3 ? found(3, 0, "the object is missing, and the folder ends") : found(5, 0, "HEAD= is of this object"));
    archive.rows.splice(number - 1, 1);
    const text = await walked(archive, head);
    assert.match(text, number === 3 ? found(3, 0, "the object is missing") : found(5, 0, "HEAD= is of this object, but the register ends with object 4"));
  }
});

test("an end that was cut off objects and register alike needs a head from the log to be found", async () => {
  const archive = valid.copy();
  archive.objects.delete(5);
  archive.rows.pop();
  assert.deepEqual(await walked(archive), [1, 2, 3, 4]);
  assert.match(await walked(archive, head), found(5, 0, "HEAD= is of this object, but the register ends with object 4: the end was cut off"));
});

test("a row that is missing in the register is found, and one that differs", async () => {
  const archive = valid.copy();
  archive.rows.splice(2, 1);
  assert.match(await walked(archive), found(3, 0, "the register has no row of it"));
  for (const [name, value] of Object.entries({ sha256: "0".repeat(64), events: 4, total: 10, newest_at: 5, first_kept: 2 })) {
    const changed = valid.copy();
    changed.rows[2][name] = value;
    assert.match(await walked(changed), found(3, 0, `${name} is .*, and in the register ${value}$`));
  }
});

test("events that were dropped, doubled, exchanged or added are found", async () => {
  const changes = [
    [(lines) => lines.toSpliced(2, 1), 1, "the header says 3 events, and the object has 2 "],
    [(lines) => lines.toSpliced(2, 0, lines[2]), 1, "the header says 3 events, and the object has 4 "],
    [([h, a, b, c, s]) => [h, b, a, c, s], 3, "the event is not later than the one above it"],
    [([h, a, , c, s]) => [h, a, a, c, s], 3, "the event is not later than the one above it"],
    [([h, a, b, , s]) => [h, a, b, JSON.stringify(event(50)), s], 5, UNSIGNED],
    [([h, a, b, c, s]) => [h.replace('"events":3', '"events":2'), a, b, s], 4, UNSIGNED],
    [([h, ...rest]) => [...rest, h], 1, "its members are"],
  ];
  for (const [change, line, text] of changes) {
    const archive = valid.copy();
    archive.write(2, change(archive.lines(2)));
    await assertFound(archive, head, found(2, line, text));
    archive.rehash();
    await assertFound(archive, archive.head(), found(2, line, text));
  }
});

test("objects that were exchanged, renamed or repeated are found", async () => {
  const exchanged = valid.copy();
  exchanged.objects.set(2, valid.objects.get(3)).set(3, valid.objects.get(2));
  await assertFound(exchanged, head, found(2, 1, "the header is that of object 3: objects were exchanged or renamed"));
  const repeated = valid.copy();
  repeated.objects.set(4, valid.objects.get(3));
  await assertFound(repeated, head, found(4, 1, "the header is that of object 3"));
  const moved = valid.copy();
  [3, 4].forEach((number) => moved.objects.set(number, valid.objects.get(number + 1)));
  moved.objects.delete(5);
  moved.rows.pop();
  await assertFound(moved, valid.head(4), found(3, 1, "the header is that of object 4"));
});

test("an object of another archive with the same key is found by the hash that it follows", async () => {
  const other = new Archive(valid.key).add([event(1)]).add([event(2), event(3), event(4)], { total: 6 });
  const archive = valid.copy();
  archive.objects.set(2, other.objects.get(2));
  await assertFound(archive, head, found(2, 1, `it follows an object with the SHA-256 ${other.rows[0].sha256}, but object 1 has the SHA-256 ${valid.rows[0].sha256}`));
  const begun = valid.copy();
  begun.sign(1, begun.lines(1).slice(0, -1).map((line) => line.replace("0".repeat(64), "1".repeat(64))));
  await assertFound(begun, head, found(1, 1, "it follows an object with the SHA-256 1+, but there is no object before the first"));
});

test("an archive that was signed anew by another key is found by the key of the database, and by that of a head", async () => {
  const forged = archiveOf(5);
  const byObjects = valid.copy();
  byObjects.objects = forged.objects;
  byObjects.rows = forged.rows;
  await assertFound(byObjects, head, found(1, 1, `the key is ${forged.key.kid}, and the archive's is ${valid.key.kid}`));
  assert.deepEqual(await walked(forged), [1, 2, 3, 4, 5], "without a head nothing contradicts it");
  assert.match(await walked(forged, head), found(1, 0, `the key in the database is ${forged.key.kid}, and that of HEAD= is ${valid.key.kid}: the key was replaced`));
  const oneObject = valid.copy();
  const lines = oneObject.lines(3).slice(0, -1);
  oneObject.objects.set(3, signed([lines[0].replace(valid.key.jwk.x, forged.key.jwk.x), ...lines.slice(1)], 3, forged.key));
  await assertFound(oneObject, head, found(3, 1, "the key is "));
});

test("a key row that contradicts itself is found, and a missing one", async () => {
  const { database, ask } = databaseOf(valid);
  database.prepare("UPDATE audit_keys SET public_key = ?").run(JSON.stringify(newKey().jwk));
  assert.match(await walked(valid, "", new Register({}, ask)), /the public key in the database has the id .*: the key was replaced/);
  database.exec("UPDATE audit_keys SET public_key = ''");
  assert.match(await walked(valid, "", new Register({}, ask)), /the public key in the database is not JSON/);
  database.exec("DELETE FROM audit_keys");
  assert.match(await walked(valid, "", new Register({}, ask)), /the database has no key of the archive/);
});

test("the same objects made anew by the same key are found by a head", async () => {
  const anew = new Archive(valid.key);
  for (let number = 0; number < 5; number += 1) {
    anew.add([1, 2, 3].map((index) => event(number * 3 + index, { reason: "other" })));
  }
  assert.deepEqual(await walked(anew), [1, 2, 3, 4, 5]);
  assert.match(await walked(anew, valid.head(3)), found(3, 0, `its SHA-256 is ${anew.rows[2].sha256}, and that of HEAD= is ${valid.rows[2].sha256}`));
  assert.match(await walkedAlone(anew, valid.head(3)), found(3, 0, "its SHA-256 is "));
});

test("an object that was cut off is found at each of its bytes", async () => {
  const bytes = valid.objects.get(4);
  for (let length = 0; length < bytes.length; length += 1) {
    const archive = valid.copy();
    archive.objects.set(4, bytes.subarray(0, length));
    const text = await walked(archive);
    assert.match(text, found(4, "\\d+", "(the line has no end: the object is cut off|the object is empty|the header says 3 events)"), String(length));
  }
});

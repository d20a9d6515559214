// The chain of the audit archive, where it is valid: its beginning, its end, a move that has not ended, and the texts that it may have.
// And the faults that only a holder of its key could make.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseHead } from "../../scripts/audit/head.mjs";
import { Register } from "../../scripts/audit/register.mjs";
import { Walk } from "../../scripts/audit/walk.mjs";
import { Archive, archiveOf, event, sha256 } from "./support/audit-chain.mjs";
import { databaseOf, insert } from "./support/audit-database.mjs";
import { assertFound, found, registerOf, UNSIGNED, walked, walkedAlone } from "./support/audit-walks.mjs";

const valid = archiveOf(5);
const head = valid.head();

test("a valid archive is verified from its first object to its head, with its register or with a head alone", async () => {
  assert.deepEqual(await walked(valid), [1, 2, 3, 4, 5]);
  assert.deepEqual(await walkedAlone(valid, head), [1, 2, 3, 4, 5]);
  for (const number of [1, 4, 5]) {
    assert.deepEqual(await walked(valid, valid.head(number)), [1, 2, 3, 4, 5]);
    assert.deepEqual(await walkedAlone(valid, valid.head(number)), [1, 2, 3, 4, 5], "objects behind the head");
  }
  const objects = [];
  for await (const read of new Walk({ source: valid.source(), register: registerOf(valid) }).objects()) {
    objects.push(read);
  }
  assert.deepEqual(objects.flatMap(({ events }) => events.map(({ id }) => id)), Array.from({ length: 15 }, (_, index) => index + 1));
  assert.equal(objects.at(-1).head, head);
});

test("an archive without objects is empty, and with a head it is cut off", async () => {
  const empty = new Archive(valid.key);
  assert.deepEqual(await walked(empty), []);
  const keyless = databaseOf(empty);
  keyless.database.exec("DELETE FROM audit_keys");
  assert.deepEqual(await walked(empty, "", new Register({}, keyless.ask)), [], "before its first run");
  assert.match(await walked(empty, head), found(5, 0, "HEAD= is of this object, but the register has no object: the end was cut off"));
  assert.match(await walkedAlone(empty, head), found(5, 0, "HEAD= is of this object, but the folder has no object: the end was cut off"));
});

test("objects without events are links of the chain", async () => {
  const archive = archiveOf(2).add([]).add([event(100)]);
  assert.deepEqual(await walked(archive), [1, 2, 3, 4]);
});

test("one valid successor is the trace of a move that has not ended; anything else beyond the head is a fault", async () => {
  const longer = archiveOf(7, valid.key);
  const successor = longer.copy();
  successor.objects.delete(7);
  successor.rows.splice(5);
  const registered = [];
  for await (const { isRegistered } of new Walk({ source: successor.source(), register: registerOf(successor) }).objects()) {
    registered.push(isRegistered);
  }
  assert.deepEqual(registered, [true, true, true, true, true, false]);
  assert.deepEqual(await walked(successor, longer.head(6)), [1, 2, 3, 4, 5, 6], "the log may have its head already");
  const cut = successor.copy();
  cut.objects.delete(6);
  assert.match(await walked(cut, longer.head(6)), found(6, 0, "HEAD= is of this object, but the register ends with object 5: the end was cut off"));
  const broken = successor.copy().edit(6, 1, (line) => line.replace('"user_id":7', '"user_id":8'));
  assert.match(await walked(broken), found(6, 5, UNSIGNED));
  const two = longer.copy();
  two.rows.splice(5);
  assert.match(await walked(two), found(7, 0, "the register ends with object 5, and a move leaves one object behind it at most. Was D1 restored?"));
  const stray = longer.copy();
  stray.objects.delete(6);
  stray.rows.splice(5);
  assert.match(await walked(stray), found(7, 0, "the object is beyond the end, and object 6 is missing"));
});

test("objects that the service adds during the walk are verified too", async () => {
  const archive = archiveOf(8);
  const later = archive.rows.splice(5);
  const { database, ask } = databaseOf(archive);
  const source = archive.source();
  const get = (number) => {
    if (number === 4) {
      later.splice(0).forEach((row) => insert(database, "audit_objects", row));
    }
    return source.get(number);
  };
  const walk = new Walk({ source: { ...source, get }, register: new Register({}, ask) });
  const objects = await Array.fromAsync(walk.objects());
  assert.deepEqual(objects.map(({ isRegistered }) => isRegistered), Array(8).fill(true));
  assert.equal(walk.last, 8);
  assert.deepEqual(await Array.fromAsync(walk.objects()), [], "nothing behind them");
});

/** An archive whose last object says that the first two may be gone, and the archive without them. */
function retained() {
  const archive = archiveOf(4).add([event(100)], { first: 3 });
  const kept = archive.copy();
  kept.objects.delete(1);
  kept.objects.delete(2);
  return { archive, kept };
}

test("the beginning that retention removed is no fault, whether its objects and rows are gone or not", async () => {
  const { archive, kept } = retained();
  assert.deepEqual(await walked(archive), [3, 4, 5]);
  assert.deepEqual(await walked(kept), [3, 4, 5]);
  assert.deepEqual(await walkedAlone(kept, kept.head()), [3, 4, 5]);
  const former = archive.head(2);
  assert.deepEqual(await walked(kept, former), [3, 4, 5], "the first that is kept follows this object");
  kept.rows.splice(0, 2);
  assert.deepEqual(await walked(kept), [3, 4, 5]);
  assert.match(await walked(kept, `2:${"a".repeat(64)}:${kept.key.kid}`), found(3, 1, "it follows an object with the SHA-256 .*, and that of HEAD= is a{64}"));
  assert.match(await walked(kept, archive.head(1)), /^HEAD= is of object 1, and retention keeps those from 3 on: take a head of object 2 or later/);
});

test("a beginning that was cut off beyond retention is found", async () => {
  const { kept } = retained();
  kept.objects.delete(3);
  await assertFound(kept, kept.head(), found(3, 0, "the object is missing"));
  for (const first of [4, 5]) {
    kept.rows.at(-1).first_kept = first;
    kept.rows.splice(0, kept.rows.length - 2);
    assert.match(await walked(kept), found(5, 0, `first_kept is 3, and in the register ${first}`));
  }
  kept.rows.at(-1).first_kept = 6;
  assert.match(await walked(kept), found(5, 0, "the register ends with this object, and so cannot begin with object 6"));
  const row = retained();
  row.kept.rows[1].sha256 = "0".repeat(64);
  assert.match(await walked(row.kept), found(3, 1, "it follows an object with the SHA-256"));
});

test("totals and beginnings that do not fit are found, though the archive's own key signed them", async () => {
  const cases = [
    [{ total: 9 }, "the total is 9, but must be 10"],
    [{ total: 11 }, "the total is 11, but must be 10"],
    [{ first: 5 }, "the oldest object that is kept is 5, but must be one from 2 to 4"],
    [{ first: 1 }, "the oldest object that is kept is 1, but must be one from 2 to 4"],
  ];
  for (const [members, text] of cases) {
    const archive = archiveOf(2).add([event(20), event(21), event(22)], { first: 2 }).add([event(30)], members);
    archive.rows.at(-1).first_kept = 2;
    assert.match(await walked(archive), found(4, 1, text));
  }
});

test("texts that say the same in other bytes are refused, though the archive's own key signed them", async () => {
  const twice = "its JSON is not compact, or has a member twice";
  const edits = [
    [0, (line) => line.replace('"events":3', '"events":3,"events":3'), twice],
    [1, (line) => line.replace('"user_id":7', '"user_id":8,"user_id":7'), twice],
    [1, (line) => line.replace('"user_id":7', '"user_id": 7'), twice],
    [1, (line) => line.replace('"user_id":7', '"user_id":7.0'), twice],
    [1, (line) => line.replace("signed_in", "\\u0073igned_in"), twice],
    [1, (line) => `${line} `, twice],
    [1, (line) => `\ufeff${line}`, "it is not JSON"],
    [1, (line) => line.slice(1), "it is not JSON"],
    [1, () => "null", "it is no JSON object"],
    [1, () => "[]", "it is no JSON object"],
    [1, (line) => line.replace('"id":4,', ""), "its members are created_at, .*, and must be id, created_at"],
    [1, (line) => line.replace('"personal":null', '"personal":null,"more":1'), "its members are .*, more, and must be id"],
    [1, (line) => line.replace('"id":4', '"id":"4"'), "the value of id is not valid"],
    [1, (line) => line.replace('"count":1', '"count":-1'), "the value of count is not valid"],
    [1, (line) => line.replace('"personal":null', '"personal":"a b"'), "the value of personal is not valid"],
    [0, (line) => line.replace("edge-auth-audit/1", "edge-auth-audit/2"), "its format is edge-auth-audit/2, and this version reads edge-auth-audit/1 only"],
    [0, (line) => line.replace('"kty":"OKP"', '"kty":"oct"'), "the value of key is not valid"],
    [0, (line) => line.replace(/"previous":"./, '"previous":"X'), "the value of previous is not valid"],
    [0, (line) => line.replace('"object":2', '"object":0'), "the value of object is not valid"],
  ];
  for (const [line, edit, text] of edits) {
    const archive = valid.copy();
    const lines = archive.lines(2).slice(0, -1);
    assert.notEqual(edit(lines[line]), lines[line]);
    archive.sign(2, lines.with(line, edit(lines[line])));
    await assertFound(archive, head, found(2, line + 1, text));
  }
  const binary = valid.copy();
  const [first, ...rest] = binary.lines(2).slice(0, -1);
  binary.objects.set(2, Buffer.concat([Buffer.from(`${first}\n`), Buffer.from([0xff, 0x0a]), Buffer.from(`${rest.slice(1).join("\n")}\n{}\n`)]));
  assert.match(await walked(binary), found(2, 5, "its members are none, and must be signature"));
});

test("another text of the same signature is refused", async () => {
  const padded = valid.copy().edit(2, -1, (line) => line.replace('"}', '="}'));
  await assertFound(padded, head, found(2, 5, "the value of signature is not valid"));
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const [, last] = /(.)"\}$/.exec(valid.lines(2).at(-1));
  // 64 bytes end with four bits that mean nothing.
  const other = valid.copy().edit(2, -1, (line) => line.replace(/.("\})$/, `${alphabet[alphabet.indexOf(last) + 1]}$1`));
  await assertFound(other, head, found(2, 5, "the value of signature is not valid"));
});

test("a head is three parts, and nothing else", () => {
  assert.deepEqual(parseHead(head), { object: 5, sha256: sha256(valid.objects.get(5)), kid: valid.key.kid });
  assert.equal(parseHead(""), undefined);
  for (const text of ["5", `0${head}`, `${head}:`, ` ${head}`, head.toUpperCase(), head.slice(0, -1), `0:${head.slice(2)}`]) {
    assert.throws(() => parseHead(text), /^Error: HEAD= is no head of the archive/, text);
  }
});

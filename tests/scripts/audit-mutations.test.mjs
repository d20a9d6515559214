// Random changes of a valid audit archive, and an archive of a year.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseHead } from "../../scripts/audit/head.mjs";
import { Folder } from "../../scripts/audit/sources/folder.mjs";
import { Walk } from "../../scripts/audit/walk.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { Archive, archiveOf, event } from "./support/audit-chain.mjs";
import { registerOf, walked, walkedAlone } from "./support/audit-walks.mjs";

const valid = archiveOf(5);
const head = valid.head();

/** Numbers below a limit, always the same ones (mulberry32). */
function random(seed) {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** One change of one or two objects, as a text. It may leave all bytes as they are: then it is none. */
const MUTATIONS = {
  flip(archive, number, draw) {
    const bytes = Buffer.from(archive.objects.get(number));
    const at = draw(bytes.length);
    bytes[at] ^= 1 << draw(8);
    archive.objects.set(number, bytes);
  },
  remove(archive, number, draw) {
    const bytes = archive.objects.get(number);
    const at = draw(bytes.length);
    archive.objects.set(number, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(20))]));
  },
  insert(archive, number, draw) {
    const bytes = archive.objects.get(number);
    const at = draw(bytes.length + 1);
    archive.objects.set(number, Buffer.concat([bytes.subarray(0, at), Buffer.from([draw(256)]), bytes.subarray(at)]));
  },
  digit(archive, number, draw) {
    archive.edit(number, draw(5), (line) => {
      const digits = [...line.matchAll(/\d/g)];
      const { index } = digits[draw(digits.length)];
      return `${line.slice(0, index)}${draw(10)}${line.slice(index + 1)}`;
    });
  },
  exchangeLines(archive, number, draw) {
    const lines = archive.lines(number);
    const [one, other] = [draw(lines.length), draw(lines.length)];
    archive.write(number, lines.with(one, lines[other]).with(other, lines[one]));
  },
  lineOfAnother(archive, number, draw) {
    const line = draw(5);
    archive.edit(number, line, () => archive.lines(1 + draw(5))[line]);
  },
  dropLine(archive, number, draw) {
    archive.write(number, archive.lines(number).toSpliced(draw(5), 1));
  },
  exchange(archive, number, draw) {
    const other = 1 + draw(5);
    const [one, two] = [archive.objects.get(number), archive.objects.get(other)];
    archive.objects.set(number, two).set(other, one);
  },
  drop(archive, number) {
    archive.objects.delete(number);
  },
  repeatBehind(archive, number) {
    archive.objects.set(6, archive.objects.get(number));
  },
};

const isValid = ({ objects }) => objects.size === 5 && [...objects].every(([number, bytes]) => valid.objects.get(number)?.equals(bytes));

test("3,000 random changes of a valid archive are each found, by the register and by a head alone", async () => {
  const draw = random(20_270_101);
  const names = Object.keys(MUTATIONS);
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  for (let round = 0; round < 3000; round += 1) {
    const archive = valid.copy();
    const name = names[round % names.length];
    const number = 1 + draw(5);
    MUTATIONS[name](archive, number, draw);
    if (isValid(archive)) {
      continue;
    }
    counts[name] += 1;
    const seed = `round ${round}: ${name} of object ${number}`;
    const texts = [await walked(archive), await walkedAlone(archive, head)];
    texts.forEach((text) => assert.match(String(text), /^audit\/000000000[1-6]\.ndjson/, seed));
    // The same by an attacker that may write to the database, without the key. New hashes mend a changed one.
    if (archive.objects.has(number) && name !== "repeatBehind" && !isValid(archive.rehash())) {
      assert.match(String(await walked(archive)), /^audit\/000000000[1-6]\.ndjson/, `${seed}, with new hashes`);
    }
  }
  assert.ok(Object.values(counts).every((count) => count > 200), JSON.stringify(counts));
});

test("an archive of a year is verified in a stream", async (t) => {
  const folder = stateFolder();
  const archive = new Archive(valid.key);
  const personal = Buffer.alloc(240, 1).toString("base64url");
  let bytes = 0;
  for (let day = 0; day < 365; day += 1) {
    archive.add(Array.from({ length: 1000 }, (_, index) => event(day * 1000 + index + 1, { personal })));
    archive.writeTo(folder);
    bytes += archive.objects.get(day + 1).length;
    archive.objects.clear();
  }
  const last = archive.rows.at(-1);
  const proof = parseHead(`365:${last.sha256}:${archive.key.kid}`);
  const begun = performance.now();
  let count = 0;
  for await (const { events } of new Walk({ source: new Folder(folder), register: registerOf(archive), proof }).objects()) {
    count += events.length;
  }
  assert.equal(count, 365_000);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  t.diagnostic(`365 objects with 365,000 events, ${Math.round(bytes / 1e6)} MB: ${seconds} s`);
});

// Imports that fail in the middle, that run at once, or too often; and the log and the D1 calls of each. At this level, because D1,
// its failures and the rate limiters are the runtime's.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, from, me, newIp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertUnavailable, setFaults, WRAPPER } from "./support/faults.mjs";
import { HELD, holder } from "./support/held.mjs";
import {
  assertStored,
  countsOf,
  fileOf,
  imported,
  importUsers,
  newImporter,
  newLine,
  newLines,
  outcomesOf,
  SETTINGS,
  storedOf,
} from "./support/imports.mjs";
import { startKillable } from "./support/killable.mjs";
import { burst, DOORS, sorted, withinOneMinute } from "./support/limits.mjs";
import { accessLines, assertLogLine, loggedOf, loggedText } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";
import { startFor, stateFolder } from "./support/start.mjs";

const BATCH = 50;

/** Nothing of a user is in the log, and every line has the format of the contract. */
async function assertDiscreet(service, lines, key) {
  const texts = await loggedText(service);
  texts.forEach(assertLogLine);
  const text = texts.join("\n").toLowerCase();
  assert.ok(text.includes("request finished"));
  const secrets = lines.flatMap(({ email, full_name: name, external_id: id, password_hash: hash }) => [email, name, id, hash, hash.slice(-31)]);
  for (const secret of [...secrets, key.split("_")[3]]) {
    assert.ok(!text.includes(secret.toLowerCase()), `logged: ${secret}`);
  }
}

describe("a database that fails", () => {
  let service, key;
  const all = [];
  before(async () => {
    service = await startService({ wrapper: WRAPPER, settings: SETTINGS });
    ({ key } = await newImporter(service));
  });
  after(() => service.stop());

  /** An import of 500 new users under a fault, and the same import once more without: the counts of both. */
  async function twice(fault) {
    const lines = newLines(10 * BATCH);
    all.push(...lines);
    await setFaults(service, { db: fault });
    const first = await imported(service, key, fileOf(lines));
    await setFaults(service, { db: { kind: "ok" } });
    const second = await imported(service, key, fileOf(lines));
    await assertStored(service.db, lines);
    return [countsOf(first), countsOf(second)];
  }

  // Calls 1 and 2 are the importer and the facts, 3 the first batch.
  test("before a batch: the rest of the lines failed, and a second import completes", async () => {
    const [first, second] = await twice({ kind: "before", skip: 4, times: 1 });
    assert.deepEqual(first, { created: 2 * BATCH, "failed unavailable": 8 * BATCH });
    assert.deepEqual(second, { exists: 2 * BATCH, created: 8 * BATCH });
  });

  test("behind a batch: its lines failed too, and a second import finds them", async () => {
    const [first, second] = await twice({ kind: "after", skip: 4, times: 1 });
    assert.deepEqual(first, { created: 2 * BATCH, "failed unavailable": 8 * BATCH });
    assert.deepEqual(second, { exists: 3 * BATCH, created: 7 * BATCH });
  });

  test("behind a batch in a way that admits a repetition: each line was created once", async () => {
    const [first, second] = await twice({ kind: "transient", skip: 4, times: 1 });
    assert.deepEqual([first, second], [{ created: 10 * BATCH }, { exists: 10 * BATCH }]);
  });

  test("before the first read: 503, and nothing is written", async () => {
    const lines = newLines(2);
    all.push(...lines);
    for (const skip of [0, 1]) {
      await setFaults(service, { db: { kind: "before", skip, times: 1 } });
      assertUnavailable(await importUsers(service, key, fileOf(lines)));
    }
    await setFaults(service, { db: { kind: "ok" } });
    assert.deepEqual(countsOf(await imported(service, key, fileOf(lines))), { created: 2 });
  });

  test("the log of failures has nothing of a user", () => assertDiscreet(service, all, key));
});

describe("concurrent requests", () => {
  test("two imports of one file at once, in two isolates, make each account once", async (t) => {
    const service = await startFor(t, { isolates: 2, settings: SETTINGS });
    const importers = [await newImporter(service), await newImporter(service)];
    for (const [first, second] of [[0, 0], [0, 1]]) {
      const lines = newLines(500);
      const keys = [importers[first].key, importers[second].key];
      const [one, other] = await Promise.all(service.isolates.map((isolate, index) => imported(isolate, keys[index], fileOf(lines))));
      lines.forEach((_, index) => {
        const made = [one[index], other[index]].filter(({ outcome }) => outcome === "created").length;
        assert.equal(made, 1, JSON.stringify([one[index], other[index]]));
      });
      assert.deepEqual(countsOf(await imported(service, keys[0], fileOf(lines))), { exists: 500 });
      await assertStored(service.db, lines);
    }
    const events = await rows(service.db, "SELECT count(*) AS count, count(DISTINCT user_id) AS users FROM audit_events WHERE type = 'imported'");
    assert.deepEqual(events, [{ count: 1000, users: 1000 }]);
  });

  test("others are answered while an import runs", async (t) => {
    const service = await startFor(t, { ...HELD, settings: { ...HELD.settings, ...SETTINGS } });
    const { key, admin } = await newImporter(service);
    const hold = holder(service);
    const lines = newLines(500);
    // Behind the second of ten batches.
    const [answer] = await hold.stop((at) => importUsers(service, key, fileOf(lines), { headers: at(4) }));
    assertSuccess(await me(service, admin.access), 200);
    assert.deepEqual(countsOf(await imported(service, key, fileOf([newLine()]))), { created: 1 });
    await hold.release();
    assert.deepEqual(countsOf(outcomesOf(await answer)), { created: 500 });
  });

  test("a key that is withdrawn stops the import", async (t) => {
    const service = await startFor(t, { ...HELD, settings: { ...HELD.settings, ...SETTINGS } });
    const { key, id, admin } = await newImporter(service);
    const hold = holder(service);
    const lines = newLines(200);
    const [answer] = await hold.stop((at) => importUsers(service, key, fileOf(lines), { headers: at(4) }));
    assertSuccess(await asUser(service, admin.access, "PATCH", `/admin/service-accounts/${id}`, { is_active: false }), 200);
    await hold.release();
    assert.deepEqual(countsOf(outcomesOf(await answer)), { created: 2 * BATCH, "failed stopped": 2 * BATCH });
  });
});

test("a machine that dies in the middle of an import: the same import completes, and each account is made once", async (t) => {
  const state = stateFolder();
  const before = await startService({ state, settings: SETTINGS });
  const { key } = await newImporter(before);
  await before.stop();
  const lines = newLines(3_000);
  const chunks = Array.from({ length: 6 }, (_, index) => fileOf(lines.slice(index * 500, index * 500 + 500)));
  for (const answered of [1, 3]) {
    const service = await startKillable(t, { state, settings: SETTINGS });
    for (const chunk of chunks.slice(0, answered)) {
      await imported(service, key, chunk);
    }
    const cut = importUsers(service, key, chunks[answered]).catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await service.kill();
    await cut;
  }
  const service = await startFor(t, { state, settings: SETTINGS });
  const outcomes = await Promise.all(chunks.map((chunk) => imported(service, key, chunk)));
  const { created, exists } = countsOf(outcomes.flat());
  t.diagnostic(`${exists} lines were written before the end`);
  assert.ok(exists >= 1_500 && created + exists === lines.length);
  await assertStored(service.db, lines);
  const events = await rows(service.db, "SELECT count(*) AS count, count(DISTINCT user_id) AS users FROM audit_events WHERE type = 'imported'");
  assert.deepEqual(events, [{ count: lines.length, users: lines.length }]);
});

test("beyond the limit of an address, and of an importer, imports are refused with Retry-After and write nothing", async (t) => {
  const service = await startFor(t, { settings: { ...SETTINGS, RATE_LIMITING: "on" } });
  const { limit, period } = DOORS.import;
  const seen = await withinOneMinute(service, async (ip) => {
    const [first, second] = [await newImporter(service), await newImporter(service)];
    const lines = newLines(limit + 12);
    const send = (index, { key }, address) => importUsers(service, key, fileOf([lines[index]]), { headers: from(address) });
    const answers = await burst(limit + 10, (index) => send(index, first, ip));
    const elsewhere = [await send(limit + 10, first, newIp()), await send(limit + 11, second, newIp())];
    return { lines, answers, elsewhere };
  });
  const { admitted, refused } = sorted(seen.answers);
  assert.equal(admitted, limit);
  assert.deepEqual(seen.elsewhere.map(({ status }) => status), [429, 200], "the importer has its own limit");
  for (const answer of [...refused, seen.elsewhere[0]]) {
    assertEnvelope(answer, 429, "RATE_LIMITED");
    assert.equal(answer.headers["retry-after"], String(period));
  }
  const all = [...seen.answers, ...seen.elsewhere];
  await assertStored(service.db, seen.lines.filter((_, index) => all[index].status === 200));
  const refusedLines = seen.lines.filter((_, index) => all[index].status === 429);
  assert.deepEqual(await storedOf(service.db, refusedLines), []);
});

test("an import has one line in the log, with counts only, and as many D1 calls as promised", async (t) => {
  const service = await startFor(t, { settings: SETTINGS });
  const { key, id } = await newImporter(service);
  const lines = newLines(500);
  const cases = [
    { file: lines.slice(0, BATCH), d1: 3, counts: { created: BATCH } },
    { file: lines.slice(0, BATCH), d1: 2, counts: { exists: BATCH } },
    { file: lines, d1: 11, counts: { created: 9 * BATCH, exists: BATCH } },
    { file: [{ ...lines[0], full_name: "A New Name" }, { ...lines[1], password_hash: "$2x$hash" }], d1: 3, counts: { updated: 1, refused: 1 } },
    { file: newLines(60), query: "?dry_run=true", d1: 2, counts: { created: 60 } },
    { file: ["nonsense"], d1: 1, counts: { refused: 1 } },
    { file: [""], d1: 1, counts: {} },
  ];
  for (const { file, query, d1, counts } of cases) {
    const response = await importUsers(service, key, fileOf(file), { query });
    assert.equal(response.status, 200, response.text);
    const [summary, ...others] = (await loggedOf(service, response)).filter(({ message }) => message === "Users imported");
    const { timestamp, request_id: requestId, ...said } = summary;
    const common = { level: "INFO", name: "app.admin", message: "Users imported", importer: `service/${id}` };
    const zero = { created: 0, exists: 0, updated: 0, refused: 0, failed: 0 };
    assert.deepEqual([said, others], [{ ...common, ...zero, ...counts, is_dry_run: query !== undefined }, []]);
    const [access] = await accessLines(service, [response]);
    assert.deepEqual([access.status_code, access.d1_calls, access.do_calls], [200, d1, 0], JSON.stringify(access));
  }
  await assertDiscreet(service, lines, key);
});

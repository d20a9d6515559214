// The events of an export: of the archive and of the database, each once, in the order of time, with the personal fields of accounts
// that exist.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AllEvents } from "../../scripts/audit/all-events.mjs";
import { lineOf } from "../../scripts/audit/event-line.mjs";
import { momentOf } from "../../scripts/audit/moment.mjs";
import { PersonalFields } from "../../scripts/audit/personal.mjs";
import { Register } from "../../scripts/audit/register.mjs";
import { idOf, secretOf } from "../../scripts/audit/secrets.mjs";
import { Stored } from "../../scripts/audit/stored.mjs";
import { Tally } from "../../scripts/audit/tally.mjs";
import { Walk } from "../../scripts/audit/walk.mjs";
import { Archive, archiveOf, event } from "./support/audit-chain.mjs";
import { databaseOf, insert } from "./support/audit-database.mjs";
import { newSalt, newSealedKey, withPersonal } from "./support/audit-secrets.mjs";

const SECRET_KEY = "a-secret-key-of-the-export-0123456789";
process.env.SECRET_KEY = SECRET_KEY;
const key = await newSealedKey(SECRET_KEY);
const FIELDS = { ip: "203.0.113.7", user_agent: "Mozilla/5.0 \u{1f600}", request_id: "r-1", ray: null };
const NONE = { ip: null, user_agent: null, request_id: null, ray: null };

/** All events of an archive and its database. `ask` may be wrapped. */
async function exported(archive, { database, ask }, since = 0) {
  const stored = new Stored({}, ask);
  const personal = new PersonalFields(stored.secrets());
  const walk = new Walk({ source: archive.source(), register: new Register({}, ask) });
  const lists = await Array.fromAsync(new AllEvents({ walk, stored, personal, since, tally: new Tally() }).lists());
  return { database, events: lists.flat(), personal };
}

/** An event that is in the database still. */
function add(database, { personal, ...row }, fields = { ...FIELDS, request_id: "d" }) {
  insert(database, "audit_events", { ...row, ...fields });
}

const ids = ({ events }) => events.map(({ id }) => id);

test("an event of the archive and one of the database have the same members", async () => {
  const salts = new Map([[7, newSalt()]]);
  const archive = new Archive(key).add([await withPersonal(event(1), FIELDS, key, salts)]);
  const stored = databaseOf(archive);
  salts.forEach((salt, user_id) => insert(stored.database, "audit_salts", { user_id, salt }));
  add(stored.database, { ...event(2), count: null, last_at: null }, FIELDS);
  const { events } = await exported(archive, stored);
  const [archived, other] = events.map((each) => JSON.parse(lineOf(each)));
  const at = "2026-09-21T14:13:21.000Z";
  const wanted = {
    id: 1, created_at: at, type: "signed_in", reason: null, count: 1, first_at: at, last_at: at, user_id: 7, session_id: 3, actor_id: null,
    university_id: null, object_id: null, ...FIELDS, object: 1,
  };
  assert.deepEqual(Object.entries(archived), Object.entries(wanted), "in this order");
  const later = "2026-09-21T14:13:22.000Z";
  assert.deepEqual(Object.entries(other), Object.entries({ ...wanted, id: 2, created_at: later, first_at: later, last_at: later, session_id: 6, object: null }));
});

test("personal fields need the salts of subject and actor; an erased account's are null", async () => {
  const salts = new Map([[7, newSalt()], [8, newSalt()], [9, newSalt()]]);
  const people = [
    { user_id: 7 },
    { user_id: 7, actor_id: 8 },
    { user_id: null },
    { user_id: null, actor_id: 8 },
    { user_id: 9 },
    { user_id: 9, actor_id: 8 },
    { user_id: 7, actor_id: 9 },
  ];
  const events = await Promise.all(people.map((members, index) => withPersonal(event(index + 1, members), FIELDS, key, salts)));
  const archive = new Archive(key).add([...events, event(8)]);
  const stored = databaseOf(archive);
  [7, 8].forEach((user_id) => insert(stored.database, "audit_salts", { user_id, salt: salts.get(user_id) }));
  add(stored.database, event(9), { ip: null, user_agent: null, request_id: "", ray: null });
  const result = await exported(archive, stored);
  const found = result.events.map(({ ip, user_agent, request_id, ray }) => ({ ip, user_agent, request_id, ray }));
  assert.deepEqual(found, [FIELDS, FIELDS, FIELDS, FIELDS, NONE, NONE, NONE, NONE, NONE]);
  assert.equal(result.personal.undecipherable, 0);

  stored.database.prepare("UPDATE audit_salts SET salt = ? WHERE user_id = 8").run(newSalt());
  const changed = await exported(archive, stored);
  assert.deepEqual(changed.events.map(({ ip }) => ip), [FIELDS.ip, null, FIELDS.ip, ...Array(6).fill(null)]);
  assert.equal(changed.personal.undecipherable, 2, "another salt is not the one of an erased account");
});

const HOUR = 3_600_000;
const BEGIN = 1_790_000_000_000 - (1_790_000_000_000 % HOUR);

test("counted refusals, whose ids are the first of their hour, are at their time", async () => {
  const at = (id, minutes) => event(id, { created_at: BEGIN + minutes * 60_000, last_at: BEGIN + minutes * 60_000 });
  // As the service moves them: by ids, and within an object by time.
  const archive = new Archive(key).add([at(1, 20), at(2, 50)]).add([at(3, 10), at(4, 55), at(5, 70)]);
  const stored = databaseOf(archive);
  [at(6, 65), at(7, 61), at(8, 130), at(9, 125)].forEach((row) => add(stored.database, row));
  assert.deepEqual(ids(await exported(archive, stored)), [3, 1, 2, 4, 7, 6, 5, 9, 8]);
});

test("SINCE is the first moment of the export, in the archive and in the database", async () => {
  const archive = archiveOf(2, key);
  const stored = databaseOf(archive);
  [7, 8, 9].forEach((id) => add(stored.database, event(id)));
  const at = (id) => event(id).created_at;
  const cases = [[0, 1], [at(1), 1], [at(1) + 1, 2], [at(6), 6], [at(6) + 1, 7], [at(7), 7], [at(9), 9]];
  for (const [since, first] of cases) {
    assert.deepEqual(ids(await exported(archive, stored, since)), [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(first - 1), String(since));
  }
  assert.deepEqual(ids(await exported(archive, stored, at(9) + 1)), []);
});

test("an event that an unfinished move left in the database is there once, as archived", async () => {
  const archive = archiveOf(3, key);
  archive.rows.pop();
  const stored = databaseOf(archive);
  [7, 8, 9, 10].forEach((id) => add(stored.database, event(id)));
  const { events } = await exported(archive, stored);
  assert.deepEqual(events.map(({ id, object }) => [id, object]), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((id) => [id, id < 10 ? Math.ceil(id / 3) : null]));
});

test("events that the service moves during the export are neither lost nor there twice", async () => {
  const COUNT = 12_000;
  const archive = new Archive(key);
  const { database, ask } = databaseOf(archive);
  database.exec("BEGIN");
  for (let id = 1; id <= COUNT; id += 1) {
    add(database, event(id, { created_at: BEGIN + id, last_at: BEGIN + id }));
  }
  database.exec("COMMIT");
  /** As the service moves the oldest events. */
  const move = (count) => {
    const rows = database.prepare("SELECT id, created_at FROM audit_events ORDER BY id LIMIT ?").all(count);
    archive.add(rows.map(({ id, created_at }) => event(id, { created_at, last_at: created_at })));
    database.prepare("DELETE FROM audit_events WHERE id <= ?").run(rows.at(-1).id);
    insert(database, "audit_objects", archive.rows.at(-1));
  };
  const moves = [1000, 700, 6000, 500];
  const asked = (sql) => {
    if (sql.includes("FROM audit_events") && moves.length > 0) {
      move(moves.shift());
    }
    return ask(sql);
  };
  const { events } = await exported(archive, { database, ask: asked });
  assert.deepEqual(ids({ events }), Array.from({ length: COUNT }, (_, index) => index + 1));
  assert.equal(moves.length, 0);
  assert.ok(new Set(events.map(({ object }) => object)).size >= 4, "some were read in the database, some in objects");
});

test("a deployment without an archive has the events of its database", async () => {
  const stored = databaseOf(new Archive(key));
  stored.database.exec("DELETE FROM audit_keys");
  [1, 2].forEach((id) => add(stored.database, event(id)));
  assert.deepEqual(ids(await exported(new Archive(key), stored)), [1, 2]);
});

test("the SECRET_KEY is that of the environment or of .dev.vars, and also the one before or after a change", () => {
  const id = idOf(SECRET_KEY);
  assert.equal(secretOf(id, { SECRET_KEY }), SECRET_KEY);
  assert.equal(secretOf(id, { SECRET_KEY: "another", SECRET_KEY_PREVIOUS: SECRET_KEY }), SECRET_KEY);
  assert.equal(secretOf(id, { SECRET_KEY: "another", SECRET_KEY_NEXT: SECRET_KEY }), SECRET_KEY);
  const wanted = new RegExp(`is encrypted by the SECRET_KEY with the id ${id}, and that of the environment is ${idOf("another")}. Export SECRET_KEY`);
  assert.throws(() => secretOf(id, { SECRET_KEY: "another" }), wanted);
  const changed = { kid: key.kid, ...key.sealed, master_key: key.sealed.master_key.slice(4) };
  assert.throws(() => new PersonalFields({ key: changed, salts: new Map() }), /its row in the database was changed/);
});

test("SINCE= is a date in UTC, or a time with its zone", () => {
  const moments = {
    "": 0,
    "2026-01-01": Date.UTC(2026, 0, 1),
    "2028-02-29": Date.UTC(2028, 1, 29),
    "2026-01-01T08:00Z": Date.UTC(2026, 0, 1, 8),
    "2026-01-01T08:00:05.5+02:00": Date.UTC(2026, 0, 1, 6, 0, 5, 500),
  };
  for (const [text, moment] of Object.entries(moments)) {
    assert.equal(momentOf(text), moment, text);
  }
  for (const text of ["yesterday", "2026", "2026-02-30", "2026-13-01", "2026-01-01T08:00:00", "1767225600000", "2026-01-01 08:00Z", " 2026-01-01"]) {
    assert.throws(() => momentOf(text), /^Error: SINCE= is a date or a time with its zone/, text);
  }
});

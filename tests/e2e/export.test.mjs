// The export of all data stored about a user: complete, page by page, without secrets and without
// data of other users. At this level, because it is compared with a dump of the real database, and cursors come
// in through the query string as a client sends it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { exportData, from, login, logout, newIp, newUser, refresh, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { accessLines } from "./support/logs.mjs";
import {
  createCourse,
  createDepartment,
  createUniversity,
  enroll,
  grantRole,
  made,
  member,
  platformAdmin,
} from "./support/roles.mjs";
import { SECRET_KEY } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

const PAGE = 250;

let service;
before(async () => (service = await startWatched()));
after(() => service.end());

async function page(access, query) {
  const response = await exportData(service, access, query);
  assertSuccess(response, 200);
  const members = ["user", "imports", "sessions", "api_keys", "totp", "recovery_codes", "passkeys", "identities", "enrollments", "audit_events", "next_cursor"];
  assert.deepEqual(Object.keys(response.body), members);
  return response.body;
}

/** All pages, one after another; `between` runs after each of them. */
async function pages(access, between = () => {}) {
  const all = [await page(access)];
  while (all.at(-1).next_cursor !== null) {
    await between();
    assert.match(all.at(-1).next_cursor, /^[1-9][0-9]{0,14}$/);
    all.push(await page(access, `?cursor=${all.at(-1).next_cursor}`));
  }
  return all;
}

const sessionOf = (token) => Number(decode(token).claims.sid);
const eventsOn = (all) => all.flatMap((each) => each.audit_events);
const time = (milliseconds) => (milliseconds === null ? null : new Date(milliseconds).toISOString());

/** Thousands of events, alternating between the two users, as if they had happened long ago. */
function addEvents(one, other, count) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO audit_events (created_at, type, user_id, ip, user_agent, request_id)
    SELECT i, 'signed_in', CASE WHEN i % 2 = 1 THEN ?2 ELSE ?3 END, '192.0.2.' || (i % 250), 'Agent/' || i,
           printf('%032x', i) FROM n`;
  return rows(service.db, sql, 2 * count, one, other);
}

test("an export holds the account, every session and every event as stored", async () => {
  const person = await signUp(service, newUser(), from("198.51.100.60", "Laptop/1.0"));
  const { body } = await login(service, person.user, from("2001:db8::60", "Phone/2.0"));
  await login(service, person.user, from("192.0.2.60", "Tablet/3.0"));
  const { body: watch } = await login(service, person.user, from("192.0.2.61", "Watch/4.0"));
  await logout(service, watch.refresh_token, from("192.0.2.64", "Watch/4.0"));
  await logout(service, body.refresh_token, from("2001:db8::61", "Phone/2.1"));
  await login(service, { ...person.user, password: "a wrong passphrase" }, from("192.0.2.66", "Thief/6"));
  await refresh(service, person.refresh, from("198.51.100.61", "Laptop/1.1"));
  // Sessions that are over are stored until the clean-up; an earlier version left some without a token.
  const over = await login(service, person.user, from("192.0.2.62", "Clock/5.0"));
  const end = "UPDATE sessions SET refresh_expires_at = 2 WHERE id = ?1";
  await rows(service.db, end, sessionOf(over.body.refresh_token));
  const without = `
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, ip)
    VALUES (?1, ?2, 1, 2, 3, '192.0.2.63')`;
  await rows(service.db, without, 4_503_599_627_370_497, person.id);
  const exported = await page(person.access);

  const user = await userRow(service.db, person.id);
  assert.deepEqual(exported.user, {
    id: person.id,
    email: person.user.email,
    email_verified: false,
    has_password: true,
    full_name: person.user.full_name,
    is_active: true,
    created_at: time(user.created_at),
    roles: [],
  });
  const newestFirst = "SELECT * FROM sessions WHERE user_id = ?1 ORDER BY created_at DESC";
  const sessions = await rows(service.db, newestFirst, person.id);
  assert.deepEqual(
    exported.sessions,
    sessions.map((session) => ({
      id: session.id,
      created_at: time(session.created_at),
      last_used_at: time(session.last_used_at),
      refresh_expires_at: time(session.refresh_expires_at),
      expires_at: time(session.expires_at),
      ip: session.ip,
      user_agent: session.user_agent,
    })),
  );
  assert.deepEqual(exported.sessions.map(({ ip, refresh_expires_at: end }) => [ip, end && end > time(Date.now())]), [
    ["192.0.2.62", false],
    ["192.0.2.60", true],
    ["198.51.100.61", true],
    ["192.0.2.63", null],
  ]);
  // The export itself is recorded after it has been read.
  const sql = `
    SELECT id, created_at, type, reason, count, last_at, session_id, university_id, object_id, ip, user_agent, request_id,
           ray, actor_id
    FROM audit_events WHERE user_id = ?1 AND type <> 'exported' ORDER BY id DESC`;
  const expected = (await rows(service.db, sql, person.id)).map(({ actor_id: actor, ...rest }) => {
    const { created_at: createdAt, last_at: lastAt, count, ...event } = rest;
    assert.equal(actor, null, "no other actor");
    const times = { created_at: time(createdAt), first_at: time(createdAt), last_at: time(lastAt ?? createdAt) };
    return { ...event, count: count ?? 1, ...times };
  });
  assert.deepEqual(exported.audit_events, expected);
  // Counted events are listed behind the others of their hour.
  assert.deepEqual(inShort(expected).toReversed(), [
    "sign_in_refused wrong_password",
    "registered",
    "signed_in",
    "signed_in",
    "signed_in",
    "signed_out",
    "signed_out",
    "signed_in",
  ]);
  // Of sessions that were signed out only the events tell.
  const signedOut = expected.filter(({ type }) => type === "signed_out").map(({ session_id: id, ip }) => [id, ip]);
  assert.deepEqual(signedOut.reverse(), [
    [sessionOf(watch.refresh_token), "192.0.2.64"],
    [sessionOf(body.refresh_token), "2001:db8::61"],
  ]);
  assert.deepEqual([exported.enrollments, exported.next_cursor], [[], null]);
});

test("an export holds every role and every enrolment as stored, on its first page", async () => {
  const boss = await platformAdmin(service);
  const { id: university } = await made(createUniversity(service, boss));
  const { id: department } = await made(createDepartment(service, boss, university));
  const person = await member(service, boss, university, "STUDENT");
  await made(grantRole(service, boss, university, person, "TA", department));
  for (const student of [person, await member(service, boss, university, "STUDENT"), person]) {
    await made(enroll(service, student, (await made(createCourse(service, boss, university))).id));
  }
  await addEvents(person.id, boss.id, PAGE);
  const [first, second] = await pages(person.access);
  assert.deepEqual(first.user.roles, [
    { university_id: university, department_id: null, role: "STUDENT" },
    { university_id: university, department_id: department, role: "TA" },
  ]);
  const sql = "SELECT id, course_id, created_at FROM enrollments WHERE user_id = ?1 ORDER BY course_id DESC";
  const stored = await rows(service.db, sql, person.id);
  assert.equal(stored.length, 2);
  const shown = stored.map((row) => ({ ...row, created_at: time(row.created_at) }));
  assert.deepEqual([first.enrollments, second.enrollments], [shown, []]);
});

test("an export holds no secret: no hash, no token or part of one, no password", async () => {
  const person = await signUp(service);
  const { body } = await refresh(service, person.refresh);
  const text = JSON.stringify(await pages(person.access));
  const { password_hash: hash } = await userRow(service.db, person.id);
  const tokens = [person.access, person.refresh, body.access_token, body.refresh_token];
  const parts = tokens.flatMap((token) => [...token.split("."), decode(token).claims.jti]);
  const jtis = (await rows(service.db, "SELECT jti FROM refresh_tokens")).map((token) => token.jti);
  for (const secret of [SECRET_KEY, person.user.password, hash, ...hash.split("$").slice(-2), ...parts, ...jtis]) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.doesNotMatch(text, /refresh_id|password_hash|password_version|failures|blocked_until|throttles|pbkdf2/);
});

test("an export of 625 events has them all, once each, in three pages, while new ones happen", async () => {
  const [person, neighbour] = [await signUp(service), await signUp(service)];
  await addEvents(person.id, neighbour.id, 625);
  const stored = (await eventsOf(service.db, person.id)).map((event) => event.id).sort((a, b) => a - b);
  assert.equal(stored.length, 626);
  const all = await pages(person.access, () => login(service, person.user));
  assert.deepEqual(all.map((each) => each.audit_events.length), [PAGE, PAGE, 127]);
  assert.deepEqual(all.map((each) => each.sessions.length), [1, 0, 0], "sessions are on the first page only");
  const listed = eventsOn(all);
  assert.deepEqual(listed.slice(0, -1).map((event) => event.id), stored.toReversed());
  assert.equal(listed.at(-1).type, "exported", "the last page has the event of the first one");
  assert.deepEqual(all.map((each) => each.next_cursor), [String(stored.at(-PAGE)), String(stored.at(-2 * PAGE)), null]);
  const later = (await eventsOf(service.db, person.id)).slice(stored.length);
  assert.deepEqual(inShort(later), ["exported", "signed_in", "signed_in"], "only the first page is an export");
});

test("an export that fills its pages exactly ends with the last full one", async () => {
  const [person, neighbour] = [await signUp(service), await signUp(service)];
  await addEvents(person.id, neighbour.id, PAGE - 1);
  const [only, ...more] = await pages(person.access);
  assert.equal(only.audit_events.length, PAGE);
  assert.deepEqual(more, []);
  const [first, second, ...others] = await pages(person.access);
  assert.deepEqual([first.audit_events.length, second.audit_events.length, others], [PAGE, 1, []]);
});

describe("another user", () => {
  test("with guessed cursors sees only events of its own", async () => {
    const [victim, curious] = [await signUp(service), await signUp(service)];
    await addEvents(victim.id, curious.id, 20);
    const own = (await eventsOf(service.db, curious.id)).map((event) => event.id).sort((a, b) => a - b);
    const theirs = (await eventsOf(service.db, victim.id)).map((event) => event.id);
    for (const cursor of [theirs[0], theirs[7], theirs.at(-1), theirs.at(-1) + 1, 1, 999_999_999_999_999]) {
      const { user, audit_events: events, sessions } = await page(curious.access, `?cursor=${cursor}`);
      assert.equal(user.id, curious.id);
      assert.deepEqual(sessions, []);
      assert.deepEqual(events.map((event) => event.id), own.filter((id) => id < cursor).toReversed());
    }
    const { sessions } = await page(curious.access);
    assert.deepEqual(sessions.map((session) => session.id), [Number(decode(curious.access).claims.sid)]);
  });

  test("gets no answer that distinguishes another user's event from a missing one", async () => {
    const [curious, victim] = [await signUp(service), await signUp(service)];
    const [{ id }] = await eventsOf(service.db, victim.id);
    const theirs = await page(curious.access, `?cursor=${id}`);
    const nobodys = await page(curious.access, `?cursor=${id + 1}`);
    assert.deepEqual(theirs, nobodys);
    assert.deepEqual(inShort(theirs.audit_events), ["registered"]);
  });
});

test("an export with a cursor that was never issued is refused, and not recorded as an export", async () => {
  const { id, access } = await signUp(service);
  const bad = ["", "0", "-1", "+1", "01", "1.0", "1e3", "abc", "null", "%2531", "1%20", "%201", "1%00", "0x10", "１"];
  for (const cursor of [...bad, "9".repeat(16), "9".repeat(400), "1'--", "1;DROP%20TABLE%20users", "1,2", "[1]", "1-", "0-1", "1-01", "1-2-3"]) {
    const query = `?cursor=${encodeURI(cursor).replaceAll("%25", "%")}`;
    const response = await exportData(service, access, query);
    assertFaults(response, "query.cursor: value_error");
    assert.deepEqual(response.body.error.details.errors[0].loc, ["query", "cursor"]);
    assert.equal((await accessLines(service, [response]))[0].d1_calls, 1, "the caller, and nothing more");
  }
  assert.deepEqual(inShort(await eventsOf(service.db, id)), ["registered"]);
});

test("an export with a percent-encoded cursor continues as with the plain one", async () => {
  const { id, access } = await signUp(service);
  const [{ id: registered }] = await eventsOf(service.db, id);
  const cursor = String(registered + 1);
  const encoded = [...cursor].map((digit) => `%3${digit}`).join("");
  const [plain, decoded] = [await page(access, `?cursor=${cursor}`), await page(access, `?cursor=${encoded}`)];
  assert.deepEqual(inShort(decoded.audit_events), ["registered"]);
  assert.deepEqual(decoded, plain);
  assert.deepEqual(await page(access, "?cursor=%31"), await page(access, "?cursor=1"));
  assert.deepEqual(inShort(await eventsOf(service.db, id)), ["registered"], "no further page is an export of its own");
});

test("an export requires an access token, and its event has user and address", async () => {
  const { id, access, refresh: token } = await signUp(service);
  assertEnvelope(await exportData(service, token), 401, "AUTH_TOKEN_INVALID");
  const client = from(newIp(), "Exporter/1.0");
  const response = await exportData(service, access, "", { ...client, "X-Request-ID": "an-export" });
  assertSuccess(response, 200);
  const [, event] = await eventsOf(service.db, id);
  assert.deepEqual(
    [event.type, event.ip, event.user_agent, event.request_id],
    ["exported", client["CF-Connecting-IP"], "Exporter/1.0", "an-export"],
  );
  assert.equal((await accessLines(service, [response]))[0].d1_calls, 2);
});

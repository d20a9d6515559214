// The audit log: for every operation the event with its subject, type, reason, address, agent, session and
// request, and never an address typed by a caller. At this level, because events are written by the SQL of
// the operation's own batch in D1, with the values of the runtime's headers. Every step has a client of its own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";

import {
  asUser,
  changePassword,
  deleteAccount,
  endSession,
  exportData,
  from,
  listSessions,
  login,
  logout,
  logoutAll,
  me,
  newIp,
  newUser,
  refresh,
  register,
  updateProfile,
} from "./support/client.mjs";
import { dump, rows, setThrottle, throttleKey } from "./support/database.mjs";
import { HELD, holder } from "./support/held.mjs";
import { decode, expired, forge, sign } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

const WRONG = "an entirely wrong passphrase";
const HOUR = 3_600_000;
const RAY = "230b030023ae2822-SJC";
/** Types of events that `audit-acts.test.mjs`, and the tests of mail, of second factors, of federation and of imports, observe. */
const ACT = "university department course enrollment breaker api_key service signing password_reset email invitation not factor factors identity imported";
const isAct = (type) => new RegExp(`^(${ACT.replaceAll(" ", "|")}|recovery_codes|second_factor)(_|$)`).test(type);
/** Every reason that an event can have; for role events the reason is the role, and one is granted here. */
const REASONS = [
  "email_taken", "rate_limited", "unknown_user", "wrong_password", "throttled", "overtaken", "disabled", "revoked", "limit",
  "STUDENT", "platform:administer",
];

let service;
let hold;
before(async () => {
  const settings = { RATE_LIMITING: "on", REGISTRATIONS_PER_HOUR: "1", REFRESH_REUSE_INTERVAL_SECONDS: "3600" };
  service = await startWatched({ ...HELD, settings: { ...HELD.settings, ...settings, PASSWORD_ITERATIONS: "1" } });
  hold = holder(service);
});
after(() => service.end());

const sessionOf = (token) => Number(decode(token).claims.sid);
const seen = { types: new Set(), reasons: new Set() };
let steps = 0;

/**
 * Sends a request and finds exactly these events of it, each `[type, reason, user, session]`. An act on another
 * user adds the actor's id and perhaps a university's; the events may depend on the answer. Every other column is
 * the request's own: its address, its user agent, its id, its time.
 */
async function noted(status, request, expected = () => []) {
  steps += 1;
  const [ip, agent, requestId] = [newIp(), `Client/${steps}`, `step-${steps}`];
  const before = new Map((await rows(service.db, "SELECT id, nonce FROM audit_events")).map(({ id, nonce }) => [id, nonce]));
  const begun = Date.now();
  const response = await request({ ...from(ip, agent), "X-Request-ID": requestId, "CF-Ray": RAY });
  assert.equal(response.status, status, response.text);
  const all = await rows(service.db, "SELECT * FROM audit_events ORDER BY id");
  const events = all.filter(({ id, nonce }) => before.get(id) !== nonce);
  const isAnonymous = ([type]) => type === "deleted";
  assert.deepEqual(
    events.map(withoutKeys),
    expected(response).map((event) => {
      const [type, reason, user, session, actor = null, university = null] = event;
      const concerned = { user_id: user, session_id: session, actor_id: actor, university_id: university, object_id: null };
      const request = isAnonymous(event)
        ? { ip: null, user_agent: null, request_id: "", ray: null }
        : { ip, user_agent: agent, request_id: requestId, ray: RAY };
      return { type, reason, ...concerned, ...request };
    }),
  );
  const isCounted = ({ type }) => type.endsWith("_refused") || type === "exported";
  events.forEach((event) => assert.equal(event.last_at, isCounted(event) ? event.created_at : null));
  events.forEach((event) => assert.ok(event.created_at >= begun && event.created_at <= Date.now(), event.type));
  events.forEach(({ type, reason }) => seen.types.add(type) && seen.reasons.add(reason));
  return response;
}

const KEYS = ["id", "created_at", "nonce", "count", "last_at", "refusal_tag"];
const withoutKeys = (event) => Object.fromEntries(Object.entries(event).filter(([name]) => !KEYS.includes(name)));

/** A new user, `{user, id, access, refresh, session}`, with its registration recorded. */
async function registered() {
  const user = newUser();
  const { body } = await noted(201, (client) => register(service, user, client), ({ body }) => {
    return [["registered", null, body.id, sessionOf(body.access_token)]];
  });
  const { id, access_token: access, refresh_token: token } = body;
  return { user, id, access, refresh: token, session: sessionOf(token) };
}

const set = (column, id, value) => rows(service.db, `UPDATE users SET ${column} = ?2 WHERE id = ?1`, id, value);

test("registering", async () => {
  const { user, id } = await registered();
  const taken = (client) => register(service, user, client);
  await noted(409, taken, () => [["registration_refused", "email_taken", id, null]]);
  const ip = newIp();
  const again = (person) => (client) => register(service, person, { ...client, "CF-Connecting-IP": ip });
  assert.equal((await again(newUser())({})).status, 201);
  for (const person of [newUser(), user]) {
    assert.equal((await again(person)({})).status, 429);
  }
  const sql = "SELECT type, reason, user_id, count FROM audit_events WHERE ip = ?1 AND type <> 'registered' AND type <> 'signed_in'";
  const refused = await rows(service.db, sql, ip);
  // Such a refusal reveals nothing and looks nothing up: its event names no user.
  assert.deepEqual(refused, [{ type: "registration_refused", reason: "rate_limited", user_id: null, count: 2 }]);
  seen.reasons.add("rate_limited");
});

test("signing in", async () => {
  const { user, id } = await registered();
  const right = (client) => login(service, user, client);
  const wrong = (client) => login(service, { ...user, password: WRONG }, client);
  await noted(200, right, ({ body }) => [["signed_in", null, id, sessionOf(body.refresh_token)]]);
  await noted(401, wrong, () => [["sign_in_refused", "wrong_password", id, null]]);
  // Each request comes from another network, so the wait is that of all unknown ones.
  const close = "UPDATE throttles SET closed_until = ?2 WHERE key GLOB 'user/' || ?1 || '/unknown/*'";
  await rows(service.db, close, String(id), Date.now() + HOUR);
  await noted(401, right, () => [["sign_in_refused", "throttled", id, null]]);
  await rows(service.db, close, String(id), 0);
  await noted(401, async (client) => {
    const [late] = await hold.stop((at) => right({ ...client, ...at(1) }));
    await set("password_version", id, 2);
    await hold.release();
    return late;
  }, () => [["sign_in_refused", "overtaken", id, null]]);
  await set("is_active", id, 0);
  await noted(403, right, () => [["sign_in_refused", "disabled", id, null]]);
  await noted(401, wrong, () => [["sign_in_refused", "wrong_password", id, null]]);
  // Only an address with a failure has a throttle, so the second attempt is for the same address.
  const unknown = newUser();
  const stranger = (client) => login(service, unknown, client);
  await noted(401, stranger, () => [["sign_in_refused", "unknown_user", null, null]]);
  await rows(service.db, "UPDATE throttles SET closed_until = ?1 WHERE key LIKE 'unknown/%'", Date.now() + HOUR);
  await noted(401, stranger, () => [["sign_in_refused", "throttled", null, null]]);
  await rows(service.db, "UPDATE throttles SET closed_until = 0 WHERE key LIKE 'unknown/%'");
});

test("signing in for the hundred and first time", async () => {
  const { user, id } = await registered();
  const sessions = `
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101)
    INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at) SELECT ?1 + i, ?1, i, ?2, i FROM n`;
  await rows(service.db, sessions, id, Date.now() + HOUR);
  await noted(200, (client) => login(service, user, client), ({ body }) => [
    ["signed_in", null, id, sessionOf(body.refresh_token)],
    // There were a hundred and two sessions: the three oldest are ended.
    ...[1, 2, 3].map((index) => ["session_ended", "limit", id, id + index]),
  ]);
});

test("refreshing", async () => {
  const { id, refresh: token, session } = await registered();
  const exchange = (client) => refresh(service, token, client);
  // The session's row says when and from where it was refreshed last.
  await noted(200, exchange, () => []);
  await noted(200, exchange, () => []);
  await rows(service.db, "UPDATE sessions SET last_used_at = last_used_at - ?1", 2 * HOUR);
  await noted(401, exchange, () => [["reuse_detected", null, id, session]]);
  await noted(401, exchange, () => [["refresh_refused", "revoked", id, session]]);
  await noted(401, exchange, () => [["refresh_refused", "revoked", id, session]]);
  await set("is_active", id, 0);
  await noted(403, exchange, () => [["refresh_refused", "disabled", id, session]]);
});

test("ending sessions", async () => {
  const { user, id, access, refresh: token } = await registered();
  const other = (await login(service, user)).body;
  const otherSession = sessionOf(other.refresh_token);
  const end = (client) => endSession(service, access, otherSession, client);
  await noted(204, end, () => [["session_ended", null, id, otherSession]]);
  await noted(404, end);
  const everywhere = (await login(service, user)).body.access_token;
  const all = (client) => logoutAll(service, everywhere, client);
  await noted(200, all, () => [["sessions_ended", null, id, null]]);
  await noted(401, all);
  await noted(200, (client) => logout(service, token, client));
  const last = (await login(service, user)).body.refresh_token;
  const out = (client) => logout(service, last, client);
  await noted(200, out, () => [["signed_out", null, id, sessionOf(last)]]);
  await noted(200, out);
});

test("changing the name and the password, and exporting", async () => {
  const { user, id, access, session } = await registered();
  const rename = (change) => (client) => updateProfile(service, access, change, client);
  await noted(200, rename({ full_name: "Ada" }), () => [["profile_changed", null, id, null]]);
  await noted(200, rename({ full_name: "Ada" }));
  await noted(200, rename({}));
  await noted(200, rename({ full_name: null }), () => [["profile_changed", null, id, null]]);
  await noted(200, rename({ full_name: null }));
  await noted(200, (client) => exportData(service, access, "", client), () => [["exported", null, id, session]]);
  await noted(200, (client) => exportData(service, access, "?cursor=999999999999999", client));
  const change = (current, next) => (client) => changePassword(service, access, current, next, client);
  const refused = (reason) => () => [["password_change_refused", reason, id, session]];
  await noted(401, change(WRONG, "a passphrase of the thief"), refused("wrong_password"));
  await setThrottle(service.db, throttleKey(id, "reauthentication"), { blocked_until: Date.now() + HOUR });
  await noted(401, change(user.password, "a passphrase of the thief"), refused("throttled"));
  await setThrottle(service.db, throttleKey(id, "reauthentication"), { blocked_until: 0 });
  await noted(401, async (client) => {
    const [late] = await hold.stop((at) => change(user.password, "too late a passphrase")({ ...client, ...at(1) }));
    await set("password_version", id, 2);
    await hold.release();
    return late;
  }, refused("overtaken"));
  await noted(422, change(user.password, "password1"));
  const next = change(user.password, "the owner's next passphrase");
  await noted(200, next, () => [["password_changed", null, id, session]]);
});

test("erasing the account", async () => {
  const { user, id, access, session } = await registered();
  const erase = (password) => (client) => deleteAccount(service, access, password, client);
  await noted(401, erase(WRONG), () => [["deletion_refused", "wrong_password", id, session]]);
  await setThrottle(service.db, throttleKey(id, "reauthentication"), { blocked_until: Date.now() + HOUR });
  await noted(401, erase(user.password), () => [["deletion_refused", "throttled", id, session]]);
  await setThrottle(service.db, throttleKey(id, "reauthentication"), { blocked_until: 0 });
  await noted(401, async (client) => {
    const [late] = await hold.stop((at) => erase(user.password)({ ...client, ...at(1) }));
    await set("password_version", id, 2);
    await hold.release();
    return late;
  }, () => [["deletion_refused", "overtaken", id, null]]);
  await noted(204, erase(user.password), () => [["deleted", null, id, null]]);
  await noted(401, erase(user.password));
});

test("the acts of an administrator on another user", async () => {
  const [admin, { id }] = [await registered(), await registered()];
  const first = `
    INSERT INTO user_university_roles (user_id, university_id, role, created_at)
    VALUES (?1, NULL, 'PLATFORM_ADMIN', ?2)`;
  await rows(service.db, first, admin.id, Date.now());
  const act = (method, path, value) => (client) => asUser(service, admin.access, method, path, value, client);
  const created = ({ body }) => [["university_created", null, null, null, admin.id, body.id]];
  const { body } = await noted(201, act("POST", "/universities", { name: "Audited", slug: "audited" }), created);
  const roles = `/universities/${body.id}/roles`;
  const grant = { user_id: id, role: "STUDENT" };
  const about = (type) => () => [[type, "STUDENT", id, null, admin.id, body.id]];
  const granted = await noted(201, act("POST", roles, grant), about("role_granted"));
  await noted(409, act("POST", roles, grant));
  await noted(204, act("DELETE", `${roles}/${granted.body.id}`), about("role_removed"));
  await noted(404, act("DELETE", `${roles}/${granted.body.id}`));
  for (const [isActive, type] of [[false, "disabled"], [true, "enabled"]]) {
    const change = act("PATCH", `/admin/users/${id}`, { is_active: isActive });
    await noted(200, change, () => [[type, null, id, null, admin.id]]);
    await noted(200, change);
  }
  const { header, claims } = decode(admin.access);
  const old = sign(header, { ...claims, auth_time: claims.auth_time - 660 });
  const guess = (client) => asUser(service, old, "DELETE", `/admin/users/${id}`, { password: WRONG }, client);
  await noted(401, guess, () => [["step_up_refused", "wrong_password", admin.id, admin.session]]);
  await noted(200, act("POST", `/admin/users/${id}/unlock`), () => [["unlocked", null, id, null, admin.id]]);
});

test("reads, and requests refused before their subject is known, are not recorded", async () => {
  const { user, access, refresh: token } = await registered();
  await noted(200, (client) => me(service, access, client));
  await noted(200, (client) => listSessions(service, access, client));
  await noted(401, (client) => me(service, "no.jwt.this", client));
  await noted(401, (client) => refresh(service, forge("refresh", { claims: { sub: "987654321" } }), client));
  await noted(401, (client) => refresh(service, expired(token), client));
  await noted(401, (client) => refresh(service, "nonsense", client));
  await noted(401, (client) => logout(service, "nonsense", client));
  await noted(422, (client) => login(service, { email: "no address", password: WRONG }, client));
  await noted(422, (client) => register(service, { ...user, password: "short" }, client));
});

test("an access that is refused to a user is recorded with the permission", async () => {
  const { id, access } = await registered();
  const listed = (client) => asUser(service, access, "GET", "/admin/users", undefined, client);
  await noted(403, listed, () => [["access_refused", "platform:administer", id, null]]);
});

test("every described type of event occurred, and every reason", () => {
  const description = readFileSync(join(import.meta.dirname, "../../public/openapi.yaml"), "utf8");
  const { EventType } = parse(description, { merge: true }).components.schemas;
  // Earlier versions wrote an event for each refresh; their events are still listed.
  const types = [...seen.types, "refreshed"].filter((type) => !isAct(type));
  assert.deepEqual(types.sort(), EventType.enum.filter((type) => !isAct(type)).sort());
  assert.deepEqual([...seen.reasons].filter((reason) => reason !== null).sort(), REASONS.toSorted());
});

test("an address typed by a caller, and without an account, is nowhere in the database", async () => {
  const strangers = [newUser(), newUser(), { ...newUser(), email: " Some.Body+tag@Mail.Example " }];
  const unknown = () => [["sign_in_refused", "unknown_user", null, null]];
  for (const stranger of strangers) {
    await noted(401, (client) => login(service, stranger, client), unknown);
    await noted(422, (client) => register(service, { ...stranger, password: "password1" }, client));
  }
  const stored = (await dump(service.db)).toLowerCase();
  for (const { email, password } of strangers) {
    assert.ok(!stored.includes(email.trim().toLowerCase()));
    assert.ok(!stored.includes(password));
  }
  assert.ok(!stored.includes("some.body"));
});

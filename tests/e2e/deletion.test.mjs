// The deletion of an account: the rows that are removed, when, and those that stay. At this level, because a dump of
// the whole D1 database proves it, and the timer of the deployed Worker removes the rest of a large account.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  asUser,
  changePassword,
  deleteAccount,
  exportData,
  from,
  listSessions,
  login,
  logout,
  me,
  newIp,
  newUser,
  refresh,
  register,
  signUp,
  updateProfile,
} from "./support/client.mjs";
import { cleanUp } from "./support/clean-up.mjs";
import { dump, eventsOf, inShort, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, assertWrongPassword } from "./support/envelope.mjs";
import { HELD, holder } from "./support/held.mjs";
import { decode, sign } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

let service;
let hold;
before(async () => {
  service = await startWatched(HELD);
  hold = holder(service);
});
after(() => service.end());

/** Neither the user's tokens nor the password work any more. */
async function assertGone({ user, access, refresh: token }) {
  assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await listSessions(service, access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await exportData(service, access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await deleteAccount(service, access, user.password), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
}

/** A user with a history: several addresses, agents, sessions, failures, a new name and a new password. */
async function lived() {
  const ips = [newIp(), newIp(), "2001:db8:dead:beef::77", newIp()];
  const agents = ["Registering/1.0", "Refreshing/2.0", "SigningIn/3.0", "Guessing/4.0"];
  const clients = ips.map((ip, index) => from(ip, agents[index]));
  const user = { ...newUser(), full_name: "Augusta Ada King-Noel" };
  const { id, access, refresh: token } = await signUp(service, user, clients[0]);
  const { body } = await refresh(service, token, clients[1]);
  await login(service, user, clients[2]);
  await login(service, { ...user, password: "a wrong passphrase" }, clients[3]);
  await login(service, { ...user, password: "a wrong passphrase" }, clients[3]);
  await register(service, user, clients[3]);
  await updateProfile(service, access, { full_name: "Ada Lovelace" }, clients[1]);
  const password = "her next passphrase";
  assertSuccess(await changePassword(service, access, user.password, password, clients[1]), 200);
  await exportData(service, access, "", clients[1]);
  const person = { user: { ...user, password }, id, access, refresh: body.refresh_token };
  const jtis = [token, person.refresh].map((each) => decode(each).claims.jti);
  const { password_hash: hash } = await userRow(service.db, id);
  return { ...person, ips, personal: [user.email, user.full_name, "Ada Lovelace", hash, ...agents, ...ips, ...jtis] };
}

/** The texts that occur somewhere in the database. */
async function found(texts) {
  const stored = await dump(service.db);
  return texts.filter((text) => stored.includes(text));
}

test("no personal data of an erased user is left, in any table; the events stay, with the id only", async () => {
  const person = await lived();
  assert.deepEqual(await found(person.personal), person.personal.filter((text) => text !== "Augusta Ada King-Noel"));
  const before = await eventsOf(service.db, person.id);
  const response = await deleteAccount(service, person.access, person.user.password, from(person.ips[1], "Last/9.0"));
  assert.deepEqual([response.status, response.text], [204, ""]);
  await assertGone(person);

  // Registrations are counted per address for an hour, for all users together.
  const counted = await rows(service.db, "SELECT network FROM registration_counts WHERE network = ?1", person.ips[0]);
  assert.deepEqual(counted, [{ network: person.ips[0] }]);
  await rows(service.db, "UPDATE registration_counts SET window_started_at = 1");
  await cleanUp(service);
  assert.deepEqual(await found([...person.personal, "Last/9.0", person.user.full_name]), []);
  for (const table of ["users", "sessions"]) {
    const column = table === "users" ? "id" : "user_id";
    assert.deepEqual(await rows(service.db, `SELECT 1 FROM ${table} WHERE ${column} = ?1`, person.id), []);
  }
  assert.deepEqual(await rows(service.db, "SELECT jti FROM refresh_tokens WHERE user_id = ?1", person.id), []);
  assert.deepEqual(await rows(service.db, "PRAGMA foreign_key_check"), []);
  const events = await eventsOf(service.db, person.id);
  assert.deepEqual(inShort(events), [...inShort(before), "deleted"]);
  events.forEach(({ ip, user_agent: agent }) => assert.deepEqual([ip, agent], [null, null]));
});

test("the address is free again at once, for a user with another id, and old tokens are not that user's", async () => {
  const person = await signUp(service);
  assert.equal((await deleteAccount(service, person.access, person.user.password)).status, 204);
  const next = await signUp(service, { ...person.user, password: "somebody else's passphrase" });
  assert.ok(next.id > person.id);
  assertEnvelope(await me(service, person.access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await refresh(service, person.refresh), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await login(service, person.user), 401, "AUTH_INVALID_CREDENTIALS");
  assertSuccess(await logout(service, person.refresh), 200);
  assertSuccess(await me(service, next.access), 200);
  assert.equal((await listSessions(service, next.access)).body.sessions.length, 1);
  const events = (await exportData(service, next.access)).body.audit_events;
  // Newest first; a counted refusal is at the beginning of its hour.
  assert.deepEqual(inShort(events), ["registered", "sign_in_refused wrong_password"]);
});

test("another user keeps everything", async () => {
  const [person, neighbour] = [await lived(), await lived()];
  const before = await eventsOf(service.db, neighbour.id);
  assert.equal((await deleteAccount(service, person.access, person.user.password)).status, 204);
  assert.deepEqual(await eventsOf(service.db, neighbour.id), before);
  assertSuccess(await refresh(service, neighbour.refresh), 200);
  assert.equal((await me(service, neighbour.access)).body.full_name, "Ada Lovelace");
});

test("a caller with a token of an old sign-in but without the password erases nothing", async () => {
  const person = await signUp(service);
  const { header, claims } = decode(person.access);
  const stale = sign(header, { ...claims, auth_time: claims.auth_time - 660 });
  assertWrongPassword(await deleteAccount(service, person.access, "a wrong passphrase"));
  assertWrongPassword(await deleteAccount(service, stale, "a wrong passphrase"));
  assertEnvelope(await asUser(service, stale, "DELETE", "/users/me", {}), 401, "AUTH_STEP_UP_REQUIRED");
  assertEnvelope(await asUser(service, stale, "DELETE", "/users/me"), 401, "AUTH_STEP_UP_REQUIRED");
  assertEnvelope(await deleteAccount(service, person.refresh, person.user.password), 401, "AUTH_TOKEN_INVALID");
  assertSuccess(await me(service, person.access), 200);
  assertSuccess(await login(service, person.user), 200);
});

/** Exactly one of them was answered with success. */
function assertOneErased(answers, ...codes) {
  const [done, ...more] = answers.filter((answer) => answer.status === 204);
  assert.equal(done.text, "");
  assert.deepEqual(more, []);
  for (const answer of answers.filter((each) => each !== done)) {
    const { code } = answer.body.error;
    assert.ok(codes.includes(code), code);
    assertEnvelope(answer, 401, code);
  }
}

test("of many erasures in one burst one succeeds, and the others find no user or come too late", async () => {
  const person = await signUp(service);
  const burst = Array.from({ length: 20 }, () => deleteAccount(service, person.access, person.user.password));
  assertOneErased(await Promise.all(burst), "AUTH_TOKEN_INVALID", "AUTH_INVALID_CREDENTIALS");
  await assertGone(person);
  const events = inShort(await eventsOf(service.db, person.id));
  assert.equal(events.filter((event) => event === "deleted").length, 1);
});

test("of many erasures that all verified the password one succeeds, and the others leave nothing behind", async () => {
  const client = from(newIp(), "Impatient/1.0");
  const person = await signUp(service, newUser(), client);
  const erasure = (at) => deleteAccount(service, person.access, person.user.password, { ...at(1), ...client });
  assertOneErased(await hold.allAtOnce(...Array(20).fill(erasure)), "AUTH_INVALID_CREDENTIALS");
  await assertGone(person);
  assert.deepEqual(await found([person.user.email, "Impatient/1.0"]), []);
  const ip = client["CF-Connecting-IP"];
  assert.deepEqual(await rows(service.db, "SELECT type, reason FROM audit_events WHERE ip = ?1", ip), []);
});

test("an account with thousands of sessions and events is gone for clients at once, and entirely soon", async () => {
  const MANY = 3000;
  const person = await signUp(service);
  const [session] = await rows(service.db, "SELECT * FROM sessions WHERE user_id = ?1", person.id);
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY})`;
  const sessions = `${numbers}
    INSERT INTO sessions
      (id, user_id, created_at, last_used_at, expires_at, ip, user_agent, refresh_id, refresh_expires_at)
    SELECT i, ?1, ?2, ?2, ?3, '203.0.113.' || (i % 250), 'Busy/' || i, printf('%032x', i), ?3 FROM n`;
  await rows(service.db, sessions, person.id, session.created_at, session.expires_at);
  const events = `${numbers}
    INSERT INTO audit_events (created_at, type, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1, 'signed_in', ?2, ?3, '203.0.113.' || (i % 250), 'Busy/' || i, printf('%032x', i) FROM n`;
  await rows(service.db, events, session.created_at, person.id, session.id);

  assert.equal((await deleteAccount(service, person.access, person.user.password)).status, 204);
  await assertGone(person);
  const { email, password_hash: hash, full_name: name } = await userRow(service.db, person.id);
  assert.deepEqual([email, hash, name], [`erased:${person.id}`, "", null]);
  assert.deepEqual(await found([person.user.email, person.user.full_name]), []);
  const again = await signUp(service, person.user);
  assert.ok(again.id > person.id);

  const left = async () => {
    const sql = `SELECT (SELECT count(*) FROM sessions WHERE user_id = ?1) AS sessions,
      (SELECT count(*) FROM audit_events WHERE user_id = ?1 AND (ip IS NOT NULL OR user_agent IS NOT NULL)) AS events,
      (SELECT count(*) FROM users WHERE id = ?1) AS users`;
    return (await rows(service.db, sql, person.id))[0];
  };
  const afterwards = await left();
  for (const number of [afterwards.sessions, afterwards.events]) {
    assert.ok(number > 0 && number < MANY, JSON.stringify(afterwards));
  }
  for (let run = 0; (await left()).users > 0 && run < 10; run += 1) {
    await cleanUp(service);
  }
  assert.deepEqual(await left(), { sessions: 0, events: 0, users: 0 });
  assert.deepEqual(await found(["Busy/"]), []);
  const kept = await eventsOf(service.db, person.id);
  // Registered, the three thousand, and deleted.
  assert.equal(kept.length, MANY + 2);
  assertSuccess(await me(service, again.access), 200);
});

test("the tokens of a user with an unfinished erasure are refused, and end nothing of others", async () => {
  const [person, neighbour] = [await signUp(service), await signUp(service)];
  await rows(service.db, "UPDATE users SET is_active = 0, erasure_cursor = 0 WHERE id = ?1", person.id);
  assertEnvelope(await me(service, person.access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await refresh(service, person.refresh), 401, "AUTH_TOKEN_INVALID");
  assertSuccess(await logout(service, person.refresh), 200);
  assertSuccess(await me(service, neighbour.access), 200);
});

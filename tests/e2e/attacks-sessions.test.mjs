// A user's own sessions, listed and ended, and their protection from other users. At this level, because
// addresses and user agents come in through the runtime's headers, and an ended session must be over for the very
// next request, with any of its tokens.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import {
  asUser,
  endSession,
  from,
  listSessions,
  login,
  logout,
  logoutAll,
  me,
  newIp,
  newUser,
  refresh,
  send,
  signUp,
} from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { accessLines } from "./support/logs.mjs";
import { decode } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

const DAY = 86_400_000;

let service;
before(async () => (service = await startWatched({ settings: { PASSWORD_ITERATIONS: "1" } })));
after(() => service.end());

const sessionOf = (token) => Number(decode(token).claims.sid);
const idsOf = (response) => response.body.sessions.map((session) => session.id);

async function sessions(access) {
  const response = await listSessions(service, access);
  assertSuccess(response, 200);
  assert.deepEqual(Object.keys(response.body), ["sessions"]);
  return response.body.sessions;
}

/** Both of its tokens are revoked. */
async function assertOver({ access_token: access, refresh_token: token }) {
  assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
}

describe("the list of sessions", () => {
  test("shows address, user agent and times of each, newest first, and the current one", async () => {
    const [home, phone] = ["198.51.100.10", "2001:db8:aa:1::7"];
    const person = await signUp(service, newUser(), from(home, "Laptop/1.0 (X11; Linux)"));
    const other = (await login(service, person.user, from(phone, "Phone/2.0"))).body;
    const [newest, oldest, ...more] = await sessions(person.access);
    assert.deepEqual(more, []);
    const members = ["id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "current"];
    for (const session of [newest, oldest]) {
      assert.deepEqual(Object.keys(session), members);
      assert.equal(session.last_used_at, session.created_at);
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.created_at), 7 * DAY);
    }
    const shown = ({ id, ip, user_agent: agent, current }) => ({ id, ip, agent, current });
    assert.deepEqual([newest, oldest].map(shown), [
      { id: sessionOf(other.refresh_token), ip: phone, agent: "Phone/2.0", current: false },
      { id: sessionOf(person.refresh), ip: home, agent: "Laptop/1.0 (X11; Linux)", current: true },
    ]);
    assert.deepEqual((await sessions(other.access_token)).map((session) => session.current), [true, false]);
  });

  test("follows a session that moves: a refresh records address, agent and time in its one round trip", async () => {
    const person = await signUp(service, newUser(), from("198.51.100.20", "Laptop/1.0"));
    await rows(service.db, "UPDATE sessions SET last_used_at = created_at - 5000 WHERE user_id = ?1", person.id);
    const moved = await refresh(service, person.refresh, from("198.51.100.21", "Laptop/1.1"));
    assertSuccess(moved, 200);
    assert.equal((await accessLines(service, [moved]))[0].d1_calls, 1);
    const [session] = await sessions(moved.body.access_token);
    assert.deepEqual([session.ip, session.user_agent], ["198.51.100.21", "Laptop/1.1"]);
    assert.ok(Date.parse(session.last_used_at) >= Date.parse(session.created_at));
    assert.equal(Date.parse(session.expires_at) - Date.parse(session.last_used_at), 7 * DAY);
  });

  test("does not follow a thief with a refused refresh, nor a request that only reads", async () => {
    const person = await signUp(service, newUser(), from("198.51.100.30", "Laptop/1.0"));
    const { body } = await refresh(service, person.refresh, from("198.51.100.31", "Laptop/1.1"));
    const thief = from("192.0.2.66", "Thief/6.6.6");
    assertSuccess(await me(service, body.access_token, thief), 200);
    assertSuccess(await listSessions(service, body.access_token, thief), 200);
    assertEnvelope(await refresh(service, body.access_token, thief), 401, "AUTH_TOKEN_INVALID");
    const sql = "SELECT ip, user_agent FROM sessions WHERE user_id = ?1";
    const noted = [{ ip: "198.51.100.31", user_agent: "Laptop/1.1" }];
    assert.deepEqual(await rows(service.db, sql, person.id), noted);
    assertEnvelope(await refresh(service, person.refresh, thief), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await rows(service.db, sql, person.id), [], "reuse ends the session");
  });

  test("names the address that the edge saw, whatever a client claims", async () => {
    const claims = {
      "X-Forwarded-For": "192.0.2.1",
      Forwarded: "for=192.0.2.1",
      "X-Real-IP": "192.0.2.1",
      "True-Client-IP": "192.0.2.1",
      "CF-Connecting-IPv6": "2001:db8::1",
      "X-Client-IP": "192.0.2.1",
    };
    for (const [seen, shown] of [
      ["198.51.100.40", "198.51.100.40"],
      ["::ffff:198.51.100.41", "198.51.100.41"],
      ["2001:DB8:0:0:0:0:0:9", "2001:db8::9"],
      ["no address", null],
      ["198.51.100.42, 192.0.2.1", null],
    ]) {
      const { access } = await signUp(service, newUser(), { ...from(seen, "Liar/1.0"), ...claims });
      assert.equal((await sessions(access))[0].ip, shown);
    }
    const { access } = await signUp(service, newUser(), claims);
    assert.equal((await sessions(access))[0].ip, "127.0.0.1", "the runtime stands in for the edge");
  });

  test("omits ended and expired sessions, and those past their refresh token, but not the current one", async () => {
    const person = await signUp(service);
    const [out, ended, expired] = await Promise.all([1, 2, 3].map(() => login(service, person.user)));
    await logout(service, out.body.refresh_token);
    const past = Date.now() - 1;
    const end = "UPDATE sessions SET created_at = 1, expires_at = ?2 WHERE id = ?1";
    await rows(service.db, end, sessionOf(ended.body.refresh_token), past);
    const expire = "UPDATE sessions SET refresh_expires_at = ?2 WHERE id = ?1";
    await rows(service.db, expire, sessionOf(expired.body.refresh_token), past);
    assert.deepEqual((await sessions(person.access)).map((session) => session.current), [true]);
    // Its access token is still valid for some minutes.
    const own = await sessions(expired.body.access_token);
    assert.deepEqual(own.map((session) => session.id).includes(sessionOf(expired.body.refresh_token)), true);
    assert.equal(own.length, 2);
  });
});

describe("ending one session", () => {
  test("takes effect on its very next request, with any of its tokens, and on no other session", async () => {
    const person = await signUp(service);
    const lost = (await login(service, person.user)).body;
    const response = await endSession(service, person.access, sessionOf(lost.refresh_token));
    assert.deepEqual([response.status, response.text], [204, ""]);
    assert.equal((await accessLines(service, [response]))[0].d1_calls, 2);
    await assertOver(lost);
    assertSuccess(await me(service, person.access), 200);
    assert.deepEqual((await sessions(person.access)).map((session) => session.id), [sessionOf(person.refresh)]);
    assertEnvelope(await endSession(service, person.access, sessionOf(lost.refresh_token)), 404, "NOT_FOUND");
  });

  test("may be done to the caller's own session", async () => {
    const person = await signUp(service);
    assert.equal((await endSession(service, person.access, sessionOf(person.refresh))).status, 204);
    await assertOver({ access_token: person.access, refresh_token: person.refresh });
  });

  test("of another user is NOT_FOUND, as for an unknown id, and leaves it alive", async () => {
    const [victim, attacker] = [await signUp(service), await signUp(service)];
    const theirs = await endSession(service, attacker.access, sessionOf(victim.refresh));
    assertEnvelope(theirs, 404, "NOT_FOUND");
    const nobodys = await endSession(service, attacker.access, 4503599627370496);
    assert.deepEqual(theirs.body.error, nobodys.body.error);
    assertSuccess(await me(service, victim.access), 200);
    assertSuccess(await refresh(service, victim.refresh), 200);
    assert.deepEqual(inShort(await eventsOf(service.db, victim.id)), ["registered"]);
    assert.deepEqual(inShort(await eventsOf(service.db, attacker.id)), ["registered"]);
  });

  test("by a malformed id is NOT_FOUND, and ends nothing", async () => {
    const { id, access, refresh: token } = await signUp(service);
    const own = sessionOf(token);
    const noIds = ["0", "-1", "abc", "1.5", "1e3", `0${own}`, `+${own}`, `${own}.0`, `${own}%20`, "9007199254740992"];
    for (const text of [...noIds, "9".repeat(60), "null", "%27%20OR%201=1--", `${own};x=1`, `${own}%00`, "*"]) {
      assertEnvelope(await endSession(service, access, text), 404, "NOT_FOUND");
    }
    assertEnvelope(await asUser(service, access, "DELETE", "/auth/sessions"), 405, "METHOD_NOT_ALLOWED");
    assertEnvelope(await asUser(service, access, "GET", `/auth/sessions/${own}`), 405, "METHOD_NOT_ALLOWED");
    assert.equal((await liveSessions(service.db, id)).length, 1);
  });

  test("and every other operation on sessions requires an access token", async () => {
    const { refresh: token } = await signUp(service);
    for (const [method, path] of [
      ["GET", "/auth/sessions"],
      ["DELETE", `/auth/sessions/${sessionOf(token)}`],
      ["POST", "/auth/logout-all"],
    ]) {
      assertEnvelope(await send(service, path, { method }), 401, "AUTH_TOKEN_INVALID");
      assertEnvelope(await asUser(service, token, method, path), 401, "AUTH_TOKEN_INVALID");
    }
    assertSuccess(await refresh(service, token), 200);
  });
});

test("signing out everywhere ends every session of the user at once, and no other user's", async () => {
  const [person, neighbour] = [await signUp(service), await signUp(service)];
  const others = (await Promise.all([1, 2, 3].map(() => login(service, person.user)))).map(({ body }) => body);
  const response = await logoutAll(service, person.access);
  assertSuccess(response, 200);
  assert.equal(response.body.sessions_ended, 4);
  for (const tokens of [{ access_token: person.access, refresh_token: person.refresh }, ...others]) {
    await assertOver(tokens);
  }
  assertSuccess(await me(service, neighbour.access), 200);
  assertEnvelope(await logoutAll(service, person.access), 401, "AUTH_TOKEN_REVOKED");
  assertSuccess(await login(service, person.user), 200);
});

test("repeated sign-ins keep a hundred sessions: the oldest are ended", async () => {
  const person = await signUp(service);
  const opened = [{ access_token: person.access, refresh_token: person.refresh }];
  for (let count = 0; count < 101; count += 1) {
    const response = await login(service, person.user, from(newIp()));
    assertSuccess(response, 200);
    opened.push(response.body);
  }
  const kept = opened.slice(2);
  const listed = await listSessions(service, kept.at(-1).access_token);
  assert.deepEqual(idsOf(listed), kept.map((tokens) => sessionOf(tokens.refresh_token)).toReversed());
  await assertOver(opened[0]);
  await assertOver(opened[1]);
  assertSuccess(await me(service, kept[0].access_token), 200);
  const events = (await eventsOf(service.db, person.id)).filter(({ type }) => type === "session_ended");
  assert.deepEqual(
    events.map(({ session_id: id, reason }) => ({ id, reason })),
    opened.slice(0, 2).map(({ refresh_token: token }) => ({ id: sessionOf(token), reason: "limit" })),
  );
});

test("a hundred and one concurrent sign-ins leave a hundred sessions as well", async () => {
  const person = await signUp(service);
  const answers = await Promise.all(Array.from({ length: 100 }, () => login(service, person.user)));
  answers.forEach((answer) => assertSuccess(answer, 200));
  assert.equal((await liveSessions(service.db, person.id)).length, 100);
  await assertOver({ access_token: person.access, refresh_token: person.refresh });
});

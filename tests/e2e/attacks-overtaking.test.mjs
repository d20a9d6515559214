// Requests admitted under conditions that no longer hold when they write: a thief signs in with the old
// password while its owner changes it, or an account is disabled or erased concurrently. At this level, because only
// here is there time between the queries of one request. A wrapper of the database stops it there, so that nothing
// is left to chance; bursts without it show the same in whatever order the runtime chooses.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  changePassword,
  deleteAccount,
  exportData,
  listSessions,
  login,
  logoutAll,
  me,
  refresh,
  signUp,
  updateProfile,
} from "./support/client.mjs";
import { dump, eventsOf, inShort, liveSessions, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, assertWrongPassword } from "./support/envelope.mjs";
import { watchedAndHeld } from "./support/scenes.mjs";
import { decode } from "./support/tokens.mjs";

const MANY = 20;
const NEXT = "the owner's next passphrase";

let service;
let hold;
watchedAndHeld((scene) => ({ service, hold } = scene));

const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const sessionOf = (token) => Number(decode(token).claims.sid);
const liveIds = async (id) => (await liveSessions(service.db, id)).map((session) => session.id);

describe("a thief with the old password, while the owner changes it,", () => {
  test("and verified before the change starts no session after it", async () => {
    const { user, id, access } = await signUp(service);
    const [thief] = await hold.stop((at) => login(service, user, at(1)));
    assertSuccess(await changePassword(service, access, user.password, NEXT), 200);
    await hold.release();
    assertEnvelope(await thief, 401, "AUTH_INVALID_CREDENTIALS");
    assert.deepEqual(await liveIds(id), [sessionOf(access)]);
    assert.deepEqual(inShort(await eventsOf(service.db, id)).sort(), ["password_changed", "registered", "sign_in_refused overtaken"]);
    assert.equal((await userRow(service.db, id)).throttles.password.failures, 0, "not a guess: it was the password");
  });

  test("and signed in just before the change loses that session with it", async () => {
    const { user, access } = await signUp(service);
    const [change] = await hold.stop((at) => changePassword(service, access, user.password, NEXT, at(1)));
    const thief = await login(service, user);
    assertSuccess(thief, 200);
    const refreshed = await refresh(service, thief.body.refresh_token);
    assertSuccess(refreshed, 200);
    await hold.release();
    assertSuccess(await change, 200);
    for (const { body } of [thief, refreshed]) {
      assertEnvelope(await me(service, body.access_token), 401, "AUTH_TOKEN_REVOKED");
      assertEnvelope(await refresh(service, body.refresh_token), 401, "AUTH_TOKEN_REVOKED");
    }
    assertSuccess(await me(service, access), 200);
  });

  test("and flooding the sign-in keeps no session, in any order", async () => {
    for (const place of [0, 10, MANY]) {
      const { user, id, access } = await signUp(service);
      const burst = times(MANY, () => () => login(service, user));
      const change = () => changePassword(service, access, user.password, NEXT);
      const answers = await Promise.all(burst.toSpliced(place, 0, change).map((start) => start()));
      const [changed] = answers.splice(place, 1);
      assertSuccess(changed, 200);
      for (const answer of answers) {
        if (answer.status !== 200) {
          assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
          continue;
        }
        assertEnvelope(await me(service, answer.body.access_token), 401, "AUTH_TOKEN_REVOKED");
        assertEnvelope(await refresh(service, answer.body.refresh_token), 401, "AUTH_TOKEN_REVOKED");
      }
      assert.deepEqual(await liveIds(id), [sessionOf(access)], `the change was number ${place}`);
    }
  });

  test("and refreshing its session is locked out with the newest token too", async () => {
    const { user, id, access } = await signUp(service);
    const thief = (await login(service, user)).body;
    const changing = changePassword(service, access, user.password, NEXT);
    let token = thief.refresh_token;
    let isOver = false;
    const changed = changing.finally(() => (isOver = true));
    while (!isOver) {
      token = (await refresh(service, token)).body.refresh_token ?? token;
    }
    assertSuccess(await changed, 200);
    assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await liveIds(id), [sessionOf(access)]);
  });

  test("and changing it concurrently: one of the two wins, and the loser's session is over", async () => {
    const { user, id, access } = await signUp(service);
    const thief = (await login(service, user)).body.access_token;
    const changes = [access, thief].map((token, index) => {
      return (at) => changePassword(service, token, user.password, `passphrase of number ${index}`, at(1));
    });
    const answers = await hold.allAtOnce(...changes);
    const winners = answers.filter((answer) => answer.status === 200);
    assert.equal(winners.length, 1, "both had proved the old password");
    const won = answers.indexOf(winners[0]);
    assertWrongPassword(answers[1 - won]);
    assert.deepEqual(await liveIds(id), [sessionOf([access, thief][won])]);
    assertEnvelope(await me(service, [access, thief][1 - won]), 401, "AUTH_TOKEN_REVOKED");
    assertSuccess(await login(service, { ...user, password: `passphrase of number ${won}` }), 200);
    const old = await login(service, { ...user, password: `passphrase of number ${1 - won}` });
    assertEnvelope(old, 401, "AUTH_INVALID_CREDENTIALS");
    assert.ok(inShort(await eventsOf(service.db, id)).includes("password_change_refused overtaken"));
  });
});

test("of many concurrent changes of one password exactly one succeeds", async () => {
  const { user, id, access } = await signUp(service);
  const password = (index) => `passphrase of number ${index}`;
  const answers = await hold.allAtOnce(
    ...times(MANY, (index) => (at) => changePassword(service, access, user.password, password(index), at(1))),
  );
  const winners = answers.filter((answer) => answer.status === 200);
  assert.equal(winners.length, 1);
  answers.filter((answer) => answer !== winners[0]).forEach(assertWrongPassword);
  const { password_version: version, throttles } = await userRow(service.db, id);
  const failures = [throttles.password.failures, throttles.reauthentication.failures];
  assert.deepEqual([version, ...failures], [2, 0, 0], "an overtaken change is no wrong guess");
  assertSuccess(await login(service, { ...user, password: password(answers.indexOf(winners[0])) }), 200);
});

test("a sign-in begun before the account was disabled starts no session, and does not reveal the reason", async () => {
  const { user, id } = await signUp(service);
  const [late] = await hold.stop((at) => login(service, user, at(1)));
  await rows(service.db, "UPDATE users SET is_active = 0 WHERE id = ?1", id);
  await hold.release();
  assertEnvelope(await late, 401, "AUTH_INVALID_CREDENTIALS");
  assert.equal((await liveIds(id)).length, 1);
});

test("a sign-in overtaken by a sign-out everywhere starts a live session; the others are over", async () => {
  const { user, id, access } = await signUp(service);
  const [late] = await hold.stop((at) => login(service, user, at(1)));
  const ended = await logoutAll(service, access);
  assertSuccess(ended, 200);
  assert.equal(ended.body.sessions_ended, 1);
  await hold.release();
  assertSuccess(await late, 200);
  assert.deepEqual(await liveIds(id), [sessionOf((await late).body.refresh_token)]);
  assertEnvelope(await listSessions(service, access), 401, "AUTH_TOKEN_REVOKED");
});

describe("a request begun before the account was erased, and finished after it:", () => {
  const client = { "CF-Connecting-IP": "203.0.113.77", "User-Agent": "late-client/7.7" };
  const headers = (at, question) => ({ ...at(question), ...client });
  const wrong = "a wrong passphrase";
  const refused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
  const late = {
    "a sign-in": [({ user }, at) => login(service, user, headers(at, 1)), refused],
    "a wrong guess": [({ user }, at) => login(service, { ...user, password: wrong }, headers(at, 1)), refused],
    "a change of the password": [
      ({ user, access }, at) => changePassword(service, access, user.password, NEXT, headers(at, 1)),
      refused,
    ],
    "a change of the password with a wrong one": [
      ({ access }, at) => changePassword(service, access, wrong, NEXT, headers(at, 1)),
      refused,
    ],
    "a second erasure": [
      ({ user, access }, at) => deleteAccount(service, access, user.password, headers(at, 1)),
      refused,
    ],
    "a change of the name": [
      ({ access }, at) => updateProfile(service, access, { full_name: "Late Name" }, headers(at, 1)),
      (answer) => assertEnvelope(answer, 401, "AUTH_TOKEN_INVALID"),
    ],
    "an export": [
      ({ access }, at) => exportData(service, access, "", headers(at, 1)),
      (answer) => assertEnvelope(answer, 401, "AUTH_TOKEN_REVOKED"),
    ],
  };
  for (const [name, [request, assertAnswer]] of Object.entries(late)) {
    test(`${name} leaves neither address nor user agent behind`, async () => {
      const person = await signUp(service);
      const [answer] = await hold.stop((at) => request(person, at));
      assert.equal((await deleteAccount(service, person.access, person.user.password)).status, 204);
      await hold.release();
      assertAnswer(await answer);
      assert.equal(await userRow(service.db, person.id), undefined);
      assert.deepEqual(await rows(service.db, "SELECT id FROM sessions WHERE user_id = ?1", person.id), []);
      assert.ok(!(await dump(service.db)).includes(person.user.email));
      const events = await eventsOf(service.db, person.id);
      const personal = events.filter((event) => event.ip !== null || event.user_agent !== null);
      assert.deepEqual(inShort(personal), []);
      const erased = events.slice(0, events.findIndex((event) => event.type === "deleted") + 1);
      assert.ok(erased.length >= 2 && erased.every((event) => event.request_id === ""), "registered, …, deleted");
    });
  }
});

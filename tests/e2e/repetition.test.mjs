// A batch that D1 carried out, and whose answer was lost in a way that D1 calls transient, is repeated once: the client
// gets its answer, the tables hold one write, and the breaker counts a success. At this level, because the real D1
// carries out both batches.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { changePassword, deleteAccount, login, logout, me, newUser, refresh, register, signUp } from "./support/client.mjs";
import { assertSoundSessions, endingsOf, inShort, eventsOf, rows, tokensOf } from "./support/database.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { assertUnavailable, batches, CLOSED, inspect, setFaults, startFaulty } from "./support/faults.mjs";
import { assertLogLine, loggedText } from "./support/logs.mjs";
import { decode } from "./support/tokens.mjs";

const WRONG = "an entirely wrong passphrase";
/** Calls of an isolate per repetition. */
const CALLS = 10;
const isRepetition = (line) => line.message === "Database call is repeated";
const sessionOf = (token) => Number(decode(token).claims.sid);

/** A service and a person with a session, and repetitions saved up. */
async function start(t, settings) {
  const service = await startFaulty(t, { settings });
  const person = await signUp(service);
  await save(service, person);
  return { service, person };
}

/** Makes as many good calls as a repetition costs. */
async function save(service, { access }, count = CALLS) {
  const answers = await Promise.all(Array.from({ length: count }, () => me(service, access)));
  answers.forEach((response) => assertSuccess(response, 200));
}

/** The next call of D1 but `skip` is carried out, and fails for a transient reason. */
const loseOne = (service, skip = 0) => setFaults(service, { db: { kind: "transient", skip, times: 1 } });

/** The request gets its answer by one repetition, and D1 is called `calls` times. */
async function assertRepeated(service, calls, request, status = 200) {
  const [before, earlier] = [await batches(service), service.logs(isRepetition).length];
  const response = await request();
  assert.equal(response.status, status, JSON.stringify(response.body));
  assert.equal(await batches(service), before + calls);
  await service.logged(isRepetition, earlier + 1);
  const lines = service.logs(isRepetition).slice(earlier);
  assert.equal(lines.length, 1);
  assert.deepEqual([lines[0].level, lines[0].request_id], ["WARNING", response.headers["x-request-id"]]);
  assert.ok(lines[0].pause_ms >= 50 && lines[0].pause_ms <= 305, `${lines[0].pause_ms} ms`);
  return response;
}

test("a refresh whose exchange was carried out without an answer succeeds, and is one exchange", async (t) => {
  const { service, person } = await start(t);
  await loseOne(service);
  const { body } = await assertRepeated(service, 2, () => refresh(service, person.refresh));
  const [sid, jti] = [sessionOf(person.refresh), (token) => decode(token).claims.jti];
  const recorded = { current: jti(body.refresh_token), previous: jti(person.refresh) };
  assert.deepEqual(await tokensOf(service.db, sid), recorded);
  assertSuccess(await refresh(service, body.refresh_token), 200);
  assert.deepEqual(await endingsOf(service.db, sid), []);
  assert.deepEqual(await inspect(service), CLOSED, "a repetition that succeeds is a success");
  (await loggedText(service)).forEach(assertLogLine);
});

test("a login whose read has no answer succeeds", async (t) => {
  const { service, person } = await start(t);
  await loseOne(service);
  const { body } = await assertRepeated(service, 3, () => login(service, person.user));
  assertSuccess(await me(service, body.access_token), 200);
  assert.deepEqual(inShort(await eventsOf(service.db, person.id)), ["registered", "signed_in"]);
  await assertSoundSessions(service.db);
});

describe("a write whose answer was lost is made once:", () => {
  /** Calls before the write, all calls, status, the request, its events. */
  const writes = {
    "a login": [1, 3, 200, (service, { user }) => login(service, user), ["registered", "signed_in"]],
    "a wrong password": [
      1, 3, 401, (service, { user }) => login(service, { ...user, password: WRONG }), ["registered", "sign_in_refused wrong_password"],
    ],
    "a sign-out": [0, 2, 200, (service, person) => logout(service, person.refresh), ["registered", "signed_out"]],
    "a change of the password": [
      1, 3, 200, (service, { access, user }) => changePassword(service, access, user.password, `${user.password} more`),
      ["registered", "password_changed"],
    ],
    "the erasure of an account": [
      1, 3, 204, (service, { access, user }) => deleteAccount(service, access, user.password), ["registered", "deleted"],
    ],
  };
  for (const [name, [skip, calls, status, request, events]] of Object.entries(writes)) {
    test(name, async (t) => {
      const { service, person } = await start(t);
      await loseOne(service, skip);
      await assertRepeated(service, calls, () => request(service, person), status);
      assert.deepEqual(inShort(await eventsOf(service.db, person.id)).sort(), events.toSorted());
      const guesses = await rows(service.db, "SELECT coalesce(sum(failures), 0) AS failures FROM throttles");
      assert.deepEqual(guesses, [{ failures: status === 401 ? 1 : 0 }]);
      await assertSoundSessions(service.db);
      assert.deepEqual(await inspect(service), CLOSED);
    });
  }

  test("a registration", async (t) => {
    const { service } = await start(t);
    const user = newUser();
    await loseOne(service);
    const { body } = await assertRepeated(service, 2, () => register(service, user), 201);
    assertSuccess(await me(service, body.access_token), 200);
    assert.deepEqual(inShort(await eventsOf(service.db, body.id)), ["registered"]);
    assert.deepEqual(await rows(service.db, "SELECT max(attempts) AS attempts FROM registration_counts"), [{ attempts: 2 }]);
  });
});

test("an error that lasts is repeated once, and is one failure", async (t) => {
  const { service, person } = await start(t);
  const before = await batches(service);
  await setFaults(service, { db: { kind: "transient" } });
  assertUnavailable(await refresh(service, person.refresh));
  assert.equal(await batches(service), before + 2);
  assert.equal((await inspect(service)).failure_count, 1);
  await setFaults(service, { db: { kind: "ok" } });
  assertSuccess(await refresh(service, person.refresh), 200);
});

test("neither an overload nor any other failure is repeated, nor more than one call in ten", async (t) => {
  const { service, person } = await start(t, { BREAKER_FAILURE_THRESHOLD: "1000" });
  const { access } = person;
  for (const kind of ["overloaded", "before"]) {
    const before = await batches(service);
    await setFaults(service, { db: { kind } });
    assertUnavailable(await me(service, access));
    assert.equal(await batches(service), before + 1, kind);
  }
  await setFaults(service, { db: { kind: "ok" } });
  await save(service, person, 90);
  // At most ten repetitions are saved up.
  await setFaults(service, { db: { kind: "transient" } });
  const before = await batches(service);
  const failed = await Promise.all(Array.from({ length: 50 }, () => me(service, access)));
  failed.forEach(assertUnavailable);
  const reached = (await batches(service)) - before;
  assert.ok(reached <= 50 + 10 + 5, `${reached} calls for 50 requests`);
  assert.ok(reached > 50, "some were repeated");
  assert.equal((await rows(service.db, "SELECT id FROM sessions")).length, 1);
});

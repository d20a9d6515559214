// Guessing a password with many concurrent requests: parallel guesses must learn no more than sequential
// ones. At this level, because only workerd interleaves requests in one isolate over a real D1. Where a test depends
// on the order, a wrapper of the database holds answers back: nothing depends on the speed of the machine.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { changePassword, deleteAccount, login, me, newUser, signUp } from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, said } from "./support/envelope.mjs";
import { watchedAndHeld } from "./support/scenes.mjs";
import { decode } from "./support/tokens.mjs";

const MANY = 50;
const FREE = 5;
/** The wait after the first failure beyond those. */
const FIRST_WAIT_MS = 1000;
const WRONG = "an entirely wrong passphrase";

let service;
let hold;
watchedAndHeld((scene) => ({ service, hold } = scene));

const sessionOf = (token) => Number(decode(token).claims.sid);
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const wrong = (user) => ({ ...user, password: WRONG });
/** A guess that is stopped between its read and its write. */
const guess = (user) => (at) => login(service, user, at(1));
const counted = async (id) => (await userRow(service.db, id)).throttles.password.failures;

test("fifty concurrent wrong guesses count fifty, and the right password afterwards is refused", async () => {
  const { user, id } = await signUp(service);
  const answers = await hold.allAtOnce(...times(MANY, () => guess(wrong(user))));
  answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  assert.equal(new Set(answers.map((answer) => JSON.stringify(said(answer)))).size, 1);
  const { failures, blocked_until: blockedUntil } = (await userRow(service.db, id)).throttles.password;
  assert.equal(failures, MANY);
  // The longest wait that any of them caused, counted from its own time.
  const moments = (await eventsOf(service.db, id)).map((event) => event.created_at);
  const QUARTER = 900_000;
  assert.ok(blockedUntil >= Math.min(...moments) + QUARTER && blockedUntil <= Math.max(...moments) + QUARTER);
  assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
  assert.equal((await liveSessions(service.db, id)).length, 1, "that of the registration");
});

test("fifty concurrent guesses at an address without an account count fifty in its shared row", async () => {
  const total = async () => {
    const sql = `
      SELECT coalesce(sum(failures), 0) AS total, coalesce(sum(blocked_until > 0), 0) AS blocked
      FROM throttles WHERE key LIKE 'unknown/%'`;
    return (await rows(service.db, sql))[0];
  };
  const [before, stranger] = [await total(), newUser()];
  const answers = await hold.allAtOnce(...times(MANY, () => guess(wrong(stranger))));
  answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  assert.deepEqual(await total(), { total: before.total + MANY, blocked: before.blocked + 1 });
});

test("fifty guesses at the two operations behind a token share a count, and the login has its own", async () => {
  const { user, id, access } = await signUp(service);
  const AT_LOGIN = 20;
  // These two read the password's row together with the caller.
  const doors = [
    (at) => changePassword(service, access, WRONG, "a passphrase of the thief", at(1)),
    (at) => deleteAccount(service, access, WRONG, at(1)),
  ];
  const behind = times(MANY, (index) => doors[index % doors.length]);
  const answers = await hold.allAtOnce(...behind, ...times(AT_LOGIN, () => guess(wrong(user))));
  answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  const { password, reauthentication } = (await userRow(service.db, id)).throttles;
  assert.deepEqual([reauthentication.failures, password.failures], [MANY, AT_LOGIN]);
  assert.ok(reauthentication.blocked_until > Date.now() && password.blocked_until > Date.now(), "both wait");
  assertSuccess(await me(service, access), 200);
});

test("guesses in one burst are each counted, or refused by the wait that others caused", async () => {
  const { user, id } = await signUp(service);
  const answers = await Promise.all(times(MANY, () => login(service, wrong(user))));
  answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  const [, ...events] = inShort(await eventsOf(service.db, id));
  assert.equal(events.length, MANY);
  const counting = events.filter((event) => event === "sign_in_refused wrong_password").length;
  assert.equal(counting + events.filter((event) => event === "sign_in_refused throttled").length, MANY);
  assert.equal(await counted(id), counting);
  assert.ok(counting > FREE);
});

describe("the right password among fifty concurrent guesses", () => {
  /** The right one succeeded before a wait began, or it was answered like a wrong one and started no session. */
  async function assertJust({ user, id, access }, answers, position) {
    const right = answers[position];
    const others = answers.filter((answer) => answer !== right);
    others.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
    const [, ...events] = await eventsOf(service.db, id);
    assert.equal(events.length, MANY, "one event each");
    // Refusals are counted, so their order is not on file: a success has reset those before it.
    const { password } = (await userRow(service.db, id)).throttles;
    const reset = events.filter(({ reason }) => reason === "wrong_password").length - password.failures;
    assert.ok(reset >= 0, `${reset}`);
    assert.equal(password.blocked_until > 0, password.failures > FREE);
    const opened = (await liveSessions(service.db, id)).filter((session) => session.id !== sessionOf(access));
    const signedIn = events.filter(({ type }) => type === "signed_in").map((event) => event.session_id);
    assert.deepEqual(opened.map((session) => session.id), signedIn);
    if (right.status === 200) {
      assert.equal(signedIn.length, 1);
      assertSuccess(await me(service, right.body.access_token), 200);
    } else {
      assert.deepEqual(signedIn, []);
      assert.equal(reset, 0);
      assert.deepEqual(said(right), said(others[0]));
    }
    assertEnvelope(await login(service, wrong(user)), 401, "AUTH_INVALID_CREDENTIALS");
    return reset;
  }

  for (const position of [0, 3, 12, 49]) {
    const guesses = ({ user }) => times(MANY, (index) => (index === position ? user : wrong(user)));

    test(`sent as number ${position + 1}, before any was written: succeeds only after free failures`, async () => {
      const person = await signUp(service);
      const begun = Date.now();
      const answers = await hold.allAtOnce(...guesses(person).map(guess));
      // On a slow machine the right one may arrive after the wait that a wrong one caused.
      const isOneMoment = Date.now() - begun < FIRST_WAIT_MS;
      const reset = await assertJust(person, answers, position);
      assert.ok(reset <= FREE || !isOneMoment, `found after ${reset} wrong guesses`);
    });

    test(`sent as number ${position + 1} of a burst: starts a session only outside of a wait`, async () => {
      const person = await signUp(service);
      const answers = await Promise.all(guesses(person).map((user) => login(service, user)));
      await assertJust(person, answers, position);
    });
  }

  test("read before six wrong ones were written, and written after them: starts no session", async () => {
    const person = await signUp(service);
    const [right] = await hold.stop(guess(person.user));
    const refused = [];
    for (let failure = 1; failure <= FREE + 1; failure += 1) {
      refused.push(await login(service, wrong(person.user)));
    }
    await hold.release();
    assertEnvelope(await right, 401, "AUTH_INVALID_CREDENTIALS");
    assert.deepEqual(said(await right), said(refused[0]));
    assert.equal((await liveSessions(service.db, person.id)).length, 1);
    assert.equal(await counted(person.id), FREE + 1, "a right password is no failure");
    const overtaken = (await eventsOf(service.db, person.id)).filter(({ reason }) => reason === "overtaken");
    assert.deepEqual(inShort(overtaken), ["sign_in_refused overtaken"]);
  });

  test("read before five wrong ones were written, and written after them: starts a session", async () => {
    const person = await signUp(service);
    const [right] = await hold.stop(guess(person.user));
    for (let failure = 1; failure <= FREE; failure += 1) {
      await login(service, wrong(person.user));
    }
    await hold.release();
    assertSuccess(await right, 200);
    assert.equal(await counted(person.id), 0);
  });
});

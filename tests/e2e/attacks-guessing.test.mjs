// Sequential guesses at a password: the failures that an account's throttle counts, the waits that it
// imposes, and the information in the answers. At this level, because the SQL in a real D1 does the counting, and
// answers are compared as sent over the wire. Tests end a wait by moving its end in the database, never by waiting.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { changePassword, deleteAccount, login, me, newUser, refresh, register, signUp } from "./support/client.mjs";
import { dump, eventsOf, inShort, liveSessions, rows, setThrottle, throttleKey, throttleOf, userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, assertWrongPassword, said } from "./support/envelope.mjs";
import { accessLines } from "./support/logs.mjs";
import { startWatched } from "./support/watched.mjs";

const WRONG = "an entirely wrong passphrase";
const FREE = 5;

let service;
before(async () => (service = await startWatched()));
after(() => service.end());

const guess = (user, password = WRONG) => login(service, { ...user, password });
/** The two counters of guesses: at the sign-in, and at re-authentication. */
const DOOR = "password";
const PROOF = "reauthentication";
const NOTHING = { failures: 0, blockedUntil: 0 };
/** The operations that re-authenticate. */
const OPERATIONS = {
  "to change it": (access, password) => changePassword(service, access, password, "a new passphrase of the thief"),
  "to erase it": (access, password) => deleteAccount(service, access, password),
};
/** Ends the wait: moves its end into the past. */
const endWait = (id, kind = DOOR) =>
  rows(service.db, "UPDATE throttles SET blocked_until = 1 WHERE key = ?1 AND blocked_until > 0", throttleKey(id, kind));
const counted = async (id, kind = DOOR) => {
  const { failures, blocked_until: blockedUntil } = await throttleOf(service.db, throttleKey(id, kind));
  return { failures, blockedUntil };
};
const assertDone = ({ status, text }) => assert.ok([200, 204].includes(status), text);

/** Makes this many wrong guesses in a row, each refused like any other. */
async function fail(user, times) {
  for (let index = 0; index < times; index += 1) {
    assertEnvelope(await guess(user), 401, "AUTH_INVALID_CREDENTIALS");
  }
}

/** Makes the wait after the sixth failure long enough for any machine; returns its end. */
async function lengthenWait(id, where = DOOR) {
  const { failures, blockedUntil } = await counted(id, where);
  assert.equal(failures, FREE + 1);
  assert.ok(blockedUntil > 0, "the sixth failure begins a wait");
  const later = blockedUntil + 3_600_000;
  await setThrottle(service.db, throttleKey(id, where), { failures, blocked_until: later });
  return later;
}

/** An account in its first wait. */
async function blocked() {
  const person = await signUp(service);
  await fail(person.user, FREE + 1);
  return { ...person, blockedUntil: await lengthenWait(person.id) };
}

for (const [place, where, refused, attempt] of [
  ["at the door", DOOR, "sign_in_refused", ({ user }) => guess(user)],
  ["at a change", PROOF, "password_change_refused", ({ access }) => OPERATIONS["to change it"](access, WRONG)],
  ["at an erasure", PROOF, "deletion_refused", ({ access }) => OPERATIONS["to erase it"](access, WRONG)],
]) {
  test(`the wait of a guesser ${place} doubles after each further failure, up to fifteen minutes`, async () => {
    const person = await signUp(service);
    const { id } = person;
    const waits = [];
    for (let failure = 1; failure <= 18; failure += 1) {
      assertEnvelope(await attempt(person), 401, "AUTH_INVALID_CREDENTIALS");
      const { failures, blockedUntil } = await counted(id, where);
      assert.equal(failures, failure);
      // The time of the request is that of its event.
      const [event] = (await eventsOf(service.db, id)).slice(-1);
      assert.deepEqual(inShort([event]), [`${refused} wrong_password`]);
      waits.push(failure <= FREE ? blockedUntil : (blockedUntil - event.created_at) / 1000);
      await endWait(id, where);
    }
    assert.deepEqual(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
  });
}

test("the right password during a wait is refused like a wrong one and starts no session", async () => {
  const { user, id, blockedUntil } = await blocked();
  const before = await liveSessions(service.db, id);
  assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
  assert.deepEqual(await liveSessions(service.db, id), before);
  assert.deepEqual(await counted(id), { failures: FREE + 1, blockedUntil });
  assert.deepEqual(inShort((await eventsOf(service.db, id)).slice(-1)), ["sign_in_refused throttled"]);
  await endWait(id);
  assertSuccess(await login(service, user), 200);
});

test("attempts during a wait neither extend it nor raise the next one", async () => {
  const { user, id } = await signUp(service);
  // A failure at this moment would cost a wait of fifteen minutes.
  const state = { failures: 20, blockedUntil: Date.now() + 300_000 };
  await setThrottle(service.db, throttleKey(id), { failures: state.failures, blocked_until: state.blockedUntil });
  await fail(user, 30);
  assert.deepEqual(await counted(id), state);
  await endWait(id);
  await fail(user, 1);
  const { failures, blockedUntil: next } = await counted(id);
  const [event] = (await eventsOf(service.db, id)).slice(-1);
  assert.deepEqual([failures, next - event.created_at], [21, 900_000]);
});

test("a successful sign-in of the owner resets all failures before it", async () => {
  const { user, id } = await blocked();
  await endWait(id);
  assertSuccess(await login(service, user), 200);
  assert.deepEqual(await counted(id), { failures: 0, blockedUntil: 0 });
  await fail(user, FREE);
  assert.deepEqual(await counted(id), { failures: FREE, blockedUntil: 0 });
  assertSuccess(await login(service, user), 200);
});

test("a guesser that keeps an account throttled does not affect the owner's sessions", async () => {
  const { access, refresh: token } = await blocked();
  assertSuccess(await me(service, access), 200);
  const refreshed = await refresh(service, token);
  assertSuccess(refreshed, 200);
  assertSuccess(await me(service, refreshed.body.access_token), 200);
});

describe("an answer does not reveal whether", () => {
  let wrong;
  before(async () => (wrong = said(await guess((await signUp(service)).user))));

  test("an account is throttled", async () => {
    const { user } = await blocked();
    assert.deepEqual(said(await guess(user)), wrong);
    assert.deepEqual(said(await login(service, user)), wrong);
  });

  test("an address has an account, throttled or not", async () => {
    const stranger = newUser();
    const attempts = async (times) => {
      for (let attempt = 0; attempt < times; attempt += 1) {
        assert.deepEqual(said(await login(service, stranger)), wrong);
      }
    };
    await attempts(FREE + 1);
    const [{ key, failures }, ...others] = await rows(
      service.db,
      "SELECT * FROM throttles WHERE key LIKE 'unknown/%' AND blocked_until > 0",
    );
    assert.deepEqual([failures, others], [FREE + 1, []], "it is throttled like an account");
    const put = "UPDATE throttles SET failures = 20, blocked_until = ?2 WHERE key = ?1 RETURNING *";
    const [slot] = await rows(service.db, put, key, Date.now() + 300_000);
    await attempts(3);
    const sql = "SELECT * FROM throttles WHERE key = ?1";
    const [{ nonce }] = await rows(service.db, sql, key);
    assert.deepEqual(await rows(service.db, sql, key), [{ ...slot, nonce }], "and not counted during the wait");
    // A later owner of the address is not affected.
    assertSuccess(await register(service, stranger), 201);
    assertSuccess(await login(service, stranger), 200);
  });

  test("a disabled account's password is wrong, or the account is throttled", async () => {
    const { user, id } = await blocked();
    await rows(service.db, "UPDATE users SET is_active = 0 WHERE id = ?1", id);
    assert.deepEqual(said(await login(service, user)), wrong, "right, but throttled");
    await endWait(id);
    assert.deepEqual(said(await guess(user)), wrong);
    await endWait(id);
    assertEnvelope(await login(service, user), 403, "AUTH_INACTIVE_USER");
  });

  test("the database was asked for any of these: each costs two calls", async () => {
    const throttled = await blocked();
    const disabled = await signUp(service);
    await rows(service.db, "UPDATE users SET is_active = 0 WHERE id = ?1", disabled.id);
    const answers = [
      await guess((await signUp(service)).user),
      await login(service, newUser()),
      await guess(throttled.user),
      await login(service, throttled.user),
      await guess(disabled.user),
    ];
    answers.forEach((answer) => assert.deepEqual(said(answer), wrong));
    const lines = await accessLines(service, answers);
    assert.deepEqual(lines.map((line) => line.d1_calls), [2, 2, 2, 2, 2]);
  });
});

test("a thousand guesses at addresses without accounts are counted, and leave no row in any other table", async () => {
  const sizes = async () => {
    const { audit_events: events, throttles, ...tables } = JSON.parse(await dump(service.db));
    const ofUsers = throttles.filter(({ key }) => !key.startsWith("unknown/"));
    assert.ok(throttles.length - ofUsers.length <= 1024, "unknown addresses share rows");
    const others = Object.entries({ ...tables, ofUsers }).map(([name, all]) => `${name} ${all.length}`);
    // Refusals of one kind from one network are one row with their number.
    const refusals = events.reduce((sum, { count }) => sum + (count ?? 1), 0);
    return { refusals, others };
  };
  const sum = "SELECT coalesce(sum(failures), 0) AS n FROM throttles WHERE key LIKE 'unknown/%'";
  const failures = async () => (await rows(service.db, sum))[0].n;
  const [before, failuresBefore] = [await sizes(), await failures()];
  const MANY = 1000;
  for (let tried = 0; tried < MANY; tried += 50) {
    await Promise.all(Array.from({ length: 50 }, () => guess(newUser())));
  }
  assert.deepEqual(await sizes(), { ...before, refusals: before.refusals + MANY });
  // Several addresses share a row, and an attempt during its wait does not count.
  const counting = (await failures()) - failuresBefore;
  assert.ok(counting > MANY / 2 && counting <= MANY, `${counting} counted`);
});

describe("a thief with a token or an unlocked laptop that guesses the account's password", () => {
  for (const [aim, operation] of Object.entries(OPERATIONS)) {
    test(`${aim} has a count apart from the sign-in, and learns nothing about the token`, async () => {
      const { user, id, access } = await signUp(service);
      const answers = [];
      for (let failure = 1; failure <= FREE + 1; failure += 1) {
        answers.push(await operation(access, WRONG));
        assert.equal((await counted(id, PROOF)).failures, failure);
      }
      answers.forEach(assertWrongPassword);
      const blockedUntil = await lengthenWait(id, PROOF);
      assert.deepEqual(await counted(id, DOOR), NOTHING);
      assertSuccess(await login(service, user), 200);
      assertSuccess(await me(service, access), 200);
      assert.deepEqual(await counted(id, PROOF), { failures: FREE + 1, blockedUntil }, "a sign-in does not forgive it");
    });

    test(`${aim} is refused during a wait even with the right one, and changes nothing`, async () => {
      const { user, id, access } = await signUp(service);
      for (let failure = 1; failure <= FREE + 1; failure += 1) {
        assertWrongPassword(await operation(access, WRONG));
      }
      const blockedUntil = await lengthenWait(id, PROOF);
      const hash = (await userRow(service.db, id)).password_hash;
      const [right, wrong] = [await operation(access, user.password), await operation(access, WRONG)];
      [right, wrong].forEach(assertWrongPassword);
      assert.deepEqual(said(right), said(wrong));
      const row = await userRow(service.db, id);
      assert.deepEqual([row.password_hash, row.email], [hash, user.email]);
      assert.deepEqual(await counted(id, PROOF), { failures: FREE + 1, blockedUntil });
      await endWait(id, PROOF);
      assertDone(await operation(access, user.password));
    });

    test(`${aim} has free failures of its own while the sign-in is throttled, and so has the owner`, async () => {
      const { user, id, access, blockedUntil } = await blocked();
      for (let failure = 1; failure <= FREE; failure += 1) {
        assertWrongPassword(await operation(access, WRONG));
      }
      assert.deepEqual(await counted(id, PROOF), { failures: FREE, blockedUntil: 0 });
      assert.deepEqual(await counted(id, DOOR), { failures: FREE + 1, blockedUntil });
      assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
      assertDone(await operation(access, user.password));
    });
  }

  test("for all operations: the two behind the token share a count, and the login has its own", async () => {
    const { user, id, access } = await signUp(service);
    const behind = Object.values(OPERATIONS);
    const guesses = [() => guess(user), ...behind.map((operation) => () => operation(access, WRONG))];
    for (let round = 1; round <= (FREE + 1) / behind.length; round += 1) {
      for (const attempt of guesses) {
        assertEnvelope(await attempt(), 401, "AUTH_INVALID_CREDENTIALS");
      }
      assert.equal((await counted(id, PROOF)).failures, round * behind.length);
      assert.deepEqual(await counted(id, DOOR), { failures: round, blockedUntil: 0 });
    }
    await lengthenWait(id, PROOF);
    for (const operation of behind) {
      assertWrongPassword(await operation(access, user.password));
    }
    assertSuccess(await login(service, user), 200);
  });

  test("loses both counts, and the sign-in's wait, when the owner changes the password", async () => {
    const { user, id, access } = await blocked();
    for (let failure = 1; failure <= FREE; failure += 1) {
      assertWrongPassword(await deleteAccount(service, access, WRONG));
    }
    const password = "the owner's next passphrase";
    assertSuccess(await changePassword(service, access, user.password, password), 200);
    assert.deepEqual([await counted(id, DOOR), await counted(id, PROOF)], [NOTHING, NOTHING]);
    assertSuccess(await login(service, { ...user, password }), 200);
  });

  test("loses the count and a past wait when the owner changes the password", async () => {
    const { user, id, access } = await signUp(service);
    for (let failure = 1; failure <= FREE + 1; failure += 1) {
      assertWrongPassword(await deleteAccount(service, access, WRONG));
    }
    await endWait(id, PROOF);
    assert.deepEqual(await counted(id, PROOF), { failures: FREE + 1, blockedUntil: 1 });
    assertSuccess(await changePassword(service, access, user.password, "the owner's next passphrase"), 200);
    assert.deepEqual(await counted(id, PROOF), NOTHING);
  });
});

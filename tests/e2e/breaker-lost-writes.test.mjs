// D1 made a write, and its answer was lost: it failed, never came, or was unreadable. The client's view
// and the effect of its retry, for every operation that writes. The tables are checked directly.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, logout, me, newUser, refresh, register, signUp } from "./support/client.mjs";
import { assertSoundSessions, endingsOf, rows, tokensOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertUnavailable, setFaults, WRAPPER } from "./support/faults.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";

// A high threshold: these tests are not about the breaker.
const common = { D1_TIMEOUT_MS: "2500", BREAKER_FAILURE_THRESHOLD: "1000" };
const LOST = [
  ["fails", { kind: "after" }],
  ["never comes", { kind: "silent" }],
  ["is unreadable", { kind: "corrupt", answer: "nothing" }],
];
const sessionOf = (token) => Number(decode(token).claims.sid);
const jtiOf = (token) => decode(token).claims.jti;

/** Sends a request whose answer from D1 is lost. */
async function lose(service, fault, request) {
  await setFaults(service, { db: fault });
  const response = await request();
  await setFaults(service, { db: { kind: "ok" } });
  assertUnavailable(response);
}

/** A service for all tests of the suite. */
function serve(settings) {
  const suite = {};
  before(async () => {
    suite.service = await startService({ wrapper: WRAPPER, settings: { ...common, ...settings } });
  });
  after(() => suite.service.stop());
  return suite;
}

describe("with a retry interval, a refresh whose answer", () => {
  const suite = serve({ REFRESH_REUSE_INTERVAL_SECONDS: "3600" });

  for (const [name, fault] of LOST) {
    test(`${name} is retried with the same single successor, and the session continues`, async () => {
      const { service } = suite;
      const { access, refresh: token } = await signUp(service);
      await lose(service, fault, () => refresh(service, token));
      const { current: successor, previous } = await tokensOf(service.db, sessionOf(token));
      assert.equal(previous, jtiOf(token), "the write did happen");

      // The next retry is lost as well; then several retries are concurrent.
      await lose(service, fault, () => refresh(service, token));
      const retries = await Promise.all(Array.from({ length: 5 }, () => refresh(service, token)));
      retries.forEach((response) => assertSuccess(response, 200));
      const [next, ...others] = new Set(retries.map(({ body }) => body.refresh_token));
      assert.deepEqual(others, []);
      assert.equal(jtiOf(next), successor);
      assert.deepEqual(await tokensOf(service.db, sessionOf(token)), { current: successor, previous });

      assertSuccess(await me(service, access), 200);
      assertSuccess(await me(service, retries[0].body.access_token), 200);
      const onwards = await refresh(service, next);
      assertSuccess(onwards, 200);
      const current = jtiOf(onwards.body.refresh_token);
      assert.deepEqual(await tokensOf(service.db, sessionOf(token)), { current, previous: successor });
      assert.deepEqual(await endingsOf(service.db, sessionOf(token)), []);
      await assertSoundSessions(service.db);
    });
  }
});

describe("with strict rotation, a refresh whose answer", () => {
  const suite = serve({ REFRESH_REUSE_INTERVAL_SECONDS: "0" });

  for (const [name, fault] of LOST) {
    test(`${name} is retried with the same single successor, until that one is used`, async () => {
      const { service } = suite;
      const { access, refresh: token } = await signUp(service);
      await lose(service, fault, () => refresh(service, token));
      const written = await tokensOf(service.db, sessionOf(token));
      assert.equal(written.previous, jtiOf(token), "the write did happen");
      await lose(service, fault, () => refresh(service, token));
      const retries = await Promise.all(Array.from({ length: 5 }, () => refresh(service, token)));
      retries.forEach((response) => assertSuccess(response, 200));
      assert.deepEqual(new Set(retries.map(({ body }) => jtiOf(body.refresh_token))), new Set([written.current]));
      assert.deepEqual(await tokensOf(service.db, sessionOf(token)), written, "no second branch");
      assertSuccess(await me(service, access), 200);

      assertSuccess(await refresh(service, retries[0].body.refresh_token), 200);
      assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
      assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["reuse_detected"]);
      assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
      await assertSoundSessions(service.db);
    });

    test(`${name} leaves every other token of the session an old one`, async () => {
      const { service } = suite;
      const { access, refresh: token, user } = await signUp(service);
      const second = (await refresh(service, token)).body.refresh_token;
      // Presented by a thief: this exchange was answered long ago, so the stall excuses nothing.
      await lose(service, fault, () => refresh(service, token));
      for (let retry = 0; retry < 3; retry += 1) {
        assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
      }
      assertEnvelope(await refresh(service, second), 401, "AUTH_TOKEN_REVOKED");
      assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["reuse_detected"]);
      assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
      assertSuccess(await login(service, user), 200);
      await assertSoundSessions(service.db);
    });
  }

  test("was lost before the write is simply repeated", async () => {
    const { service } = suite;
    const { access, refresh: token } = await signUp(service);
    for (const kind of ["before", "never"]) {
      await lose(service, { kind }, () => refresh(service, token));
    }
    assert.deepEqual(await tokensOf(service.db, sessionOf(token)), { current: jtiOf(token), previous: null });
    const { body, ...response } = await refresh(service, token);
    assertSuccess({ body, ...response }, 200);
    assertSuccess(await me(service, access), 200);
    assertSuccess(await refresh(service, body.refresh_token), 200);
    await assertSoundSessions(service.db);
  });
});

describe("an operation whose answer is lost after it wrote is safe to repeat:", () => {
  const suite = serve({});
  const sessionsOf = (email) =>
    rows(suite.service.db, "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = ?1", email);

  for (const [name, fault] of LOST) {
    test(`register (the answer ${name}) says CONFLICT, and the user can sign in`, async () => {
      const { service } = suite;
      const user = newUser();
      await lose(service, fault, () => register(service, user));
      assert.equal((await sessionsOf(user.email)).length, 1, "the write did happen, whole");
      assertEnvelope(await register(service, user), 409, "CONFLICT");
      assertSuccess(await login(service, user), 200);
      assert.equal((await rows(service.db, "SELECT id FROM users WHERE email = ?1", user.email)).length, 1);
      await assertSoundSessions(service.db);
    });

    test(`logout (the answer ${name}) is done, and can be repeated`, async () => {
      const { service } = suite;
      const { access, refresh: token } = await signUp(service);
      await lose(service, fault, () => logout(service, token));
      assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["signed_out"], "the write did happen");
      assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
      assertSuccess(await logout(service, token), 200);
      assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
    });

    test(`login (the answer ${name}) can be repeated: the first session is complete, and unused`, async () => {
      const { service } = suite;
      const { user } = await signUp(service);
      await lose(service, { ...fault, skip: 1 }, () => login(service, user));
      assert.equal((await sessionsOf(user.email)).length, 2, "the write did happen");
      const { body, ...response } = await login(service, user);
      assertSuccess({ body, ...response }, 200);
      assertSuccess(await refresh(service, body.refresh_token), 200);
      assert.equal((await sessionsOf(user.email)).length, 3);
      await assertSoundSessions(service.db);
    });
  }
});

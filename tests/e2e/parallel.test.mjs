// The effects of concurrent requests on each other: the races that the guards of the SQL
// decide. At this level, because only workerd interleaves requests in one isolate over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, logout, me, newUser, refresh, register, signUp } from "./support/client.mjs";
import { endingsOf, liveSessions, rows, sessionRow, tokensOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { startService } from "./support/service.mjs";
import { restarting } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";

const MANY = 20;

/** Starts all of them before any is answered. */
const inParallel = (operation) => Promise.all(Array.from({ length: MANY }, (_, index) => operation(index)));
const withStatus = (responses, status) => responses.filter((response) => response.status === status);
const jtiOf = (token) => decode(token).claims.jti;
const sessionOf = (token) => Number(decode(token).claims.sid);

describe("with strict rotation", () => {
  let service;
  before(async () => (service = await startService({ settings: { REFRESH_REUSE_INTERVAL_SECONDS: "0" } })));
  after(() => service.stop());

  test("of many refreshes with one token exactly one succeeds, and the others end the session", async () => {
    const { access, refresh: token } = await signUp(service);
    const responses = await inParallel(() => refresh(service, token));
    const [winner, ...otherWinners] = withStatus(responses, 200);
    assertSuccess(winner, 200);
    assert.deepEqual(otherWinners, []);
    const losers = responses.filter((response) => response !== winner);
    losers.forEach((response) => assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED"));

    assertEnvelope(await refresh(service, winner.body.refresh_token), 401, "AUTH_TOKEN_REVOKED");
    assertEnvelope(await me(service, winner.body.access_token), 401, "AUTH_TOKEN_REVOKED");
    assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["reuse_detected"]);
    assert.equal(await sessionRow(service.db, sessionOf(token)), undefined);
  });

  test("two refreshes each of many sessions: one succeeds, and at every moment the row names one of the two tokens", async () => {
    const people = await inParallel(() => signUp(service));
    const attempts = people.flatMap(({ refresh: token }) => [refresh(service, token), refresh(service, token)]);
    const looks = await inParallel(() => rows(service.db, "SELECT * FROM refresh_tokens WHERE revoked = 0"));
    const winners = withStatus(await Promise.all(attempts), 200);
    assert.equal(winners.length, people.length);
    const issued = new Set([...people, ...winners.map(({ body }) => ({ refresh: body.refresh_token }))].map((pair) => jtiOf(pair.refresh)));
    for (const look of looks) {
      const own = look.filter(({ jti }) => issued.has(jti));
      assert.equal(new Set(own.map(({ session_id: id }) => id)).size, own.length);
    }
    for (const { id } of people) {
      assert.deepEqual(await liveSessions(service.db, id), [], "the loser's reuse ended the session");
    }
  });

  test("of many registrations of one address exactly one succeeds, completely", async () => {
    const { email } = newUser();
    const spellings = [email, email.toUpperCase(), ` ${email} `, email.replace("person", "Person")];
    const people = Array.from({ length: MANY }, (_, index) => {
      return { email: spellings[index % spellings.length], password: `the password of number ${index}` };
    });
    const responses = await inParallel((index) => register(service, people[index]));
    const [winner, ...otherWinners] = withStatus(responses, 201);
    assertSuccess(winner, 201);
    assert.deepEqual(otherWinners, []);
    const losers = responses.filter((response) => response !== winner);
    losers.forEach((response) => assertEnvelope(response, 409, "CONFLICT"));

    const users = await rows(service.db, "SELECT id FROM users WHERE email = ?1", email);
    assert.deepEqual(users, [{ id: winner.body.id }]);
    const sessions = await rows(service.db, "SELECT id FROM sessions WHERE user_id = ?1", winner.body.id);
    assert.deepEqual(sessions, [{ id: sessionOf(winner.body.refresh_token) }]);
    assertSuccess(await me(service, winner.body.access_token), 200);
    const signIns = await inParallel((index) => login(service, people[index]));
    const whoMaySignIn = withStatus(signIns, 200).map((response) => signIns.indexOf(response));
    assert.deepEqual(whoMaySignIn, [responses.indexOf(winner)], "the winner's password is the one that counts");
  });

  test("a concurrent sign-out and refresh leave a revoked session, in either order", async () => {
    const people = await inParallel(() => signUp(service));
    const outcomes = await Promise.all(
      people.map(async ({ access, refresh: token }, index) => {
        const operations = [() => logout(service, token), () => refresh(service, token)];
        const order = index % 2 === 0 ? operations : operations.toReversed();
        const answers = await Promise.all(order.map((operation) => operation()));
        const [signedOut, refreshed] = index % 2 === 0 ? answers : answers.toReversed();
        return { access, token, signedOut, refreshed };
      }),
    );
    for (const { access, token, signedOut, refreshed } of outcomes) {
      assertSuccess(signedOut, 200);
      const hadSuccess = refreshed.status === 200;
      if (!hadSuccess) {
        assertEnvelope(refreshed, 401, "AUTH_TOKEN_REVOKED");
      }
      const tokens = hadSuccess ? [refreshed.body.refresh_token, token] : [token];
      for (const dead of tokens) {
        assertEnvelope(await refresh(service, dead), 401, "AUTH_TOKEN_REVOKED");
      }
      for (const dead of hadSuccess ? [refreshed.body.access_token, access] : [access]) {
        assertEnvelope(await me(service, dead), 401, "AUTH_TOKEN_REVOKED");
      }
      assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["signed_out"]);
    }
  });
});

describe("with a retry interval", () => {
  let service;
  // The longest possible one: the speed of this machine must not decide which use counts as a retry.
  before(async () => (service = await startService({ settings: { REFRESH_REUSE_INTERVAL_SECONDS: "3600" } })));
  after(() => service.stop());

  test("many refreshes with one token all get the same successor, byte for byte", async () => {
    const { refresh: token } = await signUp(service);
    const responses = await inParallel(() => refresh(service, token));
    responses.forEach((response) => assertSuccess(response, 200));
    const successors = new Set(responses.map(({ body }) => body.refresh_token));
    assert.equal(successors.size, 1);
    assert.equal(new Set(responses.map(({ body }) => body.access_token)).size, MANY);
    for (const { body } of responses) {
      assertSuccess(await me(service, body.access_token), 200);
    }
    const [successor] = successors;
    assert.deepEqual(await tokensOf(service.db, sessionOf(token)), { current: jtiOf(successor), previous: jtiOf(token) });
    assertSuccess(await refresh(service, successor), 200);
  });

  test("a retry gets the issued successor only until that one is used", async () => {
    const { access, refresh: token } = await signUp(service);
    const second = (await refresh(service, token)).body.refresh_token;
    const third = (await refresh(service, second)).body.refresh_token;
    const later = await refresh(service, second);
    assert.equal(later.body.refresh_token, third);
    assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
    assertEnvelope(await refresh(service, third), 401, "AUTH_TOKEN_REVOKED");
    assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["reuse_detected"]);
  });

  test("a second use after the interval is reuse and ends the session", async () => {
    const { refresh: token } = await signUp(service);
    const newest = (await refresh(service, token)).body;
    const earlier = "UPDATE sessions SET last_used_at = last_used_at - 3601000 WHERE id = ?1";
    await rows(service.db, earlier, sessionOf(token));
    const responses = await inParallel(() => refresh(service, token));
    responses.forEach((response) => assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED"));
    assertEnvelope(await refresh(service, newest.refresh_token), 401, "AUTH_TOKEN_REVOKED");
    assertEnvelope(await me(service, newest.access_token), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await endingsOf(service.db, sessionOf(token)), ["reuse_detected"]);
  });
});

test("many concurrent sign-ins that all replace an old password hash all succeed", async (t) => {
  const start = restarting(t);
  const earlier = await start({ PASSWORD_ITERATIONS: "1000" });
  const { user } = await signUp(earlier);
  const [{ password_hash: old }] = await rows(earlier.db, "SELECT password_hash FROM users");
  assert.match(old, /^\$pbkdf2-sha256\$i=1000,l=32\$/);

  const service = await start({ PASSWORD_ITERATIONS: "2000" });
  const responses = await inParallel(() => login(service, user));
  responses.forEach((response) => assertSuccess(response, 200));
  assert.equal(new Set(responses.map(({ body }) => sessionOf(body.refresh_token))).size, MANY);
  const [{ password_hash: upgraded }] = await rows(service.db, "SELECT password_hash FROM users");
  assert.match(upgraded, /^\$pbkdf2-sha256\$i=2000,l=32\$/);
  assertSuccess(await login(service, user), 200);
  assertEnvelope(await login(service, { ...user, password: "another password" }), 401, "AUTH_INVALID_CREDENTIALS");
  assert.deepEqual(await rows(service.db, "SELECT password_hash FROM users"), [{ password_hash: upgraded }]);
});

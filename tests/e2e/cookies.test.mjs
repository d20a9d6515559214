// Cookie mode over HTTP: the cookies as they arrive, requests that race, and answers that are lost. At this level, because the
// platform makes the headers, and only workerd interleaves requests over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, me, newUser, post, refresh, send, signUp } from "./support/client.mjs";
import {
  assertCleared, cookieOf, DEVICE, logoutByCookie, OWN_PAGE, REFRESH, refreshByCookie, registerByCookie, setCookies, signInByCookie,
  signUpByCookie, valueOf,
} from "./support/cookies.mjs";
import { endingsOf, rows, sessionRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { breakOpen, assertUnavailable, command, setFaults, startFaulty } from "./support/faults.mjs";
import { inParallel } from "./support/isolates.mjs";
import { burst, DOORS, sorted, withinOneMinute } from "./support/limits.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";
import { watchedFor } from "./support/watched.mjs";

const DAY = 24 * 3600;
const MANY = 50;

const sessionOf = (token) => Number(decode(token).claims.sid);
const subjectOf = (token) => decode(token).claims.sub;
/** Lets the last exchange of a session appear older. */
const age = ({ db }, token, seconds) =>
  rows(db, "UPDATE sessions SET last_used_at = last_used_at - ?2 WHERE id = ?1", sessionOf(token), seconds * 1000);

let service;
before(async () => (service = await startService({ isolates: 2 })));
after(() => service?.stop());

describe("headers", () => {
  test("both tokens arrive as headers of their own, with exactly these attributes", async () => {
    const user = newUser();
    for (const response of [await registerByCookie(service, user), await signInByCookie(service, user)]) {
      const expected = [[REFRESH, 30 * DAY], [DEVICE, 90 * DAY]].map(([name, seconds]) => {
        const token = valueOf(response, name);
        assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
        assert.ok(!response.text.includes(token));
        return `${name}=${token}; Max-Age=${seconds}; Path=/; Secure; HttpOnly; SameSite=Strict`;
      });
      assert.deepEqual(setCookies(response), expected);
      assert.deepEqual([response.body.refresh_token, response.body.device_token], [undefined, undefined]);
    }
  });

  test("a session begins, continues and ends without a body and without a token in sight", async () => {
    const { user, cookie } = await signUpByCookie(service);
    const refreshed = await refreshByCookie(service, cookieOf(cookie));
    assertSuccess(refreshed, 200);
    assert.deepEqual(Object.keys(refreshed.body), ["access_token", "token_type", "expires_in"]);
    const successor = valueOf(refreshed, REFRESH);
    assert.notEqual(successor, cookie);
    assert.equal(setCookies(refreshed).length, 1, "the device stays as it is");
    assert.equal((await me(service, refreshed.body.access_token)).body.email, user.email);
    const ended = await logoutByCookie(service, cookieOf(successor));
    assertSuccess(ended, 200);
    assertCleared(ended);
    assert.deepEqual(await endingsOf(service.db, sessionOf(cookie)), ["signed_out"]);
    const late = await refreshByCookie(service, cookieOf(successor));
    assertEnvelope(late, 401, "AUTH_TOKEN_REVOKED");
    assertCleared(late);
  });

  test("the cookie does not outlive its session", async () => {
    const { cookie } = await signUpByCookie(service);
    await rows(service.db, "UPDATE sessions SET expires_at = expires_at - ?2 WHERE id = ?1", sessionOf(cookie), 29.5 * DAY * 1000);
    const [line] = setCookies(await refreshByCookie(service, cookieOf(cookie)));
    const seconds = Number(line.match(/; Max-Age=(\d+);/)[1]);
    assert.ok(seconds > 0.49 * DAY && seconds <= 0.5 * DAY, line);
  });
});

/** The Worker keeps the headers of its latest responses by their text. */
test("no cookie gets into the answer to another request", async () => {
  const people = await burst(200, async () => {
    const user = newUser();
    return { user, answer: await registerByCookie(service, user) };
  });
  for (const { answer } of people) {
    const owner = String(answer.body.id);
    assert.deepEqual([REFRESH, DEVICE].map((name) => subjectOf(valueOf(answer, name))), [owner, owner]);
    assert.equal(subjectOf(answer.body.access_token), owner);
  }
  const cookies = people.map(({ answer }) => valueOf(answer, REFRESH));
  const refreshed = await burst(200, (index) => refreshByCookie(service, cookieOf(cookies[index])));
  refreshed.forEach((answer, index) => assert.equal(subjectOf(valueOf(answer, REFRESH)), subjectOf(cookies[index])));

  const { user, answer } = people[0];
  const others = [
    () => login(service, user),
    () => login(service, { ...user, password: "wrong" }),
    () => post(service, "/auth/register", newUser()),
    () => me(service, answer.body.access_token),
    () => asUser(service, answer.body.access_token, "GET", "/auth/sessions"),
    () => refreshByCookie(service, undefined),
    () => logoutByCookie(service, undefined),
    () => send(service, "/health"),
    () => send(service, "/account"),
    () => send(service, "/no-such-path"),
  ];
  const answers = await burst(200, (index) => others[index % others.length]());
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 201, 401, 404]));
  answers.forEach((response) => assert.deepEqual(setCookies(response), [], response.text));
});

describe("at once", () => {
  const refreshes = (request) => inParallel(service, Array(MANY).fill(request));

  test("50 refreshes with one cookie all succeed, with one and the same successor", async () => {
    const { cookie } = await signUpByCookie(service);
    const answers = await refreshes((isolate) => refreshByCookie(isolate, cookieOf(cookie)));
    answers.forEach((response) => assertSuccess(response, 200));
    const successors = [...new Set(answers.map((response) => valueOf(response, REFRESH)))];
    assert.equal(successors.length, 1);
    assert.equal(new Set(answers.map(({ body }) => decode(body.access_token).claims.jti)).size, MANY);
    assertSuccess(await me(service, answers.at(-1).body.access_token), 200);
    assert.equal((await sessionRow(service.db, sessionOf(cookie))).refresh_id, decode(successors[0]).claims.jti);

    // The successor is used: now the old cookie is theft, whatever the time.
    assertSuccess(await refreshByCookie(service, cookieOf(successors[0])), 200);
    const stolen = await refreshByCookie(service, cookieOf(cookie));
    assertEnvelope(stolen, 401, "AUTH_TOKEN_REVOKED");
    assertCleared(stolen);
    assert.deepEqual(await endingsOf(service.db, sessionOf(cookie)), ["reuse_detected"]);
  });

  test("50 refreshes with one token in the body have one winner, also with the token of a cookie", async () => {
    const tokens = [(await signUp(service)).refresh, (await signUpByCookie(service)).cookie];
    for (const token of tokens) {
      const answers = await refreshes((isolate) => refresh(isolate, token));
      const [winner, ...losers] = answers.toSorted((one, other) => one.status - other.status);
      assertSuccess(winner, 200);
      losers.forEach((response) => assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED"));
      answers.forEach((response) => assert.deepEqual(setCookies(response), []));
      assert.equal(await sessionRow(service.db, sessionOf(token)), undefined);
    }
  });

  test("of refreshes and a sign-out with one cookie nothing survives", async () => {
    const { cookie } = await signUpByCookie(service);
    const requests = Array.from({ length: MANY }, (_, index) => (index === MANY / 2 ? logoutByCookie : refreshByCookie));
    const answers = await inParallel(service, requests.map((request) => (isolate) => request(isolate, cookieOf(cookie))));
    const ended = answers[MANY / 2];
    assertSuccess(ended, 200);
    assertCleared(ended);
    assert.ok(answers.every(({ status }) => status === 200 || status === 401));
    const left = answers.flatMap((response) => valueOf(response, REFRESH) || []);
    for (const token of new Set(left)) {
      assertEnvelope(await refreshByCookie(service, cookieOf(token)), 401, "AUTH_TOKEN_REVOKED");
    }
    assert.equal(await sessionRow(service.db, sessionOf(cookie)), undefined);
  });
});

describe("lost answers", () => {
  test("the old cookie counts for 10 seconds after the exchange, and is theft after that", async () => {
    const { cookie } = await signUpByCookie(service);
    const lost = valueOf(await refreshByCookie(service, cookieOf(cookie)), REFRESH);
    await age(service, cookie, 5);
    const again = await refreshByCookie(service, cookieOf(cookie));
    assertSuccess(again, 200);
    assert.equal(decode(valueOf(again, REFRESH)).claims.jti, decode(lost).claims.jti);
    await age(service, cookie, 6);
    const late = await refreshByCookie(service, cookieOf(cookie));
    assertEnvelope(late, 401, "AUTH_TOKEN_REVOKED");
    assertCleared(late);
    assertEnvelope(await refreshByCookie(service, cookieOf(lost)), 401, "AUTH_TOKEN_REVOKED");
  });

  test("a failing database clears no cookie and ends no session", async (t) => {
    const faulty = await startFaulty(t);
    const { cookie } = await signUpByCookie(faulty);
    for (const request of [refreshByCookie, logoutByCookie]) {
      await setFaults(faulty, { db: { kind: "before", times: 1 } });
      const response = await request(faulty, cookieOf(cookie));
      assertUnavailable(response);
      assert.deepEqual(setCookies(response), []);
    }
    assertSuccess(await refreshByCookie(faulty, cookieOf(cookie)), 200);
  });

  test("an open breaker clears no cookie either, and the cookie works when it has closed", async (t) => {
    const faulty = await startFaulty(t);
    const { user, cookie } = await signUpByCookie(faulty);
    await breakOpen(faulty);
    const requests = [refreshByCookie, logoutByCookie].map((request) => () => request(faulty, cookieOf(cookie)));
    for (const request of [...requests, () => signInByCookie(faulty, user)]) {
      const response = await request();
      assertUnavailable(response);
      assert.deepEqual(setCookies(response), []);
    }
    await setFaults(faulty, { db: { kind: "ok" } });
    await command(faulty, "closed");
    assertSuccess(await refreshByCookie(faulty, cookieOf(cookie)), 200);
  });

  test("an exchange that the database made without an answer is repeated after more than 10 seconds", async (t) => {
    const faulty = await startFaulty(t);
    const { cookie } = await signUpByCookie(faulty);
    await setFaults(faulty, { db: { kind: "after", times: 1 } });
    const response = await refreshByCookie(faulty, cookieOf(cookie));
    assertUnavailable(response);
    assert.deepEqual(setCookies(response), []);
    assert.notEqual((await sessionRow(faulty.db, sessionOf(cookie))).refresh_id, decode(cookie).claims.jti);
    await age(faulty, cookie, 60);
    assertSuccess(await refreshByCookie(faulty, cookieOf(cookie)), 200);
  });

  test("a limit clears no cookie", async (t) => {
    const limited = await startFor(t, { settings: { RATE_LIMITING: "on" } });
    const { cookie } = await signUpByCookie(limited);
    const { admitted, refused } = await withinOneMinute(limited, async (ip) => {
      const headers = { ...OWN_PAGE, "CF-Connecting-IP": ip };
      return sorted(await burst(DOORS.refresh.limit + 5, () => refreshByCookie(limited, cookieOf(cookie), headers)));
    });
    assert.deepEqual([admitted, refused.length], [DOORS.refresh.limit, 5]);
    refused.forEach((response) => assert.deepEqual(setCookies(response), []));
    assertSuccess(await refreshByCookie(limited, cookieOf(cookie)), 200);
  });
});

/** The end of a watched service searches its whole log. */
test("no log line has a cookie", async (t) => {
  const watched = await watchedFor(t, { settings: { LOG_LEVEL: "DEBUG" } });
  const answer = await registerByCookie(watched, newUser());
  const token = valueOf(answer, REFRESH);
  const successor = valueOf(await refreshByCookie(watched, cookieOf(token)), REFRESH);
  await logoutByCookie(watched, cookieOf(successor));
  await refreshByCookie(watched, cookieOf(`"${token}"`));
  const parts = [token, successor, valueOf(answer, DEVICE)].flatMap((secret) => secret.split(".").slice(1));
  parts.forEach((part) => watched.secrets.add(part));
});

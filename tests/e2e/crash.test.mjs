// The service crashes, in part or as a whole: a panic of the Wasm in the middle of a request, and `kill -9` of all
// processes in the middle of a burst. At this level, because only here is there an instance that can be lost.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { login, logout, me, newUser, refresh, register, send, signUp } from "./support/client.mjs";
import { assertSoundSessions } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { startKillable } from "./support/killable.mjs";
import { assertLogLine, logged, loggedOf, loggedText } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";
import { startFor, stateFolder } from "./support/start.mjs";

const PANIC = { "X-Test-Panic": "1" };
const TRAP = { "X-Test-Trap": "1" };
const HOLD = { "X-Test-Hold": "1" };
const isHeld = (line) => line.message === "Answer held back";

describe("a panic", () => {
  test("is answered with the envelope and the id of its log lines, and the next request works", async (t) => {
    const service = await startFor(t, { wrapper: "tests/e2e/wrappers/panicking-db.mjs" });
    const { access, refresh: token, user } = await signUp(service);
    for (const panic of [
      () => register(service, newUser(), PANIC),
      () => login(service, user, PANIC),
      () => refresh(service, token, PANIC),
      () => logout(service, token, PANIC),
      () => me(service, access, PANIC),
    ]) {
      const response = await panic();
      assertEnvelope(response, 500, "INTERNAL_ERROR");
      assert.doesNotMatch(response.body.error.message, /unreadable|panic|unwrap/i);
      const lines = await loggedOf(service, response);
      assert.equal(lines[0].message, "Request started");
      assert.ok(lines.some((line) => line.level === "ERROR" && /unreadable answer/.test(line.cause)), "the cause");
      assertSuccess(await me(service, access), 200);
    }
    assertSuccess(await refresh(service, token), 200);
    const ids = { "X-Request-ID": "a-name-of-its-own", "CF-Ray": "230b030023ae2822-SJC" };
    const named = await me(service, access, { ...PANIC, ...ids });
    assertEnvelope(named, 500, "INTERNAL_ERROR");
    assert.equal(named.body.request_id, "a-name-of-its-own");
    (await loggedOf(service, named)).forEach((line) => assert.equal(line.ray, "230b030023ae2822-SJC"));
    (await loggedText(service)).forEach(assertLogLine);
  });

  test("takes the requests in flight with it: all are answered, each under its own id", async (t) => {
    const settings = { REFRESH_REUSE_INTERVAL_SECONDS: "600", D1_TIMEOUT_MS: "60000" };
    const service = await startFor(t, { wrapper: "tests/e2e/wrappers/held-db.mjs", settings });
    const [ada, other] = [await signUp(service), await signUp(service)];

    const unharmed = [me(service, ada.access, HOLD), refresh(service, other.refresh, HOLD)];
    await service.logged(isHeld, 2);
    assertSuccess(await send(service, "/health", { headers: { "X-Test-Release": "1" } }), 200);
    (await Promise.all(unharmed)).forEach((response) => assertSuccess(response, 200));

    const inFlight = [
      me(service, ada.access, HOLD),
      refresh(service, ada.refresh, HOLD),
      login(service, ada.user, HOLD),
      register(service, newUser(), HOLD),
      logout(service, other.refresh, HOLD),
    ];
    await service.logged(isHeld, 2 + inFlight.length);
    const panicked = await me(service, ada.access, PANIC);
    const answers = await Promise.all(inFlight);
    for (const response of [panicked, ...answers]) {
      assertEnvelope(response, 500, "INTERNAL_ERROR");
      const lines = await loggedOf(service, response);
      assert.equal(lines[0].message, "Request started");
      assert.ok(lines.some((line) => line.level === "ERROR"));
    }
    assert.equal(new Set([panicked, ...answers].map(({ body }) => body.request_id)).size, 1 + inFlight.length);

    // Their writes to the database were made: a refresh whose answer was lost can be repeated.
    assertSuccess(await me(service, ada.access), 200);
    assertSuccess(await refresh(service, ada.refresh), 200);
    assertEnvelope(await refresh(service, other.refresh), 401, "AUTH_TOKEN_REVOKED");
    (await loggedText(service)).forEach(assertLogLine);
  });

  test("is answered with the CORS headers of any other response", async (t) => {
    for (const [origins, origin] of [
      ['["https://app.example"]', "https://app.example"],
      ['["https://app.example"]', "https://other.example"],
      ['["https://app.example"]', undefined],
      ['["*"]', "https://app.example"],
      [undefined, "https://app.example"],
    ]) {
      const settings = { BACKEND_CORS_ORIGINS: origins };
      const service = await startFor(t, { wrapper: "tests/e2e/wrappers/panicking-db.mjs", settings });
      const { access } = await signUp(service);
      const headers = origin ? { Origin: origin } : {};
      const corsOf = (response) => Object.entries(response.headers).filter(([name]) => /^(access-|vary)/.test(name)).sort();
      const [whole, lost] = [await me(service, access, headers), await me(service, access, { ...headers, ...PANIC })];
      assertSuccess(whole, 200);
      assert.equal(lost.status, 500);
      const expected = corsOf(whole).filter(([name]) => origin === "https://app.example" || name.includes("allow-origin"));
      assert.deepEqual(corsOf(lost), expected, `${origins} ${origin}`);
      await service.stop();
    }
  });

  test("among many concurrent requests leaves none without an answer", async (t) => {
    const settings = { REFRESH_REUSE_INTERVAL_SECONDS: "600" };
    const service = await startFor(t, { wrapper: "tests/e2e/wrappers/panicking-db.mjs", settings });
    const people = await Promise.all(Array.from({ length: 8 }, () => signUp(service)));
    for (let round = 0; round < 5; round += 1) {
      const responses = people.flatMap(({ access, refresh: token }, index) => [
        refresh(service, token),
        ...(index === round ? [me(service, access, PANIC)] : []),
        me(service, access),
      ]);
      for (const response of await Promise.all(responses)) {
        if (response.status !== 200) {
          assertEnvelope(response, 500, "INTERNAL_ERROR");
        }
      }
      await assertSoundSessions(service.db);
    }
    for (const { refresh: token } of people) {
      assertSuccess(await refresh(service, token), 200);
    }
    await assertSoundSessions(service.db);
    (await loggedText(service)).forEach(assertLogLine);
  });
});

test("a panic of Rust is logged with its place, and answered with the envelope", async (t) => {
  const service = await startFor(t, { wrapper: "tests/e2e/wrappers/reentrant.mjs" });
  const response = await send(service, "/nowhere", { headers: PANIC });
  assertEnvelope(response, 500, "INTERNAL_ERROR");
  const panics = await logged(service, (line) => line.message === "Panicked");
  assert.equal(panics.length, 1);
  assert.deepEqual([panics[0].level, panics[0].name], ["ERROR", "app.errors"]);
  assert.match(panics[0].cause, /panicked at .*\.rs:\d+:\d+:\nreentrant init/);
  const [line] = (await loggedOf(service, response)).filter(({ message }) => message === "Request lost in a crash");
  assert.match(line.cause, /RuntimeError/);
  await signUp(service);
});

test("a binding that throws at once fails only the request that asked it", async (t) => {
  const service = await startFor(t, { wrapper: "tests/e2e/wrappers/held-db.mjs", settings: { D1_TIMEOUT_MS: "60000" } });
  const { access, refresh: token } = await signUp(service);
  const inFlight = [me(service, access, HOLD), refresh(service, token, HOLD)];
  await service.logged(isHeld, 2);
  assertEnvelope(await me(service, access, { "X-Test-Throw": "1" }), 503, "SERVICE_UNAVAILABLE");
  assertSuccess(await send(service, "/health", { headers: { "X-Test-Release": "1" } }), 200);
  (await Promise.all(inFlight)).forEach((response) => assertSuccess(response, 200));
  const lines = await loggedText(service);
  assert.ok(lines.some((line) => /prepare failed/.test(line)), "the cause");
  assert.ok(!lines.some((line) => /The instance is lost/.test(line)));
});

test("a trap of the Wasm is answered with the envelope, and a new instance serves the next request", async (t) => {
  const service = await startFor(t, { wrapper: "tests/e2e/wrappers/trapping.mjs" });
  const { access, refresh: token } = await signUp(service);
  for (const trap of [() => me(service, access, TRAP), () => refresh(service, token, TRAP)]) {
    const response = await trap();
    assertEnvelope(response, 500, "INTERNAL_ERROR");
    const lines = await loggedOf(service, response);
    assert.equal(lines[0].message, "Request started");
    assert.ok(lines.some((line) => line.level === "ERROR" && /RuntimeError/.test(line.cause)), "the cause");
    assertSuccess(await me(service, access), 200);
  }
  (await loggedText(service)).forEach(assertLogLine);
});

describe("kill -9 in the middle of many refreshes", () => {
  const CLIENTS = 16;
  const ROUNDS = 3;
  const settings = { REFRESH_REUSE_INTERVAL_SECONDS: "600" };

  /** Each client refreshes repeatedly; after this many answers in total everything is killed. */
  async function burst(service, clients, answersUntilKill) {
    let answers = 0;
    let killed;
    const chain = async (client) => {
      while (!killed) {
        let response;
        try {
          response = await refresh(service, client.token);
        } catch (error) {
          assert.ok(killed, `no answer before the kill: ${error}`);
          return;
        }
        assertSuccess(response, 200);
        client.token = response.body.refresh_token;
        answers += 1;
        if (answers === answersUntilKill) {
          killed = service.kill();
        }
      }
    };
    await Promise.all(clients.map(chain));
    await killed;
    return answers;
  }

  test("loses no token that was issued, and leaves each session with its newest one", async (t) => {
    const state = stateFolder();
    let clients;
    let answers = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const mortal = await startKillable(t, { state, settings });
      clients ??= await Promise.all(
        Array.from({ length: CLIENTS }, async () => ({ token: (await signUp(mortal)).refresh })),
      );
      answers += await burst(mortal, clients, 100 + 37 * round);

      const service = await startService({ state, settings });
      try {
        const found = await assertSoundSessions(service.db);
        assert.equal(found.sessions, CLIENTS);
        for (const client of clients) {
          const response = await refresh(service, client.token);
          assertSuccess(response, 200);
          client.token = response.body.refresh_token;
          answers += 1;
          assertSuccess(await me(service, response.body.access_token), 200);
        }
        await assertSoundSessions(service.db);
      } finally {
        await service.stop();
      }
    }
  });
});

// Faults that are not the caller's: malformed stored data, missing tables, wrong settings, an unreachable database.
// At this level, because each is caused the way it happens: in D1, in the bindings, in the deployed bundle.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { login, logout, me, newUser, refresh, register, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertLogLine, logged, loggedOf, loggedText } from "./support/logs.mjs";
import { SECRET_KEY } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";
import { forge } from "./support/tokens.mjs";

/** One of every operation that needs the database, for no user in particular. */
function everyOperation(service, headers) {
  return [
    register(service, newUser(), headers),
    login(service, newUser(), headers),
    refresh(service, forge("refresh"), headers),
    logout(service, forge("refresh"), headers),
    me(service, forge("access"), headers),
  ];
}

/** The request logged its failure once, as ERROR, with a cause that matches this. */
async function assertLoggedOnce(service, response, cause) {
  const errors = (await loggedOf(service, response)).filter((line) => line.level === "ERROR");
  assert.equal(errors.length, 1, JSON.stringify(errors));
  assert.equal(errors[0].name, "app.errors");
  assert.equal(errors[0].code, response.body.error.code);
  assert.equal(errors[0].status_code, response.status);
  assert.match(errors[0].cause, cause);
}

test("a malformed stored password hash is INTERNAL_ERROR for its owner only", async (t) => {
  const service = await startFor(t);
  const [{ user, id }, neighbour] = [await signUp(service), await signUp(service)];
  const [{ password_hash: good }] = await rows(service.db, "SELECT password_hash FROM users WHERE id = ?1", id);
  const [rounds, salt, hash] = good.split("$").slice(2);
  const nonsense = [
    "",
    "plain text",
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    `$argon2id$v=16$m=19456,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=4194304,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=19$t=2,m=19456,p=1$${salt}$${hash}`,
    `$pbkdf2-sha256$i=0,l=32$${salt}$${hash}`,
    `$pbkdf2-sha256$i=4000000000,l=32$${salt}$${hash}`,
    `$pbkdf2-sha256$${rounds}$${salt}`,
    `$pbkdf2-sha256$${rounds}$${salt}$${hash.slice(0, 20)}`,
  ];
  for (const stored of nonsense) {
    await rows(service.db, "UPDATE users SET password_hash = ?2 WHERE id = ?1", id, stored);
    for (const attempt of [user, { ...user, password: "a wrong password" }]) {
      const response = await login(service, attempt);
      assertEnvelope(response, 500, "INTERNAL_ERROR");
      assert.doesNotMatch(response.body.error.message, /hash|PBKDF2|Argon2|PHC/i);
      await assertLoggedOnce(service, response, /password hash/);
    }
  }
  assertSuccess(await login(service, neighbour.user), 200);
  const text = (await loggedText(service)).join("\n");
  [salt, hash, "plain text"].forEach((part) => assert.ok(!text.includes(part), `logged: ${part}`));
  await rows(service.db, "UPDATE users SET password_hash = ?2 WHERE id = ?1", id, good);
  assertSuccess(await login(service, user), 200);
});

test("a missing table is INTERNAL_ERROR wherever it is needed, and only the log names it", async (t) => {
  const service = await startFor(t);
  const { access, refresh: token, user } = await signUp(service);
  const failed = async (response, table) => {
    assertEnvelope(response, 500, "INTERNAL_ERROR");
    assert.doesNotMatch(response.body.error.message, /table|sqlite|D1|refresh|users/i);
    await assertLoggedOnce(service, response, new RegExp(`no such table: (main\\.)?${table}`));
  };
  await rows(service.db, "ALTER TABLE throttles RENAME TO hidden_throttles");
  await failed(await login(service, user), "throttles");
  assertSuccess(await me(service, access), 200);
  const { body, ...refreshed } = await refresh(service, token);
  assertSuccess({ body, ...refreshed }, 200);
  await rows(service.db, "ALTER TABLE hidden_throttles RENAME TO throttles");
  await rows(service.db, "ALTER TABLE users RENAME TO hidden_users");
  await failed(await register(service, newUser()), "users");
  await failed(await login(service, user), "users");
  await failed(await me(service, access), "users");
  assertSuccess(await send(service, "/health"), 200);
  await rows(service.db, "ALTER TABLE hidden_users RENAME TO users");
  assertSuccess(await refresh(service, body.refresh_token), 200);
});

test("a database that was never migrated is INTERNAL_ERROR, and /health is not affected", async (t) => {
  const service = await startFor(t, { migrate: false });
  for (const response of await Promise.all(everyOperation(service))) {
    assertEnvelope(response, 500, "INTERNAL_ERROR");
  }
  assertSuccess(await send(service, "/health"), 200);
});

describe("a wrong setting is CONFIGURATION_ERROR: the log names it, and never its value", () => {
  const cases = [
    ["no SECRET_KEY", { SECRET_KEY: undefined }, ["SECRET_KEY"]],
    ["a short SECRET_KEY", { SECRET_KEY: "a1b2c3d4-too-short" }, ["SECRET_KEY"]],
    ["a sample SECRET_KEY", { SECRET_KEY: "please-change-me-please-change-me-0123456789" }, ["SECRET_KEY"]],
    [
      "several wrong settings at once",
      { SECRET_KEY_PREVIOUS: "old-and-short", D1_TIMEOUT_MS: "soonish", BASE_PATH: "nowhere/", LOG_LEVEL: "LOUD" },
      ["SECRET_KEY_PREVIOUS", "D1_TIMEOUT_MS", "BASE_PATH", "LOG_LEVEL"],
    ],
    [
      "a secret in the wrong line",
      { ALGORITHM: SECRET_KEY, PASSWORD_ITERATIONS: "-7654321" },
      ["ALGORITHM", "PASSWORD_ITERATIONS"],
    ],
    ["an unknown hash function", { PASSWORD_HASH: "scrypt-32768" }, ["PASSWORD_HASH"]],
  ];
  for (const [name, settings, wrong] of cases) {
    test(name, async (t) => {
      const service = await startFor(t, { settings });
      const refused = await Promise.all([...everyOperation(service), send(service, "/openapi.json")]);
      for (const response of refused) {
        assertEnvelope(response, 500, "CONFIGURATION_ERROR");
        wrong.forEach((setting) => assert.ok(!response.text.includes(setting), response.text));
        for (const setting of wrong) {
          await assertLoggedOnce(service, response, new RegExp(`\\b${setting}\\b`));
        }
      }
      assertSuccess(await send(service, "/health"), 200);
      assertEnvelope(await send(service, "/nowhere"), 404, "NOT_FOUND");
      assertEnvelope(await send(service, "/auth/login"), 405, "METHOD_NOT_ALLOWED");
      assert.equal((await logged(service, (line) => line.level === "ERROR")).length, refused.length);
      const lines = await loggedText(service);
      lines.forEach(assertLogLine);
      const values = Object.values(settings).filter((value) => value !== undefined);
      values.forEach((value) => assert.ok(!lines.join("\n").includes(value), `logged: ${value}`));
      assert.deepEqual(await rows(service.db, "SELECT id FROM users"), []);
    });
  }
});

describe("an unreachable database is SERVICE_UNAVAILABLE with Retry-After", () => {
  const cases = [
    // No request of this service waits for a real answer of D1: the deadline is not a race with the machine.
    ["it does not answer in time", "silent", /no answer within 50 ms/],
    ["it has lost its connection", "lost", /Network connection lost/],
  ];
  for (const [name, database, cause] of cases) {
    test(name, async (t) => {
      const wrapper = "tests/e2e/wrappers/failing-db.mjs";
      const service = await startFor(t, { wrapper, settings: { D1_TIMEOUT_MS: "50" } });
      for (const response of await Promise.all(everyOperation(service, { "X-Test-Database": database }))) {
        assertEnvelope(response, 503, "SERVICE_UNAVAILABLE");
        assert.match(response.headers["retry-after"], /^[1-9]\d*$/);
        assert.equal(response.headers["www-authenticate"], undefined);
        assert.doesNotMatch(response.body.error.message, /D1|connection|database/i);
        await assertLoggedOnce(service, response, cause);
      }
      assertSuccess(await send(service, "/health", { headers: { "X-Test-Database": database } }), 200);
      assert.equal((await send(service, "/openapi.json", { headers: { "X-Test-Database": database } })).status, 200);
    });
  }

  test("that comes back: nothing was written in the meantime, and the next request works", async (t) => {
    const service = await startFor(t, { wrapper: "tests/e2e/wrappers/failing-db.mjs" });
    const { user, access, refresh: token } = await signUp(service);
    const lost = { "X-Test-Database": "lost" };
    const failed = [login(service, user, lost), refresh(service, token, lost), me(service, access, lost)];
    (await Promise.all(failed)).forEach((response) => assertEnvelope(response, 503, "SERVICE_UNAVAILABLE"));
    assertSuccess(await me(service, access), 200);
    assertSuccess(await refresh(service, token), 200);
    assertSuccess(await login(service, user), 200);
  });
});

// A full database signs no user out: with the sizes that D1 reports, and with a D1 that has no space for events.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  asUser,
  changePassword,
  exportData,
  login,
  logout,
  logoutAll,
  me,
  newUser,
  refresh,
  register,
  send,
  signUp,
} from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { platformAdmin } from "./support/roles.mjs";
import { watchedFor } from "./support/watched.mjs";

const OPERATOR_KEY = "an-operator-key-of-32-characters";
const FILLING = {
  wrapper: "tests/e2e/wrappers/filling-db.mjs",
  settings: { OPERATOR_KEY, D1_SIZE_LIMIT_MB: "100" },
};
const SIZES = { low: 80_000_000, full: 95_000_000, "over the limit": 100_000_000 };

const readiness = (service, headers) => send(service, "/health/ready", { headers });
const events = (service) => rows(service.db, "SELECT count(*) AS events FROM audit_events").then(([row]) => row.events);

/** Everything that must go on, whatever the size. */
async function useEverything(service, admin, headers) {
  const { user, id, access } = await signUpBefore(service);
  const first = await login(service, user, headers);
  assertSuccess(first, 200);
  const next = await refresh(service, first.body.refresh_token, headers);
  assertSuccess(next, 200);
  assertSuccess(await me(service, next.body.access_token, headers), 200);
  assertSuccess(await logout(service, next.body.refresh_token, headers), 200);
  assertEnvelope(await me(service, next.body.access_token, headers), 401, "AUTH_TOKEN_REVOKED");
  const password = "another battery staple";
  assertSuccess(await changePassword(service, access, user.password, password, headers), 200);
  assertEnvelope(await login(service, user, headers), 401, "AUTH_INVALID_CREDENTIALS");
  const { body } = await login(service, { ...user, password }, headers);
  assertSuccess(await exportData(service, body.access_token, "", headers), 200);
  const ended = await logoutAll(service, body.access_token, headers);
  assert.equal(ended.body.sessions_ended, 2, "the session of the registration, and the last one");
  const disable = asUser(service, admin.access, "PATCH", `/admin/users/${id}`, { is_active: false }, headers);
  assertSuccess(await disable, 200);
  assertEnvelope(await login(service, { ...user, password }, headers), 403, "AUTH_INACTIVE_USER");
}

/** A user registered while there was space: the isolate remembers the size of the latest answer. */
async function signUpBefore(service) {
  await readiness(service, { "X-Test-Size": "1" });
  return signUp(service, newUser(), { "X-Test-Size": "1" });
}

for (const [name, size] of Object.entries(SIZES)) {
  test(`a database that is ${name} is told, and signs no user out`, async (t) => {
    const service = await watchedFor(t, FILLING);
    const admin = await platformAdmin(service);
    const headers = { "X-Test-Size": String(size) };
    await useEverything(service, admin, headers);
    const state = name === "low" ? "low" : "full";
    const { body } = await readiness(service, headers);
    assert.deepEqual([body.status, body.checks.storage], ["ready", { state }]);
    const operator = await readiness(service, { ...headers, Authorization: `Bearer ${OPERATOR_KEY}` });
    assert.deepEqual(operator.body.checks.storage, { state, used_bytes: size });
    assert.equal(operator.body.checks.circuit_breaker.failure_count, 0);
    const added = await register(service, newUser(), headers);
    if (state === "full") {
      assertEnvelope(added, 503, "SERVICE_UNAVAILABLE");
      assert.equal(added.headers["retry-after"], "3600");
    } else {
      assertSuccess(added, 201);
    }
    const before = await events(service);
    assertEnvelope(await login(service, newUser(), headers), 401, "AUTH_INVALID_CREDENTIALS");
    assert.equal((await events(service)) - before, state === "full" ? 0 : 1, "a refusal is no change");
    const isWarning = ({ message }) => message === "Database is nearly full";
    await service.logged(isWarning);
    const [line, ...others] = service.logs(isWarning);
    assert.deepEqual([line.level, line.name, line.used_bytes, others], ["ERROR", "app.storage", size, []]);
  });
}

test("a database without space for events serves what changes, and the events go to the log", async (t) => {
  const service = await watchedFor(t, FILLING);
  const admin = await platformAdmin(service);
  const before = await events(service);
  await useEverything(service, admin, { "X-Test-No-Space": "1" });
  assert.equal((await events(service)) - before, 1, "that of the registration");
  const lines = service.logs(({ name }) => name === "app.audit");
  assert.ok(lines.every(({ level, message }) => level === "ERROR" && message.startsWith("Event not recorded")));
  assert.deepEqual(
    lines.map(({ event_type: type }) => type),
    ["signed_in", "signed_out", "password_changed", "signed_in", "sessions_ended", "disabled"],
  );
});

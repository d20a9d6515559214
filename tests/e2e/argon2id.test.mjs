// Passwords under `PASSWORD_HASH = argon2id`, with the 19 MiB of a real deployment. At this level, because hashes
// take an isolate's WebAssembly memory, which grows and never shrinks.
import assert from "node:assert/strict";
import { test } from "node:test";

import { changePassword, login, newUser, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { restarting, startFor } from "./support/start.mjs";

const ARGON2ID = { PASSWORD_HASH: "argon2id" };
const STORED = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/;
const MIB = 1024 * 1024;
const LOGINS = 300;
/** Less than this may stay of each login, so that fewer of them show a leak as well as many. */
const KEPT_PER_LOGIN = 1024;

const hashOf = async (service, id) => {
  const [{ password_hash: hash }] = await rows(service.db, "SELECT password_hash FROM users WHERE id = ?1", id);
  return hash;
};
const setHash = (service, id, hash) => rows(service.db, "UPDATE users SET password_hash = ?2 WHERE id = ?1", id, hash);

test("a sign-in replaces a hash of the other function, both ways, and a refused one replaces nothing", async (t) => {
  const start = restarting(t);
  const { user, id } = await signUp(await start({ PASSWORD_ITERATIONS: "1000" }));
  const wrong = { ...user, password: "an entirely wrong passphrase" };
  const turns = [
    [ARGON2ID, /^\$pbkdf2-sha256\$i=1000,l=32\$/, STORED],
    [{ PASSWORD_HASH: "pbkdf2-sha256", PASSWORD_ITERATIONS: "2000" }, STORED, /^\$pbkdf2-sha256\$i=2000,l=32\$/],
  ];
  for (const [settings, before, after] of turns) {
    const service = await start(settings);
    assertEnvelope(await login(service, wrong), 401, "AUTH_INVALID_CREDENTIALS");
    assert.match(await hashOf(service, id), before);
    assertSuccess(await login(service, user), 200);
    const replaced = await hashOf(service, id);
    assert.match(replaced, after);
    assertSuccess(await login(service, user), 200);
    assertEnvelope(await login(service, wrong), 401, "AUTH_INVALID_CREDENTIALS");
    assert.equal(await hashOf(service, id), replaced, "once");
  }
});

test("registration and password change store a hash of the configured function", async (t) => {
  const service = await startFor(t, { settings: ARGON2ID });
  const { user, id, access } = await signUp(service);
  const first = await hashOf(service, id);
  assert.match(first, STORED);
  assertSuccess(await changePassword(service, access, user.password, "the next passphrase"), 200);
  const second = await hashOf(service, id);
  assert.match(second, STORED);
  assert.notEqual(first, second);
  assertSuccess(await login(service, { ...user, password: "the next passphrase" }), 200);
  assertEnvelope(await login(service, user), 401, "AUTH_INVALID_CREDENTIALS");
});

/** A service that reports the size of its WebAssembly memory. */
const startMeasured = async (t) => {
  const service = await startFor(t, { settings: ARGON2ID, wrapper: "tests/e2e/wrappers/wasm-memory.mjs" });
  const memory = async () => Number((await send(service, "/health", { headers: { "X-Test-Memory": "1" } })).text);
  return { service, memory };
};

test("hundreds of logins, many concurrent, take the memory of one", async (t) => {
  const { service, memory } = await startMeasured(t);
  const empty = await memory();
  assert.ok(empty < 8 * MIB, `${empty} bytes before the first password`);
  const { user } = await signUp(service);
  const strangers = Array.from({ length: 10 }, newUser);
  const burst = () => Promise.all([...strangers.slice(5), ...Array(5).fill(user)].map((one) => login(service, one)));
  await burst();
  const warm = await memory();
  assert.ok(warm > empty + 19 * MIB && warm < empty + 22 * MIB, `${warm} bytes after the first passwords`);
  for (let done = 0; done < LOGINS; done += 10) {
    const statuses = (await burst()).map(({ status }) => status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 200, 200, 200, 200, 200]);
  }
  const after = await memory();
  t.diagnostic(`WebAssembly's memory: ${empty} bytes, warm ${warm}, after ${LOGINS} logins ${after}`);
  assert.ok(after < warm + LOGINS * KEPT_PER_LOGIN, `${after - warm} bytes more after ${LOGINS} logins`);
});

test("a hash that needs too much memory is refused before any allocation, and the service goes on", async (t) => {
  const { service, memory } = await startMeasured(t);
  const { user, id } = await signUp(service);
  const good = await hashOf(service, id);
  const before = await memory();
  const beyond = ["m=4194304,t=2,p=1", "m=65537,t=2,p=1", "m=19456,t=4294967295,p=1", "m=19456,t=2,p=5"];
  for (const parameters of beyond) {
    await setHash(service, id, good.replace("m=19456,t=2,p=1", parameters));
    assertEnvelope(await login(service, user), 500, "INTERNAL_ERROR");
    assert.equal(await memory(), before, parameters);
  }
  await setHash(service, id, good);
  assertSuccess(await login(service, user), 200);
});

test("the largest permitted hash fits an isolate, and repeating it takes no more memory", async (t) => {
  const { service, memory } = await startMeasured(t);
  const { user, id } = await signUp(service);
  // "password" under "somesalt", from the reference implementation: 64 MiB, four passes.
  const large = "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw";
  await setHash(service, id, large);
  const sizes = [];
  for (let round = 0; round < 5; round += 1) {
    assertSuccess(await login(service, { ...user, password: "password" }), 200);
    assertEnvelope(await login(service, newUser()), 401, "AUTH_INVALID_CREDENTIALS");
    sizes.push(await memory());
  }
  assert.ok(sizes[0] < 96 * MIB, `${sizes[0]} bytes of 128 MB`);
  assert.equal(new Set(sizes).size, 1, `${sizes}`);
  assert.equal(await hashOf(service, id), large, "a stronger hash is kept");
});

// Access tokens that key pairs sign, by the WebCrypto of the deployed Worker, verified by `jose` as a resource server
// does. The rules of the key ring are tested in process (`tests/api/signing_keys.rs`); here are the parts of the runtime:
// keys that are made, encrypted, kept and used by isolates at the same time.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";

import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from "jose";

import { login, me, newUser, post, refresh, send, signUp } from "./support/client.mjs";
import { cleanUp } from "./support/clean-up.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { SECRET_KEY } from "./support/service.mjs";
import { startFor, stateFolder } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";

const OPERATOR_KEY = "operator-key-of-the-e2e-tests-0123456789";
const CLAIMS = { issuer: "edge-auth", audience: "edge-auth", typ: "at+jwt" };
const SETTINGS = { OPERATOR_KEY, SIGNING_KEY_AHEAD_HOURS: "0" };

const operator = (service, body) =>
  post(service, "/operator/signing-keys", body, { Authorization: `Bearer ${OPERATOR_KEY}` });
/** The body of a successful answer. */
function bodyOf(answer) {
  assertSuccess(answer, 200);
  return answer.body;
}
const kidOf = (token) => decode(token).header.kid;
const inState = async (db, state) => (await rows(db, "SELECT kid FROM signing_keys WHERE state = ?1", state)).map(({ kid }) => kid);

for (const algorithm of ["EdDSA", "ES256"]) {
  describe(algorithm, () => {
    test("a token is verified by the key set alone, and altered ones are refused by both sides", async (t) => {
      const service = await startFor(t, { settings: { ...SETTINGS, ALGORITHM: algorithm } });
      const person = await signUp(service);
      const { header } = decode(person.access);
      assert.deepEqual([header.alg, header.typ], [algorithm, "at+jwt"]);
      const remote = createRemoteJWKSet(new URL("/.well-known/jwks.json", service.origin));
      const { payload } = await jwtVerify(person.access, remote, { ...CLAIMS, algorithms: [algorithm] });
      assert.equal(payload.sub, String(person.id));
      const set = JSON.parse((await send(service, "/.well-known/jwks.json")).text);
      assert.deepEqual(set.keys.map((key) => [key.alg, key.use, "d" in key]), [[algorithm, "sig", false], [algorithm, "sig", false]]);
      const [head, body, signature] = person.access.split(".");
      const bytes = Buffer.from(signature, "base64url");
      const flipped = Buffer.from(bytes);
      flipped[40] ^= 1;
      const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const confused = `${encode({ ...header, alg: "HS256" })}.${body}`;
      const published = JSON.stringify(set.keys.find((key) => key.kid === header.kid));
      const forged = [
        `${head}.${body}.${flipped.toString("base64url")}`,
        `${head}.${body}.${bytes.subarray(0, 63).toString("base64url")}`,
        `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
        `${head}.${body}.`,
        `${head}.${encode({ ...decode(person.access).claims, sub: "2" })}.${signature}`,
        `${confused}.${createHmac("sha256", published).update(confused).digest("base64url")}`,
      ];
      const local = createLocalJWKSet(set);
      for (const token of forged) {
        assertEnvelope(await me(service, token), 401, "AUTH_TOKEN_INVALID");
        await assert.rejects(jwtVerify(token, local, { ...CLAIMS, algorithms: [algorithm] }), token);
      }
      assertSuccess(await me(service, person.access), 200);
    });
  });
}

test("twenty isolates that start at the same moment make one current and one next key", async (t) => {
  const service = await startFor(t, { isolates: 20, settings: { ...SETTINGS, ALGORITHM: "EdDSA" } });
  const people = await Promise.all(service.isolates.map((isolate) => signUp(isolate)));
  const [current, next] = [await inState(service.db, "current"), await inState(service.db, "next")];
  assert.deepEqual([current.length, next.length], [1, 1]);
  assert.equal((await rows(service.db, "SELECT * FROM audit_events WHERE type = 'signing_algorithm_changed'")).length, 1);
  assert.deepEqual(new Set(people.map((person) => kidOf(person.access))), new Set(current));
  const answers = await Promise.all(
    service.isolates.map((isolate, index) => me(isolate, people[(index + 7) % people.length].access)),
  );
  answers.forEach((answer) => assertSuccess(answer, 200));
});

test("rotations under load refuse nothing, here or at a resource server that follows the key set", async (t) => {
  const service = await startFor(t, { isolates: 2, settings: { ...SETTINGS, ALGORITHM: "EdDSA" } });
  const [here, there] = service.isolates;
  const people = await Promise.all(Array.from({ length: 10 }, () => signUp(here)));
  const remote = createRemoteJWKSet(new URL("/.well-known/jwks.json", service.origin), { cooldownDuration: 0 });
  let isOver = false;
  const kids = new Set(people.map((person) => kidOf(person.access)));
  const use = async (person, index) => {
    for (let round = 0; !isOver || round < 3; round += 1) {
      const isolate = (index + round) % 2 === 0 ? here : there;
      const body = bodyOf(await refresh(isolate, person.refresh));
      Object.assign(person, { access: body.access_token, refresh: body.refresh_token });
      kids.add(kidOf(person.access));
      const other = isolate === here ? there : here;
      assertSuccess(await me(other, person.access), 200);
      await jwtVerify(person.access, remote, { ...CLAIMS, algorithms: ["EdDSA"] });
    }
  };
  const load = Promise.all(people.map(use));
  for (let rotation = 0; rotation < 5; rotation += 1) {
    const before = kids.size;
    assertSuccess(await operator(rotation % 2 === 0 ? here : there, { action: "rotate" }), 200);
    while (kids.size === before) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  isOver = true;
  await load;
  assert.equal(kids.size, 6);
});

test("a revoked key is refused by the next request of each warm isolate", async (t) => {
  const service = await startFor(t, { isolates: 3, settings: { ...SETTINGS, ALGORITHM: "ES256" } });
  const person = await signUp(service);
  for (const isolate of service.isolates) {
    assertSuccess(await me(isolate, person.access), 200);
  }
  assertSuccess(await operator(service, { action: "revoke", kid: kidOf(person.access) }), 200);
  for (const isolate of service.isolates) {
    assertEnvelope(await me(isolate, person.access), 401, "AUTH_TOKEN_INVALID");
  }
  const body = bodyOf(await refresh(service.isolates[2], person.refresh));
  assertSuccess(await me(service.isolates[1], body.access_token), 200);
});

test("the keys outlive a restart and a new SECRET_KEY, and nothing that signs is in the database or the log", async (t) => {
  const state = stateFolder();
  const renewed = "e2e-another-secret-0123456789abcdef";
  const user = newUser();
  const first = await startFor(t, { state, settings: { ...SETTINGS, ALGORITHM: "EdDSA" } });
  const person = await signUp(first, user);
  await first.stop();
  const changed = await startFor(t, {
    state,
    settings: { ...SETTINGS, ALGORITHM: "EdDSA", SECRET_KEY: renewed, SECRET_KEY_PREVIOUS: SECRET_KEY },
  });
  assertSuccess(await me(changed, person.access), 200);
  await cleanUp(changed);
  await changed.stop();
  const settled = await startFor(t, { state, settings: { ...SETTINGS, ALGORITHM: "EdDSA", SECRET_KEY: renewed } });
  const body = bodyOf(await login(settled, user));
  assert.equal(kidOf(body.access_token), kidOf(person.access));
  assertSuccess(await me(settled, body.access_token), 200);
  const text = (await dump(settled.db)) + [first, changed, settled].flatMap((service) => service.logLines()).join("\n");
  assert.ok(!text.includes('"d":') && !text.includes(renewed) && !text.includes(SECRET_KEY));
  assert.ok(!text.includes(body.access_token) && !text.includes(body.refresh_token));
});

// Providers that are slow, down or broken: a start is 503, a callback leads back with an error, within five seconds. The
// database is not suspected, a dead provider is not asked again and again, and other providers stay in service. At this level,
// because the runtime's fetch decides about redirects, sizes, broken connections and time.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { me, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { CLOSED, inspect, OPERATOR_KEY, setFaults, startFaulty, until } from "./support/faults.mjs";
import { accountOf, arrive, bearer, exchange, federated, newPerson, returned, signInAt } from "./support/federation.mjs";
import { start, started, visit } from "./support/federation.mjs";
import { accessLines } from "./support/logs.mjs";
import { MockIssuer, startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";

/** The service gives a provider five seconds; a busy machine may take some more to say so. */
const LIMIT_MS = 8000;
const SLOW = ["silence", "half silence", "drip"];
const DOWN = ["500", "429", "hangup", "torn"];
const WRONG = ["huge", "huge in pieces", "redirect", "404", "no JSON", "no object", "an empty object", "empty"];
const MANY = 30;
const COUNTS = "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM sessions) AS sessions";
/** More than enough failures for any breaker, and far fewer than the attempts. */
const FEW = 10;

/** The id of the provider with this fault: each has its own. */
const idOf = (fault) => `f-${fault.toLowerCase().replaceAll(" ", "-")}`;

/** A service with a provider for each fault, started before the tests of the suite. */
function suite() {
  const scene = { mocks: {}, at: (id) => (url) => scene.mocks[id].authorize(url) };
  before(async () => {
    for (const id of [...SLOW, ...DOWN, ...WRONG].map(idOf)) {
      scene.mocks[id] = await MockIssuer.start("ES256");
      scene.mocks[id].claims = newPerson();
    }
    const entries = Object.entries(scene.mocks).map(([id, { issuer }]) => [id, { issuer }]);
    scene.service = await startService({ settings: federated(Object.fromEntries(entries), { OPERATOR_KEY }) });
  });
  after(async () => {
    await scene.service?.stop();
    await Promise.all(Object.values(scene.mocks).map((mock) => mock.stop()));
  });
  return scene;
}

/** It came in time, no redirect was followed, and the database is not suspected. The fault is over then. */
async function assertHarmless({ service, mocks }, id, response) {
  const [{ duration_ms: duration }] = await accessLines(service, [response]);
  assert.ok(duration < LIMIT_MS, `${duration} ms`);
  assert.equal(mocks[id].count("elsewhere"), 0);
  assert.deepEqual(await inspect(service), CLOSED);
  assertSuccess(await send(service, "/health/ready"), 200);
  mocks[id].heal();
}

describe("at the start", { concurrency: 8 }, () => {
  const scene = suite();
  const failing = async (fault) => {
    const { service, mocks } = scene;
    mocks[idOf(fault)].fail("discovery", fault);
    const response = await start(service, idOf(fault));
    assertEnvelope(response, 503, "SERVICE_UNAVAILABLE");
    assert.match(response.headers["retry-after"], /^[1-9]\d*$/);
    await assertHarmless(scene, idOf(fault), response);
  };
  for (const fault of [...SLOW, ...DOWN]) {
    test(`${fault} in place of the metadata is 503, and the next sign-in succeeds`, async () => {
      await failing(fault);
      await accountOf(await signInAt(scene.service, idOf(fault), scene.at(idOf(fault))));
    });
  }
  for (const fault of WRONG) {
    test(`${fault} in place of the metadata is 503, and so is the next start, which asks nothing`, async () => {
      await failing(fault);
      assertEnvelope(await start(scene.service, idOf(fault)), 503, "SERVICE_UNAVAILABLE");
      assert.equal(scene.mocks[idOf(fault)].count("discovery"), 1);
    });
  }
});

for (const endpoint of ["jwks", "token"]) {
  describe(`at the callback, of the endpoint ${endpoint}:`, { concurrency: 8 }, () => {
    const scene = suite();
    for (const fault of [...SLOW, ...DOWN, ...WRONG]) {
      const isWrong = WRONG.includes(fault);
      const expected = isWrong ? "server_error" : "temporarily_unavailable";
      const isRemembered = isWrong && endpoint === "jwks";
      const next = isRemembered ? "the next visit asks nothing" : "the next sign-in succeeds";
      test(`${fault} is ${expected}, leaves nothing, and ${next}`, async () => {
        const { service, mocks, at } = scene;
        const id = idOf(fault);
        mocks[id].fail(endpoint, fault);
        const { response, error } = await visit(service, id, at(id));
        assert.equal(error, expected);
        const [{ count }] = await rows(service.db, "SELECT count(*) AS count FROM identities WHERE provider = ?1", id);
        assert.equal(count, 0);
        await assertHarmless(scene, id, response);
        if (isRemembered) {
          assert.equal((await visit(service, id, at(id))).error, "temporarily_unavailable");
          assert.equal(mocks[id].count("jwks"), 1);
        } else {
          await accountOf(await signInAt(service, id, at(id)));
        }
      });
    }
  });
}

test("refusals of the token endpoint are told apart", async (t) => {
  const own = await startMockIssuer(t, "ES256");
  const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
  const refused = { invalid_grant: "invalid_request", invalid_client: "server_error", unauthorized_client: "server_error" };
  const unavailable = { temporarily_unavailable: "temporarily_unavailable" };
  for (const [said, error] of Object.entries({ ...refused, ...unavailable })) {
    own.tokenAnswer = (answer) => Object.assign(answer, { statusCode: 400, body: { error: said } });
    assert.equal((await visit(alone, "acme", (url) => own.authorize(url))).error, error, said);
  }
});

test("wrong metadata and wrong keys are asked for again after half a minute", async (t) => {
  const mocks = { metadata: await startMockIssuer(t, "ES256"), keys: await startMockIssuer(t, "ES256") };
  const settings = federated(Object.fromEntries(Object.entries(mocks).map(([id, { issuer }]) => [id, { issuer }])));
  const alone = await startFor(t, { settings });
  Object.values(mocks).forEach((mock) => (mock.claims = newPerson()));
  const at = (id) => (url) => mocks[id].authorize(url);
  mocks.metadata.fail("discovery", "no JSON");
  mocks.keys.fail("jwks", "an empty object");
  assertEnvelope(await start(alone, "metadata"), 503, "SERVICE_UNAVAILABLE");
  assert.equal((await visit(alone, "keys", at("keys"))).error, "server_error");
  Object.values(mocks).forEach((mock) => mock.heal());
  await until("the metadata are asked for again", async () => (await start(alone, "metadata")).status === 200);
  await until("the keys are asked for again", async () => (await visit(alone, "keys", at("keys"))).code);
  for (const id of ["metadata", "keys"]) {
    await accountOf(await signInAt(alone, id, at(id)));
  }
  assert.deepEqual([mocks.metadata.count("discovery"), mocks.keys.count("jwks")], [2, 2]);
});

test("metadata that breaks the rules sends no browser anywhere", async (t) => {
  const changes = {
    "another issuer": ({ issuer, ...others }) => ({ ...others, issuer: `${issuer}/other` }),
    "no issuer": ({ issuer, ...others }) => others,
    "no token endpoint": ({ token_endpoint: _, ...others }) => others,
    "no key set": ({ jwks_uri: _, ...others }) => others,
    "a script for browsers": (all) => ({ ...all, authorization_endpoint: "javascript:alert(1)" }),
  };
  const mocks = {};
  for (const [name, metadata] of Object.entries(changes)) {
    mocks[idOf(name)] = Object.assign(await startMockIssuer(t, "ES256"), { metadata });
  }
  const entries = Object.entries(mocks).map(([id, { issuer }]) => [id, { issuer }]);
  const alone = await startFor(t, { settings: federated(Object.fromEntries(entries)) });
  for (const id of Object.keys(mocks)) {
    const response = await start(alone, id);
    assert.ok(response.status >= 500 && !response.text.includes("authorize_url"), `${id}: ${response.text}`);
  }
});

test("a provider that is dead is asked a few times only, and another one is not affected; then it recovers", async (t) => {
  const [dead, well] = [await startMockIssuer(t, "ES256"), await startMockIssuer(t, "ES256")];
  const settings = federated({ dead: { issuer: dead.issuer }, well: { issuer: well.issuer } });
  const alone = await startFor(t, { settings });
  [dead.claims, well.claims] = [newPerson(), newPerson()];
  dead.fail("discovery", "hangup");
  for (let attempt = 0; attempt < MANY; attempt += 1) {
    assertEnvelope(await start(alone, "dead"), 503, "SERVICE_UNAVAILABLE");
  }
  assert.ok(dead.count("discovery") <= FEW, `${dead.count("discovery")} requests`);
  await accountOf(await signInAt(alone, "well", (url) => well.authorize(url)));
  assertSuccess(await send(alone, "/health/ready"), 200);
  dead.heal();
  await until("the provider is asked again", async () => (await start(alone, "dead")).status === 200);
  await accountOf(await signInAt(alone, "dead", (url) => dead.authorize(url)));
});

test("a provider that fails now and then is asked again each time: failures in a row count, not all of them", async (t) => {
  const shaky = await startMockIssuer(t, "ES256");
  const alone = await startFor(t, { settings: federated({ shaky: { issuer: shaky.issuer } }) });
  const authorize = (url) => shaky.authorize(url);
  shaky.claims = newPerson();
  for (let round = 0; round < FEW; round += 1) {
    await accountOf(await signInAt(alone, "shaky", authorize));
    shaky.fail("token", "hangup");
    assert.equal((await visit(alone, "shaky", authorize)).error, "temporarily_unavailable");
    shaky.heal();
    await accountOf(await signInAt(alone, "shaky", authorize));
  }
});

test("a provider that dies between start and callback is asked a few times only", async (t) => {
  const dead = await startMockIssuer(t, "ES256");
  const alone = await startFor(t, { settings: federated({ dead: { issuer: dead.issuer } }) });
  const flows = [];
  for (let attempt = 0; attempt < MANY; attempt += 1) {
    flows.push(await started(alone, "dead"));
  }
  const callbacks = await Promise.all(flows.map(({ authorize_url: url }) => dead.authorize(url)));
  dead.fail("token", "hangup");
  for (const callback of callbacks) {
    assert.deepEqual(returned(await arrive(alone, callback)), { error: "temporarily_unavailable" });
  }
  assert.ok(dead.count("token") <= FEW, `${dead.count("token")} requests`);
});

test("an exchange whose batch D1 carried out without an answer is repeated, and has one effect", async (t) => {
  const well = await startMockIssuer(t, "ES256");
  const faulty = await startFaulty(t, { settings: federated({ well: { issuer: well.issuer } }) });
  const authorize = (url) => well.authorize(url);
  const { access } = await signUp(faulty);
  for (const purpose of ["a new account", "the same account", "a link"]) {
    well.claims = purpose === "the same account" ? well.claims : newPerson();
    const isLink = purpose === "a link";
    const headers = isLink ? bearer(access) : {};
    const found = await visit(faulty, "well", authorize, { body: { link: isLink }, headers });
    // An isolate saves the right to one repetition up, by ten good calls.
    await Promise.all(Array.from({ length: 10 }, () => me(faulty, access)));
    await setFaults(faulty, { db: { kind: "transient", skip: isLink ? 2 : 1, times: 1 } });
    assertSuccess(await exchange(faulty, found, headers), 200);
    await setFaults(faulty, { db: { kind: "ok" } });
    const again = await exchange(faulty, found, headers);
    assert.equal(again.status, isLink ? 200 : 401, purpose);
    const owners = await rows(faulty.db, "SELECT user_id FROM identities WHERE subject = ?1", well.claims.sub);
    assert.equal(owners.length, 1, purpose);
  }
  const [{ users, sessions }] = await rows(faulty.db, COUNTS);
  assert.deepEqual([users, sessions], [2, 3]);
});

test("while D1 does not answer, a start succeeds, and a callback leads back with temporarily_unavailable", async (t) => {
  const well = await startMockIssuer(t, "ES256");
  const faulty = await startFaulty(t, { settings: federated({ well: { issuer: well.issuer } }, { D1_TIMEOUT_MS: "500" }) });
  const visitor = (url) => well.authorize(url);
  const [one, other] = [await started(faulty, "well"), await started(faulty, "well")];
  await setFaults(faulty, { db: { kind: "before" } });
  await started(faulty, "well");
  const callback = await visitor(one.authorize_url);
  assert.deepEqual(returned(await arrive(faulty, callback)), { error: "temporarily_unavailable" });
  await setFaults(faulty, { db: { kind: "ok" } });
  assert.ok(returned(await arrive(faulty, await visitor(other.authorize_url))).code);
});

// ID tokens and key sets of a provider that breaks the rules: each fault is server_error, and leaves nothing behind. At this
// level, because the runtime fetches the keys and verifies the signatures.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { send } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { accountOf, CLIENT_ID, federated, NATIVE_ID, newPerson, presentIdToken } from "./support/federation.mjs";
import { refusal, signInAt, started, stored, visit } from "./support/federation.mjs";
import { ID_TOKEN_FAULTS, withUnknownKid } from "./support/providers/forged.mjs";
import { MockIssuer } from "./support/providers/mock-issuer.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];
/** The contract of a native ID token: it was issued within the last five minutes. */
const MINUTES = 60;

let service;
let mock;
before(async () => {
  mock = await MockIssuer.start();
  service = await startService({ settings: federated({ acme: { issuer: mock.issuer, audiences: [NATIVE_ID] } }) });
});
after(async () => {
  await service?.stop();
  await mock?.stop();
});

const authorize = (url) => mock.authorize(url);

/** The next ID tokens are about a new person. */
function newClaims(changes) {
  const { sub, email, email_verified: isVerified, name } = newPerson(changes);
  mock.claims = { sub, email, email_verified: isVerified, name };
  mock.forge = undefined;
}

/** The service still signs in, and its database is not suspected. */
async function assertWell() {
  newClaims();
  await accountOf(await signInAt(service, "acme", authorize));
  assertSuccess(await send(service, "/health/ready"), 200);
}

describe("at the callback", () => {
  for (const [name, forge] of Object.entries(ID_TOKEN_FAULTS)) {
    test(`an ID token with ${name} is server_error`, async () => {
      newClaims();
      const before = await stored(service.db);
      mock.forge = forge;
      assert.equal((await visit(service, "acme", authorize)).error, "server_error");
      assert.deepEqual(await stored(service.db), before);
      await assertWell();
    });
  }

  test("a token answer without an ID token is server_error", async () => {
    newClaims();
    mock.tokenAnswer = ({ body }) => delete body.id_token;
    try {
      assert.equal((await visit(service, "acme", authorize)).error, "server_error");
    } finally {
      mock.tokenAnswer = () => {};
    }
    await assertWell();
  });
});

describe("from an app", () => {
  const native = () => started(service, "acme", { native: true });

  for (const [name, forge] of Object.entries(ID_TOKEN_FAULTS)) {
    test(`an ID token with ${name} is refused`, async () => {
      newClaims();
      const before = await stored(service.db);
      mock.forge = forge;
      const { flow, nonce } = await native();
      const token = mock.idToken({ aud: CLIENT_ID, nonce });
      assert.equal(refusal(await presentIdToken(service, "acme", flow, token)), "401 AUTH_INVALID_CREDENTIALS");
      assert.deepEqual(await stored(service.db), before);
      mock.forge = undefined;
    });
  }

  test("an ID token for the client, or for an app in the list of audiences, signs in, and an old one does not", async () => {
    for (const aud of [CLIENT_ID, NATIVE_ID, [NATIVE_ID]]) {
      newClaims();
      const { flow, nonce } = await native();
      await accountOf(await presentIdToken(service, "acme", flow, mock.idToken({ aud, nonce })));
    }
    // As Google's SDK for Android: the audience is the server's client, the authorized party the app (OpenID Connect Core 2).
    newClaims();
    const { flow, nonce } = await native();
    await accountOf(await presentIdToken(service, "acme", flow, mock.idToken({ aud: CLIENT_ID, azp: NATIVE_ID, nonce })));
    newClaims();
    const late = await native();
    const iat = Math.floor(Date.now() / 1000) - 6 * MINUTES;
    const token = mock.idToken({ aud: CLIENT_ID, nonce: late.nonce, iat });
    assert.equal(refusal(await presentIdToken(service, "acme", late.flow, token)), "401 AUTH_INVALID_CREDENTIALS");
  });
});

describe("keys", () => {
  for (const algorithm of ALGORITHMS) {
    test(`${algorithm}: a key that is replaced while the browser is away costs one more request for the key set`, async (t) => {
      const own = await MockIssuer.start(algorithm);
      t.after(() => own.stop());
      const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
      const rotating = async (url) => {
        await own.rotate();
        return own.authorize(url);
      };
      own.claims = newPerson();
      const first = await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
      assert.equal(own.count("jwks"), 1);
      const second = await accountOf(await signInAt(alone, "acme", rotating));
      assert.deepEqual([second.id, own.count("jwks")], [first.id, 2]);
      await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
      assert.deepEqual([own.count("discovery"), own.count("jwks")], [1, 2], "both are remembered");
    });
  }

  test("names of keys that do not exist cost one request for the key set a minute", async (t) => {
    const own = await MockIssuer.start();
    t.after(() => own.stop());
    const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
    own.claims = newPerson();
    await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
    for (let attempt = 0; attempt < 20; attempt += 1) {
      own.forge = withUnknownKid(`unknown-${attempt}`);
      assert.equal((await visit(alone, "acme", (url) => own.authorize(url))).error, "server_error");
    }
    assert.ok(own.count("jwks") <= 2, `${own.count("jwks")} requests`);
    own.forge = undefined;
    await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
  });

  test("a key set with keys of other kinds, without kid, and with broken ones is good for the right one", async (t) => {
    const own = await MockIssuer.start("ES256");
    t.after(() => own.stop());
    const odd = [
      { kty: "oct", k: "c2VjcmV0", kid: "symmetric" },
      { kty: "EC", crv: "P-521", x: "AA", y: "AA", kid: "p521" },
      { kty: "RSA", n: "AQAB", e: "AQAB", use: "enc", kid: "enc" },
      { kty: "EC", crv: "P-256", x: "not base64!", y: "AA", kid: "broken" },
      { kid: "nothing" },
      "no object",
    ];
    own.keySet = ({ keys }) => ({ keys: [...odd, ...keys], more: true });
    const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
    own.claims = newPerson();
    await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
  });
});

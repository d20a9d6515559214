// Providers that lie, and strangers that post junk: a hosted domain that only Google may name, a sign-in that did not happen,
// subjects and names of every kind, and ID tokens of no provider. At this level, because the provider is a server that breaks
// the rules, and the log is the console of the runtime.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { accountOf, bearer, CLIENT_ID, exchange, federated, newPerson, presentIdToken } from "./support/federation.mjs";
import { profileOf, refusal, signInAt, start, started, stored, tired, visit } from "./support/federation.mjs";
import { accessLines, logged } from "./support/logs.mjs";
import { ID_TOKEN_FAULTS, withUnknownKid } from "./support/providers/forged.mjs";
import { MockIssuer, startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";

const HOUR = 3600;
const MANY = 30;

let service;
let mock;
before(async () => {
  mock = await MockIssuer.start();
  service = await startService({ settings: federated({ acme: { issuer: mock.issuer } }, { PASSWORD_ITERATIONS: "1" }) });
});
after(async () => {
  await service?.stop();
  await mock?.stop();
});

const authorize = (url) => mock.authorize(url);

/** The next ID tokens are about a new person, with these claims besides. */
function next(claims = {}) {
  mock.claims = { ...newPerson(), ...claims };
  return mock.claims;
}

const errorOf = async () => (await visit(service, "acme", authorize)).error;

describe("a provider that lies", () => {
  test("about a hosted domain is not authoritative for it: only Google has this claim", async () => {
    const { user } = await signUp(service);
    next({ email: user.email, hd: "mail.example" });
    assert.equal(await errorOf(), "account_exists");
    next({ hd: "people.example" });
    const { access } = await accountOf(await signInAt(service, "acme", authorize));
    assert.equal((await profileOf(service, access)).email_verified, false);
  });

  test("about a verified address in another form than a boolean, or its text, verifies nothing", async () => {
    for (const email_verified of ["false", "yes", "TRUE", 1, 0, null, [true], { value: true }]) {
      next({ email_verified });
      assert.equal(await errorOf(), "verified_email_required", JSON.stringify(email_verified));
    }
    next({ email_verified: "true" });
    await accountOf(await signInAt(service, "acme", authorize));
  });

  test("about a recent sign-in renews none: without its time, or with an old one, a step-up is server_error", async () => {
    next();
    const { access } = await accountOf(await signInAt(service, "acme", authorize));
    const [old, person] = [tired(access), mock.claims];
    const now = Math.floor(Date.now() / 1000);
    const stepUp = () => visit(service, "acme", authorize, { body: { step_up: true }, headers: bearer(old) });
    for (const auth_time of [undefined, now - HOUR, 0, -1, String(now), null]) {
      mock.claims = { ...person, auth_time };
      assert.equal((await stepUp()).error, "server_error", String(auth_time));
    }
    mock.claims = { ...person, auth_time: now };
    assertSuccess(await exchange(service, await stepUp(), bearer(old)), 200);
  });

  test("with claims of other types, and tokens beyond 16 KiB, signs in no person", async () => {
    const long = { padding: "x".repeat(20_000) };
    for (const claims of [{ sub: ["x"] }, { sub: "x".repeat(256) }, { sub: "a\u0000b" }, { aud: 1 }, long]) {
      next(claims);
      const before = await stored(service.db);
      assert.equal(await errorOf(), "server_error", JSON.stringify(claims).slice(0, 60));
      assert.deepEqual(await stored(service.db), before);
    }
  });

  test("with an odd name or address makes an account without that", async () => {
    for (const name of ["\u202Eevil", "a\nb", "", " ", "x".repeat(5000), "<script>alert(1)</script>"]) {
      next({ name });
      const { access } = await accountOf(await signInAt(service, "acme", authorize));
      const { full_name: shown } = await profileOf(service, access);
      assert.ok(shown === null || (shown === name && !/[\u202E\n]/.test(shown)), JSON.stringify(shown));
    }
    const long = `${"x".repeat(300)}@people.example`;
    for (const email of ["no address", "a@b@c", "a@", "@b", long, "a\r\nBcc: b@people.example"]) {
      next({ email });
      assert.equal(await errorOf(), "verified_email_required", email);
    }
  });
});

test("subjects are compared as they are: capitals, blanks, other scripts and long ones are people of their own", async () => {
  const ids = new Map();
  for (const sub of ["abc", "ABC", " abc", "abc ", "абв", "é", "e\u0301", "🦀", "0", "00", "null", "x".repeat(255)]) {
    next({ sub });
    ids.set(sub, (await accountOf(await signInAt(service, "acme", authorize))).id);
    next({ sub });
    assert.equal((await accountOf(await signInAt(service, "acme", authorize))).id, ids.get(sub));
  }
  assert.equal(new Set(ids.values()).size, ids.size);
});

describe("strangers that post ID tokens", () => {
  const flood = async (alone, own, forge) => {
    const answers = [];
    for (let attempt = 0; attempt < MANY; attempt += 1) {
      const { flow, nonce } = await started(alone, "acme", { native: true });
      own.forge = forge(attempt);
      answers.push(await presentIdToken(alone, "acme", flow, own.idToken({ aud: CLIENT_ID, nonce })));
    }
    own.forge = undefined;
    answers.forEach((answer) => assert.equal(refusal(answer), "401 AUTH_INVALID_CREDENTIALS"));
    return answers;
  };
  const faults = Object.values(ID_TOKEN_FAULTS);

  test("cause no call of D1, no error in the log, and one look-up of a key a minute", async (t) => {
    const own = await startMockIssuer(t);
    own.claims = newPerson();
    const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
    const answers = [
      ...(await flood(alone, own, (attempt) => withUnknownKid(`unknown-${attempt}`))),
      ...(await flood(alone, own, (attempt) => faults[attempt % faults.length])),
    ];
    assert.ok(own.count("jwks") <= 2 && own.count("discovery") === 1, `${own.count("jwks")}, ${own.count("discovery")}`);
    assert.deepEqual(new Set((await accessLines(alone, answers)).map(({ d1_calls: calls }) => calls)), new Set([0]));
    assert.deepEqual(await logged(alone, ({ level }) => level === "ERROR"), []);
  });

  test("cause a few requests for keys only, while the provider has none to give", async (t) => {
    for (const fault of ["404", "no JSON", "an empty object"]) {
      const own = await startMockIssuer(t, "ES256");
      own.claims = newPerson();
      const alone = await startFor(t, { settings: federated({ acme: { issuer: own.issuer } }) });
      await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
      own.fail("jwks", fault);
      await flood(alone, own, (attempt) => withUnknownKid(`unknown-${attempt}`));
      assert.ok(own.count("jwks") <= 3, `${fault}: ${own.count("jwks")}`);
      await accountOf(await signInAt(alone, "acme", (url) => own.authorize(url)));
    }
  });
});

test("an issuer on this machine is refused unless the settings allow it, and the log names the setting", async (t) => {
  const settings = federated({ acme: { issuer: mock.issuer } }, { FEDERATION_ALLOW_PRIVATE: "off" });
  const alone = await startFor(t, { settings });
  const before = mock.count("discovery");
  const answer = await start(alone, "acme");
  assert.equal(refusal(answer), "500 CONFIGURATION_ERROR");
  assert.equal(mock.count("discovery"), before);
  const [line] = await logged(alone, ({ level }) => level === "ERROR");
  assert.match(JSON.stringify(line), /FEDERATION/);
  assert.deepEqual(await rows(alone.db, "SELECT id FROM users"), []);
});

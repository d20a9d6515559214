// Passkeys by a software authenticator, with each algorithm: registration, sign-in without an address, second factor,
// step-up, and credentials that are refused. At this level, because only here does the runtime's WebCrypto import the keys
// and verify the signatures of another implementation.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ALGORITHM_NAMES, Authenticator } from "./support/authenticator.mjs";
import { asUser, login, me, post, send, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { addPasskey, complete, due, FACTOR_SETTINGS, ORIGIN, passkeyOptions } from "./support/factors.mjs";
import { RP_ID, signInByPasskey, stepUp, stepUpOptions, withPasskey } from "./support/factors.mjs";
import { loggedOf } from "./support/logs.mjs";
import { made } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";

const USER_PRESENT = 1;
const USER_VERIFIED = 4;

let service;
before(async () => (service = await startService({ settings: FACTOR_SETTINGS })));
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const amrOf = ({ body }) => decode(body.access_token).claims.amr;
const startRegistration = ({ access }) => made(asUser(service, access, "POST", "/users/me/passkeys/options", {}));
const register = ({ access }, credential) =>
  asUser(service, access, "POST", "/users/me/passkeys", { name: "Key", credential });

/** A sign-in without an address, by a passkey whose answer has these changes. */
async function signIn(passkey, changes) {
  const { flow, options } = await passkeyOptions(service);
  return signInByPasskey(service, flow, passkey.get(options, changes));
}

for (const algorithm of ALGORITHM_NAMES) {
  for (const isSynchronised of [false, true]) {
    test(`${algorithm}, ${isSynchronised ? "synchronised" : "on one device"}: all four ceremonies`, async () => {
      const account = await signUp(service);
      const other = await made(login(service, account.user));
      const { passkey, recovery_codes: recovery, ...listed } = await addPasskey(service, account, { algorithm, isSynchronised });
      assert.equal(recovery.length, 10);
      assert.deepEqual(Object.keys(listed), ["id", "name", "created_at", "last_used_at", "suspended"]);
      assertEnvelope(await me(service, other.access_token), 401, "AUTH_TOKEN_REVOKED");
      const key = isSynchronised ? "swk" : "hwk";

      const alone = await signIn(passkey);
      assertSuccess(alone, 200);
      assert.deepEqual(amrOf(alone), [key, "mfa"]);
      assert.equal((await me(service, alone.body.access_token)).body.email, account.user.email);

      const { methods, mfa_token, passkey_options: second } = await due(service, account.user);
      assert.deepEqual(methods, ["passkey", "recovery_code"]);
      const signedIn = await complete(service, { mfa_token, passkey: passkey.get(second) });
      assertSuccess(signedIn, 200);
      assert.deepEqual(amrOf(signedIn), ["pwd", key, "mfa"]);

      const { passkey_options: options, ...asked } = await stepUpOptions(service, account.access);
      assert.deepEqual(asked, { max_age: 600, methods: ["passkey"] });
      const fresh = await stepUp(service, account.access, { passkey: passkey.get(options) });
      assertSuccess(fresh, 200);
      assert.ok(amrOf(fresh).includes("mfa"));
      const [stored] = await rows(service.db, "SELECT * FROM passkeys WHERE id = ?1", listed.id);
      assert.deepEqual([stored.algorithm, stored.sign_count], [algorithm, isSynchronised ? 0 : 4]);
      const events = inShort(await eventsOf(service.db, account.id)).filter((event) => /passkey/.test(event));
      assert.deepEqual(events, ["factor_added passkey", "signed_in passkey", "signed_in passkey"]);
    });
  }

  test(`${algorithm}: a signature with one changed bit, of other data, or of another key is refused`, async () => {
    const { passkey } = await withPasskey(service, { algorithm });
    const stranger = new Authenticator({ origin: ORIGIN, algorithm });
    Object.assign(stranger, { id: passkey.id, userHandle: passkey.userHandle });
    isRefused(await signIn(stranger));
    const { flow, options } = await passkeyOptions(service);
    const good = passkey.get(options);
    const changed = (name, index) => {
      const bytes = Buffer.from(good.response[name], "base64url");
      bytes[index < 0 ? bytes.length + index : index] ^= 1;
      return { ...good, response: { ...good.response, [name]: bytes.toString("base64url") } };
    };
    const changes = [["signature", -1], ["signature", 12], ["authenticatorData", -1], ["clientDataJSON", -2]];
    for (const credential of changes.map(([name, index]) => changed(name, index))) {
      isRefused(await signInByPasskey(service, flow, credential));
    }
    for (const signature of [Buffer.alloc(0), Buffer.alloc(64), Buffer.alloc(256), Buffer.alloc(600)]) {
      const credential = { ...good, response: { ...good.response, signature: signature.toString("base64url") } };
      isRefused(await signInByPasskey(service, flow, credential));
    }
    assertSuccess(await signInByPasskey(service, flow, good), 200);
  });
}

describe("an assertion", () => {
  test("counts once, for the purpose of its challenge, and for its own sign-in", async () => {
    const account = await withPasskey(service);
    const { passkey, user, access } = account;
    const { flow, options } = await passkeyOptions(service);
    const alone = passkey.get(options);
    const [one, other] = [await due(service, user), await due(service, user)];
    const second = passkey.get(one.passkey_options);
    const { passkey_options: forStepUp } = await stepUpOptions(service, access);
    const stepped = passkey.get(forStepUp);
    for (const credential of [second, stepped]) {
      isRefused(await signInByPasskey(service, flow, credential));
    }
    for (const credential of [alone, stepped]) {
      isRefused(await complete(service, { mfa_token: one.mfa_token, passkey: credential }));
    }
    isRefused(await complete(service, { mfa_token: other.mfa_token, passkey: second }));
    for (const credential of [alone, second]) {
      isRefused(await stepUp(service, access, { passkey: credential }));
    }
    isRefused(await signInByPasskey(service, (await passkeyOptions(service)).flow, alone));
    const uses = [
      () => signInByPasskey(service, flow, alone),
      () => complete(service, { mfa_token: one.mfa_token, passkey: second }),
      () => stepUp(service, access, { passkey: stepped }),
    ];
    for (const use of uses) {
      assertSuccess(await use(), 200);
      isRefused(await use());
    }
  });

  test("of another user's passkey is none", async () => {
    const [ada, eve] = [await withPasskey(service), await withPasskey(service)];
    const { mfa_token, passkey_options: options } = await due(service, ada.user);
    isRefused(await complete(service, { mfa_token, passkey: eve.passkey.get(options) }));
    isRefused(await signIn(eve.passkey, { userHandle: ada.passkey.userHandle }));
    const asEve = await signIn(eve.passkey);
    assert.equal((await me(service, asEve.body.access_token)).body.id, eve.id);
    const { passkey_options: forAda } = await stepUpOptions(service, ada.access);
    isRefused(await stepUp(service, eve.access, { passkey: eve.passkey.get(forAda) }));
  });

  test("whose counter goes back is logged, and counts", async () => {
    const { passkey } = await withPasskey(service);
    assertSuccess(await signIn(passkey, { count: 100 }), 200);
    const late = await signIn(passkey, { count: 7 });
    assertSuccess(late, 200);
    const lines = await loggedOf(service, late);
    assert.ok(lines.some(({ level, message }) => level === "WARNING" && /counter/.test(message)));
  });

  test("of a removed passkey is refused", async () => {
    const account = await withPasskey(service);
    const { passkey_options: options } = await stepUpOptions(service, account.access);
    const fresh = await made(stepUp(service, account.access, { passkey: account.passkey.get(options) }));
    const removed = await asUser(service, fresh.access_token, "DELETE", `/users/me/passkeys/${account.passkeyId}`);
    assert.equal(removed.status, 204);
    isRefused(await signIn(account.passkey));
    assertSuccess(await login(service, account.user), 200);
  });
});

/** Faults of either ceremony: the changes, and the name in the log. */
const FAULTS = {
  origin: { origin: "https://login.example.com.evil.example" },
  relying_party: { rpId: "example.com" },
  user_presence: { flags: USER_VERIFIED },
  user_verification: { flags: USER_PRESENT },
  backup_state: { backup: 1 << 4 },
  cross_origin: { client: { crossOrigin: true } },
  top_origin: { client: { topOrigin: ORIGIN } },
  ceremony_type: { type: "payment.get" },
};

describe("a credential is refused for", () => {
  for (const [fault, changes] of Object.entries(FAULTS)) {
    test(fault, async () => {
      const account = await signUp(service);
      const passkey = new Authenticator({ origin: ORIGIN });
      const options = await startRegistration(account);
      assert.equal(options.rp.id, RP_ID);
      const refused = await register(account, passkey.create(options, changes));
      assertFaults(refused, "credential: value_error");
      assert.match(refused.body.error.details.errors[0].msg, new RegExp(`: ${fault}$`));
      assertSuccess(await register(account, passkey.create(options)), 201);
      const answer = await signIn(passkey, changes);
      isRefused(answer);
      assert.ok((await loggedOf(service, answer)).some((line) => line.fault === fault));
    });
  }

  const KEYS = {
    "a point that is not on P-256": ["ES256", -3, (y) => Buffer.from(y).fill(1)],
    "a coordinate of the field's size": ["ES256", -2, (x) => Buffer.from(x).fill(255)],
    "an even RSA modulus": ["RS256", -1, (n) => Buffer.from(n).fill(0, n.length - 1)],
    "an RSA exponent of one": ["RS256", -2, () => Buffer.from([1])],
    "a short RSA modulus": ["RS256", -1, (n) => n.subarray(0, 128)],
    "a short Ed25519 key": ["EdDSA", -2, (x) => x.subarray(1)],
  };
  for (const [name, [algorithm, label, change]] of Object.entries(KEYS)) {
    test(`${name}, with 422`, async () => {
      const account = await signUp(service);
      const passkey = new Authenticator({ origin: ORIGIN, algorithm });
      const cose = new Map(passkey.cose).set(label, change(passkey.cose.get(label)));
      const refused = await register(account, passkey.create(await startRegistration(account), { cose }));
      assertFaults(refused, "credential: value_error");
      assert.match(refused.body.error.details.errors[0].msg, /: key(_parameters)?$/);
      assert.deepEqual(await rows(service.db, "SELECT id FROM passkeys WHERE user_id = ?1", account.id), []);
    });
  }

  test("an expired or foreign challenge, and for a second use of one", async () => {
    const [ada, eve] = [await signUp(service), await signUp(service)];
    const passkey = new Authenticator({ origin: ORIGIN });
    const options = await startRegistration(ada);
    isRefused(await register(eve, passkey.create(options)));
    const bytes = Buffer.from(options.challenge, "base64url");
    bytes.writeBigInt64BE(BigInt(Date.now() + 600_000), 1);
    isRefused(await register(ada, passkey.create(options, { challenge: bytes.toString("base64url") })));
    assertSuccess(await register(ada, passkey.create(options)), 201);
    const { passkey_options: asked } = await stepUpOptions(service, ada.access);
    const fresh = { access: (await made(stepUp(service, ada.access, { passkey: passkey.get(asked) }))).access_token };
    isRefused(await register(fresh, new Authenticator({ origin: ORIGIN }).create(options)));
    const again = await register(fresh, passkey.create(await startRegistration(fresh)));
    assertEnvelope(again, 409, "CONFLICT");
  });

  test("anything that is no credential", async () => {
    const { flow } = await passkeyOptions(service);
    for (const credential of [null, "x", [], {}, { id: "x", rawId: "x", type: "public-key", response: [] }]) {
      const answer = await post(service, "/auth/passkey", { flow, credential });
      assertEnvelope(answer, 422, "VALIDATION_ERROR");
    }
  });
});

test("the options of a sign-in name no account, and the related origins are public", async () => {
  const { flow, options } = await passkeyOptions(service);
  assert.equal(options.challenge, flow);
  assert.deepEqual([options.allowCredentials, options.rpId, options.userVerification], [[], RP_ID, "required"]);
  const related = await send(service, "/.well-known/webauthn");
  assertSuccess({ ...related, headers: { ...related.headers, "cache-control": "no-store" } }, 200);
  assert.deepEqual(related.body, { origins: [ORIGIN] });
});

// Passkeys as a browser makes and uses them: headless Chromium with its virtual authenticators, against the bundle on
// workerd. The page is one of an application; it runs the ceremonies with the options as they come from the service.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { me, post, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { call, create, get, openApplication, PATH, startAtLocalhost, virtualAuthenticator } from "./support/authenticator.mjs";
import { withBrowser } from "./support/browser.mjs";
import { refusals } from "./support/mailed.mjs";

/** The numbers of COSE. */
const ALGORITHMS = { EdDSA: -8, ES256: -7, RS256: -257 };

/** A page of the same RP ID, whose origin is not one of the service's. Chromium's requests for it are answered by the test. */
const OTHER_ORIGIN = "http://localhost:1";
const EXPECTED = new RegExp(`${refusals(401, 409, 422).source}|^request: ${OTHER_ORIGIN}/`);

let service;

withBrowser();
before(async () => (service = await startAtLocalhost()));
after(() => service?.stop());

const amrOf = ({ body }) => decode(body.access_token).claims.amr;

function assertAnswer({ status, body }, expected, code) {
  assert.deepEqual([status, body?.error?.code], [expected, code], JSON.stringify(body));
  return body;
}
const assertRefused = (answer) => assertAnswer(answer, 401, "AUTH_INVALID_CREDENTIALS");
const succeeded = (answer, status = 200) => assertAnswer(answer, status, undefined);

/** A page with an authenticator, and a signed-in user. */
async function start(t, options) {
  const page = await openApplication(t, service, EXPECTED);
  const authenticator = await virtualAuthenticator(page, options);
  return { page, authenticator, ...(await signUp(service)) };
}

const creationOptions = async (page, access) => succeeded(await call(page, "/users/me/passkeys/options", {}, { access }));
const register = (page, access, credential) => call(page, "/users/me/passkeys", { name: "Laptop", credential }, { access });

/** Registers a passkey; `alg` is the only algorithm that the page offers to the authenticator. */
async function addPasskey({ page, access }, alg) {
  const options = await creationOptions(page, access);
  const pubKeyCredParams = options.pubKeyCredParams.filter((parameter) => alg === undefined || parameter.alg === alg);
  const { credential, error } = await create(page, { ...options, pubKeyCredParams });
  assert.equal(error, undefined);
  return { credential, options, ...succeeded(await register(page, access, credential), 201) };
}

/** A sign-in without an address. */
async function signIn(page) {
  const { flow, options } = succeeded(await call(page, "/auth/passkey/options"));
  const { credential, error } = await get(page, options);
  return error ? { error } : call(page, "/auth/passkey", { flow, credential });
}

/** The details of the refusal of a right password. */
async function due(page, { email, password }) {
  const answer = await call(page, "/auth/login", { email, password });
  return assertAnswer(answer, 401, "AUTH_MFA_REQUIRED").error.details;
}

for (const [name, alg] of Object.entries(ALGORITHMS)) {
  for (const isSynchronised of [false, true]) {
    test(`${name}, ${isSynchronised ? "synchronised" : "on one device"}: registration, sign-in, second factor, step-up`, async (t) => {
      const world = await start(t, { isSynchronised });
      const { page, user } = world;
      const { id, recovery_codes: recovery, options } = await addPasskey(world, alg);
      assert.equal(recovery.length, 10);
      const stored = await rows(service.db, "SELECT algorithm FROM passkeys WHERE id = ?1", id);
      assert.deepEqual(stored, [{ algorithm: name }]);
      assert.deepEqual(options.pubKeyCredParams.map((parameter) => parameter.alg), Object.values(ALGORITHMS));
      const key = isSynchronised ? "swk" : "hwk";

      const alone = await signIn(page);
      succeeded(alone);
      assert.deepEqual(amrOf(alone), [key, "mfa"]);
      assert.equal((await me(service, alone.body.access_token)).body.email, user.email);

      const { mfa_token, methods, passkey_options: second } = await due(page, user);
      assert.deepEqual(methods, ["passkey", "recovery_code"]);
      const { credential: passkey } = await get(page, second);
      const signedIn = await call(page, "/auth/mfa", { mfa_token, passkey });
      succeeded(signedIn);
      assert.deepEqual(amrOf(signedIn), ["pwd", key, "mfa"]);
      assertRefused(await call(page, "/auth/mfa", { mfa_token, passkey }));

      const stale = await call(page, "/users/me/passkeys/options", {}, { access: world.access });
      const { passkey_options: third } = assertAnswer(stale, 401, "AUTH_STEP_UP_REQUIRED").error.details;
      const stepped = await get(page, third);
      const fresh = await call(page, "/auth/step-up", { passkey: stepped.credential }, { access: world.access });
      const { access_token: access } = succeeded(fresh);
      succeeded(await call(page, "/users/me/passkeys/options", {}, { access }));
    });
  }
}

test("of the offered algorithms the authenticator takes one, and the passkey is discoverable", async (t) => {
  const world = await start(t);
  await addPasskey(world);
  const [stored] = await world.authenticator.credentials();
  assert.deepEqual([stored.rpId, stored.isResidentCredential, stored.userName], ["localhost", true, world.user.email]);
  assert.equal(stored.userDisplayName, world.user.full_name);
});

describe("registration", () => {
  test("is refused by an authenticator that has a passkey of the account, and not by another one", async (t) => {
    const world = await start(t);
    await addPasskey(world);
    const { access_token: access } = succeeded(await signIn(world.page));
    const options = await creationOptions(world.page, access);
    assert.equal(options.excludeCredentials.length, 1);
    assert.deepEqual(await create(world.page, options), { error: "InvalidStateError" });
    await world.authenticator.remove();
    await virtualAuthenticator(world.page);
    await addPasskey({ ...world, access });
    const { body } = await call(world.page, "/users/me/passkeys", undefined, { method: "GET", access });
    assert.deepEqual(body.items.map(({ name }) => name), ["Laptop", "Laptop"]);
  });

  test("with an answer that was sent before is refused", async (t) => {
    const world = await start(t);
    const { credential } = await addPasskey(world);
    const { access_token: access } = succeeded(await signIn(world.page));
    assertRefused(await register(world.page, access, credential));
  });

  test("for another RP ID is refused by the browser", async (t) => {
    const { page, access } = await start(t);
    const options = await creationOptions(page, access);
    assert.equal(options.rp.id, "localhost");
    assert.deepEqual(await create(page, { ...options, rp: { ...options.rp, id: "example.com" } }), { error: "SecurityError" });
  });

  test("by a user that does not pass the verification is refused by the browser", async (t) => {
    const { page, access, authenticator } = await start(t);
    await authenticator.verifies(false);
    const options = { ...(await creationOptions(page, access)), timeout: 1000 };
    assert.deepEqual(await create(page, options), { error: "NotAllowedError" });
  });

  test("without verification, as a page of a stranger asks for it, is refused by the service", async (t) => {
    const { page, access } = await start(t, { hasUserVerification: false, isUserVerified: false });
    const options = await creationOptions(page, access);
    const authenticatorSelection = { userVerification: "discouraged", residentKey: "discouraged" };
    const { credential } = await create(page, { ...options, authenticatorSelection });
    const { error } = assertAnswer(await register(page, access, credential), 422, "VALIDATION_ERROR");
    assert.match(error.details.errors[0].msg, /user_verification$/);
  });
});

describe("an assertion", () => {
  test("is refused by the browser for another RP ID, and by the service from another origin", async (t) => {
    const world = await start(t);
    await addPasskey(world);
    const { options } = succeeded(await call(world.page, "/auth/passkey/options"));
    assert.deepEqual(await get(world.page, { ...options, rpId: "example.com" }), { error: "SecurityError" });
    const elsewhere = await post(service, "/auth/passkey/options", {});
    await world.page.goto(OTHER_ORIGIN + PATH);
    const { credential } = await get(world.page, elsewhere.body.options);
    const client = JSON.parse(Buffer.from(credential.response.clientDataJSON, "base64url"));
    assert.equal(client.origin, OTHER_ORIGIN);
    assertRefused(await post(service, "/auth/passkey", { flow: elsewhere.body.flow, credential }));
  });

  test("of a removed passkey is refused, and the authenticator still offers it", async (t) => {
    const world = await start(t);
    const { id } = await addPasskey(world);
    const { access_token: access } = succeeded(await signIn(world.page));
    succeeded(await call(world.page, `/users/me/passkeys/${id}`, undefined, { method: "DELETE", access }), 204);
    assertRefused(await signIn(world.page));
  });

  test("without a passkey in the authenticator there is none", async (t) => {
    const { page } = await start(t);
    const { options } = succeeded(await call(page, "/auth/passkey/options"));
    assert.deepEqual(await get(page, { ...options, timeout: 1000 }), { error: "NotAllowedError" });
  });
});

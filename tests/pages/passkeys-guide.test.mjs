// The code of docs/factors.md, word for word, in headless Chromium with a virtual authenticator. Both ways are run: the
// functions of current browsers, and the guide's replacements for older ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";

import { asUser, signUp } from "../e2e/support/client.mjs";
import { enrolled } from "../e2e/support/factors.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { totp } from "../e2e/support/totp.mjs";
import { openApplication, startAtLocalhost, virtualAuthenticator } from "./support/authenticator.mjs";
import { withBrowser } from "./support/browser.mjs";
import { refusals } from "./support/mailed.mjs";

const GUIDE = readFileSync(resolve(import.meta.dirname, "../../docs/factors.md"), "utf8");
const BLOCKS = [...GUIDE.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
const NAMES = ["addPasskey", "signInWithPasskey", "offerPasskeys", "signIn", "call", "keep"];
/** The parts of an application that the guide leaves to it: the address of the service, and the dialog. */
const OWN = `const API = ""; const ask = async (methods) => { window.asked = methods; return window.answer; };`;
const CODE = `${OWN}\n${BLOCKS.join("\n").replace(/^export /gm, "")}\nObject.assign(window, { ${NAMES.join(", ")} });`;

let service;

withBrowser();
before(async () => (service = await startAtLocalhost()));
after(() => service?.stop());

/** A page with the code of the guide, in a browser of today or of some years ago, signed in as a new user. */
async function start(t, isOld = false) {
  const page = await openApplication(t, service, refusals(401));
  const authenticator = await virtualAuthenticator(page);
  if (isOld) {
    await page.evaluate(() => {
      delete PublicKeyCredential.parseCreationOptionsFromJSON;
      delete PublicKeyCredential.parseRequestOptionsFromJSON;
      delete PublicKeyCredential.prototype.toJSON;
    });
  }
  await page.addScriptTag({ content: CODE });
  const account = await signUp(service);
  await page.evaluate(({ access, refresh }) => window.keep({ access_token: access, refresh_token: refresh }), account);
  return { page, authenticator, ...account };
}

const amrOf = ({ access_token: access }) => decode(access).claims.amr;
const signIn = (page, user) => page.evaluate(({ email, password }) => window.signIn(email, password), user);

test("the guide has the code", () => assert.ok(BLOCKS.length >= 5, String(BLOCKS.length)));

for (const isOld of [false, true]) {
  test(`in a browser ${isOld ? "without" : "with"} the functions for JSON: registration, sign-in, second factor, step-up`, async (t) => {
    const { page, user } = await start(t, isOld);
    const added = await page.evaluate(() => window.addPasskey("Laptop"));
    assert.deepEqual([added.name, added.recovery_codes.length], ["Laptop", 10]);
    assert.deepEqual(amrOf(await page.evaluate(() => window.signInWithPasskey())), ["hwk", "mfa"]);
    await page.evaluate(() => (window.answer = { usePasskey: true }));
    assert.deepEqual(amrOf(await signIn(page, user)), ["pwd", "hwk", "mfa"]);
    assert.deepEqual(await page.evaluate(() => window.asked), ["passkey", "recovery_code"]);
    await page.evaluate(([code]) => (window.answer = { recovery_code: code }), added.recovery_codes);
    assert.deepEqual(amrOf(await signIn(page, user)), ["pwd", "otp", "mfa"]);
    const listed = await page.evaluate(() => window.call("/users/me/passkeys", undefined, "GET"));
    assert.equal(listed.items.length, 1);
    const error = await page.evaluate(() => window.addPasskey("Twice").catch(({ name }) => name));
    assert.equal(error, "InvalidStateError");
  });
}

test("an act that needs a step-up asks for it, and is performed afterwards", async (t) => {
  const { page, id, access } = await start(t);
  const { secret } = await enrolled(service, { id, access });
  await page.evaluate((code) => (window.answer = { code }), totp(secret));
  const added = await page.evaluate(() => window.addPasskey("Laptop"));
  assert.equal(added.recovery_codes, undefined, "the user has those of the app");
  assert.deepEqual(await page.evaluate(() => window.asked), ["totp"]);
  const left = await asUser(service, access, "GET", "/users/me/mfa");
  assert.equal(left.body.recovery_codes_left, 10);
});

test("a wrong answer is an exception, and the next sign-in succeeds", async (t) => {
  const { page, id, access, user } = await start(t);
  const { recovery } = await enrolled(service, { id, access });
  await page.evaluate(() => (window.answer = { recovery_code: "0000-0000-0000-0000-0000-0000" }));
  const code = await page.evaluate(({ email, password }) => window.signIn(email, password).catch((error) => error.code), user);
  assert.equal(code, "AUTH_INVALID_CREDENTIALS");
  await page.evaluate((text) => (window.answer = { recovery_code: text }), recovery[0]);
  assert.deepEqual(amrOf(await signIn(page, user)), ["pwd", "otp", "mfa"]);
});

test("a passkey is offered in the field of the address", async (t) => {
  const { page, user } = await start(t);
  await page.evaluate(() => window.addPasskey("Laptop"));
  assert.equal(await page.evaluate(() => PublicKeyCredential.isConditionalMediationAvailable()), true);
  await page.evaluate(() => {
    document.body.innerHTML = '<input name="email" autocomplete="username webauthn">';
    return new Promise((resolve) => window.offerPasskeys((tokens) => resolve((window.signedIn = tokens))));
  });
  const { access_token: token } = await page.evaluate(() => window.signedIn);
  const { body } = await asUser(service, token, "GET", "/users/me");
  assert.equal(body.email, user.email);
});

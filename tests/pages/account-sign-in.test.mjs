// The ways to sign in on /account: passkey, password with each second factor, mailed code, a new password by mail.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { rows } from "../e2e/support/database.mjs";
import { until } from "../e2e/support/faults.mjs";
import { mails } from "../e2e/support/mailbox.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { totp, wrongCodes } from "../e2e/support/totp.mjs";
import {
  assertGood, atView, button, field, fill, forgetSteps, go, keepCodes, link, openAccount, PASSWORD, resultOf, setUpApp,
  signedUp, signInOnPage, startPages, typeMailCode,
} from "./support/account.mjs";
import { virtualAuthenticator } from "./support/authenticator.mjs";
import { withBrowser } from "./support/browser.mjs";

let service;

withBrowser();
before(async () => (service = await startPages({ settings: { EMAIL_SIGN_IN: "on" } })));
after(() => service?.stop());

async function signOut(page) {
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
}

/** Adds a passkey in the security view. */
async function addPasskey(page, name) {
  await button(page, "Add a passkey").click();
  await field(page, "Name").fill(name);
  await button(page, "Next").click();
}

test("an authenticator app and its recovery codes: password and each of them sign in", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await signedUp(page, service, "ada@mail.example");
  await go(page, "Security");
  const { secret, codes } = await setUpApp(page, service);
  await assertGood(page, "security-app");
  await signOut(page);

  await signInOnPage(page, "ada@mail.example");
  await page.getByRole("heading", { name: "Second step" }).waitFor();
  await assertGood(page, "factor");
  await field(page, "Code of the authenticator app").fill(wrongCodes(secret, 1)[0]);
  await button(page, "Sign in").click();
  assert.match(await resultOf(page, "error"), /4 attempts are left/);
  await field(page, "Code of the authenticator app").fill(totp(secret));
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  await signOut(page);

  await signInOnPage(page, "ada@mail.example");
  await button(page, "Use a recovery code").click();
  await assertGood(page, "factor-recovery");
  await field(page, "Recovery code").fill(codes[0].toLowerCase());
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  await go(page, "Security");
  await page.getByText("9 codes left").waitFor();
});

/** A browser that offers no passkeys in the field of the address. The virtual authenticator accepts each offer at once. */
const withoutOffer = (context) =>
  context.addInitScript(() => (PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false)));

test("a passkey signs in alone, and after the password", async (t) => {
  const page = await openAccount(t, service, { expected: [401], prepare: withoutOffer });
  await virtualAuthenticator(page);
  await signedUp(page, service, "grace@mail.example");
  await go(page, "Security");
  await addPasskey(page, "Laptop");
  await keepCodes(page);
  await page.getByText("The passkey “Laptop” is added.").waitFor();
  await signOut(page);
  await button(page, "Sign in with a passkey").click();
  await atView(page, "Overview");
  await signOut(page);
  await signInOnPage(page, "grace@mail.example");
  await button(page, "Use a passkey").click();
  await atView(page, "Overview");
});

test("the browser offers a passkey in the field of the address", async (t) => {
  const page = await openAccount(t, service);
  await virtualAuthenticator(page);
  await signedUp(page, service, "joan@mail.example");
  await go(page, "Security");
  await addPasskey(page, "Phone");
  await keepCodes(page);
  await page.getByText("The passkey “Phone” is added.").waitFor();
  await button(page, "Sign out").click();
  // Without an act on the page: the virtual authenticator accepts the offer.
  await atView(page, "Overview");
  const { body } = await page.evaluate(async () => ({ body: await (await fetch("auth/refresh", { method: "POST" })).json() }));
  assert.ok(decode(body.access_token).claims.amr.includes("mfa"));
});

test("a cancelled passkey is told, and another way is left", async (t) => {
  const page = await openAccount(t, service);
  const authenticator = await virtualAuthenticator(page);
  await authenticator.verifies(false);
  await page.evaluate(() => {
    navigator.credentials.get = async ({ mediation }) => {
      await (mediation && new Promise(() => {}));
      throw new DOMException("", "NotAllowedError");
    };
  });
  await button(page, "Sign in with a passkey").click();
  assert.match(await resultOf(page, "error"), /No passkey was used/);
  await assertGood(page, "passkey-cancelled");
});

test("five wrong codes end the second step", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await signedUp(page, service, "mary@mail.example");
  await go(page, "Security");
  const { secret } = await setUpApp(page, service);
  await signOut(page);
  await signInOnPage(page, "mary@mail.example");
  for (const code of wrongCodes(secret, 5)) {
    await field(page, "Code of the authenticator app").fill(code);
    await button(page, "Sign in").click();
    await page.waitForFunction(() => document.querySelector("[aria-disabled=true]") === null);
  }
  await page.getByText("This sign-in has ended").waitFor();
  await assertGood(page, "factor-over");
  await button(page, "Back to the sign-in").click();
  assert.equal(await page.evaluate(() => document.activeElement.name), "email");
});

test("the second step ends after five minutes, and the page says so", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await signedUp(page, service, "olga@mail.example");
  await go(page, "Security");
  await setUpApp(page, service);
  await signOut(page);
  await page.clock.install();
  await signInOnPage(page, "olga@mail.example");
  await page.getByRole("heading", { name: "Second step" }).waitFor();
  await page.clock.fastForward("05:01");
  await page.getByText("This sign-in has ended").waitFor();
});

test("a mailed code signs in", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await signedUp(page, service, "emmy@mail.example");
  await signOut(page);
  await button(page, "Sign in with a code by mail").click();
  await assertGood(page, "mail-code-ask");
  await field(page, "E-mail address").fill("emmy@mail.example");
  await button(page, "Send the mail").click();
  await resultOf(page, "note");
  await assertGood(page, "mail-code");
  await button(page, "Ask for another mail").click();
  await field(page, "E-mail address").fill("emmy@mail.example");
  await button(page, "Send the mail").click();
  assert.match(await resultOf(page, "note"), /one mail a minute/);
  const isMeant = ({ to, subject }) => to === "emmy@mail.example" && /sign/i.test(subject);
  const mail = await until("the mail", async () => (await mails(service)).findLast(isMeant));
  await field(page, "Code of the mail").fill(mail.text.match(/\b\d{4} ?\d{4}\b/)[0]);
  await button(page, "Sign in").click();
  await atView(page, "Overview");
});

test("a forgotten password is replaced by the code of a mail, and the second factors are shown", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await virtualAuthenticator(page);
  await signedUp(page, service, "lise@mail.example");
  await go(page, "Security");
  await setUpApp(page, service);
  await forgetSteps(service);
  await signOut(page);
  await link(page, "Forgot the password?").click();
  await atView(page, "Choose a new password");
  await assertGood(page, "forgot");
  await field(page, "E-mail address").fill("lise@mail.example");
  await button(page, "Send the mail").click();
  await fill(page, { "Code of the mail": "1234 5678", "New password": "another horse battery" });
  await button(page, "Save the new password").click();
  assert.match(await resultOf(page, "error"), /The code is wrong/);
  await assertGood(page, "forgot-code");
  await typeMailCode(page, service, "lise@mail.example", "Save the new password", { kind: "reset" });
  await atView(page, "The password is changed");
  await page.getByText("Authenticator app").waitFor();
  await page.getByText("Suspended", { exact: true }).waitFor();
  await assertGood(page, "forgot-review");
  await link(page, "Sign in with the new password").click();
  await atView(page, "Sign in");
  await signInOnPage(page, "lise@mail.example", "another horse battery");
  await atView(page, "Overview");
  await page.getByText("second factors, are suspended").waitFor();
  await assertGood(page, "overview-suspended");
  await button(page, "Confirm them").click();
  assert.equal(await resultOf(page, "done"), "They count again.");
  const states = await rows(service.db, "SELECT suspended_at FROM totp_secrets WHERE user_id = (SELECT id FROM users WHERE email = 'lise@mail.example')");
  assert.deepEqual(states, [{ suspended_at: null }]);
});

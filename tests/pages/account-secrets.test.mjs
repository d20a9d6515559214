// Secrets that the service shows once must reach the person: after the view is left, and under Escape. With it, the offer of passkeys and the
// words after refusals, and the code of a mail.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { me } from "../e2e/support/client.mjs";
import { until } from "../e2e/support/faults.mjs";
import { mails } from "../e2e/support/mailbox.mjs";
import { totp } from "../e2e/support/totp.mjs";
import {
  assertGood, atView, button, field, fill, go, headingOf, keepCodes, openAccount, PASSWORD, resultOf, signedUp, signInOnPage, startPages,
} from "./support/account.mjs";
import { virtualAuthenticator } from "./support/authenticator.mjs";
import { openPage, requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { hold, pressEscape } from "./support/held.mjs";
import { refusals } from "./support/mailed.mjs";

let service;

withBrowser();
before(async () => (service = await startPages({ settings: { EMAIL_SIGN_IN: "on" } })));
after(() => service?.stop());

async function signedIn(t, email) {
  const page = await openAccount(t, service, { expected: [401, 403] });
  await signedUp(page, service, email);
  return page;
}

async function askForKey(page) {
  await go(page, "API keys");
  await page.getByText("You have no key.").waitFor();
  await field(page, "Name").fill("Program");
  await page.getByText("Courses and enrolments").click();
  await page.getByLabel("courses:view").check();
  await button(page, "Create the key").click();
}

async function askForPasskey(page) {
  await virtualAuthenticator(page);
  await go(page, "Security");
  await button(page, "Add a passkey").click();
  await field(page, "Name").fill("Laptop");
  await button(page, "Next").click();
}

async function askForApp(page) {
  await go(page, "Security");
  await button(page, "Set up an app").click();
  const secret = (await page.locator(".secret").innerText()).replace(/\s/g, "");
  await field(page, "Code that the app shows").fill(totp(secret));
  await button(page, "Activate the app").click();
}

describe("a view that is left while the service makes a secret", () => {
  test("an API key is shown, and works", async (t) => {
    const page = await signedIn(t, "ada@mail.example");
    const answer = await hold(page, "POST", "users/me/api-keys");
    await askForKey(page);
    await answer.isDue;
    await go(page, "Sessions");
    answer.release();
    const key = await page.getByRole("dialog").locator(".secret").innerText();
    assert.equal((await me(service, key)).body.email, "ada@mail.example");
    await button(page, "I have kept the key").click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await headingOf(page), "Sessions");
    assert.ok(!(await page.content()).includes(key));
  });

  test("the recovery codes of a passkey are shown", async (t) => {
    const page = await signedIn(t, "grace@mail.example");
    const answer = await hold(page, "POST", "users/me/passkeys");
    await askForPasskey(page);
    await answer.isDue;
    await page.goBack();
    await atView(page, "Overview");
    answer.release();
    await keepCodes(page);
    assert.equal(await headingOf(page), "Overview");
  });

  test("the recovery codes of an app are shown", async (t) => {
    const page = await signedIn(t, "mary@mail.example");
    const answer = await hold(page, "POST", "users/me/mfa/totp/confirm");
    await askForApp(page);
    await answer.isDue;
    await go(page, "Sessions");
    answer.release();
    await keepCodes(page);
    assert.equal(await headingOf(page), "Sessions");
  });

  test("nothing is shown after the person has signed out", async (t) => {
    const page = await signedIn(t, "olga@mail.example");
    const answer = await hold(page, "POST", "users/me/api-keys");
    await askForKey(page);
    await answer.isDue;
    await button(page, "Sign out").click();
    await atView(page, "Sign in");
    answer.release();
    await answer.isOver;
    assert.equal(await page.getByRole("dialog").count(), 0);
  });
});

describe("three times Escape keeps the dialog", () => {
  for (const isOld of [false, true]) {
    const browser = isOld ? "a browser without `closedby`" : "this browser";

    test(`of a new API key, in ${browser}`, async (t) => {
      const page = await signedIn(t, `escape-key-${isOld}@mail.example`);
      await askForKey(page);
      const key = await page.getByRole("dialog").locator(".secret").innerText();
      await pressEscape(page, { times: 3, isOld });
      assert.equal(await page.getByRole("dialog").locator(".secret").innerText(), key);
      await button(page, "I have kept the key").click();
      await page.getByText("The key “Program” is valid.").waitFor();
      assert.equal(await page.locator("dialog").count(), 0);
    });

    test(`of recovery codes, in ${browser}`, async (t) => {
      const page = await signedIn(t, `escape-codes-${isOld}@mail.example`);
      await askForApp(page);
      await page.locator(".codes li").first().waitFor();
      await pressEscape(page, { times: 3, isOld });
      await keepCodes(page);
      await page.getByText("The app is active.").waitFor();
    });
  }
});

describe("the offer of passkeys in the field of the address", () => {
  const refusal = JSON.stringify({ error: { code: "AUTH_INVALID_CREDENTIALS", message: "", details: {} }, request_id: "0" });
  const refuse = (page) =>
    page.route("**/auth/passkey", (route) => route.fulfill({ status: 401, contentType: "application/json", body: refusal }), { times: 1 });

  test("comes back after the service has refused the offered one", async (t) => {
    const page = await signedIn(t, "lise@mail.example");
    await askForPasskey(page);
    await keepCodes(page);
    await page.getByText("The passkey “Laptop” is added.").waitFor();
    await refuse(page);
    const refused = page.waitForResponse((response) => response.url().endsWith("/auth/passkey") && response.status() === 401);
    await button(page, "Sign out").click();
    await refused;
    // Without an act on the page: the virtual authenticator accepts the second offer, too.
    await atView(page, "Overview");
  });

  test("comes back in the field after the service has refused that of the button", async (t) => {
    const page = await openAccount(t, service, { expected: [401], prepare: withoutOffer });
    await signedUp(page, service, "emmy@mail.example");
    await askForPasskey(page);
    await keepCodes(page);
    await page.getByText("The passkey “Laptop” is added.").waitFor();
    await button(page, "Sign out").click();
    await atView(page, "Sign in");
    await refuse(page);
    await button(page, "Sign in with a passkey").click();
    assert.match(await resultOf(page, "error"), /does not belong to an account/);
    await page.evaluate(() => (globalThis.isOffering = true));
    await field(page, "E-mail address").focus();
    await atView(page, "Overview");
  });

  /** A browser whose first offers wait for ever. The virtual authenticator would accept each of them at once. */
  const withoutOffer = (context) => context.addInitScript(() => {
    const get = navigator.credentials.get.bind(navigator.credentials);
    const wait = ({ signal }) => new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
    navigator.credentials.get = (options) =>
      options.mediation === "conditional" && !globalThis.isOffering ? wait(options) : get(options);
  });
});

describe("words that name the reason", () => {
  test("a sign-in at an address without https", async (t) => {
    const { origin } = service.page;
    const place = { origin: "http://service.example" };
    const forward = async (route) => {
      const request = route.request();
      const headers = { ...(await request.allHeaders()), host: new URL(origin).host };
      const response = await route.fetch({ url: request.url().replace(place.origin, origin), headers });
      await route.fulfill({ response });
    };
    const prepare = (context) => context.route(`${place.origin}/**`, forward);
    const lines = new RegExp(`${refusals(403).source}|^console: The Cross-Origin-Opener-Policy header has been ignored`);
    const page = await openPage(t, place, "/account", { reducedMotion: "reduce" }, lines, prepare);
    await atView(page, "Sign in");
    assert.equal(await page.evaluate(() => isSecureContext), false);
    await signInOnPage(page, "ada@mail.example");
    assert.match(await resultOf(page, "error"), /cookies, which need a page by https, or at localhost/);
    assert.doesNotMatch(await resultOf(page, "error"), /may not do this/);
    await assertGood(page, "no-cookies");
  });

  test("a registration where the service refuses cookies", async (t) => {
    const page = await openAccount(t, service, { expected: [403], hash: "#/register" });
    const message = "Tokens in cookies are for pages of this service: application and service must share a site";
    const body = JSON.stringify({ error: { code: "FORBIDDEN", message, details: {} }, request_id: "0" });
    await page.route("**/auth/register", (route) => route.fulfill({ status: 403, contentType: "application/json", body }));
    await fill(page, { "E-mail address": "joan@mail.example", Password: PASSWORD });
    await button(page, "Create the account").click();
    assert.match(await resultOf(page, "error"), /Open this page at the service's own address/);
  });

  test("a registration where none is admitted, on a page that is loaded before or after", async (t) => {
    const closed = await startPages({ settings: { REGISTRATION: "closed" } });
    const page = await openAccount(t, closed, { expected: [403], hash: "#/register" });
    stopAtEnd(t, closed);
    assert.equal(await resultOf(page, "note"), "This service admits no new accounts.");
    assert.equal(await button(page, "Create the account").count(), 0);
    await assertGood(page, "register-closed");
    await page.route("**/pages/settings.json", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), registration: "open" } });
    });
    await page.reload();
    await fill(page, { "E-mail address": "joan@mail.example", Password: PASSWORD });
    await button(page, "Create the account").click();
    assert.match(await resultOf(page, "error"), /admits no new accounts/);
  });
});

test("an address in other capitals gets no other code within a minute", async (t) => {
  const page = await signedIn(t, "capitals@mail.example");
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
  await button(page, "Sign in with a code by mail").click();
  for (const email of ["capitals@mail.example", " Capitals@mail.example"]) {
    await field(page, "E-mail address").fill(email);
    await button(page, "Send the mail").click();
    await field(page, "Code of the mail").waitFor();
    await button(page, "Ask for another mail").click();
  }
  await field(page, "E-mail address").fill("CAPITALS@mail.example ");
  await button(page, "Send the mail").click();
  assert.match(await resultOf(page, "note"), /one mail a minute/);
  assert.equal(requestsOf(page).filter(({ path }) => path === "/auth/email/code").length, 1);
  const isMeant = ({ to, subject }) => to === "capitals@mail.example" && /sign/i.test(subject);
  const mail = await until("the mail", async () => (await mails(service)).findLast(isMeant));
  await field(page, "Code of the mail").fill(mail.text.match(/\b\d{4} ?\d{4}\b/)[0]);
  await button(page, "Sign in").click();
  await atView(page, "Overview");
});

// Failures on /account: refusals of every kind at forms, a session that ends in the middle of a form, lost answers,
// several tabs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { listSessions, login, logoutAll } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import {
  assertGood, atView, button, field, fill, go, headingOf, link, openAccount, PASSWORD, registerOnPage, resultOf, signedUp, signInOnPage,
  startPages,
} from "./support/account.mjs";
import { requestsOf, withBrowser } from "./support/browser.mjs";

let service;

withBrowser();
before(async () => (service = await startPages()));
after(() => service?.stop());

const ENVELOPE = { error: { code: "", message: "", details: {} }, request_id: "0123456789abcdef" };

/** Answers the requests for a path in place of the service, until the test takes it back. */
async function answerFor(page, path, status, code, headers = {}, options = {}) {
  const body = JSON.stringify({ ...ENVELOPE, error: { ...ENVELOPE.error, code } });
  await page.route(`**/${path}`, (route) => route.fulfill({ status, headers: { "Content-Type": "application/json", ...headers }, body }), options);
}

const posts = (page, path) => requestsOf(page).filter((request) => request.method === "POST" && request.path === path).length;

async function signedIn(t, email, expected = [401, 403, 409, 422, 429, 500, 503]) {
  const page = await openAccount(t, service, { expected });
  await signedUp(page, service, email);
  return page;
}

describe("at the form of a registration", () => {
  test("each fault is shown at its field, and the first one has the focus", async (t) => {
    const page = await openAccount(t, service, { expected: [422] });
    await link(page, "Create an account").click();
    await fill(page, { "E-mail address": "no address", Password: "short", "Name (optional)": "\u202Eevil" });
    await button(page, "Create the account").click();
    await page.getByText("E-mail address is not a valid email address.").waitFor();
    await page.getByText("Password must have at least 8 characters.").waitFor();
    await page.getByText("Name must not contain control or invisible characters.").waitFor();
    const focused = await page.evaluate(() => {
      const { name, ariaInvalid } = document.activeElement;
      const described = document.activeElement.getAttribute("aria-describedby");
      return { name, ariaInvalid, text: document.getElementById(described).textContent };
    });
    assert.deepEqual(focused, { name: "email", ariaInvalid: "true", text: "E-mail address is not a valid email address." });
    await assertGood(page, "register-faults");
  });

  test("an address that is taken, and the ways on", async (t) => {
    const page = await openAccount(t, service, { expected: [409] });
    await login(service, { email: "x@mail.example", password: PASSWORD });
    await registerOnPage(page, "taken@mail.example");
    await atView(page, "Overview");
    await button(page, "Sign out").click();
    await atView(page, "Sign in");
    await registerOnPage(page, "taken@mail.example");
    assert.match(await resultOf(page, "error"), /This address has an account already/);
    assert.equal(await page.evaluate(() => document.activeElement.id), "register-result");
  });
});

describe("a refusal for want of time, capacity or an answer", () => {
  for (const [name, status, code, headers, expected] of [
    ["429", 429, "RATE_LIMITED", { "Retry-After": "30" }, /Try again in 30 seconds/],
    ["503", 503, "SERVICE_UNAVAILABLE", { "Retry-After": "120" }, /busy. Try again in 2 minutes/],
    ["500", 500, "INTERNAL_ERROR", {}, /could not do this \(500\)/],
  ]) {
    test(`${name}, with the request id`, async (t) => {
      const page = await openAccount(t, service, { expected: [status] });
      await answerFor(page, "auth/login", status, code, headers);
      await signInOnPage(page, "ada@mail.example");
      const text = await resultOf(page, "error");
      assert.match(text, expected);
      assert.match(text, /Request id for support: 0123456789abcdef/);
      await assertGood(page, `refusal-${name}`);
    });
  }

  test("no answer, or that of a proxy: the typed texts stay", async (t) => {
    const page = await openAccount(t, service, { expected: [502] });
    await page.route("**/auth/login", (route) => route.abort("connectionreset"), { times: 1 });
    await signInOnPage(page, "ada@mail.example");
    assert.match(await resultOf(page, "error"), /No answer from the service/);
    await page.route("**/auth/login", (route) => route.fulfill({ status: 502, body: "<html>a proxy</html>" }), { times: 1 });
    await button(page, "Sign in").click();
    await page.getByText("could not do this (502)").waitFor();
    assert.equal(await field(page, "E-mail address").inputValue(), "ada@mail.example");
    assert.equal(await field(page, "Password").inputValue(), PASSWORD);
  });

  test("a list that does not load has a second attempt", async (t) => {
    const page = await signedIn(t, "lists@mail.example");
    await answerFor(page, "auth/sessions", 503, "SERVICE_UNAVAILABLE", { "Retry-After": "5" });
    await link(page, "Sessions").click();
    assert.match(await resultOf(page, "error"), /Try again in 5 seconds/);
    await assertGood(page, "list-failed");
    await page.unroute("**/auth/sessions");
    await button(page, "Try again").click();
    await page.getByText("This device").waitFor();
  });
});

describe("a session that ends in the middle of a form", () => {
  test("is begun again over the page, and the form is sent with the typed texts", async (t) => {
    const page = await signedIn(t, "middle@mail.example");
    await field(page, "Name (optional)").fill("Typed before the end");
    const { body } = await login(service, { email: "middle@mail.example", password: PASSWORD });
    await logoutAll(service, body.access_token);
    await button(page, "Save the name").click();
    await page.getByRole("heading", { name: "Sign in again" }).waitFor();
    assert.equal(await page.getByRole("dialog").getByLabel("E-mail address").inputValue(), "middle@mail.example");
    await assertGood(page, "sign-in-again");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill("wrong");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("dialog").getByText("is wrong").waitFor();
    await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("dialog").getByRole("button", { name: "Sign in", exact: true }).click();
    assert.equal(await resultOf(page, "done"), "The name is saved.");
    assert.equal(await page.locator(".who-name").innerText(), "Typed before the end");
  });

  test("is left by a person that wants no more of it", async (t) => {
    const page = await signedIn(t, "leaves@mail.example");
    const { body } = await login(service, { email: "leaves@mail.example", password: PASSWORD });
    await logoutAll(service, body.access_token);
    await go(page, "Sessions");
    await button(page, "Sign out and leave this page").click();
    await atView(page, "Sign in");
  });

  test("does not give the form to another user", async (t) => {
    const page = await signedIn(t, "other@mail.example");
    await button(page, "Sign out").click();
    await atView(page, "Sign in");
    await signedUp(page, service, "first@mail.example");
    await field(page, "Name (optional)").fill("Name of the first");
    const { body } = await login(service, { email: "first@mail.example", password: PASSWORD });
    await logoutAll(service, body.access_token);
    await button(page, "Save the name").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("E-mail address").fill("other@mail.example");
    await dialog.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.locator(".who-name", { hasText: "other@mail.example" }).waitFor();
    const names = await rows(service.db, "SELECT full_name FROM users WHERE email IN ('other@mail.example', 'first@mail.example')");
    assert.deepEqual(names, [{ full_name: null }, { full_name: null }]);
  });
});

describe("an access token that has expired", () => {
  test("is renewed, and the request is sent again", async (t) => {
    const page = await signedIn(t, "expired@mail.example");
    await answerFor(page, "users/me", 401, "AUTH_TOKEN_EXPIRED", {}, { times: 1 });
    const before = posts(page, "/auth/refresh");
    await field(page, "Name (optional)").fill("Renewed");
    await button(page, "Save the name").click();
    assert.equal(await resultOf(page, "done"), "The name is saved.");
    assert.equal(posts(page, "/auth/refresh"), before + 1);
  });

  test("is renewed though the first answers are lost", async (t) => {
    const page = await signedIn(t, "lost@mail.example", [401]);
    const lose = async (route) => {
      // The service carries it out.
      await route.fetch();
      await route.abort("connectionreset");
    };
    await page.route("**/auth/refresh", lose, { times: 2 });
    await page.reload();
    await atView(page, "Overview");
    assert.equal((await listSessionsOf("lost@mail.example")).length, 2, "the session of the page, and that of this question");
  });
});

async function listSessionsOf(email) {
  const { body } = await login(service, { email, password: PASSWORD });
  return (await listSessions(service, body.access_token)).body.sessions;
}

describe("several tabs", () => {
  test("share one session, one renewal, and the sign-out", async (t) => {
    const page = await signedIn(t, "tabs@mail.example");
    const tabs = [page, ...(await Promise.all(Array.from({ length: 5 }, () => page.context().newPage())))];
    let refreshes = 0;
    page.context().on("request", (request) => (refreshes += request.url().endsWith("/auth/refresh") ? 1 : 0));
    await Promise.all(tabs.map((tab) => tab.goto(`${service.page.origin}/account`)));
    await Promise.all(tabs.map((tab) => atView(tab, "Overview")));
    assert.equal(refreshes, 1);
    await button(tabs[3], "Sign out").click();
    await Promise.all(tabs.map((tab) => atView(tab, "Sign in")));
    await signInOnPage(tabs[1], "tabs@mail.example");
    await Promise.all(tabs.map((tab) => atView(tab, "Overview")));
    assert.equal((await listSessionsOf("tabs@mail.example")).length, 2);
  });

  test("a sign-in over one page closes the question in the others", async (t) => {
    const page = await signedIn(t, "two@mail.example");
    const other = await page.context().newPage();
    await other.goto(`${service.page.origin}/account#/sessions`);
    await atView(other, "Sessions");
    const { body } = await login(service, { email: "two@mail.example", password: PASSWORD });
    await logoutAll(service, body.access_token);
    for (const tab of [page, other]) {
      await link(tab, "API keys").click();
      await tab.getByRole("heading", { name: "Sign in again" }).waitFor();
    }
    await other.getByRole("dialog").getByLabel("Password", { exact: true }).fill(PASSWORD);
    await other.getByRole("dialog").getByRole("button", { name: "Sign in", exact: true }).click();
    for (const tab of [page, other]) {
      await tab.getByText("You have no key.").waitFor();
      assert.equal(await headingOf(tab), "API keys");
    }
  });
});

test("everything of a sign-in works by keyboard", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await signedUp(page, service, "keys@mail.example");
  await button(page, "Sign out").focus();
  await page.keyboard.press("Enter");
  await atView(page, "Sign in");
  await page.keyboard.press("Tab");
  await page.keyboard.type("keys@mail.example");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await atView(page, "Overview");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Your data");
  await page.keyboard.press("Enter");
  await atView(page, "Your data");
  assert.equal(await page.title(), "Your data – University login");
});

test("an unknown fragment shows the first view", async (t) => {
  const page = await openAccount(t, service, { hash: "#/no/such%view" });
  assert.equal(await headingOf(page), "Sign in");
});

test("the end of the session in another tab closes an open dialog", async (t) => {
  const page = await signedIn(t, "dialog@mail.example");
  await go(page, "Your data");
  await button(page, "Delete my account").click();
  await page.getByRole("dialog").waitFor();
  const other = await page.context().newPage();
  await other.goto(`${service.page.origin}/account`);
  await button(other, "Sign out").click();
  await atView(page, "Sign in");
  assert.equal(await page.locator("dialog").count(), 0);
});

test("the way back of the browser closes a dialog, too", async (t) => {
  const page = await signedIn(t, "back@mail.example");
  await go(page, "Your data");
  await button(page, "Delete my account").click();
  await page.getByRole("dialog").waitFor();
  await page.goBack();
  await atView(page, "Overview");
  assert.equal(await page.locator("dialog").count(), 0);
});

test("a service that is busy at the load of the page signs no person out: the second attempt opens the account", async (t) => {
  const page = await signedIn(t, "busy@mail.example");
  for (const path of ["pages/settings.json", "auth/refresh", "users/me"]) {
    await answerFor(page, path, 503, "SERVICE_UNAVAILABLE", { "Retry-After": "5" }, { times: 1 });
    await page.reload();
    assert.match(await resultOf(page, "error"), /Try again in 5 seconds/, path);
    await button(page, "Try again").click();
    await atView(page, "Overview");
  }
});

test("a sign-out without an answer says so, and keeps the session", async (t) => {
  const page = await signedIn(t, "stays@mail.example");
  await page.route("**/auth/logout", (route) => route.abort("connectionreset"), { times: 1 });
  await button(page, "Sign out").click();
  assert.match(await resultOf(page, "error"), /You are not signed out yet/);
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
});

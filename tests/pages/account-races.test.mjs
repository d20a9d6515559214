// Events that overlap on /account: sign-outs, renewals and sign-ins of several tabs, answers that come late, dialogs that
// stand for long. Answers are held back until the test lets them go.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, logoutAll } from "../e2e/support/client.mjs";
import { REFRESH } from "../e2e/support/cookies.mjs";
import { rows } from "../e2e/support/database.mjs";
import { atView, button, field, go, resultOf, signInOnPage } from "./support/account.mjs";
import { requestsOf, withBrowser } from "./support/browser.mjs";
import { askForKey, growOld, hold, refuseOnce, stepUp, untilWaiting } from "./support/races.mjs";
import { jarOf, openBeside, startAtSite } from "./support/sites.mjs";
import { newPerson, openTabs, plainRefresh, refreshesDuring } from "./support/tabs.mjs";

const REFRESHES = "**/auth/refresh";
const SESSIONS = "**/auth/sessions";
const MARKER = "edge-auth signed-in /";

let service;
withBrowser();
before(async () => (service = await startAtSite()));
after(() => service?.stop());

const account = () => `${service.page.origin}/account`;
const everywhere = (tabs, title) => Promise.all(tabs.map((tab) => atView(tab, title)));
const openSessions = (tab) => tab.evaluate(() => (location.hash = "#/sessions"));
const confirmation = (tab) => tab.getByRole("dialog", { name: "Confirm that it is you" });

/** Ends all sessions of a person, as another device does. */
async function endElsewhere(person) {
  const { body } = await login(service, person);
  assert.equal((await logoutAll(service, body.access_token)).status, 200);
}

describe("a sign-out", () => {
  for (const [place, count] of [["the same tab", 1], ["another tab", 2]]) {
    test(`during a renewal in ${place} comes after it, and ends the session`, async (t) => {
      const tabs = await openTabs(t, service, count);
      const tab = tabs.at(-1);
      const refresh = await hold(tab, REFRESHES);
      await refuseOnce(tab, SESSIONS, 401, "AUTH_TOKEN_EXPIRED");
      await openSessions(tab);
      await refresh.arrived;
      await button(tabs[0], "Sign out").click();
      await untilWaiting(tabs[0]);
      await refresh.release();
      await everywhere(tabs, "Sign in");
      assert.equal((await jarOf(tab))[REFRESH], undefined);
      await Promise.all(tabs.map((each) => each.reload()));
      await everywhere(tabs, "Sign in");
    });
  }

  test("in another tab while this one loads its user shows the sign-in, and a later sign-in opens the account", async (t) => {
    const person = await newPerson(service);
    const tabs = await openTabs(t, service, 2, { person });
    const [late, other] = tabs;
    const user = await hold(late, "**/users/me");
    await late.reload();
    await user.arrived;
    await button(other, "Sign out").click();
    await everywhere(tabs, "Sign in");
    await user.release();
    await signInOnPage(late, person.email);
    await everywhere(tabs, "Overview");
    assert.equal(await late.locator("dialog").count(), 0);
  });

  test("in another tab before the settings have arrived leads to the sign-in", async (t) => {
    const [late, other] = await openTabs(t, service, 2);
    const settings = await hold(late, "**/pages/settings.json");
    await late.reload();
    await settings.arrived;
    await late.evaluate(() => {
      const channel = new BroadcastChannel("edge-auth session /");
      window.told = new Promise((done) => channel.addEventListener("message", ({ data }) => done(data.type)));
    });
    await button(other, "Sign out").click();
    assert.equal(await late.evaluate(() => window.told), "signed-out");
    await settings.release();
    await atView(late, "Sign in");
  });

  test("lets a request that was on its way ask for nothing", async (t) => {
    const person = await newPerson(service);
    const tabs = await openTabs(t, service, 2, { person });
    const [late, other] = tabs;
    const refreshes = () => requestsOf(late).filter(({ path }) => path === "/auth/refresh").length;
    const before = refreshes();
    const sessions = await hold(late, SESSIONS);
    await openSessions(late);
    await sessions.arrived;
    await button(other, "Sign out").click();
    await everywhere(tabs, "Sign in");
    await sessions.refuse(401, "AUTH_TOKEN_REVOKED");
    await signInOnPage(other, person.email);
    await everywhere(tabs, "Overview");
    assert.deepEqual([refreshes(), await late.locator("dialog").count()], [before, 0]);
  });
});

describe("a session that has ended elsewhere", () => {
  test("leads to the sign-in in a tab that is opened later, though another tab has told its token", async (t) => {
    const person = await newPerson(service);
    const [first] = await openTabs(t, service, 1, { person });
    await endElsewhere(person);
    const late = await openBeside(first, account());
    await atView(late, "Sign in");
    assert.equal(await late.locator("dialog").count(), 0);
    await signInOnPage(late, person.email);
    await atView(late, "Overview");
  });

  test("brings a late refusal, which does not remove the cookie of a new sign-in", async (t) => {
    const person = await newPerson(service);
    const [first] = await openTabs(t, service, 1, { person });
    await endElsewhere(person);
    await first.evaluate((marker) => localStorage.removeItem(marker), MARKER);
    await first.reload();
    await atView(first, "Sign in");
    await first.evaluate((marker) => localStorage.setItem(marker, "1"), MARKER);
    const late = await first.context().newPage();
    const refresh = await hold(late, REFRESHES);
    await late.goto(account());
    await refresh.arrived;
    await signInOnPage(first, person.email);
    await untilWaiting(first);
    await refresh.release();
    await everywhere([first, late], "Overview");
    assert.equal(await plainRefresh(first), 200);
  });
});

describe("a renewal", () => {
  test("is not blocked for ever by a frozen tab that has the lock", async (t) => {
    const [first, frozen] = await openTabs(t, service, 2);
    await frozen.goto(`${service.page.origin}/pages/settings.json`);
    await frozen.evaluate(() => new Promise((granted) => {
      navigator.locks.request("edge-auth refresh /", () => new Promise(() => granted()));
    }));
    await refuseOnce(first, SESSIONS, 401, "AUTH_TOKEN_EXPIRED");
    await openSessions(first);
    await first.getByText("This device").waitFor({ timeout: 30_000 });
  });

  test("is not repeated by a tab that slept longer than the service takes the same cookie", async (t) => {
    const [first] = await openTabs(t, service, 1, { allowed: /^console: Failed to load resource: net::ERR_/ });
    await first.clock.install();
    await first.clock.pauseAt(Date.now() + 60_000);
    await first.route(REFRESHES, (route) => route.abort("connectionreset"), { times: 1 });
    const lost = first.waitForEvent("requestfailed");
    const refreshes = await refreshesDuring(service, async () => {
      await first.reload();
      await lost;
      await first.clock.fastForward(12_000);
      assert.match(await resultOf(first, "error"), /No answer from the service/);
    });
    assert.deepEqual(refreshes, []);
    await first.clock.resume();
    await button(first, "Try again").click();
    await atView(first, "Overview");
  });
});

describe("a step-up", () => {
  test("counts in its tab alone", async (t) => {
    const [first] = await openTabs(t, service, 1);
    await growOld(service, first);
    await askForKey(first, "first");
    await stepUp(first);
    await first.getByRole("dialog", { name: "Copy your key" }).waitFor();
    const other = await openBeside(first, account());
    await atView(other, "Overview");
    await askForKey(other, "other");
    await other.getByRole("dialog").waitFor();
    assert.equal(await confirmation(other).count(), 1);
  });

  test("succeeds after its dialog has stood longer than an access token lives", async (t) => {
    const [first] = await openTabs(t, service, 1);
    await growOld(service, first);
    const asked = first.waitForRequest("**/users/me/api-keys");
    await askForKey(first, "late");
    const old = (await asked).headers().authorization;
    await confirmation(first).waitFor();
    await first.clock.setFixedTime(Date.now() + 16 * 60_000);
    await first.route("**/auth/step-up", (route) =>
      route.request().headers().authorization === old
        ? route.fulfill({ status: 401, json: { error: { code: "AUTH_TOKEN_EXPIRED", message: "", details: {} } } })
        : route.continue());
    await stepUp(first);
    await first.getByRole("dialog", { name: "Copy your key" }).waitFor();
  });

  test("whose request succeeds when it asks for another challenge has done its work", async (t) => {
    const person = await newPerson(service);
    const [first] = await openTabs(t, service, 1, { person });
    await askForKey(first, "victim");
    await button(first.getByRole("dialog"), "I have kept the key").click();
    const details = { methods: ["passkey"], passkey_options: { challenge: "AAAA", userVerification: "required" } };
    await refuseOnce(first, "**/users/me/api-keys/*", 401, "AUTH_STEP_UP_REQUIRED", details);
    await first.evaluate(() => {
      navigator.credentials.get = () => Promise.reject(new DOMException("", "NotAllowedError"));
    });
    await first.getByRole("button", { name: /^Withdraw/ }).click();
    await button(first.getByRole("dialog"), "Withdraw").click();
    const usePasskey = confirmation(first).locator("form button");
    await usePasskey.click();
    await confirmation(first).locator(".notice[data-kind=error]").waitFor();
    await usePasskey.click();
    assert.equal(await resultOf(first, "done"), "The key is withdrawn.");
    assert.equal(await first.locator("dialog").count(), 0);
    assert.deepEqual(await rows(service.db, "SELECT name FROM api_keys WHERE name = 'victim'"), []);
  });
});

// Tabs of one browser that share a session: they refresh at once, lose answers, sign out and sleep, and stay of one mind.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { REFRESH } from "../e2e/support/cookies.mjs";
import { rows } from "../e2e/support/database.mjs";
import { logged } from "../e2e/support/logs.mjs";
import { HELD, holder } from "../e2e/support/held.mjs";
import { atView, button, PASSWORD, signInOnPage } from "./support/account.mjs";
import { withBrowser } from "./support/browser.mjs";
import { jarOf, startAtSite } from "./support/sites.mjs";
import {
  age, dropAnswers, expireAtOnce, newPerson, openTabs, plainRefresh, refreshesDuring, untilAllWait, visitSessions,
} from "./support/tabs.mjs";

/** Chromium opens so many to one host over HTTP/1.1, for all tabs together. */
const CONNECTIONS = 6;

let service;
withBrowser();
before(async () => (service = await startAtSite({ wrapper: HELD.wrapper })));
after(() => service?.stop());

const isSignedIn = async (tab) => (await plainRefresh(tab)) === 200;

describe("an access token that has expired", () => {
  for (const count of [2, 10]) {
    test(`${count} tabs whose token is refused at the same moment make one refresh`, async (t) => {
      const tabs = await openTabs(t, service, count);
      await untilAllWait(tabs);
      assert.deepEqual(await refreshesDuring(service, () => expireAtOnce(tabs)), [200]);
      // Each tab has a token that works.
      assert.deepEqual(await refreshesDuring(service, () => visitSessions(tabs)), []);
    });
  }

  test("ten tabs whose token is about to expire make one refresh, and no request is refused", async (t) => {
    const tabs = await openTabs(t, service, 10);
    await tabs[0].context().clock.setFixedTime(Date.now() + 14.75 * 60_000);
    await untilAllWait(tabs);
    assert.deepEqual(await refreshesDuring(service, () => visitSessions(tabs)), [200]);
  });

  test("ten refreshes of ten tabs without any lock all succeed, by the interval of the service alone", async (t) => {
    const tabs = await openTabs(t, service, 10);
    const old = (await jarOf(tabs[0]))[REFRESH];
    // The first answer brings another cookie. Until it comes, all tabs have sent the old one, or wait for a connection.
    const statuses = Promise.all(tabs.map((tab) => plainRefresh(tab, { "X-Test-Hold": "1" })));
    for (const count of [CONNECTIONS, tabs.length]) {
      await service.logged(({ message }) => message === "Answer held back", count);
      await holder(service).release();
    }
    assert.deepEqual(await statuses, Array(10).fill(200));
    const refreshes = await logged(service, ({ message }) => message === "Refreshed");
    assert.equal(refreshes.slice(-tabs.length).filter(({ retried }) => !retried).length, 1, "one exchange, and nine repetitions");
    const successor = (await jarOf(tabs[0]))[REFRESH];
    assert.notEqual(successor, old);
    assert.ok(await isSignedIn(tabs[9]));
    assert.deepEqual(await refreshesDuring(service, () => visitSessions(tabs)), []);
  });
});

describe("an answer that is lost", () => {
  /** Chromium's line about each answer that was cut off. */
  const CUT = /^console: Failed to load resource: (net::ERR_CONNECTION_RESET|.*status of 401 )/;

  test("the tab repeats a refresh whose answer was lost, with the same cookie, and stays signed in", async (t) => {
    const [tab] = await openTabs(t, service, 1, { allowed: CUT });
    const dropped = await dropAnswers(tab, service);
    assert.deepEqual(await refreshesDuring(service, () => expireAtOnce([tab])), [200, 200]);
    assert.deepEqual((await jarOf(tab))[REFRESH], dropped[0], "the successor that was lost");
    assert.deepEqual(await refreshesDuring(service, () => visitSessions([tab])), []);
  });

  test("of four refreshes the last answer arrives, and other tabs wait for it", async (t) => {
    const tabs = await openTabs(t, service, 3, { allowed: CUT });
    const dropped = await Promise.all(tabs.map((tab) => dropAnswers(tab, service, 3)));
    assert.deepEqual(await refreshesDuring(service, () => expireAtOnce(tabs)), Array(4).fill(200));
    assert.deepEqual([...new Set(dropped.flat())], [(await jarOf(tabs[0]))[REFRESH]], "one and the same successor");
  });
});

describe("the end of a session", () => {
  test("a sign-out in one tab shows the sign-in in all of them", async (t) => {
    const tabs = await openTabs(t, service, 3);
    await button(tabs[1], "Sign out").click();
    await Promise.all(tabs.map((tab) => atView(tab, "Sign in")));
    assert.equal((await jarOf(tabs[0]))[REFRESH], undefined);
    assert.equal(await plainRefresh(tabs[2]), 401);
    assert.deepEqual(await tabs[2].evaluate(() => Object.keys(localStorage)), []);
  });

  test("a sign-in in one tab shows its account in all of them", async (t) => {
    const tabs = await openTabs(t, service, 2);
    const other = await newPerson(service);
    await button(tabs[0], "Sign out").click();
    await Promise.all(tabs.map((tab) => atView(tab, "Sign in")));
    await signInOnPage(tabs[1], other.email);
    await Promise.all(tabs.map((tab) => tab.locator(".who-name", { hasText: other.email }).waitFor()));
  });

  test("a tab whose cookie has become that of another account shows that account, and nothing of the former one", async (t) => {
    const [person, other] = [await newPerson(service), await newPerson(service)];
    const [tab] = await openTabs(t, service, 1, { person });
    await tab.evaluate(async (body) => {
      await fetch("auth/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    }, { ...other, token_delivery: "cookie" });
    await expireAtOnce([tab]);
    await tab.locator(".who-name", { hasText: other.email }).waitFor();
    assert.ok(!(await tab.locator("body").innerText()).includes(person.email));
  });

  test("a session that has ended elsewhere is asked for once, and the sign-in counts in all tabs", async (t) => {
    const person = await newPerson(service);
    const tabs = await openTabs(t, service, 2, { person });
    await rows(service.db, "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = ?1)", person.email);
    const visited = visitSessions([tabs[0]]);
    const dialog = tabs[0].getByRole("dialog");
    await dialog.waitFor();
    assert.equal((await jarOf(tabs[0]))[REFRESH], undefined);
    await dialog.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
    await visited;
    assert.deepEqual(await refreshesDuring(service, () => visitSessions(tabs)), []);
  });
});

describe("a tab that sleeps", () => {
  /** Stops a page as a debugger does, at its next step. Returns a function that wakes it. */
  async function putToSleep(tab) {
    const client = await tab.context().newCDPSession(tab);
    const paused = new Promise((done) => client.once("Debugger.paused", done));
    await client.send("Debugger.enable");
    await client.send("Debugger.pause");
    return async () => {
      // The message of another tab was a step.
      await paused;
      await client.send("Debugger.disable");
    };
  }

  test("it wakes with the newest cookie, because tabs have one jar: no old cookie is sent after 10 seconds", async (t) => {
    const [awake, asleep] = await openTabs(t, service, 2);
    const wake = await putToSleep(asleep);
    const statuses = await refreshesDuring(service, async () => {
      for (let exchange = 1; exchange <= 3; exchange += 1) {
        await age(service, 60);
        await expireAtOnce([awake]);
      }
      await age(service, 60);
      await wake();
      assert.equal(await plainRefresh(asleep), 200);
      await visitSessions([asleep, awake]);
    });
    assert.deepEqual(statuses, Array(4).fill(200));
  });
});

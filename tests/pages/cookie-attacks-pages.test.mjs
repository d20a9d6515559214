// Attacks on /account and /console themselves: frames, windows that other pages open, addresses that lead away, and scripts in search
// of tokens. In Chromium, which enforces the policies of the pages.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { newUser, register } from "../e2e/support/client.mjs";
import { REFRESH } from "../e2e/support/cookies.mjs";
import { rows } from "../e2e/support/database.mjs";
import { until } from "../e2e/support/faults.mjs";
import { atView, button, fill, openAccount, signInOnPage } from "./support/account.mjs";
import { openPage, withBrowser } from "./support/browser.mjs";
import { jarOf, openBeside, startAtSite, startSite } from "./support/sites.mjs";

const PAGES = ["/account", "/console"];

let service;
let evil;
let app;
withBrowser();
before(async () => {
  [evil, app] = [await startSite(), await startSite()];
  service = await startAtSite({ listed: [app.sameSite] });
});
after(async () => {
  await service?.stop();
  [evil, app].forEach((site) => site?.stop());
});

/** A user that administers the platform. */
async function newAdministrator() {
  const user = newUser();
  const { body } = await register(service, user);
  const sql = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', 0)";
  await rows(service.db, sql, body.id);
  return user;
}

/** A browser at /account with a session. */
async function victim(t) {
  const user = await newAdministrator();
  const page = await openAccount(t, service);
  await signInOnPage(page, user.email, user.password);
  await atView(page, "Overview");
  return page;
}

describe("pages of another origin", () => {
  test("show none of the pages in a frame", async (t) => {
    const page = await victim(t);
    for (const origin of [evil.crossSite, evil.sameSite, app.sameSite]) {
      for (const path of PAGES) {
        const tab = await openBeside(page, origin);
        const [requests, complaints] = [[], []];
        tab.on("request", (request) => requests.push(request.url()));
        tab.on("console", (message) => complaints.push(message.text()));
        await tab.evaluate(async (src) => {
          const frame = Object.assign(document.createElement("iframe"), { src });
          const loaded = new Promise((done) => frame.addEventListener("load", done));
          document.body.append(frame);
          await loaded;
        }, service.page.origin + path);
        // The document is refused, so none of its files is asked for.
        assert.deepEqual(requests, [service.page.origin + path]);
        await until("the browser complains", () => complaints.some((text) => /frame-ancestors|X-Frame-Options/.test(text)));
      }
    }
  });

  test("have no handle on a window that they open, and are not its opener", async (t) => {
    const page = await victim(t);
    for (const origin of [evil.crossSite, evil.sameSite, app.sameSite]) {
      for (const path of PAGES) {
        const tab = await openBeside(page, origin);
        const opening = page.context().waitForEvent("page");
        const handle = await tab.evaluateHandle((url) => window.open(url, "target"), service.page.origin + path);
        const opened = await opening;
        await atView(opened, "Overview");
        assert.deepEqual(await opened.evaluate(() => [window.opener, window.name]), [null, ""]);
        await tab.waitForFunction((target) => target.closed, handle);
        assert.equal(await handle.evaluate((target) => target.length), 0);
        await opened.close();
      }
    }
  });

  test("reach no channel, lock or storage of the pages", async (t) => {
    const page = await victim(t);
    const tab = await openBeside(page, evil.sameSite);
    const found = await tab.evaluate(async () => {
      new BroadcastChannel("edge-auth session /").postMessage({ type: "signed-out" });
      const { held, pending } = await navigator.locks.query();
      return [held.length, pending.length, localStorage.length, (await indexedDB.databases()).length, document.cookie];
    });
    assert.deepEqual(found, [0, 0, 0, 0, ""]);
    await page.reload();
    await atView(page, "Overview");
  });
});

/** Addresses that would lead away, or into objects of the program, if a page used a part of them. */
const AWAY = "https://evil.example/";
const FRAGMENTS = [
  AWAY, `/${AWAY}`, "//evil.example", "/javascript:document.title=1", "/data:text/html,x", "/__proto__", "/constructor",
  "/toString", "/%2F%2Fevil.example", "/%E0%A4%A", "/sessions/../../evil", "/users/1%2F..%2F..%2Fsessions",
  "/events/javascript:1", "/\\evil.example",
  "/universities/1?x=1", `/sign-in?then=${AWAY}`, `then=${AWAY}`, `token=${AWAY}`, "/users/%3Cimg%20src=x%20onerror=alert(1)%3E",
];
const PARAMETERS = ["then", "next", "return", "return_url", "redirect", "redirect_uri", "url", "continue", "goto", "RelayState"];
const QUERY = PARAMETERS.map((name) => `${name}=${encodeURIComponent(AWAY)}`).join("&");

/** All that a link of a page may lead to, apart from fragments. */
const FIXED = ["/account", "/console", "/verify", "/reset", "/invite", "/undo", "/not-me"];

/** Fails if a link of the page leads elsewhere. */
async function assertLinks(page, label) {
  const links = await page.locator("a[href]").evaluateAll((elements) => elements.map(({ href }) => href.replace(/[?#].*/, "")));
  const fixed = FIXED.map((path) => service.page.origin + path);
  assert.deepEqual(links.filter((link) => !fixed.includes(link)), [], label);
}

describe("an address", () => {
  for (const path of PAGES) {
    test(`of ${path} leads to its own views only, before and after the sign-in`, async (t) => {
      const { email, password } = await newAdministrator();
      const page = await openAccount(t, service, { path: `${path}?${QUERY}`, hash: `#/sign-in?then=${AWAY}`, expected: [404, 422] });
      await fill(page, { "E-mail address": email, Password: password });
      await button(page, "Sign in").click();
      await atView(page, "Overview");
      const home = `${service.page.origin}${path}`;
      for (const fragment of FRAGMENTS) {
        await page.goto(`${home}?${QUERY}#${fragment}`);
        await page.locator("h1").waitFor();
        assert.equal(page.url().split(/[?#]/)[0], home, fragment);
        await assertLinks(page, fragment);
      }
    });
  }

  test("of a mailed link leads nowhere else", async (t) => {
    const page = await openAccount(t, service);
    for (const path of ["/verify", "/reset", "/invite", "/undo", "/not-me"]) {
      const tab = await openBeside(page, `${service.page.origin}${path}?${QUERY}#token=${encodeURIComponent(AWAY)}&then=${AWAY}`);
      await tab.locator("h1").waitFor();
      assert.equal(tab.url(), `${service.page.origin}${path}?${QUERY}`, "the token has left the address");
      await assertLinks(tab, path);
    }
  });

  test("of the description makes no page load another description", async (t) => {
    const page = await openAccount(t, service);
    for (const path of ["/docs", "/redoc"]) {
      const tab = await page.context().newPage();
      const away = [];
      tab.on("request", (request) => request.url().startsWith(service.page.origin) || away.push(request.url()));
      const described = tab.waitForResponse((response) => response.url() === `${service.page.origin}/openapi.json`);
      await tab.goto(`${service.page.origin}${path}?${QUERY}&configUrl=${AWAY}c.json&spec-url=${AWAY}s.json#/${AWAY}`);
      await described;
      await tab.waitForLoadState("networkidle");
      assert.deepEqual(away.filter((url) => !url.startsWith("data:")), []);
      await tab.close();
    }
  });
});

/** The lines of Chromium about breaches of the policy, and the one of the page's watcher. */
const BLOCKED = /^console: (policy: |.*(Content Security Policy|TrustedHTML|TrustedScript))/i;

describe("a script of the page", () => {
  for (const path of PAGES) {
    test(`of ${path} finds no token outside of the memory of the page's own modules`, async (t) => {
      const { email, password } = await newAdministrator();
      const page = await openAccount(t, service, { path });
      await fill(page, { "E-mail address": email, Password: password });
      await button(page, "Sign in").click();
      await atView(page, "Overview");
      await page.reload();
      await atView(page, "Overview");
      const { cookie, local, others, marks, text } = await page.evaluate(async () => ({
        cookie: document.cookie,
        local: { ...localStorage },
        others: [sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length],
        marks: [history.state, window.name],
        text: [
          document.documentElement.outerHTML,
          location.href,
          ...performance.getEntries().map(({ name }) => name),
          ...Object.getOwnPropertyNames(window).map((name) => String(Object.getOwnPropertyDescriptor(window, name).value)),
        ].join("\n"),
      }));
      assert.deepEqual([cookie, local], ["", { "edge-auth signed-in /": "1" }]);
      assert.deepEqual([others, marks], [[0, 0, 0], [null, ""]]);
      // The beginning of every token.
      assert.ok(!text.includes("eyJ"));
      assert.match((await jarOf(page))[REFRESH], /^eyJ/);
    });
  }

  test("cannot write HTML, add a script or ask another host", async (t) => {
    const page = await openPage(t, service.page, "/account", {}, BLOCKED);
    const outcomes = await page.evaluate(async (away) => {
      const attempt = async (act) => {
        try {
          return String(await act());
        } catch (error) {
          return error.name;
        }
      };
      const script = () => Object.assign(document.createElement("script"), { text: "window.pwned = 1" });
      const ran = (element) => {
        document.body.append(element);
        return window.pwned === undefined ? "did not run" : "ran";
      };
      return {
        html: await attempt(() => (document.body.innerHTML = "<img src=x onerror=window.pwned=1>")),
        script: await attempt(() => ran(script())),
        policy: await attempt(() => trustedTypes.createPolicy("mine", {}).name),
        duplicate: await attempt(() => trustedTypes.createPolicy("lit-html", {}).name),
        request: await attempt(async () => (await fetch(away)).status),
      };
    }, AWAY);
    assert.deepEqual([...new Set(Object.values(outcomes))], ["TypeError"], JSON.stringify(outcomes));
  });
});

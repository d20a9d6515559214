// Pages of other origins against the cookies of a browser: forged requests, sign-ins of the visitor as the attacker, and the
// applications that may do all this. In Chromium, because the browser decides which cookies and headers it sends.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { newUser, post, register, signUp } from "../e2e/support/client.mjs";
import {
  cookieOf, DEVICE, logoutByCookie, REFRESH, refreshByCookie, setCookies, signUpByCookie, valueOf,
} from "../e2e/support/cookies.mjs";
import { dump } from "../e2e/support/database.mjs";
import { assertEnvelope, assertSuccess } from "../e2e/support/envelope.mjs";
import { logged } from "../e2e/support/logs.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { atView, openAccount, signInOnPage } from "./support/account.mjs";
import { withBrowser } from "./support/browser.mjs";
import { DETOURS, FORGERIES, sandbox, topLevelForm } from "./support/forgeries.mjs";
import { jarOf, openBeside, startAtSite, startSite } from "./support/sites.mjs";

const PATHS = ["/auth/refresh", "/auth/logout", "/auth/login"];

let service;
let evil;
let app;
withBrowser();
before(async () => {
  [evil, app] = [await startSite(), await startSite()];
  service = await startAtSite({ listed: [app.sameSite, app.crossSite] });
});
after(async () => {
  await service?.stop();
  [evil, app].forEach((site) => site?.stop());
});

/** The finished requests to a path. */
const finished = (path) => (line) => line.message === "Request finished" && line.path === path;

/** A browser at /account, with a session of a new user. */
async function victim(t) {
  const user = newUser();
  await register(service, user);
  const page = await openAccount(t, service);
  await signInOnPage(page, user.email, user.password);
  await atView(page, "Overview");
  return page;
}

/** The attacker's own account, as the body that the victim's browser should send to a path. */
async function attacker() {
  const { user, refresh } = await signUp(service);
  const { email, password } = user;
  const login = JSON.stringify({ email, password, token_delivery: "cookie" });
  return (path) => (path === "/auth/login" ? login : JSON.stringify({ refresh_token: refresh }));
}

/** Lets the browser send a request, and returns its line in the service's log when it has been answered. */
async function lineOf(path, forge) {
  const { length } = await logged(service, finished(path));
  await forge();
  await service.logged(finished(path), length + 1);
  const lines = (await logged(service, finished(path))).slice(length);
  assert.equal(lines.length, 1);
  return lines[0];
}

/**
 * All forgeries from one place. Fails if one leaves a trace in the browser or the database, or has another answer than a refusal:
 * `bare` is that of a request without a body, for which the cookie decides; all others fail by the type of their body.
 */
async function assertHarmless({ page, place, textOf, bare }) {
  const before = [await dump(service.db), await jarOf(page)];
  for (const path of PATHS) {
    const url = service.page.origin + path;
    const refusals = { GET: [405], OPTIONS: [200], POST: path === "/auth/login" ? [415] : [415, bare] };
    const detour = `${evil.sameSite}/to?${encodeURIComponent(url)}`;
    const direct = Object.entries(FORGERIES).map(([name, forge]) => [name, forge, url]);
    for (const [name, forge, target] of [...direct, ...DETOURS.map((name) => [`${name}, redirected`, FORGERIES[name], detour])]) {
      const { method, status_code: status } = await lineOf(path, () => forge(place, target, textOf(path)));
      assert.ok(refusals[method]?.includes(status), `${path}, ${name}: ${method} ${status}`);
    }
  }
  assert.deepEqual([await dump(service.db), await jarOf(page)], before);
}

const PLACES = {
  "another site": (page) => openBeside(page, evil.crossSite),
  "another origin of the same site": (page) => openBeside(page, evil.sameSite),
  "a sandbox": async (page) => sandbox(await openBeside(page, evil.sameSite)),
};

describe("a browser with a session", () => {
  for (const [name, open] of Object.entries(PLACES)) {
    test(`no request that ${name} forges has an effect`, async (t) => {
      const page = await victim(t);
      // Only pages of the same site make the browser send the cookie, and they are no pages of the service.
      const bare = name === "another origin of the same site" ? 403 : 401;
      await assertHarmless({ page, place: await open(page), textOf: await attacker(), bare });
      await page.reload();
      await atView(page, "Overview");
    });
  }

  test("no form that replaces the attacker's page has an effect", async (t) => {
    const page = await victim(t);
    const textOf = await attacker();
    const before = [await dump(service.db), await jarOf(page)];
    for (const origin of [evil.crossSite, evil.sameSite]) {
      for (const path of PATHS) {
        const tab = await openBeside(page, origin);
        assert.equal(await topLevelForm(tab, service.page.origin + path, textOf(path)), 415);
      }
    }
    assert.deepEqual([await dump(service.db), await jarOf(page)], before);
  });

  /** `__Host-` forbids `Domain`, so no page of a sibling domain plants a session; on the same host, `HttpOnly` protects it. */
  test("no script plants, replaces or removes the cookie", async (t) => {
    const page = await victim(t);
    const before = await jarOf(page);
    const others = [page, await openBeside(page, evil.sameSite), await openBeside(page, evil.crossSite)];
    for (const place of others) {
      await place.evaluate((name) => {
        const attributes = ["", "; Secure", "; Secure; Path=/", "; Secure; Path=/; Domain=localhost", "; Secure; Path=/; Max-Age=0"];
        attributes.forEach((rest) => (document.cookie = `${name}=planted${rest}`));
      }, REFRESH);
    }
    const own = await page.context().cookies(service.page.origin);
    assert.deepEqual(Object.fromEntries(own.map(({ name, value }) => [name, value])), before);
  });
});

describe("a browser without a session", () => {
  for (const [name, open] of Object.entries(PLACES)) {
    test(`no request that ${name} forges signs it in as the attacker`, async (t) => {
      const page = await openAccount(t, service);
      await assertHarmless({ page, place: await open(page), textOf: await attacker(), bare: 401 });
      assert.deepEqual(await jarOf(page), {});
      await page.reload();
      await atView(page, "Sign in");
    });
  }
});

/** One request of an application, with cookies: `{status, body}`, or `{error}` if the browser withholds the answer. */
const call = (tab, path, { body, access, credentials = "include" } = {}) =>
  tab.evaluate(async ({ url, body, access, credentials }) => {
    const headers = { ...(body && { "Content-Type": "application/json" }), ...(access && { Authorization: `Bearer ${access}` }) };
    const options = { method: access ? "GET" : "POST", credentials, headers, body: body && JSON.stringify(body) };
    try {
      const response = await fetch(url, options);
      return { status: response.status, body: await response.json() };
    } catch ({ name: error }) {
      return { error };
    }
  }, { url: service.page.origin + path, body, access, credentials });

describe("an application", () => {
  const inCookies = ({ email, password }) => ({ email, password, token_delivery: "cookie" });

  test("of a listed origin of the same site signs in, refreshes, reads and signs out", async (t) => {
    const { user } = await signUp(service);
    const page = await openAccount(t, service);
    const tab = await openBeside(page, app.sameSite);
    const signedIn = await call(tab, "/auth/login", { body: inCookies(user) });
    assert.deepEqual([signedIn.status, Object.keys(signedIn.body)], [200, ["access_token", "token_type", "expires_in"]]);
    const before = await jarOf(page);
    assert.deepEqual(Object.keys(before).sort(), [REFRESH, DEVICE]);
    const refreshed = await call(tab, "/auth/refresh");
    assert.equal(refreshed.status, 200);
    assert.notEqual((await jarOf(page))[REFRESH], before[REFRESH]);
    const me = await call(tab, "/users/me", { access: refreshed.body.access_token });
    assert.deepEqual([me.status, me.body.email], [200, user.email]);
    assert.equal(await tab.evaluate(() => document.cookie), "");
    assert.equal((await call(tab, "/auth/logout")).status, 200);
    assert.deepEqual(Object.keys(await jarOf(page)), [DEVICE]);
    assert.equal((await call(tab, "/auth/refresh")).status, 401);
  });

  test("of a listed origin gets no cookie that it does not ask for, or asks for without credentials", async (t) => {
    const { user } = await signUp(service);
    const page = await openAccount(t, service);
    const tab = await openBeside(page, app.sameSite);
    const answers = [
      await call(tab, "/auth/login", { body: { email: user.email, password: user.password } }),
      await call(tab, "/auth/login", { body: inCookies(user), credentials: "omit" }),
    ];
    assert.deepEqual(answers.map(({ status, body }) => [status, typeof body.refresh_token]), [[200, "string"], [200, "undefined"]]);
    assert.deepEqual(await jarOf(page), {});
  });

  test("of a listed origin of another site is told that application and service must share a site", async (t) => {
    const page = await victim(t);
    const { user } = await signUp(service);
    const before = [await dump(service.db), await jarOf(page)];
    const tab = await openBeside(page, app.crossSite);
    const refused = await call(tab, "/auth/login", { body: inCookies(user) });
    assert.deepEqual([refused.status, refused.body.error.code], [403, "FORBIDDEN"]);
    assert.match(refused.body.error.message, /application and service must share a site/);
    // The browser sends it no cookie of the service.
    assert.deepEqual([(await call(tab, "/auth/refresh")).status, (await call(tab, "/auth/logout")).status], [401, 401]);
    assert.deepEqual([await dump(service.db), await jarOf(page)], before);
  });

  test("of an unlisted origin of the same site is refused, and may not read the refusal", async (t) => {
    const page = await victim(t);
    const tab = await openBeside(page, evil.sameSite);
    for (const path of ["/auth/refresh", "/auth/logout"]) {
      const line = await lineOf(path, async () => assert.deepEqual(await call(tab, path), { error: "TypeError" }));
      assert.equal(line.status_code, 403);
    }
  });
});

describe("a program that is no browser", () => {
  test("with a cookie, and without a word about its page, is refused", async () => {
    const { cookie, user } = await signUpByCookie(service);
    const before = await dump(service.db);
    const body = { email: user.email, password: user.password, token_delivery: "cookie" };
    const answers = [
      await refreshByCookie(service, cookieOf(cookie), {}),
      await logoutByCookie(service, cookieOf(cookie), {}),
      await post(service, "/auth/login", body),
    ];
    for (const response of answers) {
      assertEnvelope(response, 403, "FORBIDDEN");
      assert.deepEqual(setCookies(response), []);
    }
    assert.equal(await dump(service.db), before);
  });

  /**
   * Any program can say that it is a page of the service. That is no hole: forgery needs the cookie of another person, which only
   * that person's browser adds, and a browser tells the truth about the page. A program has only its own cookie.
   */
  test("that claims to be a page of the service gets nothing without a cookie, and its own session with one", async () => {
    await signUpByCookie(service);
    const own = await signUpByCookie(service);
    for (const request of [refreshByCookie, logoutByCookie]) {
      assertEnvelope(await request(service, undefined), 401, "AUTH_TOKEN_INVALID");
    }
    const refreshed = await refreshByCookie(service, cookieOf(own.cookie));
    assertSuccess(refreshed, 200);
    const subjects = [refreshed.body.access_token, valueOf(refreshed, REFRESH)].map((token) => decode(token).claims.sub);
    assert.deepEqual(subjects, [String(own.id), String(own.id)]);
  });
});

// Tabs of one browser on /account: they share the cookies, and each has its own access token.
import { register } from "../../e2e/support/client.mjs";
import { cookieOf, REFRESH, refreshByCookie, valueOf } from "../../e2e/support/cookies.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";
import { logged } from "../../e2e/support/logs.mjs";
import { atView, PASSWORD, signInOnPage } from "./account.mjs";
import { openPage } from "./browser.mjs";
import { refusals } from "./mailed.mjs";
import { jarOf, openBeside } from "./sites.mjs";

/** The request that the view of the sessions makes. */
const SESSIONS = "**/auth/sessions";
const REFRESHES = "**/auth/refresh";
const ERROR = { code: "AUTH_TOKEN_EXPIRED", message: "Token has expired", details: {} };
const BODY = JSON.stringify({ error: ERROR, request_id: "intercepted" });
const EXPIRED = { status: 401, contentType: "application/json", body: BODY };

let people = 0;

/** Registers a user: `{email, password}`. */
export async function newPerson(service) {
  people += 1;
  const person = { email: `tabs-${people}@mail.example`, password: PASSWORD };
  await register(service, person);
  return person;
}

/** This many tabs of one person; `allowed` are the lines of Chromium's console that the test accounts for. */
export async function openTabs(t, service, count, { person, allowed = refusals(401), prepare } = {}) {
  const { email } = person ?? (await newPerson(service));
  const first = await openPage(t, service.page, "/account", { reducedMotion: "reduce" }, allowed, prepare);
  await signInOnPage(first, email);
  await atView(first, "Overview");
  const others = Array.from({ length: count - 1 }, async () => {
    const tab = await openBeside(first, `${service.page.origin}/account`);
    await atView(tab, "Overview");
    return tab;
  });
  return [first, ...(await Promise.all(others))];
}

/** Lets all tabs ask for the sessions, and answers all of these requests at the same moment: the access token has expired. */
export async function expireAtOnce(tabs) {
  const context = tabs[0].context();
  const waiting = [];
  const answer = (route) => {
    if (waiting.push(route) === tabs.length) {
      waiting.forEach((stopped) => stopped.fulfill(EXPIRED));
    }
    return waiting.length > tabs.length && route.continue();
  };
  await context.route(SESSIONS, answer);
  await visitSessions(tabs);
  await context.unroute(SESSIONS, answer);
}

/** Lets all tabs show the sessions, again if they do already, and waits until they have an answer. */
export async function visitSessions(tabs) {
  const isAnswer = (response) => response.url().endsWith("/auth/sessions") && response.status() === 200;
  await Promise.all(tabs.map(async (tab) => {
    const answered = tab.waitForResponse(isAnswer);
    await tab.evaluate(() => {
      const isShown = location.hash === "#/sessions";
      location.hash = "#/sessions";
      return isShown && dispatchEvent(new HashChangeEvent("hashchange"));
    });
    await answered;
    await tab.locator(".list-item").first().waitFor();
  }));
}

/** The statuses of the refreshes that the service has answered so far. */
export async function refreshesOf(service) {
  const lines = await logged(service, (line) => line.message === "Request finished" && line.path === "/auth/refresh");
  return lines.map(({ status_code: status }) => status);
}

/** The statuses of the refreshes during an act. */
export async function refreshesDuring(service, act) {
  const { length } = await refreshesOf(service);
  await act();
  return (await refreshesOf(service)).slice(length);
}

/** Stops the first refresh until all other tabs wait for its end, so that they act at the same moment on any machine. */
export async function untilAllWait(tabs) {
  const waiting = () => tabs[0].evaluate(async () => (await navigator.locks.query()).pending.length);
  const hold = async (route) => {
    await until("all other tabs wait", async () => (await waiting()) === tabs.length - 1);
    await route.continue();
  };
  await tabs[0].context().route(REFRESHES, hold, { times: 1 });
}

/** Lets the next refreshes of a tab take place at the service, and drops the answers. Returns a list that gets their tokens. */
export async function dropAnswers(tab, service, count = 1) {
  const dropped = [];
  await tab.route(REFRESHES, async (route) => {
    if (dropped.length === count) {
      return route.continue();
    }
    // Not by the browser: it would keep the cookie of the answer.
    const { [REFRESH]: cookie } = await jarOf(tab);
    dropped.push(valueOf(await refreshByCookie(service, cookieOf(cookie)), REFRESH));
    return route.abort("connectionreset");
  });
  return dropped;
}

/** One refresh of a page without a lock. */
export const plainRefresh = (page, headers = {}) =>
  page.evaluate(async (headers) => (await fetch("auth/refresh", { method: "POST", headers })).status, headers);

/** Lets the last exchange of all sessions appear older. */
export const age = ({ db }, seconds) => rows(db, "UPDATE sessions SET last_used_at = last_used_at - ?1", seconds * 1000);

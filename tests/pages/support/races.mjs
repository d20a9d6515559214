// Answers that a test holds back, and acts of a person on /account that need a recent sign-in.
import { request as send } from "node:http";

import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";
import { button, field, go, PASSWORD } from "./account.mjs";

const PATIENCE_MS = 30_000;

const refusal = (status, code, details = {}) => ({
  status,
  contentType: "application/json",
  body: JSON.stringify({ error: { code, message: "", details }, request_id: "intercepted" }),
});

/** Answers the next request for a path in place of the service. */
export const refuseOnce = (page, path, ...answer) =>
  page.route(path, (route) => route.fulfill(refusal(...answer)), { times: 1 });

/**
 * Lets the service carry out the next request for a path, and holds back the answer with its cookies: `arrived` waits for it,
 * `release()` lets it go, `refuse(status, code)` gives another one.
 */
export async function hold(page, path) {
  const { promise: arrived, resolve } = Promise.withResolvers();
  await page.route(path, async (route) => resolve({ route, response: await carriedOut(page, route.request()) }), { times: 1 });
  return {
    arrived,
    release: async () => {
      const { route, response } = await arrived;
      await route.fulfill(response);
    },
    refuse: async (...answer) => (await arrived).route.fulfill(refusal(...answer)),
  };
}

/** Sends a request of a page outside the browser: by Playwright its cookies would arrive at once. */
async function carriedOut(page, request) {
  const cookies = await page.context().cookies(request.url());
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const headers = { ...request.headers(), "sec-fetch-site": "same-origin", cookie };
  return new Promise((done, fail) => {
    const sent = send(request.url(), { method: request.method(), headers }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      const plain = Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join("\n")]);
      done({ status: response.statusCode, headers: Object.fromEntries(plain), body });
    });
    sent.on("error", fail).end(request.postData() ?? undefined);
  });
}

/** Waits until a tab of the browser waits for the lock. */
export const untilWaiting = (tab) =>
  until("a tab waits for the lock", () => tab.evaluate(async () => (await navigator.locks.query()).pending.length > 0), PATIENCE_MS);

/** Lets the sign-in of all sessions be one of an hour ago, also for a tab. */
export async function growOld({ db }, tab) {
  await rows(db, "UPDATE sessions SET created_at = created_at - 3600000");
  await tab.reload();
}

/** Sends the form for a new key. */
export async function askForKey(tab, name) {
  await go(tab, "API keys");
  await field(tab, "Name").fill(name);
  await tab.locator("details.group summary").first().click();
  await tab.locator("input[name=permissions]").first().check();
  await button(tab, "Create the key").click();
}

/** Gives the password in the dialog of a step-up. */
export async function stepUp(tab) {
  const dialog = tab.getByRole("dialog", { name: "Confirm that it is you" });
  await dialog.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await dialog.getByRole("button", { name: "Confirm", exact: true }).click();
}

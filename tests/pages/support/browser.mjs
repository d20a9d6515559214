// Headless Chromium, and pages that are watched: errors on the console, exceptions, requests to another host, breaches
// of the policy.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before } from "node:test";

import { chromium } from "playwright-core";

export const SHOTS = "dist/screenshots";
/** A page may take as long as the machine needs: a page that never appears fails with the test. */
const PATIENCE_MS = 120_000;

let browser;
const requests = new WeakMap();
const ends = new WeakMap();

/** Starts Chromium for all tests of the file. */
export function withBrowser() {
  before(async () => {
    mkdirSync(SHOTS, { recursive: true });
    browser = await chromium.launch({
      timeout: PATIENCE_MS,
      executablePath: process.env.CHROMIUM_PATH || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
  });
  after(() => browser?.close());
}

/**
 * Opens a page of a service and watches it until the end of the test `t`.
 * @param {import("node:test").TestContext} t
 * @param {{origin: string}} service
 * @param {string} path with its fragment, if it has one
 * @param {object} [options] of Playwright's context
 * @param {RegExp} [refusals] the lines that Chromium itself writes to the console about responses that the test expects
 * @param {Function} [prepare] is called with Playwright's context before the page is opened
 */
export async function openPage(t, { origin }, path, options = {}, refusals = undefined, prepare = undefined) {
  const context = await browser.newContext(options);
  await prepare?.(context);
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints = [];
  requests.set(page, []);
  const complain = (text) => refusals?.test(text) || complaints.push(text);
  page.on("console", (message) => message.type() === "error" && complain(`console: ${message.text()}`));
  page.on("pageerror", (error) => complain(`exception: ${error}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    requests.get(page).push({ method: request.method(), path: url.pathname + url.search });
    if (url.protocol !== "data:" && url.origin !== origin) {
      complain(`request: ${request.url()}`);
    }
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const { pages, checks } = endOf(t);
  pages.push(() => context.close());
  checks.push(() => assert.deepEqual(complaints, [], "no error on the console, no request to another host, no breach of the policy"));
  const response = await page.goto(origin + path);
  assert.equal(response.status(), 200);
  return page;
}

/** The end of a test: pages are closed before services stop, because an open page may send a request at any time. */
function endOf(t) {
  if (!ends.has(t)) {
    const end = { pages: [], services: [], checks: [] };
    ends.set(t, end);
    t.after(async () => {
      for (const act of [...end.pages, ...end.services, ...end.checks]) {
        await act();
      }
    });
  }
  return ends.get(t);
}

/** Stops a service of one test when its pages are closed. */
export const stopAtEnd = (t, service) => endOf(t).services.push(() => service.stop());

/** The requests that a page made so far: `[{method, path}]`. */
export const requestsOf = (page) => requests.get(page);

/** Fails if the page scrolls sideways. */
export async function assertFits(page) {
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(sideways <= 0, `scrolls sideways by ${sideways} px`);
}

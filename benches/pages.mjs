// `make bench-pages`: each page in headless Chromium. Bytes over the wire with gzip -9, since the edge compresses and workerd
// does not; requests; first contentful paint, and the layout shift until the page is quiet (Web Vitals). Writes
// dist/bench-pages.json.
//
// Chromium, workerd and D1 share this machine, so the times are those of a near service without a network in between.
import { gzipSync } from "node:zlib";

import { chromium } from "playwright-core";

import { newUser } from "../tests/e2e/support/client.mjs";
import { rows } from "../tests/e2e/support/database.mjs";
import { appoint } from "../tests/e2e/support/roles.mjs";
import { startService } from "../tests/e2e/support/service.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { save } from "./support/results.mjs";
import { median } from "./support/statistics.mjs";

const VISITS = 9;

/** Collects the measurements of the browser itself, from the first moment of the page on. */
function observe() {
  globalThis.shifts = [];
  new PerformanceObserver((list) => globalThis.shifts.push(...list.getEntries().map(({ value }) => value))).observe({
    type: "layout-shift",
    buffered: true,
  });
}

const readings = () => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  shift: globalThis.shifts.reduce((sum, value) => sum + value, 0),
});

/** One visit of a page with an empty cache, of a signed-in user or a stranger. */
async function visit(browser, service, { path, heading, storage }) {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, storageState: storage });
  const page = await context.newPage();
  const sizes = [];
  page.on("response", async (response) => {
    const body = await response.body().catch(() => Buffer.alloc(0));
    const isFile = /html|script|css/.test(response.headers()["content-type"] ?? "");
    sizes.push({ path: new URL(response.url()).pathname, isFile, raw: body.length, gzip: gzipSync(body, { level: 9 }).length });
  });
  await page.addInitScript(observe);
  await page.goto(service.origin + path);
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  await page.waitForLoadState("networkidle");
  const times = await page.evaluate(readings);
  await context.close();
  return { ...times, sizes };
}

/** Registers an administrator on the page; the browser's state has the cookies of the session. */
async function signedIn(browser, service) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${service.origin}/account#/register`);
  const { email } = newUser();
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill("correct horse battery staple");
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  const [{ id }] = await rows(service.db, "SELECT id FROM users WHERE email = ?1", email);
  await appoint(service, { id });
  const state = await context.storageState();
  await context.close();
  return state;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
// Each visit refreshes the same cookie: so many visits within one retry interval are no theft.
const service = await startService({ settings: { REFRESH_REUSE_INTERVAL_SECONDS: "3600" } });
try {
  const state = await signedIn(browser, service);
  const pages = [
    { title: "/account, a stranger", path: "/account", heading: "Sign in" },
    { title: "/account, signed in", path: "/account", heading: "Overview", storage: state },
    { title: "/console, signed in", path: "/console", heading: "Overview", storage: state },
    { title: "/reset", path: "/reset", heading: "Set a new password" },
  ];
  const table = {};
  for (const page of pages) {
    const visits = [];
    for (let number = 0; number < VISITS; number += 1) {
      visits.push(await visit(browser, service, page));
    }
    const [{ sizes }] = visits;
    const files = sizes.filter(({ isFile }) => isFile);
    const sum = (list, name) => list.reduce((total, entry) => total + entry[name], 0);
    table[page.title] = {
      "files, kB gzip": (sum(files, "gzip") / 1000).toFixed(1),
      "files, kB": (sum(files, "raw") / 1000).toFixed(1),
      "answers, kB gzip": (sum(sizes.filter(({ isFile }) => !isFile), "gzip") / 1000).toFixed(1),
      requests: sizes.length,
      "first paint, ms": Math.round(median(visits.map(({ paint }) => paint))),
      "layout shift": Math.max(...visits.map(({ shift }) => shift)).toFixed(3),
    };
  }
  console.log(inWords(circumstances()));
  console.table(table);
  console.log(`Saved as ${save("bench-pages.json", { ...circumstances(), table })}`);
} finally {
  await browser.close();
  await service.stop();
}

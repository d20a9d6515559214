// The overview and the events of /console: readiness live, through a fault of D1 and back, and the numbers of known events.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { login, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { setFaults, WRAPPER } from "../e2e/support/faults.mjs";
import { platformAdmin } from "../e2e/support/roles.mjs";
import { requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { addEvents, factOf, openConsole, press, show, start } from "./support/console.mjs";
import { refusals } from "./support/mailed.mjs";

const HOUR_MS = 3_600_000;
/** The page asks every five seconds; the breaker tries again after this long. */
const SETTINGS = { BREAKER_RECOVERY_SECONDS: "2", D1_TIMEOUT_MS: "2000" };

let service;
let boss;

withBrowser();
before(async () => {
  service = await start({ wrapper: WRAPPER, settings: SETTINGS });
  boss = await platformAdmin(service);
});
after(() => service?.stop());

const stateOf = (page, text) => page.locator(".overall", { hasText: text }).waitFor();

test("readiness is live: a fault of D1 is seen, and its end", async (t) => {
  const page = await openConsole(t, service, boss, "", { expected: refusals(503) });
  await stateOf(page, "Ready");
  await setFaults(service, { db: { kind: "before" } });
  await stateOf(page, "Degraded");
  assert.match(await factOf(page, "Database").innerText(), /Failing|Not asked/);
  await setFaults(service, { db: { kind: "ok" } });
  await stateOf(page, "Ready");
  assert.equal(await factOf(page, "Circuit breaker").innerText(), "Closed");
});

test("a hidden tab does not ask, and asks at once when it is seen again", async (t) => {
  const page = await openConsole(t, service, boss);
  await stateOf(page, "Ready");
  const asked = () => requestsOf(page).filter(({ path }) => path === "/health/ready").length;
  await page.clock.install();
  await turn(page, "hidden");
  const before = asked();
  await page.clock.runFor(60_000);
  assert.equal(asked(), before);
  await turn(page, "visible");
  await page.waitForFunction(() => document.querySelector(".readiness") !== null);
  assert.equal(asked(), before + 1);
  await show(page, "#/users", "Users");
  await page.clock.runFor(60_000);
  assert.equal(asked(), before + 1, "another view does not ask");
});

/** Playwright's tabs are always visible, so the page is told. */
const turn = (page, state) =>
  page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

test("a service that does not answer is unknown, not ready", async (t) => {
  const page = await openConsole(t, service, boss, "", { expected: /Failed to load resource/ });
  await stateOf(page, "Ready");
  await page.route("**/health/ready", (route) => route.abort());
  await page.getByText("No answer from the service").waitFor();
  await page.locator(".readiness .badge", { hasText: "Unknown" }).waitFor();
});

/** The table of the chart: `{"14:00": [signIns, refusals]}` of the hours that have any. */
async function chartOf(page) {
  await page.getByText("Show the numbers as a table").click();
  const cells = await page.locator("#traffic ~ details tbody tr").evaluateAll((lines) =>
    lines.map((line) => [...line.cells].map((cell) => cell.innerText)),
  );
  assert.equal(cells.length, 24);
  const busy = cells.filter(([, ...counts]) => counts.some((count) => count !== "0"));
  return Object.fromEntries(busy.map(([hour, ...counts]) => [hour, counts]));
}

const hourOf = (time) => new Date(time).toISOString().slice(11, 14).concat("00");

test("the chart adds known events up by hours, and leaves older ones out", async (t) => {
  const own = await start();
  stopAtEnd(t, own);
  const administrator = await platformAdmin(own);
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  await addEvents(own, [
    { at: hour - 3 * HOUR_MS, type: "signed_in" },
    { at: hour - 3 * HOUR_MS + 60_000, type: "signed_in" },
    { at: hour - 3 * HOUR_MS + 1, type: "sign_in_refused", count: 250 },
    { at: hour - 23 * HOUR_MS, type: "second_factor_refused", count: 7 },
    { at: hour - 23 * HOUR_MS + 5, type: "password_changed" },
    { at: hour - 24 * HOUR_MS, type: "signed_in" },
    { at: hour - 30 * HOUR_MS, type: "sign_in_refused", count: 999 },
  ]);
  const page = await openConsole(t, own, administrator, "", { options: { timezoneId: "UTC" } });
  await page.getByText("Sign-ins: 3").waitFor();
  assert.deepEqual(await chartOf(page), {
    [hourOf(hour - 23 * HOUR_MS)]: ["0", "7"],
    [hourOf(hour - 3 * HOUR_MS)]: ["2", "250"],
    [hourOf(hour)]: ["1", "0"],
  });
  const [signIns, refused] = await page.getByRole("img").evaluateAll((images) => images.map(({ ariaLabel }) => ariaLabel));
  assert.equal(signIns, `Sign-ins: 3 Most in one hour: 2, from ${hourOf(hour - 3 * HOUR_MS)}.`);
  assert.equal(refused, `Refusals: 257 Most in one hour: 250, from ${hourOf(hour - 3 * HOUR_MS)}.`);
  await login(own, administrator.user);
  await press(page, "Read again");
  await page.getByText("Sign-ins: 4").waitFor();
});

test("more events than the page reads are said", async (t) => {
  const own = await start();
  stopAtEnd(t, own);
  const administrator = await platformAdmin(own);
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const many = Array.from({ length: 1200 }, (_, index) => ({ at: hour - 2 * HOUR_MS + index, type: "signed_in" }));
  await addEvents(own, many);
  const page = await openConsole(t, own, administrator, "", { options: { timezoneId: "UTC" } });
  await page.getByText(`the numbers from ${hourOf(hour - 2 * HOUR_MS)} on back are too low`).waitFor();
  assert.equal(requestsOf(page).filter(({ path }) => path.startsWith("/admin/audit-events")).length, 10);
});

/** The events of the view: `["Signed in", …]`. */
const eventsOf = (page) => page.locator(".events .what").allInnerTexts();

test("events are filtered by user and type, and tell request id and ray", async (t) => {
  const person = await signUp(service);
  const headers = { "X-Request-ID": "support-4711", "CF-Ray": "230b030023ae2822-SJC", "User-Agent": "probe/1.0" };
  await login(service, person.user, headers);
  const page = await openConsole(t, service, boss);
  await show(page, `#/users/${person.id}`, person.user.full_name);
  await page.getByRole("link", { name: "Security events of this user" }).click();
  await page.locator(".events li").first().waitFor();
  assert.equal(await page.getByLabel("User id").inputValue(), String(person.id));
  assert.deepEqual(await eventsOf(page), ["Signed in", "Registered"]);

  await page.getByLabel("Type").selectOption("signed_in");
  await press(page, "Search");
  await page.waitForFunction(() => document.querySelectorAll(".events li").length === 1);
  await page.locator(".events summary").click();
  assert.equal(await factOf(page, "Request id").innerText(), "support-4711");
  assert.equal(await factOf(page, "Ray").innerText(), "230b030023ae2822-SJC");
  assert.equal(await factOf(page, "Program").innerText(), "probe/1.0");
  await factOf(page, "User").getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: person.user.full_name }).waitFor();
});

test("pages of events, a count, and a filter without matches", async (t) => {
  const { id } = await signUp(service);
  const now = Date.now();
  await addEvents(service, Array.from({ length: 60 }, (_, index) => ({ at: now - 10_000 + index, type: "exported", user: id })));
  await addEvents(service, [{ at: now - 20_000, type: "second_factor_refused", user: id, count: 12 }]);
  const page = await openConsole(t, service, boss, "", { expected: refusals(422) });
  await show(page, `#/events/${id}`, "Events");
  await page.locator(".events li").first().waitFor();
  assert.equal((await eventsOf(page)).length, 50);
  await press(page, "Next page");
  await page.getByText("12 times").waitFor();
  await page.getByLabel("Type").selectOption("disabled");
  await press(page, "Search");
  await page.getByText("No event matches.").waitFor();
  await page.getByLabel("User id").fill("twelve");
  await press(page, "Search");
  await page.getByText(/^User id .*\.$/).waitFor();
  assert.equal((await rows(service.db, "SELECT count(*) AS n FROM audit_events WHERE type = 'exported'"))[0].n, 60);
});

// Shared by the tests of /console: the sign-in of an administrator in the page, and questions about its views.
import { rows } from "../../e2e/support/database.mjs";
import { startService } from "../../e2e/support/service.mjs";
import { assertAccessible } from "./axe.mjs";
import { assertFits, openPage, SHOTS } from "./browser.mjs";
import { DESKTOP, PHONE } from "./mailed.mjs";

/** Passwords cost nothing: these tests sign in often. */
export const start = ({ settings = {}, ...options } = {}) =>
  startService({ ...options, settings: { PASSWORD_ITERATIONS: "1", ...settings } });

/** Opens a view of the console as a person that signs in there. `expected` are the lines about refusals that the test causes. */
export async function openConsole(t, service, person, fragment = "", { options = DESKTOP, expected } = {}) {
  const page = await openPage(t, service, `/console${fragment}`, options, expected);
  await signIn(page, person);
  return page;
}

export async function signIn(page, { user }) {
  await page.getByLabel("E-mail address").fill(user.email);
  await page.getByLabel("Password", { exact: true }).fill(user.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator("body[data-session=open]").waitFor();
}

/** Opens a view by its link in the navigation, and waits for its heading. */
export async function visit(page, label) {
  await page.locator("#nav").getByRole("link", { name: label }).click();
  await headed(page, label);
}

/** Opens a view by its fragment. */
export async function show(page, fragment, title) {
  await page.evaluate((hash) => (location.hash = hash), fragment);
  await headed(page, title);
}

/** Waits for the heading of a view, which has the focus then. */
export const headed = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

/** Presses a button of a view or of a dialog. */
export const press = (place, name) => place.getByRole("button", { name, exact: true }).click();

/** Confirms in the open dialog; `typed` goes into its field. */
export async function confirm(page, name, typed) {
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  if (typed !== undefined) {
    await dialog.getByRole("textbox").fill(typed);
  }
  // Another dialog may follow at once.
  const own = await dialog.elementHandle();
  await press(dialog, name);
  await page.waitForFunction((element) => !element.isConnected, own);
}

/** Takes the secret of the open dialog, which shows it once. */
export async function keep(page) {
  const secret = await page.getByRole("dialog").locator(".secret").innerText();
  await confirm(page, "I have kept it");
  return secret;
}

/** Waits for a result that says this, and checks that it has the focus. */
export async function said(page, text, kind = "done") {
  const notice = page.locator(`.result .notice[data-kind=${kind}]`, { hasText: text });
  await notice.waitFor();
  await page.waitForFunction((node) => node.parentElement === document.activeElement, await notice.elementHandle());
}

/** The rows of a table as texts, cell by cell. */
export async function tableOf(page, name) {
  const table = page.getByRole("table", { name, exact: true });
  await table.waitFor();
  return table.locator("tbody tr").evaluateAll((lines) =>
    lines.map((line) => [...line.cells].map((cell) => cell.innerText.trim())),
  );
}

/** The value of a term in a list of facts. */
export const factOf = (page, term) =>
  page.locator(".facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${term}$`) }) }).locator("dd");

/** Widths at which the layout is tightest: the least one, and that from which the navigation stands at the side. */
const TIGHT = [320, 900];

/** Fails if axe finds a violation, or the view does not fit, on a phone or a desktop, light or dark. Keeps screenshots. */
export async function assertGood(page, name) {
  for (const width of TIGHT) {
    await page.setViewportSize({ width, height: 800 });
    await assertFits(page);
  }
  for (const { viewport } of [PHONE, DESKTOP]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await assertFits(page);
      await assertAccessible(page);
      await page.screenshot({ path: `${SHOTS}/console-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.setViewportSize(DESKTOP.viewport);
}

/** Registers users directly in the database: fifty by requests would take long. */
export async function manyUsers({ db }, count, prefix = "crowd") {
  const sql = `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
    INSERT INTO users (email, full_name, password_hash, created_at)
    SELECT printf('${prefix}-%03d@mail.example', n), printf('Person %03d', n), '', ?2 FROM numbers`;
  await rows(db, sql, count, Date.now());
}

/** The id of an event: milliseconds since 2025 in the scale of `domain/event_keys.rs`. */
const EVENTS_SINCE = 1_735_689_600_000;

/** Writes events as the service does: `{at, type, user?, count?}`; refusals at the beginning of their hour. */
export async function addEvents({ db }, events) {
  const sql = `
    INSERT INTO audit_events (id, created_at, last_at, type, user_id, count, request_id)
    SELECT value ->> 'id', value ->> 'at', value ->> 'at', value ->> 'type', value ->> 'user', value ->> 'count', 'known'
    FROM json_each(?1)`;
  const keyed = events.map(({ at, type, user = null, count = 1 }, index) => {
    const hour = at - (at % 3_600_000);
    const moment = type.endsWith("_refused") ? hour : Math.max(at, hour + 2);
    return { id: (moment - EVENTS_SINCE) * 4096 + index, at, type, user, count };
  });
  await rows(db, sql, JSON.stringify(keyed));
}

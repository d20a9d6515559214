// The session of /console: shared with /account and with other tabs, below a base path, and ended in the middle of something.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { logoutAll, login, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { createUniversity, made, platformAdmin } from "../e2e/support/roles.mjs";
import { openPage, requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { confirm, factOf, headed, keep, openConsole, press, said, show, signIn, start, tableOf } from "./support/console.mjs";
import { refusals } from "./support/mailed.mjs";

let service;
let boss;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
});
after(() => service?.stop());

test("a person that is signed in at /account is signed in here, and a sign-out ends both", async (t) => {
  const page = await openPage(t, service, "/account");
  await signIn(page, boss);
  const tab = await page.context().newPage();
  await tab.goto(`${service.origin}/console`);
  await headed(tab, "Overview");
  await press(tab, "Sign out");
  await headed(tab, "Sign in to the console");
  await page.locator("body[data-session=closed]").waitFor();
  await signIn(page, boss);
  await headed(tab, "Overview");
});

test("a page without a session asks the service for nothing but its settings", async (t) => {
  const page = await openPage(t, service, "/console#/users");
  await headed(page, "Sign in to the console");
  const paths = requestsOf(page).map(({ path }) => path.replace(/\?v=[0-9a-f]{16}$/, "?v="));
  assert.deepEqual(paths.toSorted(), ["/console", "/console/console.css?v=", "/console/console.js?v=", "/pages/settings.json"]);
  assert.equal(await page.getByRole("link", { name: "Go to your account" }).getAttribute("href"), "account");
  await signIn(page, boss);
  await headed(page, "Users");
});

test("below a base path everything stays below it", async (t) => {
  const based = await start({ settings: { BASE_PATH: "/api/v1" } });
  stopAtEnd(t, based);
  const below = { ...based, origin: `${based.origin}/api/v1` };
  const administrator = await registered(below);
  const page = await openPage(t, based, "/api/v1/console#/users");
  await signIn(page, administrator);
  await page.getByRole("link", { name: administrator.user.email }).click();
  await press(page, "Link to a new password");
  await confirm(page, "Make the link");
  const link = await keep(page);
  await said(page, "The link is made.");
  assert.ok(link.startsWith(`${based.origin}/api/v1/reset#token=`), link);
  assert.ok(requestsOf(page).every(({ path }) => path.startsWith("/api/v1/")));
});

/** An administrator of a service below a base path, which the helpers of other tests do not know. */
async function registered({ origin, db }) {
  const user = newUser();
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${origin}/auth/register`, { method: "POST", headers, body: JSON.stringify(user) });
  const { id } = await response.json();
  const sql = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', ?2)";
  await rows(db, sql, id, Date.now());
  return { user, id };
}

test("a session that ends in the middle of a form costs a sign-in, and not the input", async (t) => {
  const administrator = await platformAdmin(service);
  const { id, name } = await made(createUniversity(service, boss));
  const page = await openConsole(t, service, administrator, "", { expected: refusals(401) });
  await show(page, `#/universities/${id}`, name);
  const email = newUser().email;
  await page.getByLabel("E-mail address or user id").fill(email);
  await made(logoutAll(service, (await made(login(service, administrator.user))).access_token));
  await press(page, "Grant the role");
  const dialog = page.getByRole("dialog", { name: "Sign in again" });
  await dialog.getByLabel("Password", { exact: true }).fill(administrator.user.password);
  await press(dialog, "Sign in");
  await keep(page);
  await said(page, `${email} is invited.`);
});

test("a role that is lost while the console is open is refused by the service, and the console says so", async (t) => {
  const administrator = await platformAdmin(service);
  const person = await signUp(service);
  const page = await openConsole(t, service, administrator, "", { expected: refusals(403) });
  await show(page, `#/users/${person.id}`, person.user.full_name);
  await rows(service.db, "DELETE FROM user_university_roles WHERE user_id = ?1", administrator.id);
  await press(page, "Unlock");
  await said(page, "Your account may not do this.", "error");
  await page.getByText("Request id for support:").waitFor();
  await page.reload();
  await headed(page, "No administrator's role");
});

test("an address that a provider of mail refused is shown with its time", async (t) => {
  const person = await signUp(service);
  await rows(service.db, "UPDATE users SET mail_refused_at = ?2 WHERE id = ?1", person.id, Date.parse("2026-05-04T12:00:00Z"));
  const page = await openConsole(t, service, boss, "", { options: { timezoneId: "UTC" } });
  await show(page, `#/users/${person.id}`, person.user.full_name);
  assert.equal(await factOf(page, "Mail refused").innerText(), "May 4, 2026, 12:00 PM");
  assert.equal((await tableOf(page, "Sessions")).length, 1);
});

// Every view of /console on a phone and a desktop, light and dark, with the longest and the most hostile texts that the API
// lets in: each fits, reads well, passes axe, and shows such texts as texts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, login, signUp } from "../e2e/support/client.mjs";
import { createDepartment, createUniversity, grantByAddress, made, member, platformAdmin } from "../e2e/support/roles.mjs";
import { withBrowser } from "./support/browser.mjs";
import { assertGood, headed, keep, manyUsers, openConsole, press, said, show, start, tableOf } from "./support/console.mjs";

/** As an element, any part of it would raise a dialog, a request or a breach of the policy, which fail the test. */
const HOSTILE = `<img src=x onerror="alert(1)"> ${"${7*7}"} "'\`</td></script><svg/onload=alert(2)>`;
const LONG = `Llanfairpwllgwyngyll${"gogerychwyrndrobwllllantysiliogogogoch".repeat(3)}`;
const AGENT = `Mozilla/5.0 ${HOSTILE} ${"x".repeat(100)}`;

let service;
let boss;
let target;
let university;
let account;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
  university = await made(createUniversity(service, boss, "hostile"));
  await made(asUser(service, boss.access, "PATCH", `/universities/${university.id}`, { name: HOSTILE }));
  await made(createDepartment(service, boss, university.id, HOSTILE));
  await made(createDepartment(service, boss, university.id, LONG));
  target = await member(service, boss, university.id, "INSTRUCTOR");
  await made(asUser(service, boss.access, "PATCH", `/admin/users/${target.id}`, { full_name: HOSTILE }));
  await login(service, target.user, { "User-Agent": AGENT });
  await login(service, { ...target.user, password: "wrong" }, { "User-Agent": AGENT, "CF-Connecting-IP": "2001:db8::1" });
  await made(grantByAddress(service, boss, university.id, `${"a-long-name.".repeat(4)}of@mail.example`, "STUDENT"));
  const body = { name: HOSTILE, scopes: ["introspect", "authz:check", "users:read", "audit:read", "client-address"] };
  account = await made(asUser(service, boss.access, "POST", "/admin/service-accounts", body));
  await made(asUser(service, boss.access, "POST", `/admin/service-accounts/${account.id}/keys`, { name: LONG }));
  await manyUsers(service, 60);
});
after(() => service?.stop());

/** The views, each until its content is there. */
const VIEWS = {
  overview: ["#/overview", "Overview", (page) => page.getByText("Show the numbers as a table").click()],
  users: ["#/users", "Users", (page) => hostileIn(page, "Users")],
  events: ["#/events", "Events", openFirstEvent],
  universities: ["#/universities", "Universities", (page) => hostileIn(page, "Universities")],
  services: ["#/services", "Service accounts", (page) => hostileIn(page, "Service accounts")],
};

/** The hostile name stands in the table as it was given. */
async function hostileIn(page, name) {
  const cells = (await tableOf(page, name)).flat();
  assert.ok(cells.includes(HOSTILE), String(cells));
}

async function openFirstEvent(page) {
  const item = page.locator(".events summary", { hasText: "Sign-in refused" });
  await item.first().click();
  await page.locator("details[open] dt", { hasText: "Request id" }).waitFor();
}

for (const [name, [fragment, title, ready]] of Object.entries(VIEWS)) {
  test(`fits, reads well and passes axe: ${name}`, async (t) => {
    const page = await openConsole(t, service, boss);
    await show(page, fragment, title);
    await ready(page);
    await assertGood(page, name);
  });
}

test("fits, reads well and passes axe: a user, with a link that is shown once", async (t) => {
  const page = await openConsole(t, service, boss);
  await show(page, `#/users/${target.id}`, HOSTILE);
  const sessions = await tableOf(page, "Sessions");
  assert.ok(sessions.some((cells) => cells.at(-1) === AGENT), `the user agent as it was sent: ${sessions}`);
  await press(page, "Link to a new password");
  await press(page.getByRole("dialog"), "Make the link");
  await page.getByRole("dialog").locator(".secret").waitFor();
  await assertGood(page, "user-link");
  await keep(page);
  await said(page, "The link is made");
  await assertGood(page, "user");
});

test("fits, reads well and passes axe: the question before an erasure", async (t) => {
  const page = await openConsole(t, service, boss);
  await show(page, `#/users/${target.id}`, HOSTILE);
  await press(page, "Erase the account");
  await page.getByRole("dialog").waitFor();
  await assertGood(page, "erase");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Erase the account", "the focus returns");
});

test("fits, reads well and passes axe: a university", async (t) => {
  const page = await openConsole(t, service, boss);
  await show(page, `#/universities/${university.id}`, HOSTILE);
  await tableOf(page, "Invitations");
  for (const name of ["Departments", "Roles"]) {
    await hostileIn(page, name);
  }
  await page.getByLabel("E-mail address or user id").fill("invited@mail.example");
  await press(page, "Grant the role");
  await keep(page);
  await said(page, "invited@mail.example is invited.");
  await assertGood(page, "university");
});

test("fits, reads well and passes axe: a service account", async (t) => {
  const page = await openConsole(t, service, boss);
  await show(page, `#/services/${account.id}`, HOSTILE);
  await tableOf(page, "Keys");
  await assertGood(page, "service");
});

test("fits, reads well and passes axe: without a session, and without a role", async (t) => {
  const stranger = await signUp(service);
  const page = await openConsole(t, service, stranger);
  await headed(page, "No administrator's role");
  await assertGood(page, "no-rights");
  await press(page, "Sign out");
  await headed(page, "Sign in to the console");
  await page.getByText("You are signed out").waitFor();
  await assertGood(page, "sign-in");
});

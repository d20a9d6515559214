// Users in /console, as an administrator of the platform works with them: in headless Chromium, against the bundle on workerd.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, listSessions, login, me, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { withTotp } from "../e2e/support/factors.mjs";
import { answerOf, createUniversity, grantRole, made, platformAdmin } from "../e2e/support/roles.mjs";
import { withBrowser } from "./support/browser.mjs";
import { confirm, factOf, headed, keep, manyUsers, openConsole, press, said, show, start, tableOf, visit } from "./support/console.mjs";
import { PHONE, refusals } from "./support/mailed.mjs";

let service;
let boss;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
});
after(() => service?.stop());

/** A new user, on its view in the console. */
async function openUser(t, person, options) {
  const page = await openConsole(t, service, boss, "", options);
  await show(page, `#/users/${person.id}`, person.user.full_name);
  return page;
}

const inDatabase = async ({ id }) => (await rows(service.db, "SELECT * FROM users WHERE id = ?1", id))[0];

test("an administrator of an empty database signs in, finds the way, and signs out", async (t) => {
  const page = await openConsole(t, service, boss);
  await headed(page, "Overview");
  assert.equal(await page.title(), "Overview – edge-auth");
  for (const label of ["Users", "Events", "Universities", "Service accounts"]) {
    await visit(page, label);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the focus goes to the heading");
  }
  assert.equal(await page.locator("#nav [aria-current=page]").innerText(), "Service accounts");
  assert.equal(await page.locator("#nav a", { hasText: "Your account" }).getAttribute("href"), "account");
  await page.reload();
  await headed(page, "Service accounts");
  await press(page, "Sign out");
  await headed(page, "Sign in to the console");
});

test("a page has fifty users, and a search is by the whole address or by the state", async (t) => {
  await manyUsers(service, 70);
  const page = await openConsole(t, service, boss);
  await visit(page, "Users");
  const first = await tableOf(page, "Users");
  assert.equal(first.length, 50);
  await press(page, "Next page");
  await page.getByText("crowd-070@mail.example").waitFor();
  await page.waitForFunction(() => document.activeElement.ariaLabel === "Users");
  await page.getByRole("status").getByText(/^Users: \d+ on this page$/).waitFor({ state: "attached" });
  const second = await tableOf(page, "Users");
  const addresses = [...first, ...second].map(([email]) => email);
  assert.equal(new Set(addresses).size, addresses.length, "no user twice");
  await press(page, "First page");
  await page.getByText(first[0][0], { exact: true }).waitFor();

  await page.getByLabel("E-mail address").fill(" Crowd-042@mail.example ");
  await press(page, "Search");
  // The first page had this user, too.
  await page.getByText("Person 041").waitFor({ state: "detached" });
  await page.getByText("Person 042").waitFor();
  assert.deepEqual((await tableOf(page, "Users")).map(([email]) => email), ["crowd-042@mail.example"]);
  assert.equal(new URL(page.url()).href, `${service.origin}/console#/users`, "no address in the URL");

  await page.getByRole("link", { name: "crowd-042@mail.example" }).click();
  await headed(page, "Person 042");
  await page.getByRole("link", { name: "All users" }).click();
  assert.equal(await page.getByLabel("E-mail address").inputValue(), "Crowd-042@mail.example", "the filter is kept");
  assert.equal((await tableOf(page, "Users")).length, 1);

  await page.getByLabel("E-mail address").fill("crowd-042@mail.exampl");
  await press(page, "Search");
  await page.getByText("No user matches.").waitFor();
});

test("an address that is none is refused at its field", async (t) => {
  const page = await openConsole(t, service, boss, "#/users", { expected: refusals(422) });
  await tableOf(page, "Users");
  await page.getByLabel("E-mail address").fill("no-address");
  await press(page, "Search");
  await page.getByText("E-mail address is not a valid email address.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "email");
});

test("disabling and enabling: the account, its sessions, and the list by state", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person);
  await press(page, "Disable the account");
  await confirm(page, "Disable");
  await said(page, "The account is disabled.");
  assert.equal(await factOf(page, "State").innerText(), "Disabled");
  await page.getByText("No live session.").waitFor();
  assert.equal(answerOf(await login(service, person.user)), "403 AUTH_INACTIVE_USER");

  await page.getByRole("link", { name: "All users" }).click();
  await page.getByLabel("State").selectOption("Only disabled");
  await press(page, "Search");
  await page.getByText("Disabled", { exact: true }).first().waitFor();
  const listed = await tableOf(page, "Users");
  assert.deepEqual(listed.map(([email, , state]) => [email, state]), [[person.user.email, "Disabled"]]);

  await page.getByRole("link", { name: person.user.email }).click();
  await press(page, "Enable the account");
  await said(page, "The account is enabled.");
  assert.equal((await login(service, person.user)).status, 200);
});

test("a question that is not confirmed changes nothing", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person);
  await press(page, "Disable the account");
  await press(page.getByRole("dialog"), "Cancel");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Disable the account", "the focus returns");
  assert.equal((await inDatabase(person)).is_active, 1);
});

test("ending all sessions, unlocking, renaming, and vouching for an address", async (t) => {
  const person = await signUp(service);
  await made(login(service, person.user));
  const page = await openUser(t, person);
  assert.equal((await tableOf(page, "Sessions")).length, 2);
  await press(page, "End all sessions");
  await confirm(page, "End all sessions");
  await said(page, "2 sessions have ended.");
  assert.equal(answerOf(await me(service, person.access)), "401 AUTH_TOKEN_REVOKED");

  await press(page, "Unlock");
  await said(page, "No wait after wrong passwords is in force.");

  await page.getByRole("textbox", { name: "Name" }).fill("Grace Hopper");
  await press(page, "Save");
  await said(page, "The name is saved.");
  await headed(page, "Grace Hopper");

  assert.equal(await factOf(page, "Address confirmed").innerText(), "No");
  await press(page, "Vouch for the address");
  await confirm(page, "Vouch for it");
  await said(page, "The address counts as confirmed.");
  assert.equal(await factOf(page, "Address confirmed").innerText(), "Yes");
  assert.equal(await page.getByRole("button", { name: "Vouch for the address" }).count(), 0);
});

test("the link to a new password is shown once, and works", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person);
  await press(page, "Link to a new password");
  await confirm(page, "Make the link");
  const link = await keep(page);
  await said(page, "The link is made.");
  assert.equal(await page.getByText(link).count(), 0);
  assert.ok(!(await page.content()).includes(link.split("token=")[1]));

  const changed = { ...person.user, password: newUser().password };
  const [, token] = link.match(/^http:\/\/127\.0\.0\.1:\d+\/reset#token=(.+)$/);
  const body = { token, new_password: changed.password };
  await made(asUser(service, "", "POST", "/auth/password/reset", body));
  assert.equal((await login(service, changed)).status, 200);
});

test("second factors are shown, and reset for a user that lost them", async (t) => {
  const person = await withTotp(service);
  const page = await openUser(t, person);
  assert.equal(await factOf(page, "Second factors").innerText(), "authenticator app, recovery codes");
  await press(page, "Reset the second factors");
  await confirm(page, "Reset");
  await said(page, "The account has no second factor any more.");
  assert.equal((await login(service, person.user)).status, 200, "no second factor is due");
  assert.equal(await factOf(page, "Second factors").innerText(), "none");
  assert.equal(await page.getByRole("button", { name: "Reset the second factors" }).count(), 0);
});

test("an erasure asks for the address, and leaves a note in the list", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person);
  await press(page, "Erase the account");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill("another@mail.example");
  await page.keyboard.press("Enter");
  assert.equal(await dialog.isVisible(), true, "another address does not confirm");
  await confirm(page, "Erase for good", person.user.email);
  await headed(page, "Users");
  await page.getByText(`The account ${person.user.email} is erased.`).waitFor();
  assert.equal(answerOf(await login(service, person.user)), "401 AUTH_INVALID_CREDENTIALS");
});

test("roles have the names of their places, and are removed", async (t) => {
  const person = await signUp(service);
  const { id, name } = await made(createUniversity(service, boss));
  await made(grantRole(service, boss, id, person, "STUDENT"));
  await made(grantRole(service, boss, id, person, "PLATFORM_ADMIN"));
  const page = await openUser(t, person);
  await page.getByRole("link", { name }).waitFor();
  await press(page, `Remove: Student, ${name}`);
  await confirm(page, "Remove the role");
  await said(page, "The role is removed.");
  await press(page, "Remove: Administrator of the platform");
  await confirm(page, "Remove the role");
  await page.getByText("No roles.").waitFor();
  assert.deepEqual((await me(service, person.access)).body.roles, []);
});

test("the last administrator stays, and the console says why", async (t) => {
  const page = await openUser(t, boss, { expected: refusals(409) });
  await press(page, "Disable the account");
  await confirm(page, "Disable");
  await said(page, "Not done. The service says:", "error");
  assert.equal((await inDatabase(boss)).is_active, 1);
});

test("an act with an old sign-in asks for the password, and goes on by itself", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person, { expected: refusals(401) });
  await ageSignIn(page);
  await press(page, "Erase the account");
  await page.getByRole("dialog").getByRole("textbox").fill(person.user.email);
  await press(page.getByRole("dialog"), "Erase for good");
  const dialog = page.getByRole("dialog", { name: "Confirm that it is you" });
  await dialog.waitFor();
  await dialog.getByLabel("Password", { exact: true }).fill(boss.user.password);
  await press(dialog, "Confirm");
  await headed(page, "Users");
  await page.getByText(`The account ${person.user.email} is erased.`).waitFor();
});

/** The sessions of the administrator began an hour ago; a new page gets a token that says so. */
async function ageSignIn(page) {
  await rows(service.db, "UPDATE sessions SET created_at = created_at - 3600000 WHERE user_id = ?1", boss.id);
  await page.reload();
  await page.getByRole("button", { name: "Erase the account" }).waitFor();
}

test("an unknown user and a strange fragment are refused without a broken page", async (t) => {
  const page = await openConsole(t, service, boss, "", { expected: refusals(404) });
  for (const id of ["999999", "..%2F..", "0"]) {
    await page.evaluate((hash) => (location.hash = hash), `#/users/${id}`);
    await page.getByRole("alert").getByText("This does not exist any more.").waitFor();
  }
});

test("a phone shows the same as cards, and everything works by keyboard", async (t) => {
  const person = await signUp(service);
  const page = await openUser(t, person, { options: PHONE });
  assert.equal((await tableOf(page, "Sessions")).length, 1);
  await page.getByRole("button", { name: "End all sessions" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  const focused = await page.evaluate(() => document.activeElement.textContent.trim());
  assert.equal(focused, "Cancel", "the harmless choice has the focus");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await said(page, "1 session has ended.");
  const { access_token: access } = await made(login(service, person.user));
  assert.equal((await listSessions(service, access)).body.sessions.length, 1);
});

// Universities in /console: with their departments, roles and invitations, for the administrators of each level.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { me, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { mailedLink, withMailbox } from "../e2e/support/mailbox.mjs";
import { createDepartment, createUniversity, grantByAddress, made } from "../e2e/support/roles.mjs";
import { member, newName, platformAdmin, vouch } from "../e2e/support/roles.mjs";
import { openPage, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { assertGood, confirm, headed, keep, openConsole, press, said, show, start, tableOf, visit } from "./support/console.mjs";
import { refusals, resultOf } from "./support/mailed.mjs";

let service;
let boss;
let university;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
  university = await made(createUniversity(service, boss));
});
after(() => service?.stop());

/** The university in the console of a person. */
async function openUniversity(t, person, options) {
  const page = await openConsole(t, service, person, "", options);
  await show(page, `#/universities/${university.id}`, university.name);
  return page;
}

/** Fills in the form of a role, and sends it. */
async function grant(page, who, role, department) {
  await page.getByLabel("E-mail address or user id").fill(who);
  await page.getByLabel("Role", { exact: true }).selectOption(role);
  if (department) {
    await page.getByLabel("Department", { exact: true }).selectOption(department);
  }
  await press(page, "Grant the role");
}

const rolesOf = async (page) => (await tableOf(page, "Roles")).map(([email, , , role]) => [email, role]);
const grantOf = async (person) => (await me(service, person.access)).body.roles.map(({ role }) => role);

test("a university is added, changed and deleted", async (t) => {
  const page = await openConsole(t, service, boss, "", { expected: refusals(409) });
  await visit(page, "Universities");
  const slug = newName("own");
  await page.getByLabel("Name", { exact: true }).fill("Own University");
  await page.getByLabel("Short name").fill(slug);
  await press(page, "Add a university");
  await said(page, "Own University is added.");
  await page.getByLabel("Name", { exact: true }).fill("Another");
  await page.getByLabel("Short name").fill(slug);
  await press(page, "Add a university");
  await said(page, "Another university has this short name.", "error");

  await page.getByRole("link", { name: "Own University" }).click();
  await headed(page, "Own University");
  const department = page.getByLabel("Name of the new department");
  await department.fill("Physics");
  await press(page, "Add the department");
  await said(page, "Physics is added.");
  assert.equal(await department.inputValue(), "");
  await press(page, "Delete the university");
  await confirm(page, "Delete the university", slug);
  await said(page, "Not deleted: the university still has departments", "error");
  await press(page, "Delete: Physics");
  await confirm(page, "Delete");
  await said(page, "Physics is deleted.");

  await page.locator("#change").getByLabel("Name", { exact: true }).fill("Renamed University");
  await press(page, "Save");
  await said(page, "The university is changed.");
  await headed(page, "Renamed University");
  await press(page, "Delete the university");
  await confirm(page, "Delete the university", slug);
  await headed(page, "Universities");
  await page.getByText("Renamed University is deleted.").waitFor();
});

test("a role is granted by id and by a proven address, and removed", async (t) => {
  const person = await signUp(service);
  await made(createDepartment(service, boss, university.id, "Chemistry"));
  const page = await openUniversity(t, boss, { expected: refusals(409, 404) });
  await page.getByText("No roles yet.").waitFor();
  await grant(page, String(person.id), "Instructor", "Chemistry");
  await said(page, `${person.user.email} has the role now: Instructor, Chemistry.`);
  assert.deepEqual(await rolesOf(page), [[person.user.email, "Instructor, Chemistry"]]);
  await grant(page, String(person.id), "Instructor", "Chemistry");
  await said(page, "This person has the role already.", "error");
  assert.equal(await page.getByLabel("E-mail address or user id").inputValue(), String(person.id), "the input is kept");
  await vouch(service, boss, person);
  await grant(page, person.user.email, "Administrator of the university");
  await said(page, "has the role now: Administrator of the university.");

  await press(page, `Remove: Instructor, Chemistry, ${person.user.email}`);
  await confirm(page, "Remove the role");
  await said(page, `The role of ${person.user.email} is removed.`);
  assert.deepEqual(await grantOf(person), ["UNIVERSITY_ADMIN"]);
  await press(page, `Remove: Administrator of the university, ${person.user.email}`);
  await confirm(page, "Remove the role");
  await said(page, "Not removed: it is the last administrator.", "error");
});

test("the highest role is granted after a question only", async (t) => {
  const person = await signUp(service);
  const page = await openUniversity(t, boss);
  await grant(page, String(person.id), "Administrator of the platform");
  await press(page.getByRole("dialog"), "Cancel");
  await said(page, "The role is not granted.", "error");
  await press(page, "Grant the role");
  await confirm(page, "Grant the role");
  await said(page, `${person.user.email} has the role now: Administrator of the platform.`);
  assert.deepEqual(await grantOf(person), ["PLATFORM_ADMIN"]);
});

test("an invitation without mail is handed over, and accepted on its page", async (t) => {
  const user = newUser();
  const page = await openUniversity(t, boss);
  await grant(page, user.email, "Teaching assistant");
  const link = await keep(page);
  await said(page, `${user.email} is invited.`);
  assert.ok((await tableOf(page, "Invitations")).some(([email, role]) => email === user.email && role === "Teaching assistant"));

  const invited = await openPage(t, service, link.slice(service.origin.length));
  await invited.getByLabel("a new account").check();
  await invited.getByLabel("E-mail address").fill(user.email);
  await invited.getByRole("textbox", { name: "New password" }).fill(user.password);
  await press(invited, "Create the account and accept");
  await resultOf(invited, "done").waitFor();
  await page.reload();
  await headed(page, university.name);
  assert.ok((await rolesOf(page)).some(([email]) => email === user.email));
});

test("an invitation is withdrawn, and a second tab that comes late is told", async (t) => {
  const email = newUser().email;
  await made(grantByAddress(service, boss, university.id, email, "STUDENT"));
  const page = await openUniversity(t, boss, { expected: refusals(404) });
  const late = await page.context().newPage();
  await late.goto(page.url());
  for (const tab of [page, late]) {
    await tab.getByRole("button", { name: `Withdraw: ${email}` }).waitFor();
  }
  await press(page, `Withdraw: ${email}`);
  await confirm(page, "Withdraw");
  await said(page, `The invitation of ${email} is withdrawn.`);
  assert.equal(await page.getByRole("button", { name: `Withdraw: ${email}` }).count(), 0);
  await press(late, `Withdraw: ${email}`);
  await confirm(late, "Withdraw");
  await said(late, "This invitation does not exist any more", "error");
});

test("with mail an invitation goes by mail, and the console shows no link", async (t) => {
  const mailing = await start(withMailbox());
  stopAtEnd(t, mailing);
  const administrator = await platformAdmin(mailing);
  const { id, name } = await made(createUniversity(mailing, administrator));
  const page = await openConsole(t, mailing, administrator);
  await show(page, `#/universities/${id}`, name);
  await grant(page, "invited@mail.example", "Student");
  await said(page, "invited@mail.example is invited: a mail is on its way");
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.ok((await mailedLink(mailing, "invited@mail.example", "invite")).token);
});

test("an administrator of a university sees that part only, and cannot reach the rest", async (t) => {
  const person = await member(service, boss, university.id, "UNIVERSITY_ADMIN");
  const page = await openUniversity(t, person, { expected: refusals(403) });
  assert.deepEqual(await page.locator("#nav a").allInnerTexts(), ["Universities", "Your account"]);
  for (const title of ["Change the university", "Delete the university"]) {
    assert.equal(await page.getByRole("heading", { name: title }).count(), 0);
  }
  const options = await page.getByLabel("Role", { exact: true }).locator("option").allInnerTexts();
  assert.ok(options.includes("Administrator of the university") && !options.includes("Administrator of the platform"));
  const email = newUser().email;
  await grant(page, email, "Student");
  await keep(page);
  await said(page, `${email} is invited.`);
  await assertGood(page, "university-admin");
  await visit(page, "Universities");
  assert.deepEqual((await tableOf(page, "Universities")).map(([name]) => name), [university.name]);
  assert.equal(await page.getByLabel("Short name").count(), 0);
  await page.evaluate(() => (location.hash = "#/users"));
  await headed(page, "Universities");
});

test("an administrator of a department gives roles in it, and sees those", async (t) => {
  const physics = await made(createDepartment(service, boss, university.id, "Astronomy"));
  const person = await member(service, boss, university.id, "DEPARTMENT_ADMIN", physics.id);
  const page = await openUniversity(t, person);
  await page.getByText("Astronomy").first().waitFor();
  assert.equal(await page.getByLabel("Name of the new department").count(), 0);
  assert.deepEqual(await page.getByLabel("Role", { exact: true }).locator("option").allInnerTexts(), [
    "Student", "Teaching assistant", "Instructor",
  ]);
  assert.deepEqual(await page.getByLabel("Department", { exact: true }).locator("option").allInnerTexts(), ["Astronomy"]);
  const email = newUser().email;
  await grant(page, email, "Student");
  await keep(page);
  await said(page, `${email} is invited.`);
  assert.deepEqual(await rolesOf(page), [[person.user.email, "Administrator of a department, Astronomy"]]);
  await assertGood(page, "department-admin");
});

/** Waits for the explanation, and checks the link. */
async function factorIsAsked(page) {
  await page.getByText("This role counts only in sessions with a second factor").waitFor();
  const link = page.getByRole("link", { name: "Second factors of your account" });
  assert.equal(await link.getAttribute("href"), "account#/security");
}

test("a role that counts with a second factor only is explained, with the way to one", async (t) => {
  const strict = await start({ settings: { MFA_REQUIRED_ROLES: '["PLATFORM_ADMIN", "UNIVERSITY_ADMIN"]' } });
  stopAtEnd(t, strict);
  const administrator = await platformAdmin(strict);
  const page = await openConsole(t, strict, administrator, "", { expected: refusals(403) });
  for (const title of ["Users", "Events", "Universities", "Service accounts"]) {
    await visit(page, title);
    await factorIsAsked(page);
  }
  await assertGood(page, "needs-factor");

  const person = await signUp(strict);
  await rows(strict.db, "INSERT INTO universities (id, name, slug, created_at) VALUES (1, 'Own', 'own', 1)");
  const grant = "INSERT INTO user_university_roles (user_id, university_id, role, created_at)";
  await rows(strict.db, `${grant} VALUES (?1, 1, 'UNIVERSITY_ADMIN', 1)`, person.id);
  const second = await openConsole(t, strict, person, "", { expected: refusals(403) });
  await factorIsAsked(second);
});

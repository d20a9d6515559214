// Linked accounts in the security view of /account, and accounts without a password: link, unlink, the last way in, step-up.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { until } from "../e2e/support/faults.mjs";
import { gitHubUser } from "../e2e/support/providers/github.mjs";
import { appoint } from "../e2e/support/roles.mjs";
import {
  assertGood, atView, button, field, go, link, PASSWORD, resultOf, signedUp, signInOnPage, typeMailCode,
} from "./support/account.mjs";
import { withBrowser } from "./support/browser.mjs";
import { factOf } from "./support/console.mjs";
import {
  accountField, ageSignIns, chooseAccount, identitiesOf, mailedCode, newPerson, open, proveAddress, refuseThere, signInThere, signOut, signUpBy,
  startFederation, visit,
} from "./support/federation.mjs";

let place;
let service;

withBrowser();
before(async () => {
  place = await startFederation();
  ({ service } = place);
});
after(() => place?.stop());

const dialogOf = (page, name) => page.getByRole("dialog", { name });
const unlinkOf = ({ email }) => `Unlink: Acme, ${email}`;
const said = async (page, text) => page.locator("#bar [role=status]", { hasText: text }).waitFor();

/** A person with a password, in the security view. */
async function withPassword(t, email, options) {
  const page = await open(t, place, { expected: [401, 409], ...options });
  await signedUp(page, service, email);
  await go(page, "Security");
  return page;
}

/** A person whose account came from Acme, with a proven address, in the security view. */
async function withoutPassword(t, changes) {
  const person = newPerson(place.acme, changes);
  const page = await open(t, place, { expected: [401, 409] });
  await signUpBy(page, "Acme", person);
  await proveAddress(service, person.email);
  await page.reload();
  await go(page, "Security");
  return { person, page };
}

async function unlink(page, person) {
  await button(page, unlinkOf(person)).click();
  await dialogOf(page, "Unlink Acme?").getByRole("button", { name: "Unlink" }).click();
}

/** The sign-in of the page is an hour old. */
async function age(page, email) {
  await ageSignIns(service, email);
  await page.reload();
}

test("an account is linked, signs in, and is unlinked", async (t) => {
  const person = newPerson(place.acme);
  const page = await withPassword(t, "links@mail.example");
  await visit(page, "Link Acme", person);
  await said(page, "Your account at Acme is linked.");
  await atView(page, "Security");
  assert.equal(page.url(), `${service.page.origin}/account#/security`);
  await button(page, unlinkOf(person)).waitFor();
  await assertGood(page, "federation-linked");
  assert.deepEqual(await identitiesOf(service, "links@mail.example"), [`acme ${person.sub}`]);

  await signOut(page);
  await button(page, "Continue with Acme").click();
  await page.locator(".who-name", { hasText: "links@mail.example" }).waitFor();
  await go(page, "Security");
  await button(page, unlinkOf(person)).click();
  await assertGood(page, "federation-unlink");
  await page.keyboard.press("Escape");
  await unlink(page, person);
  assert.match(await resultOf(page, "done"), /The account is unlinked/);
  assert.deepEqual(await identitiesOf(service, "links@mail.example"), []);
});

test("an account that is linked to another one stays there", async (t) => {
  const { person } = await withoutPassword(t);
  const page = await withPassword(t, "other@mail.example");
  await visit(page, "Link Acme", person);
  assert.match(await resultOf(page, "error"), /is linked to another account here/);
  await assertGood(page, "federation-linked-to-other");
  await link(page, "Back").click();
  await atView(page, "Security");
  assert.deepEqual(await identitiesOf(service, person.email), [`acme ${person.sub}`]);
});

test("the last way in stays, until a password is set", async (t) => {
  const { person, page } = await withoutPassword(t);
  await unlink(page, person);
  assert.match(await resultOf(page, "error"), /the last way to sign in. Set a password or add a passkey first/);
  await assertGood(page, "federation-last-way");
  assert.equal(await field(page, "Current password").count(), 0);
  await field(page, "New password").fill(PASSWORD);
  await button(page, "Set a password").click();
  assert.match(await resultOf(page, "done"), /The password is set/);
  await field(page, "Current password").waitFor();
  await unlink(page, person);
  await page.getByText("The account is unlinked.").waitFor();
  await signOut(page);
  await signInOnPage(page, person.email);
  await atView(page, "Overview");
});

test("an old sign-in is renewed by the password before a link, at its start and at its end", async (t) => {
  const person = newPerson(place.acme);
  const page = await withPassword(t, "old@mail.example");
  await age(page, "old@mail.example");
  const confirm = async () => {
    await dialogOf(page, "Confirm that it is you").waitFor();
    await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill(PASSWORD);
    await button(page, "Confirm").click();
  };
  await button(page, "Link Acme").click();
  await confirm();
  // The fresh token was that of the page that was left.
  await signInThere(page, person);
  await confirm();
  await said(page, "Your account at Acme is linked.");
  assert.deepEqual(await identitiesOf(service, "old@mail.example"), [`acme ${person.sub}`]);
});

test("a link needs the session that has begun it", async (t) => {
  const person = newPerson(place.acme);
  const page = await withPassword(t, "gone@mail.example");
  await button(page, "Link Acme").click();
  await accountField(page).waitFor();
  await rows(service.db, "DELETE FROM sessions");
  await signInThere(page, person);
  assert.match(await resultOf(page, "error"), /Your session has ended. Sign in, and do it again/);
  assert.equal(await button(page, "Begin again").count(), 0);
  await link(page, "Other ways to sign in").click();
  await atView(page, "Sign in");
});

test("without a password, the provider confirms the deletion of the account", async (t) => {
  const { person, page } = await withoutPassword(t);
  await go(page, "Your data");
  await age(page, person.email);
  const remove = async () => {
    await button(page, "Delete my account").click();
    await page.getByRole("dialog").getByRole("textbox").fill(person.email);
    await button(page, "Delete for ever").click();
  };
  await remove();
  await button(page, "Confirm with Acme").waitFor();
  await assertGood(page, "federation-step-up");
  await button(page, "Confirm with Acme").click();
  await chooseAccount(page, person);
  await said(page, "Confirmed. Do it again within ten minutes.");
  await atView(page, "Your data");
  await assertGood(page, "federation-confirmed");
  await remove();
  await atView(page, "Sign in");
  await page.getByText("Your account is deleted.").waitFor();
});

test("the provider confirms only the person that is linked", async (t) => {
  const { person, page } = await withoutPassword(t);
  const stranger = newPerson(place.acme);
  await age(page, person.email);
  await unlink(page, person);
  await button(page, "Confirm with Acme").click();
  await signInThere(page, stranger);
  assert.match(await resultOf(page, "error"), /Not done|could not be used/);
  assert.equal(await page.locator("#bar [role=status] .notice").count(), 0);
});

test("a mailed code confirms, and the act goes on by itself", async (t) => {
  const { person, page } = await withoutPassword(t);
  await go(page, "Your data");
  await age(page, person.email);
  await button(page, "Export my data").click();
  await dialogOf(page, "Confirm that it is you").waitFor();
  await button(page, "Send the mail").click();
  await field(page, "Code of the mail").fill("0000 0000");
  await button(page, "Confirm").click();
  await page.getByText("The code is wrong").waitFor();
  await assertGood(page, "federation-step-up-mail");
  await field(page, "Code of the mail").fill(await mailedCode(service, person.email, 2));
  const [file] = await Promise.all([page.waitForEvent("download"), button(page, "Confirm").click()]);
  assert.match(file.suggestedFilename(), /^account-.*\.json$/);
  assert.equal(await resultOf(page, "done"), "The file is saved by your browser.");
});

test("a reset by mail suspends the link until its owner confirms it", async (t) => {
  const { person, page } = await withoutPassword(t);
  await signOut(page);
  await link(page, "Forgot the password?").click();
  await field(page, "E-mail address").fill(person.email);
  await button(page, "Send the mail").click();
  await field(page, "New password").fill(PASSWORD);
  await field(page, "Code of the mail").fill(await mailedCode(service, person.email, 2));
  await button(page, "Save the new password").click();
  await atView(page, "The password is changed");
  await page.getByText(`Account at Acme, ${person.email}`).waitFor();
  await page.getByText("Suspended", { exact: true }).waitFor();
  await assertGood(page, "federation-review");

  await link(page, "Sign in with the new password").click();
  await button(page, "Continue with Acme").click();
  assert.match(await resultOf(page, "error"), /suspended here/);
  await link(page, "Other ways to sign in").click();
  await signInOnPage(page, person.email);
  await atView(page, "Overview");
  await page.getByText("second factors, are suspended").waitFor();
  await go(page, "Security");
  await page.getByText("Suspended", { exact: true }).waitFor();
  await assertGood(page, "federation-suspended");
  await go(page, "Overview");
  await button(page, "Confirm them").click();
  assert.equal(await resultOf(page, "done"), "They count again.");
  await signOut(page);
  await button(page, "Continue with Acme").click();
  await atView(page, "Overview");
});

test("the console shows how many accounts are linked, and takes a mailed code or a provider for a step-up", async (t) => {
  const { person, page } = await withoutPassword(t);
  const [{ id }] = await rows(service.db, "SELECT id FROM users WHERE email = ?1", person.email);
  await appoint(service, { id });
  await ageSignIns(service, person.email);
  await page.goto(`${service.page.origin}/console#/users/${id}`);
  await factOf(page, "Linked accounts").waitFor();
  assert.equal(await factOf(page, "Linked accounts").innerText(), "1");
  const other = await signUp(service);
  await page.goto(`${service.page.origin}/console#/users/${other.id}`);
  const erase = async () => {
    await button(page, "Erase the account").click();
    await page.getByRole("dialog").getByRole("textbox").fill(other.user.email);
    await button(page, "Erase for good").click();
  };
  const confirm = async () => {
    await erase();
    const dialog = dialogOf(page, "Confirm that it is you");
    await dialog.getByRole("button", { name: "Send the mail" }).waitFor();
    await dialog.getByRole("button", { name: "Confirm with Acme" }).click();
  };
  await confirm();
  await refuseThere(page);
  await page.getByRole("alert").getByText("Acme has not confirmed that it is you").waitFor();
  await button(page, "Try again").click();
  await confirm();
  await chooseAccount(page, person);
  assert.equal(await resultOf(page, "done"), "Confirmed. Do it again within ten minutes.");
  const { pathname, hash } = new URL(page.url());
  assert.deepEqual([pathname, hash], ["/console", `#/users/${other.id}`]);
  await erase();
  const isGone = async () => (await rows(service.db, "SELECT id FROM users WHERE email = ?1", other.user.email)).length === 0;
  await until("the account is erased", isGone);
});

test("a code that arrives at the console without a visit of this tab is not used", async (t) => {
  const { person, page } = await withoutPassword(t);
  await appoint(service, { id: (await rows(service.db, "SELECT id FROM users WHERE email = ?1", person.email))[0].id });
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${service.page.origin}/console#code=of-a-stranger`);
  await atView(page, "Overview");
  assert.equal(new URL(page.url()).hash, "#/");
  assert.deepEqual(asked.filter((path) => path.includes("/federated/")), []);
});

test("an account with nothing to confirm by is told to sign in again, and may act then", async (t) => {
  place.github.user = gitHubUser({ id: 815, email: "octocat@mail.example" });
  const page = await open(t, place, { expected: [401] });
  await button(page, "Continue with GitHub").click();
  await atView(page, "Overview");
  await go(page, "Your data");
  await age(page, "octocat@mail.example");
  const remove = async () => {
    await button(page, "Delete my account").click();
    await page.getByRole("dialog").getByRole("textbox").fill("octocat@mail.example");
    await button(page, "Delete for ever").click();
  };
  await remove();
  await dialogOf(page, "Confirm that it is you").getByText("Sign out, sign in again").waitFor();
  await assertGood(page, "federation-no-way");
  await page.keyboard.press("Escape");
  await signOut(page);
  await button(page, "Continue with GitHub").click();
  await atView(page, "Overview");
  await go(page, "Your data");
  await remove();
  await page.getByText("Your account is deleted.").waitFor();
});

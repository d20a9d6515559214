// The sign-in with other providers on /account, as a person does it: in headless Chromium, against the bundle on workerd, with npm
// `oidc-provider` and a GitHub Enterprise Server beside it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { rows } from "../e2e/support/database.mjs";
import { gitHubUser } from "../e2e/support/providers/github.mjs";
import { appoint } from "../e2e/support/roles.mjs";
import { totp, wrongCodes } from "../e2e/support/totp.mjs";
import {
  assertGood, atView, button, field, go, link, openAccount, registerOnPage, resultOf, setUpApp, signedUp,
} from "./support/account.mjs";
import { stopAtEnd, withBrowser } from "./support/browser.mjs";
import {
  accountField, identitiesOf, mailedCode, newPerson, open, proveAddress, refuseThere, signInThere, signOut, signUpBy, startFederation, visit,
} from "./support/federation.mjs";

let place;
let service;

withBrowser();
before(async () => {
  place = await startFederation();
  ({ service } = place);
});
after(() => place?.stop());

const usersOf = async (email) => (await rows(service.db, "SELECT id FROM users WHERE email = ?1", email)).map(({ id }) => id);

test("an unknown person gets an account, comes again to the same one, and leaves no trace of the visit", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place);
  await assertGood(page, "federation-sign-in");
  await signUpBy(page, "Acme", person);
  assert.equal(await page.locator(".who-name").innerText(), person.name);
  assert.equal(page.url(), `${service.page.origin}/account#/`);
  assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), [], "the flow is used up");
  const first = await usersOf(person.email);
  await signOut(page);
  // The provider knows its user by now, and asks nothing.
  await button(page, "Continue with Acme").click();
  await atView(page, "Overview");
  assert.deepEqual(await usersOf(person.email), first);
  await page.reload();
  await atView(page, "Overview");
});

test("the view of a registration has the providers, too", async (t) => {
  const person = newPerson(place.zenith, { email: "ada@zenith.example" });
  const page = await open(t, place);
  await link(page, "Create an account").click();
  await atView(page, "Create an account");
  await assertGood(page, "federation-register");
  await signUpBy(page, "Zenith", person);
  await page.getByText("Confirmed", { exact: true }).waitFor();
  assert.deepEqual(await identitiesOf(service, person.email), [`zenith ${person.sub}`]);
});

test("GitHub signs in by its verified primary address", async (t) => {
  place.github.user = gitHubUser({ id: 4711, email: "octocat@mail.example" });
  const page = await open(t, place);
  await button(page, "Continue with GitHub").click();
  await atView(page, "Overview");
  assert.deepEqual(await identitiesOf(service, "octocat@mail.example"), ["github 4711"]);
});

test("a second factor of the account is due after the provider", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place, { expected: [401] });
  await signUpBy(page, "Acme", person);
  await proveAddress(service, person.email);
  await page.reload();
  await go(page, "Security");
  const { secret } = await setUpApp(page, service);
  await signOut(page);
  await button(page, "Continue with Acme").click();
  await page.getByRole("heading", { name: "Second step" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "code");
  await assertGood(page, "federation-factor");
  await field(page, "Code of the authenticator app").fill(wrongCodes(secret, 1)[0]);
  await button(page, "Sign in").click();
  assert.match(await resultOf(page, "error"), /4 attempts are left/);
  await field(page, "Code of the authenticator app").fill(totp(secret));
  await button(page, "Sign in").click();
  // Where the person had begun.
  await atView(page, "Overview");
});

test("an address that has an account is joined by a mailed code alone", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place, { expected: [401] });
  await signedUp(page, service, person.email);
  await signOut(page);
  await visit(page, "Continue with Acme", person);
  await field(page, "Code of the mail").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "code");
  await assertGood(page, "federation-mail");
  await field(page, "Code of the mail").fill("0000 0000");
  await button(page, "Sign in").click();
  assert.match(await resultOf(page, "error"), /The code is wrong/);
  assert.deepEqual(await identitiesOf(service, person.email), []);
  await field(page, "Code of the mail").fill(await mailedCode(service, person.email, 2));
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  assert.deepEqual(await identitiesOf(service, person.email), [`acme ${person.sub}`]);
  await go(page, "Security");
  await page.locator("#identities ~ *").getByText(person.email).waitFor();
});

test("everything works by keyboard, after a refusal at the provider, too", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place);
  await button(page, "Continue with Acme").focus();
  await page.keyboard.press("Enter");
  await refuseThere(page);
  assert.match(await resultOf(page, "error"), /You refused at Acme/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "federated-result");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Begin again");
  await page.keyboard.press("Enter");
  await accountField(page).waitFor();
  await page.keyboard.type(person.email);
  await page.keyboard.press("Enter");
  await page.locator("button[value=consent]").focus();
  await page.keyboard.press("Enter");
  await atView(page, "Overview");
});

test("two tabs at two providers keep their flows apart, and show the account of the last sign-in", async (t) => {
  const [ada, grace] = [newPerson(place.acme), newPerson(place.zenith)];
  const page = await open(t, place);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await button(page, "Continue with Acme").click();
  await button(other, "Continue with Zenith").click();
  await signInThere(other, grace);
  await atView(other, "Overview");
  await signInThere(page, ada);
  for (const tab of [page, other]) {
    await tab.locator(".who-name", { hasText: ada.name }).waitFor();
  }
  assert.deepEqual(await identitiesOf(service, grace.email), [`zenith ${grace.sub}`]);
});

test("a sign-in that began in the console ends there", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place);
  await signUpBy(page, "Acme", person);
  await appoint(service, { id: (await usersOf(person.email))[0] });
  await signOut(page);
  await page.goto(`${service.page.origin}/console#/users`);
  await button(page, "Continue with Acme").click();
  await atView(page, "Users");
  assert.equal(new URL(page.url()).pathname, "/console");
});

test("a session that ended in the middle of something is begun again by a provider, at the same view", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place, { expected: [401] });
  await signUpBy(page, "Acme", person);
  await rows(service.db, "DELETE FROM sessions");
  await link(page, "Sessions").click();
  const dialog = page.getByRole("dialog", { name: "Sign in again" });
  await dialog.getByText("Typed texts are lost").waitFor();
  await assertGood(page, "federation-sign-in-again");
  await dialog.getByRole("button", { name: "Continue with Acme" }).click();
  await atView(page, "Sessions");
  await page.getByText("This device").waitFor();
});

test("without providers there is no divider, and no card of linked accounts", async (t) => {
  const plain = await startFederation({ settings: { FEDERATION: undefined } });
  stopAtEnd(t, plain);
  const page = await openAccount(t, plain.service);
  assert.equal(await page.locator(".divider").count(), 0);
  await registerOnPage(page, "plain@mail.example");
  await atView(page, "Overview");
  await go(page, "Security");
  await button(page, "Set up an app").waitFor();
  assert.equal(await page.getByText("Linked accounts").count(), 0);
});

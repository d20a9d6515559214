// /account from an empty database: registration, confirmation of the address, profile, roles, in headless Chromium against the
// bundle on workerd.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { mailedLink } from "../e2e/support/mailbox.mjs";
import { made } from "../e2e/support/roles.mjs";
import { rows } from "../e2e/support/database.mjs";
import { asUser, login } from "../e2e/support/client.mjs";
import {
  assertGood, atView, button, field, fill, link, notice, openAccount, PASSWORD, registerOnPage, resultOf, signedUp, signInOnPage,
  startPages, typeMailCode,
} from "./support/account.mjs";
import { stopAtEnd, withBrowser } from "./support/browser.mjs";

let service;

withBrowser();
before(async () => (service = await startPages()));
after(() => service?.stop());

test("a person registers, confirms the address by the code of the mail, and signs out", async (t) => {
  const page = await openAccount(t, service);
  await assertGood(page, "sign-in");
  await link(page, "Create an account").click();
  await atView(page, "Create an account");
  await assertGood(page, "register");
  await fill(page, { "E-mail address": "ada@mail.example", Password: PASSWORD, "Name (optional)": "Ada Lovelace" });
  await button(page, "Create the account").click();
  await atView(page, "Overview");
  await page.getByText("Not confirmed", { exact: true }).waitFor();
  await assertGood(page, "overview-unverified");
  await typeMailCode(page, service, "ada@mail.example", "Confirm the address");
  assert.match(await resultOf(page, "done"), /ada@mail.example is confirmed/);
  await page.getByText("Confirmed", { exact: true }).waitFor();
  await assertGood(page, "overview");
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
  assert.equal(await resultOf(page, "note"), "You are signed out.");
  await page.reload();
  await atView(page, "Sign in");
});

test("the link of the mail confirms the address, too", async (t) => {
  const page = await openAccount(t, service);
  await registerOnPage(page, "grace@mail.example");
  await atView(page, "Overview");
  const { path } = await mailedLink(service, "grace@mail.example", "verify");
  const mailPage = await page.context().newPage();
  await mailPage.goto(service.page.origin + path);
  await mailPage.getByLabel("Password of your account").fill(PASSWORD);
  await mailPage.getByRole("button", { name: "Confirm address" }).click();
  await mailPage.getByText("is confirmed").waitFor();
  await page.reload();
  await page.getByText("Confirmed", { exact: true }).waitFor();
});

test("the session outlives the page, and the access token is nowhere in storage", async (t) => {
  const page = await openAccount(t, service);
  await signedUp(page, service, "alan@mail.example");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.equal(stored, '[{"edge-auth signed-in /":"1"},{},""]');
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === "__Host-edge-auth");
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, "Strict"]);
});

test("the name is changed and removed, and roles have the names of their universities", async (t) => {
  const page = await openAccount(t, service);
  await signedUp(page, service, "mary@mail.example", { name: "Mary" });
  await field(page, "Name (optional)").fill("Mary Somerville");
  await button(page, "Save the name").click();
  assert.equal(await resultOf(page, "done"), "The name is saved.");
  assert.equal(await page.locator(".who-name").innerText(), "Mary Somerville");
  await field(page, "Name (optional)").fill("");
  await button(page, "Save the name").click();
  await page.locator(".who-name", { hasText: "mary@mail.example" }).waitFor();

  const { body: admin } = await login(service, { email: "mary@mail.example", password: PASSWORD });
  const [{ id }] = await rows(service.db, "SELECT id FROM users WHERE email = 'mary@mail.example'");
  await rows(service.db, "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', 0)", id);
  const university = await made(asUser(service, admin.access_token, "POST", "/universities", { name: "Università di <b>Bologna</b>", slug: "bologna" }));
  await made(asUser(service, admin.access_token, "POST", `/universities/${university.id}/roles`, { user_id: id, role: "STUDENT" }));
  await page.reload();
  await page.getByText("Università di <b>Bologna</b>").waitFor();
  await page.getByText("Administrator of the platform").waitFor();
  await assertGood(page, "overview-roles");
});

describe("with EMAIL_VERIFICATION = required", () => {
  let strict;
  before(async () => (strict = await startPages({ settings: { EMAIL_VERIFICATION: "required" } })));
  after(() => strict?.stop());

  test("the code of the mail makes the account and signs in", async (t) => {
    const page = await openAccount(t, strict, { expected: [401] });
    await registerOnPage(page, "ada@mail.example");
    await atView(page, "Confirm your address");
    assert.match(await resultOf(page, "note"), /A mail is on its way/);
    await assertGood(page, "register-code");
    await field(page, "Code of the mail").fill("0000 0000");
    await button(page, "Confirm the address").click();
    assert.match(await resultOf(page, "error"), /The code is wrong/);
    await typeMailCode(page, strict, "ada@mail.example", "Confirm the address");
    await atView(page, "Overview");
  });

  test("the link of the mail does, too, and the person signs in", async (t) => {
    const page = await openAccount(t, strict);
    await registerOnPage(page, "grace@mail.example");
    const { path } = await mailedLink(strict, "grace@mail.example", "verify");
    await page.goto(strict.page.origin + path);
    await page.getByLabel("Password of your account").fill(PASSWORD);
    await page.getByRole("button", { name: "Confirm address" }).click();
    await page.getByText("is confirmed").waitFor();
    await page.goto(`${strict.page.origin}/account`);
    await signInOnPage(page, "grace@mail.example");
    await atView(page, "Overview");
  });
});

test("without mail and passkeys, the page offers neither", async (t) => {
  const bare = await startPages({ settings: { MAIL: "none", WEBAUTHN_RP_ID: undefined, WEBAUTHN_ORIGINS: undefined, PUBLIC_URL: undefined } });
  const page = await openAccount(t, bare);
  stopAtEnd(t, bare);
  assert.equal(await link(page, "Forgot the password?").count(), 0);
  assert.equal(await button(page, "Sign in with a passkey").count(), 0);
  await registerOnPage(page, "ada@mail.example");
  await atView(page, "Overview");
  assert.equal(await notice(page, "note").count(), 0);
  assert.deepEqual(await page.locator("#nav a").allInnerTexts(), ["Overview", "Security", "Sessions", "API keys", "Your data"]);
  await link(page, "Security").click();
  await atView(page, "Security");
  assert.equal(await page.getByRole("heading", { name: "Passkeys" }).count(), 0);
});

test("a deployment that admits no registration has no way to it", async (t) => {
  const closed = await startPages({ settings: { REGISTRATION: "closed", PAGES_ACCENT: "#ffee00" } });
  const page = await openAccount(t, closed);
  stopAtEnd(t, closed);
  assert.equal(await link(page, "Create an account").count(), 0);
  await assertGood(page, "sign-in-accent");
});

test("a deployment that admits invited persons asks for the invitation, and tells one that is of no use", async (t) => {
  const inviting = await startPages({ settings: { REGISTRATION: "invitation" } });
  const page = await openAccount(t, inviting, { expected: [401] });
  stopAtEnd(t, inviting);
  await link(page, "Create an account").click();
  await fill(page, { "E-mail address": "ada@mail.example", Password: PASSWORD, Invitation: "no-invitation" });
  await button(page, "Create the account").click();
  assert.match(await resultOf(page, "error"), /The invitation was used or withdrawn, or has expired/);
  await assertGood(page, "register-invitation");
});

test("below a base path, with the wait for the password hash", async (t) => {
  const based = await startPages({ settings: { BASE_PATH: "/id" } });
  const page = await openAccount(t, based, { path: "/id/account" });
  stopAtEnd(t, based);
  await page.route("**/auth/register", async (route) => {
    await page.getByText("Creating the account: the password is being hashed…").waitFor();
    await route.continue();
  });
  await registerOnPage(page, "ada@mail.example");
  await atView(page, "Overview");
  await page.reload();
  await atView(page, "Overview");
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), ["edge-auth signed-in /id/"]);
  const names = (await page.context().cookies()).map(({ name }) => name);
  assert.ok(names.includes("__Host-edge-auth-id"), `${names}`);
});

test("the deployment has one script and one style sheet of the page, named by their content, and no sources", () => {
  assert.deepEqual(readdirSync("public/account").sort(), ["account.css", "account.js", "index.html"]);
  const folders = readdirSync("public", { recursive: true });
  assert.deepEqual(folders.filter((name) => /\.map$|^kit|^texts|package\.json/.test(name)), []);
  const html = readFileSync("public/account/index.html", "utf8");
  for (const name of ["account/account.js", "account/account.css"]) {
    const digest = createHash("sha256").update(readFileSync(`public/${name}`)).digest("hex").slice(0, 16);
    assert.ok(html.includes(`"${name}?v=${digest}"`), name);
  }
});

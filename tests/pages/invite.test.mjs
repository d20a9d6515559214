// The page behind the link of an invitation as a person uses it: in headless Chromium, against the bundle on workerd,
// with a mailbox in place of the sender.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parse } from "yaml";

import { asUser, listSessions, login, me, newUser, send, signUp } from "../e2e/support/client.mjs";
import { dump } from "../e2e/support/database.mjs";
import { mailedLink, untilSettled, withMailbox } from "../e2e/support/mailbox.mjs";
import { createUniversity, grantByAddress, made, platformAdmin } from "../e2e/support/roles.mjs";
import { startService } from "../e2e/support/service.mjs";
import { openPage, requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { assertFitsEverywhere, button, DESKTOP, focused, PHONE, postsOf } from "./support/mailed.mjs";
import { refusals, resultOf } from "./support/mailed.mjs";

const DESCRIPTION = parse(readFileSync("openapi.yaml", "utf8"), { maxAliasCount: -1 }).components;

let service;
let boss;
let university;

withBrowser();
before(async () => {
  service = await startService(withMailbox());
  boss = await platformAdmin(service);
  university = await made(createUniversity(service, boss));
});
after(() => service?.stop());

/** Invites the owner of this address: `{token, path}`. */
async function invited(email, role = "INSTRUCTOR") {
  const answer = await grantByAddress(service, boss, university.id, email, role);
  assert.equal(answer.status, 202, answer.text);
  return mailedLink(service, email, "invite");
}

const textOf = (page) => page.locator("#result").innerText();
const NEW = "a new account";
const OWN = "an account that I have";
const CREATE = "Create the account and accept";
const ENTER = "Sign in and accept";

/** The field by its name for a screen reader, which depends on the way. */
const passwordOf = (page, way) =>
  page.getByRole("textbox", { name: way === NEW ? "New password" : "Password of your account", exact: true });

/** Chooses the way, and fills the form in. */
async function fill(page, way, { email, password }) {
  await page.getByLabel(way).check();
  await page.getByLabel("E-mail address").fill(email);
  await passwordOf(page, way).fill(password);
}

/** Checks that the account has the role, a proven address, and no session but that of this look. */
async function assertMember(user, role = "INSTRUCTOR") {
  const { access_token: access } = await made(login(service, user));
  const { body } = await me(service, access);
  assert.equal(body.email_verified, true);
  assert.deepEqual(body.roles, [{ university_id: university.id, department_id: null, role }]);
  const { sessions } = await made(listSessions(service, access));
  assert.equal(sessions.length, 1, "the page left no session behind");
  return body;
}

test("opening an invitation sends nothing, and one click makes the account with the role", async (t) => {
  const user = newUser();
  const { path, token } = await invited(user.email, "UNIVERSITY_ADMIN");
  const page = await openPage(t, service, path, PHONE);
  await page.getByLabel(NEW).waitFor();
  assert.equal(page.url(), `${service.origin}/invite`, "the address bar has no token");
  await page.reload();
  assert.equal(await page.getByLabel(NEW).isChecked(), true, "a reload keeps the link");
  assert.deepEqual(postsOf(page), []);
  assert.ok(requestsOf(page).every(({ path }) => !path.includes(token)), "no server sees the token");
  const field = passwordOf(page, NEW);
  assert.equal(await field.getAttribute("autocomplete"), "new-password");
  await fill(page, NEW, user);
  await page.getByLabel("Show the password").check();
  assert.equal(await field.getAttribute("type"), "text");
  await page.getByLabel("Your name").fill(user.full_name);
  await button(page, CREATE).click();
  await resultOf(page, "done").waitFor();
  assert.match(await textOf(page), /accepted[\s\S]*signed you out[\s\S]*close it/);
  assert.ok((await textOf(page)).includes(`Your role at ${university.name}: administrator of the university.`));
  assert.equal(await focused(page), "result");
  assert.equal(await page.locator("form:visible").count(), 0);
  assert.deepEqual(postsOf(page), ["/auth/register", "/auth/logout"]);
  assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), ["{}"], "the tab has forgotten the token");
  assert.equal((await assertMember(user, "UNIVERSITY_ADMIN")).full_name, user.full_name);
});

test("the owner of an account signs in, accepts, and is signed out again", async (t) => {
  const { user, access } = await signUp(service);
  const { path } = await invited(user.email);
  await asUser(service, access, "POST", "/auth/logout-all");
  const page = await openPage(t, service, path, DESKTOP, refusals(401));
  await fill(page, OWN, { ...user, password: `${user.password}, mistyped` });
  const field = passwordOf(page, OWN);
  assert.equal(await field.getAttribute("autocomplete"), "current-password");
  assert.equal(await page.getByLabel("Your name").isVisible(), false);
  await page.keyboard.press("Enter");
  await resultOf(page, "error").waitFor();
  assert.match(await textOf(page), /address or the password is wrong[\s\S]*request, for support: \w+/);
  assert.equal(await focused(page), "result");
  await field.fill(user.password);
  await page.keyboard.press("Enter");
  await resultOf(page, "done").waitFor();
  assert.ok((await textOf(page)).includes(`Your role at ${university.name}: instructor.`));
  assert.deepEqual(postsOf(page), ["/auth/login", "/auth/login", "/invitations/accept", "/auth/logout"]);
  await assertMember(user);
});

test("an address that has an account is told to sign in, or to choose a new password", async (t) => {
  const { user } = await signUp(service);
  const { path } = await invited(user.email);
  const page = await openPage(t, service, path, PHONE, refusals(409));
  await fill(page, NEW, user);
  await button(page, CREATE).click();
  await resultOf(page, "note").getByText("has an account already").waitFor();
  assert.match(await textOf(page), /has an account already: sign in[\s\S]*never made this account/);
  assert.equal(await page.getByLabel(OWN).isChecked(), true);
  assert.equal(await page.getByLabel("E-mail address").inputValue(), user.email);
  assert.equal(new URL(await page.getByRole("link").evaluate(({ href }) => href)).pathname, "/reset");
  await button(page, ENTER).click();
  await resultOf(page, "done").waitFor();
});

test("another address than the invited one is refused, in both ways, and the invitation stays valid", async (t) => {
  const [user, { user: other }] = [newUser(), await signUp(service)];
  const { path } = await invited(user.email);
  const page = await openPage(t, service, path, DESKTOP, refusals(403));
  await fill(page, NEW, newUser());
  await button(page, CREATE).click();
  await resultOf(page, "error").getByText("is for another address. Enter the one to which it was sent").waitFor();
  await fill(page, OWN, other);
  await button(page, ENTER).click();
  await resultOf(page, "error").getByText("another address than that of this account").waitFor();
  assert.deepEqual(postsOf(page).slice(1), ["/auth/login", "/invitations/accept", "/auth/logout"]);
  await fill(page, NEW, user);
  await button(page, CREATE).click();
  await resultOf(page, "done").waitFor();
  await assertMember(user);
});

test("an invitation that was used says so, in both ways", async (t) => {
  const { user, access } = await signUp(service);
  const { path, token } = await invited(user.email);
  assert.equal((await asUser(service, access, "POST", "/invitations/accept", { token })).status, 201);
  for (const [way, name] of [[NEW, CREATE], [OWN, ENTER]]) {
    const page = await openPage(t, service, path, DESKTOP, refusals(401));
    await fill(page, way, user);
    await button(page, name).click();
    await resultOf(page, "error").waitFor();
    assert.match(await textOf(page), /accepted or withdrawn, or has expired\. Ask the person that invited you/);
    assert.equal(await page.locator("form:visible").count(), 0);
    assert.equal(postsOf(page).at(-1), way === NEW ? "/auth/register" : "/auth/logout");
  }
});

test("faults of the input are told at their fields, by the keyboard alone", async (t) => {
  const user = newUser();
  const { path } = await invited(user.email);
  const page = await openPage(t, service, path, DESKTOP, refusals(422));
  await page.getByLabel(NEW).focus();
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.getByLabel(OWN).isChecked(), true);
  await page.keyboard.press("ArrowUp");
  for (const text of ["nobody", "short"]) {
    await page.keyboard.press("Tab");
    await page.keyboard.type(text);
  }
  await page.keyboard.press("Enter");
  await page.locator("#email-error", { hasText: /The address/ }).waitFor();
  assert.equal(await focused(page), "email");
  assert.match(await page.locator("#password-error").innerText(), /The password must have at least 8 characters/);
  await page.getByLabel("E-mail address").fill(user.email);
  await passwordOf(page, NEW).fill(user.password);
  await page.getByLabel("Your name").fill("Ada\u200e");
  await page.keyboard.press("Enter");
  await page.locator("#full_name-error", { hasText: /The name/ }).waitFor();
  assert.equal(await focused(page), "full_name");
  // Another way clears the complaints, and keeps the texts.
  await page.getByLabel(OWN).check();
  assert.equal(await page.locator("[aria-invalid]").count() + (await textOf(page)).length, 0);
  await fill(page, NEW, user);
  await page.getByLabel("Your name").fill("");
  await button(page, CREATE).click();
  await resultOf(page, "done").waitFor();
  assert.equal((await assertMember(user)).full_name, null);
});

test("reading or fetching the page in advance changes nothing", async (t) => {
  const user = newUser();
  const { path } = await invited(user.email);
  await untilSettled(service);
  const stored = await dump(service.db);
  const read = await Promise.all(["GET", "HEAD"].map((method) => send(service, "/invite", { method })));
  read.forEach(({ status }) => assert.equal(status, 200));
  const page = await openPage(t, service, "/verify", DESKTOP);
  // A page without a policy: that of the service forbids even this.
  const rules = JSON.stringify({ prerender: [{ urls: [path], eagerness: "immediate" }] });
  const mailbox = `<link rel="prefetch" href="${path}"><script type="speculationrules">${rules}</script>`;
  await page.route("**/mailbox", (route) => route.fulfill({ contentType: "text/html", body: mailbox }));
  const fetched = page.waitForRequest(`${service.origin}/invite`);
  await page.goto(`${service.origin}/mailbox`);
  await (await fetched).response();
  assert.deepEqual(postsOf(page), []);
  assert.equal(await dump(service.db), stored);
  await page.goto(service.origin + path);
  await fill(page, NEW, user);
  await button(page, CREATE).click();
  await resultOf(page, "done").waitFor();
});

test("where registration is closed, the page says so", async (t) => {
  const closed = await startService(withMailbox({ settings: { REGISTRATION: "closed", BASE_PATH: "/api/v1" } }));
  stopAtEnd(t, closed);
  const page = await openPage(t, closed, "/api/v1/invite#token=1.0", PHONE, refusals(403));
  await fill(page, NEW, newUser());
  await button(page, CREATE).click();
  await resultOf(page, "error").getByText("New accounts are not admitted").waitFor();
  assert.deepEqual(postsOf(page), ["/api/v1/auth/register"], "below the base path");
});

const example = (name) => DESCRIPTION.examples[name].value;
const SIGNED_IN = [200, example("SignedIn")];
const [HANGS, LOST] = ["hangs", "lost"];

/** The texts for answers of `auth/register`, or of `auth/login` and `invitations/accept`. */
const ANSWERS = [
  [NEW, [[429, example("RATE_LIMITED"), 30]], /Try again in 30 seconds/],
  [NEW, [[503, example("SERVICE_UNAVAILABLE"), 3600]], /Try again in 60 minutes/],
  [NEW, [[500, example("INTERNAL_ERROR")]], /could not do this \(500\)/],
  [NEW, [[202, example("MailFlow")]], /Confirm the address first[\s\S]*sign in here/],
  [OWN, [[403, example("AUTH_INACTIVE_USER")]], /account is disabled/],
  [OWN, [[403, { error: { code: "AUTH_EMAIL_NOT_VERIFIED" } }]], /not confirmed yet/],
  [OWN, [SIGNED_IN, [409, example("ROLE_EXISTS")]], /has this role already/],
  [OWN, [SIGNED_IN, [409, example("TOO_MANY_ROLES")]], /too many roles/],
  [OWN, [[429, example("RATE_LIMITED"), 86400]], /Try again in 24 hours/],
  [OWN, [SIGNED_IN, [LOST]], /Check the connection/],
  // The attempt without an answer may have accepted.
  [OWN, [SIGNED_IN, [401, example("AUTH_INVALID_CREDENTIALS")]], /has expired[\s\S]*may have accepted the invitation/],
];

/** Opens the page in front of a service that gives these answers; the list can grow. */
async function answered(t, answers) {
  const page = await openPage(t, service, "/invite#token=1.0", PHONE, /^console: Failed to load resource/);
  await page.route(/\/auth\/|\/accept$|\/me$|\/universities\//, (route) => {
    const [status, json, seconds] = route.request().url().endsWith("/logout") ? [204] : answers.shift();
    const headers = seconds ? { "Retry-After": String(seconds) } : {};
    return status === HANGS || (status === LOST ? route.abort() : route.fulfill({ status, headers, ...(json && { json }) }));
  });
  return page;
}

test("every refusal is explained, and nothing that was typed is lost", async (t) => {
  const answers = [];
  const page = await answered(t, answers);
  const user = newUser();
  for (const [way, sequence, expected] of ANSWERS) {
    answers.push(...sequence);
    await fill(page, way, user);
    await button(page, way === NEW ? CREATE : ENTER).click();
    await page.locator("#result:not([data-kind=wait])", { hasText: expected }).waitFor();
    assert.equal(await focused(page), "result");
    assert.equal(answers.length, 0);
    assert.equal(await page.getByLabel("E-mail address").inputValue(), user.email);
  }
});

test("every role of the API has a name on the page", async () => {
  const { text } = await send(service, "/invite");
  DESCRIPTION.schemas.Role.enum.forEach((role) => assert.ok(text.includes(`data-name="role-${role}"`), role));
});

test("without JavaScript, and without a link, the page says how to go on", async (t) => {
  const blocked = await openPage(t, service, "/invite", { ...PHONE, javaScriptEnabled: false });
  assert.match(await blocked.locator("main").innerText(), /needs JavaScript[\s\S]*open the link again/);
  assert.equal(await blocked.locator("form:visible").count(), 0);
  const page = await openPage(t, service, "/invite", PHONE);
  await resultOf(page, "note").getByText("Open the link of the mail with the invitation").waitFor();
  assert.equal(await page.locator("form:visible").count(), 0);
});

const LONG_NAME = `University of ${"Llanfairpwllgwyngyll".repeat(4)} and of all the others`;
const SHORT = { loc: ["body", "password"], msg: "value must have at least 8 characters", type: "string_too_short" };
const FAULT = { error: { code: "VALIDATION_ERROR", message: "", details: { errors: [SHORT] } }, request_id: "4711" };
const SCENES = [
  ["create", NEW],
  ["enter", OWN],
  ["wait", NEW, [[HANGS]]],
  ["fault", NEW, [[422, FAULT]]],
  ["taken", NEW, [[409, example("CONFLICT")]]],
  ["spent", NEW, [[401, example("AUTH_INVALID_CREDENTIALS")]]],
  ["done", OWN, [SIGNED_IN, [201, example("RoleGrant")], [200, { ...example("University"), name: LONG_NAME }]]],
];

for (const [name, way, answers] of SCENES) {
  test(`fits a phone and a desktop and can be read, light and dark: ${name}`, async (t) => {
    const page = await answered(t, answers ?? []);
    await page.getByLabel(way).check();
    if (answers) {
      await fill(page, way, { email: `${"a.long.address.".repeat(4)}of@a-university.example`, password: "something" });
      await page.keyboard.press("Enter");
      await page.locator(name === "wait" ? "#result > p" : "#result:not([data-kind=wait]) > p").first().waitFor();
    }
    await assertFitsEverywhere(page, `invite-${name}`);
  });
}

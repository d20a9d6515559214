// The pages behind mailed links as a person uses them: in headless Chromium, against the bundle on workerd, with a
// mailbox in place of the sender.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { login, me, newUser, post, register } from "../e2e/support/client.mjs";
import { mailedLink, mails, withMailbox } from "../e2e/support/mailbox.mjs";
import { startService } from "../e2e/support/service.mjs";
import { openPage, requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { assertFitsEverywhere, button, DESKTOP, focused, PHONE, postsOf } from "./support/mailed.mjs";
import { refusals, resultOf } from "./support/mailed.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";

let service;
let networks = 0;

withBrowser();
before(async () => (service = await startService(withMailbox())));
after(() => service?.stop());

/** A network (a /24) of its own for each request: one address gets one mail a minute from the same network. */
const elsewhere = () => ({ "CF-Connecting-IP": `198.18.${(networks += 1)}.1` });

/** A new user, whose verification mail is on its way, and the access token. */
async function registered(at = service, base = "") {
  const user = newUser();
  const { status, body, text } = await post(at, `${base}/auth/register`, user, elsewhere());
  assert.equal(status, 201, text);
  return { ...user, access: body.access_token };
}

/** A new user after asking for a new password, and the mail about it. */
async function forgetful() {
  const user = await registered();
  const { status, text } = await post(service, "/auth/password/forgot", { email: user.email }, elsewhere());
  assert.equal(status, 202, text);
  return { ...user, ...(await mailedLink(service, user.email, "reset")) };
}

const signIn = async (email, password) => (await login(service, { email, password })).status;

test("opening a link sends nothing, and one click sets the new password", async (t) => {
  const { email, password, path, token } = await forgetful();
  const page = await openPage(t, service, path, PHONE);
  const field = page.getByLabel("New password", { exact: true });
  await field.waitFor();
  assert.equal(page.url(), `${service.origin}/reset`, "the address bar has no token");
  await page.reload();
  await field.waitFor();
  assert.equal(await page.locator("#ask").isVisible(), false, "a reload keeps the link");
  assert.equal(await page.getByLabel("Code of the mail").isVisible(), false);
  assert.deepEqual(postsOf(page), []);
  assert.ok(requestsOf(page).every(({ path }) => !path.includes(token)), "no server sees the token");
  assert.equal(await signIn(email, password), 200, "nothing has changed yet");
  assert.equal(await field.getAttribute("autocomplete"), "new-password");
  await field.fill(NEW_PASSWORD);
  await page.getByLabel("Show the password").check();
  assert.equal(await field.getAttribute("type"), "text");
  await button(page, "Set the password").click();
  await resultOf(page, "done").waitFor();
  assert.equal(await focused(page), "result");
  assert.equal(await page.locator("form:visible").count(), 0);
  assert.deepEqual(postsOf(page), ["/auth/password/reset"]);
  assert.deepEqual([await signIn(email, password), await signIn(email, NEW_PASSWORD)], [401, 200]);
  assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), ["{}"], "the tab has forgotten the token");
});

test("a used link says so, and the page asks for a mail whose code sets the password", async (t) => {
  const { email, path, token } = await forgetful();
  const used = await post(service, "/auth/password/reset", { token, new_password: NEW_PASSWORD });
  assert.equal(used.status, 200, used.text);
  const page = await openPage(t, service, path, PHONE, refusals(401));
  await page.getByLabel("New password", { exact: true }).fill(`${NEW_PASSWORD}, once more`);
  await page.keyboard.press("Enter");
  await resultOf(page, "error").waitFor();
  assert.match(await page.locator("#result").innerText(), /was used or has expired[\s\S]*request, for support: \w+/);
  assert.equal(await focused(page), "result");
  await page.getByLabel("E-mail address").fill(` ${email.toUpperCase()} `);
  await button(page, "Send the mail").click();
  await resultOf(page, "note").waitFor();
  const { code } = await mailedLink(service, email, "reset", 2);
  // An impatient person would get no mail, and a flow that leads nowhere.
  await button(page, "Ask for a new mail").click();
  await button(page, "Send the mail").click();
  await resultOf(page, "note").getByText("one mail a minute").waitFor();
  // The tab was dropped and is loaded again.
  await page.reload();
  await page.getByLabel("New password", { exact: true }).fill(`${NEW_PASSWORD}, once more`);
  const wrong = code.replace(/\d/g, (digit) => (Number(digit) + 1) % 10);
  await page.getByLabel("Code of the mail").fill(wrong);
  await button(page, "Set the password").click();
  await resultOf(page, "error").waitFor();
  assert.match(await page.locator("#result").innerText(), /code is wrong or has expired/);
  await page.getByLabel("Code of the mail").fill(`${code.slice(0, 4)} ${code.slice(-4)}`);
  await button(page, "Set the password").click();
  await resultOf(page, "done").waitFor();
  assert.equal(await signIn(email, `${NEW_PASSWORD}, once more`), 200);
  const acts = Array(3).fill("/auth/password/reset");
  assert.deepEqual(postsOf(page), [acts[0], "/auth/password/forgot", ...acts.slice(1)]);
});

test("a password that the service refuses is explained at its field, and the link stays valid", async (t) => {
  const { email, path } = await forgetful();
  const page = await openPage(t, service, path, DESKTOP, refusals(422));
  const field = page.getByLabel("New password", { exact: true });
  for (const [password, complaint] of [["short", /at least 8 characters/], ["password1", /most common passwords/]]) {
    await field.fill(password);
    await button(page, "Set the password").click();
    await page.locator("#new_password-error", { hasText: complaint }).waitFor();
    assert.equal(await focused(page), "new_password");
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await field.inputValue(), password);
  }
  await button(page, "Ask for a new mail").click();
  assert.equal(await focused(page), "email");
  await button(page, "Back").click();
  assert.equal(await focused(page), "new_password");
  await field.fill(NEW_PASSWORD);
  await button(page, "Set the password").click();
  await resultOf(page, "done").waitFor();
  assert.equal(await signIn(email, NEW_PASSWORD), 200);
});

test("the page without a link tells nothing about an address", async (t) => {
  const user = await registered();
  const texts = [];
  for (const email of [user.email, "stranger@mail.example"]) {
    const page = await openPage(t, service, "/reset", DESKTOP);
    await page.getByLabel("E-mail address").fill(email);
    await button(page, "Send the mail").click();
    await resultOf(page, "note").waitFor();
    texts.push(await page.locator("main").innerText());
  }
  assert.equal(texts[0], texts[1]);
  await mailedLink(service, user.email, "reset");
  assert.ok((await mails(service)).every(({ to }) => to !== "stranger@mail.example"));
});

test("an address is confirmed by the link and the password together", async (t) => {
  const { email, password, access } = await registered();
  const { path } = await mailedLink(service, email, "verify");
  const page = await openPage(t, service, path, PHONE, refusals(401));
  await page.waitForURL(`${service.origin}/verify`);
  const field = page.getByLabel("Password of your account");
  assert.equal(await field.getAttribute("autocomplete"), "current-password");
  await page.getByText("cannot tell the owner of the account from a stranger").waitFor();
  await page.getByText("You did not create this account? Close this page").waitFor();
  await field.fill(`${password}, mistyped`);
  await button(page, "Confirm address").click();
  await resultOf(page, "error").waitFor();
  assert.match(await page.locator("#result").innerText(), /password is wrong, or the link/);
  assert.equal(await field.inputValue(), `${password}, mistyped`);
  assert.equal((await me(service, access)).body.email_verified, false);
  await field.fill(password);
  await page.keyboard.press("Enter");
  await resultOf(page, "done").waitFor();
  assert.ok((await page.locator("#result").innerText()).includes(email));
  assert.equal((await me(service, access)).body.email_verified, true);
  assert.deepEqual(postsOf(page), ["/auth/email/verify", "/auth/email/verify"]);
});

test("without a link, the address is confirmed by a code", async (t) => {
  const { email, password, access } = await registered();
  await mailedLink(service, email, "verify");
  const page = await openPage(t, service, "/verify", PHONE);
  await page.getByLabel("E-mail address of your account").fill(email);
  await button(page, "Send the mail").click();
  await resultOf(page, "note").waitFor();
  const { code } = await mailedLink(service, email, "verify", 2);
  await page.getByLabel("Code of the mail").fill(code);
  await page.getByLabel("Password of your account").fill(password);
  await button(page, "Confirm address").click();
  await resultOf(page, "done").waitFor();
  assert.equal((await me(service, access)).body.email_verified, true);
});

test("a second link in the same tab takes the place of the first", async (t) => {
  const { path } = await forgetful();
  const second = await forgetful();
  const page = await openPage(t, service, path, DESKTOP);
  await page.evaluate((hash) => (location.hash = hash), new URL(second.path, service.origin).hash);
  await page.waitForFunction(() => location.hash === "");
  await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
  await button(page, "Set the password").click();
  await resultOf(page, "done").waitFor();
  assert.equal(await signIn(second.email, NEW_PASSWORD), 200);
});

test("a failure says when to try again, and nothing that was typed is lost", async (t) => {
  const { path } = await forgetful();
  const page = await openPage(t, service, path, PHONE, /^console: Failed to load resource/);
  const field = page.getByLabel("New password", { exact: true });
  await field.fill(NEW_PASSWORD);
  const error = (code) => JSON.stringify({ error: { code, message: "", details: {} }, request_id: "r-4711" });
  const answers = [
    [{ status: 429, headers: { "Retry-After": "30" }, body: error("RATE_LIMITED") }, /Try again in 30 seconds/],
    [{ status: 503, headers: { "Retry-After": "3600" }, body: error("UNAVAILABLE") }, /Try again in 60 minutes/],
    [{ status: 429, headers: { "Retry-After": "86400" }, body: error("RATE_LIMITED") }, /Try again in 24 hours/],
    [{ status: 503, body: "<h1>a proxy</h1>" }, /Try again in a minute/],
    [{ status: 500, body: error("INTERNAL_ERROR") }, /could not do this \(500\)[\s\S]*support: r-4711/],
    [undefined, /Check the connection/],
    // The link may have been used by the attempt whose answer was lost.
    [{ status: 401, body: error("AUTH_INVALID_CREDENTIALS") }, /was used or has expired[\s\S]*may have changed/],
  ];
  for (const [answer, expected] of answers) {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    const meet = async (route) => {
      await held;
      await (answer ? route.fulfill(answer) : route.abort());
    };
    await page.route("**/auth/password/reset", meet, { times: 1 });
    await button(page, "Set the password").click();
    await resultOf(page, "wait").getByText("Changing the password…").waitFor();
    assert.ok(await button(page, "Set the password").isDisabled());
    release();
    await resultOf(page, "error").waitFor();
    assert.match(await page.locator("#result").innerText(), expected);
    assert.equal(await focused(page), "result");
    assert.equal(await field.inputValue(), NEW_PASSWORD);
  }
});

test("below a base path", async (t) => {
  const base = "/api/v1";
  const below = await startService(withMailbox({ settings: { BASE_PATH: base } }));
  stopAtEnd(t, below);
  const { email, password } = await registered(below, base);
  const { path } = await mailedLink(below, email, "verify");
  const page = await openPage(t, below, path);
  await page.getByLabel("Password of your account").fill(password);
  await button(page, "Confirm address").click();
  await resultOf(page, "done").waitFor();
  await page.getByRole("link", { name: "Go to your account" }).click();
  await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
  assert.equal(page.url(), `${below.origin}${base}/account`);
});

test("where there is no account page, none is offered", async (t) => {
  const bare = await startService(withMailbox({ settings: { PAGES: "off" } }));
  stopAtEnd(t, bare);
  const { email, password } = await registered(bare);
  const { path } = await mailedLink(bare, email, "verify");
  const page = await openPage(t, bare, path);
  await page.getByLabel("Password of your account").fill(password);
  const read = page.waitForResponse("**/pages/settings.json");
  await button(page, "Confirm address").click();
  await (await read).finished();
  await resultOf(page, "done").waitFor();
  assert.equal(await page.getByRole("link", { name: "Go to your account" }).isVisible(), false);
});

for (const name of ["reset", "verify"]) {
  test(`/${name} without JavaScript says how to go on`, async (t) => {
    const page = await openPage(t, service, `/${name}`, { ...PHONE, javaScriptEnabled: false });
    assert.match(await page.locator("main").innerText(), /needs JavaScript[\s\S]*ask for a code/i);
    assert.equal(await page.locator("form:visible").count(), 0);
  });
}

/** The states of the pages: `[name, path, the way there]`. */
const SCENES = [
  ["reset-ask", "/reset", async () => {}],
  ["reset-link", "/reset#token=1.0", async () => {}],
  ["reset-wait", "/reset#token=1.0", (page) => answering(page, { hangs: true })],
  ["reset-fault", "/reset#token=1.0", (page) => answering(page, { status: 422, body: FAULT })],
  ["reset-spent", "/reset#token=1.0", (page) => answering(page, { status: 401, body: REFUSAL })],
  ["reset-code", "/reset", (page) => answering(page, { status: 202, body: { message: "", flow: "1.0" } })],
  ["reset-done", "/reset#token=1.0", (page) => answering(page, { status: 200, body: { message: "" } })],
  ["verify-ask", "/verify", async () => {}],
  ["verify-link", "/verify#token=1.0", async () => {}],
  ["verify-done", "/verify#token=1.0", (page) => answering(page, { status: 200, body: { email: LONG_ADDRESS } })],
];
const LONG_ADDRESS = `${"a.long.address.".repeat(4)}of@a-department.of-a-university.example`;
const REQUEST = "0123456789abcdef0123456789abcdef";
const REFUSAL = { error: { code: "AUTH_INVALID_CREDENTIALS", message: "", details: {} }, request_id: REQUEST };
const SHORT = { loc: ["body", "new_password"], msg: "value must have at least 8 characters", type: "string_too_short" };
const FAULT = { error: { code: "VALIDATION_ERROR", message: "", details: { errors: [SHORT] } }, request_id: REQUEST };

/** Fills the visible form in and submits it, to this answer. */
async function answering(page, { hangs = false, status, body }) {
  await page.route("**/auth/**", (route) => hangs || route.fulfill({ status, json: body }));
  for (const input of await page.locator("input:visible:not([type=checkbox])").all()) {
    await input.fill("something");
  }
  await page.keyboard.press("Enter");
  await page.locator("#result > p").first().waitFor();
  await page.waitForFunction((waits) => (document.getElementById("result").dataset.kind === "wait") === waits, hangs);
}

for (const [name, path, act] of SCENES) {
  test(`fits a phone and a desktop and can be read, light and dark: ${name}`, async (t) => {
    const page = await openPage(t, service, path, DESKTOP, /status of 4\d\d/);
    await page.locator("form:visible").first().waitFor();
    await act(page);
    await assertFitsEverywhere(page, name);
  });
}

// Sessions, address, API keys, export and erasure on /account, with hostile texts in every list.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parse } from "yaml";

import { PERMISSIONS } from "../../pages/account/permissions.js";
import { from, login, me } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { mailedLink } from "../e2e/support/mailbox.mjs";
import {
  assertGood, atView, button, field, fill, go, openAccount, PASSWORD, registerOnPage, resultOf, signedUp, startPages, typeMailCode,
} from "./support/account.mjs";
import { withBrowser } from "./support/browser.mjs";

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>';
const LONG = `Mozilla/5.0 (${"x".repeat(300)})`;
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0";

let service;

withBrowser();
before(async () => (service = await startPages()));
after(() => service?.stop());

const user = (email) => ({ email, password: PASSWORD });

async function signedIn(t, email, options) {
  const page = await openAccount(t, service, { expected: [401, 403, 409, 422], ...options });
  await signedUp(page, service, email, options);
  return page;
}

test("sessions name their devices, hostile user agents are text, and one is ended", async (t) => {
  const page = await signedIn(t, "ada@mail.example", { name: HOSTILE });
  assert.equal(await page.locator(".who-name").innerText(), HOSTILE);
  const others = await Promise.all([FIREFOX, HOSTILE, LONG].map((agent) => login(service, user("ada@mail.example"), from("198.51.100.7", agent))));
  await go(page, "Sessions");
  await page.getByText("Firefox on Windows").waitFor();
  await page.getByText("This device").waitFor();
  assert.equal(await page.locator(".list-item").count(), 4);
  for (const summary of await page.getByText("User agent", { exact: true }).all()) {
    await summary.click();
  }
  await page.getByText(HOSTILE).last().waitFor();
  await assertGood(page, "sessions");
  await button(page, "End the session of Firefox on Windows").click();
  assert.equal(await resultOf(page, "done"), "The session has ended.");
  assert.equal(await page.locator(".list-item").count(), 3);
  assert.equal((await me(service, others[0].body.access_token)).body.error.code, "AUTH_TOKEN_REVOKED");
});

test("signing out everywhere ends all sessions", async (t) => {
  const page = await signedIn(t, "grace@mail.example");
  const { body } = await login(service, user("grace@mail.example"));
  await go(page, "Sessions");
  await button(page, "Sign out everywhere").click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await atView(page, "Sign in");
  assert.match(await resultOf(page, "note"), /sessions have ended/);
  assert.equal((await me(service, body.access_token)).status, 401);
  assert.deepEqual(await page.context().cookies().then((all) => all.filter(({ name }) => name === "__Host-edge-auth")), []);
});

test("the address is changed by the code that went to the new one", async (t) => {
  const page = await signedIn(t, "mary@mail.example");
  await go(page, "Address");
  await assertGood(page, "address");
  await field(page, "New e-mail address").fill("no address");
  await button(page, "Send the mail").click();
  await page.getByText("New e-mail address is not a valid email address.").waitFor();
  await field(page, "New e-mail address").fill("mary.s@mail.example");
  await button(page, "Send the mail").click();
  await resultOf(page, "note");
  await assertGood(page, "address-code");
  await typeMailCode(page, service, "mary.s@mail.example", "Change the address");
  assert.match(await resultOf(page, "done"), /mary\.s@mail\.example now/);
  assert.equal((await login(service, user("mary.s@mail.example"))).status, 200);
});

test("the permissions of the page are those of the description", () => {
  const { components } = parse(readFileSync("openapi.yaml", "utf8"), { maxAliasCount: -1 });
  assert.deepEqual(Object.values(PERMISSIONS).flat().sort(), components.schemas.Permission.enum.toSorted());
});

test("an API key is made, shown once, and withdrawn", async (t) => {
  const page = await signedIn(t, "emmy@mail.example", { permissions: ["clipboard-read", "clipboard-write"] });
  await go(page, "API keys");
  await page.getByText("You have no key.").waitFor();
  await field(page, "Name").fill(HOSTILE);
  await button(page, "Create the key").click();
  await page.getByText("Choose at least one permission.").waitFor();
  await page.getByText("Courses and enrolments").click();
  await page.getByLabel("courses:view").check();
  await page.getByLabel("enrollments:view").check();
  await assertGood(page, "keys-new");
  await button(page, "Create the key").click();
  const key = await page.locator(".secret").innerText();
  assert.match(key, /^ea_sk_/);
  await assertGood(page, "key-once");
  await button(page, "Copy").click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  await button(page, "I have kept the key").click();
  await page.getByText(`The key “${HOSTILE}” is valid.`).waitFor();
  await page.getByText("2 permissions").waitFor();
  assert.equal((await me(service, key)).body.email, "emmy@mail.example");
  assert.ok(!(await page.locator("body").innerHTML()).includes(key));
  await assertGood(page, "keys");
  const [{ days }] = await rows(service.db, "SELECT (expires_at - created_at) / 86400000 AS days FROM api_keys");
  assert.ok(Math.abs(days - 90) <= 1, `${days}`);
  await page.getByRole("button", { name: /^Withdraw / }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("The key is withdrawn.").waitFor();
  assert.equal((await me(service, key)).status, 401);
});

test("the export is one file with all pages, and asks for the password after ten minutes", async (t) => {
  const page = await signedIn(t, "lise@mail.example");
  const [{ id }] = await rows(service.db, "SELECT id FROM users WHERE email = 'lise@mail.example'");
  await rows(service.db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
    INSERT INTO audit_events (type, user_id, created_at, request_id) SELECT 'signed_in', ?1, i, 'test' FROM n`, id);
  await rows(service.db, "UPDATE sessions SET created_at = created_at - 3600000");
  await page.reload();
  await atView(page, "Overview");
  await go(page, "Your data");
  await assertGood(page, "data");
  const saving = page.waitForEvent("download");
  await button(page, "Export my data").click();
  await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  await assertGood(page, "step-up-password");
  await field(page, "Password").fill("wrong");
  await button(page, "Confirm").click();
  await page.getByText("That was not right.").waitFor();
  await field(page, "Password").fill(PASSWORD);
  await button(page, "Confirm").click();
  const saved = await saving;
  assert.match(saved.suggestedFilename(), /^account-\d{4}-\d\d-\d\d\.json$/);
  const exported = JSON.parse(await readFile(await saved.path(), "utf8"));
  assert.equal(exported.user.email, "lise@mail.example");
  assert.ok(exported.audit_events.length >= 600);
  assert.equal(new Set(exported.audit_events.map(({ id: event }) => event)).size, exported.audit_events.length);
  assert.equal("next_cursor" in exported, false);
});

test("the account is deleted after its address is typed", async (t) => {
  const page = await openAccount(t, service, { expected: [401] });
  await registerOnPage(page, "olga@mail.example");
  await atView(page, "Overview");
  await go(page, "Your data");
  await button(page, "Delete my account").click();
  await assertGood(page, "delete");
  await button(page, "Delete for ever").click({ force: true });
  assert.equal(await page.getByRole("dialog").count(), 1);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Delete my account");
  await button(page, "Delete my account").click();
  await fill(page, { "Type olga@mail.example to confirm": "olga@mail.example" });
  await page.keyboard.press("Enter");
  await atView(page, "Sign in");
  assert.equal(await resultOf(page, "note"), "Your account is deleted.");
  assert.deepEqual(await rows(service.db, "SELECT id FROM users WHERE email = 'olga@mail.example'"), []);
  await assertGood(page, "deleted");
});

test("a link of a mail that changes the address is enough, too", async (t) => {
  const page = await signedIn(t, "joan@mail.example");
  await go(page, "Address");
  await field(page, "New e-mail address").fill("joan.c@mail.example");
  await button(page, "Send the mail").click();
  const { path } = await mailedLink(service, "joan.c@mail.example", "verify");
  await page.goto(service.page.origin + path);
  await page.getByLabel("Password of your account").fill(PASSWORD);
  await page.getByRole("button", { name: "Confirm address" }).click();
  await page.getByText("joan.c@mail.example is confirmed").waitFor();
});

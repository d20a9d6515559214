// The security view of /account: password, authenticator app, recovery codes, passkeys, and the code that some roles need first.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { login, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { until } from "../e2e/support/faults.mjs";
import { mails } from "../e2e/support/mailbox.mjs";
import { totp, wrongCodes } from "../e2e/support/totp.mjs";
import {
  assertGood, atView, button, field, fill, forgetSteps, go, keepCodes, openAccount, PASSWORD, resultOf, setUpApp, signedUp,
  signInOnPage, startPages,
} from "./support/account.mjs";
import { virtualAuthenticator } from "./support/authenticator.mjs";
import { withBrowser } from "./support/browser.mjs";

let service;

withBrowser();
before(async () => (service = await startPages({ settings: { MFA_REQUIRED_ROLES: '["PLATFORM_ADMIN"]' } })));
after(() => service?.stop());

async function atSecurity(t, email, options) {
  const page = await openAccount(t, service, { expected: [401, 403, 409, 422], ...options });
  await virtualAuthenticator(page);
  await signedUp(page, service, email);
  await go(page, "Security");
  return page;
}

test("the password is changed with the present one", async (t) => {
  const page = await atSecurity(t, "ada@mail.example");
  await assertGood(page, "security");
  await fill(page, { "Current password": "wrong", "New password": "another horse battery" });
  await button(page, "Change the password").click();
  assert.match(await resultOf(page, "error"), /The current password is wrong/);
  await fill(page, { "Current password": PASSWORD, "New password": "short" });
  await button(page, "Change the password").click();
  await page.getByText("New password must have at least 8 characters.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "new_password");
  await assertGood(page, "password-fault");
  await field(page, "New password").fill("another horse battery");
  await button(page, "Change the password").click();
  assert.match(await resultOf(page, "done"), /The password is changed/);
  const { status } = await login(service, { email: "ada@mail.example", password: "another horse battery" });
  assert.equal(status, 200);
});

test("an app is set up by picture or secret, with codes to keep; a wrong code is told at its field", async (t) => {
  const page = await atSecurity(t, "grace@mail.example", { permissions: ["clipboard-read", "clipboard-write"] });
  await button(page, "Set up an app").click();
  const picture = page.locator("img.qr");
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.complete && image.naturalWidth > 0), "the policy admits the picture");
  assert.match(await picture.getAttribute("alt"), /QR code/);
  await assertGood(page, "app-offer");
  await page.getByRole("button", { name: "Copy the secret" }).click();
  await page.getByText("Copied").waitFor();
  const secret = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(secret, /^[A-Z2-7]{32}$/);
  await field(page, "Code that the app shows").fill(wrongCodes(secret, 1)[0]);
  await button(page, "Activate the app").click();
  await page.getByText("The code is not the present code of the authenticator app.").waitFor();
  await field(page, "Code that the app shows").fill(totp(secret));
  await button(page, "Activate the app").click();

  await page.locator(".codes li").first().waitFor();
  await assertGood(page, "recovery-codes");
  const codes = await page.locator(".codes li").allInnerTexts();
  const [saved] = await Promise.all([page.waitForEvent("download"), button(page, "Save as a file").click()]);
  assert.equal(saved.suggestedFilename(), "recovery-codes.txt");
  const file = await readFile(await saved.path(), "utf8");
  assert.ok(codes.every((code) => file.includes(code)));
  await page.keyboard.press("Escape");
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.getByText("Keep your recovery codes").isVisible(), false);
  assert.equal(await page.locator(".codes").isVisible(), true);
  await page.screenshot({ path: "dist/screenshots/account-print.png" });
  await page.emulateMedia({ media: "screen" });
  await button(page, "Done").click({ force: true });
  assert.equal(await page.locator("dialog").count(), 1, "the codes stay until they are kept");
  await keepCodes(page);
  await page.getByText("The app is active.").waitFor();
});

test("recovery codes are replaced and the app is removed, after a step-up by its code", async (t) => {
  const page = await atSecurity(t, "mary@mail.example");
  const { secret } = await setUpApp(page, service);
  await button(page, "Make new codes").click();
  await assertGood(page, "confirm-dialog");
  await page.getByRole("dialog").getByRole("button", { name: "Make new codes" }).click();
  await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  await assertGood(page, "step-up");
  await field(page, "Code of the authenticator app").fill(totp(secret));
  await button(page, "Confirm").click();
  await keepCodes(page);
  assert.match(await resultOf(page, "done"), /The new codes are valid/);
  await button(page, "Remove the app").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove the app" }).click();
  await page.getByText("The app is removed.").waitFor();
  await button(page, "Set up an app").waitFor();
});

test("a step-up that is cancelled does nothing, and the next attempt asks again", async (t) => {
  const page = await atSecurity(t, "olga@mail.example");
  const { secret } = await setUpApp(page, service);
  await forgetSteps(service);
  for (const isConfirmed of [false, true]) {
    await button(page, "Remove the app").click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove the app" }).click();
    await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
    if (isConfirmed) {
      await field(page, "Code of the authenticator app").fill(totp(secret));
      await button(page, "Confirm").click();
      await page.getByText("The app is removed.").waitFor();
    } else {
      await page.keyboard.press("Escape");
      await page.getByText("Not done: it needs your confirmation.").waitFor();
    }
  }
});

test("passkeys are added, renamed and removed; names of strangers are text", async (t) => {
  const page = await atSecurity(t, "emmy@mail.example");
  await button(page, "Add a passkey").click();
  await assertGood(page, "passkey-add");
  await field(page, "Name").fill("<img src=x onerror=alert(1)>");
  await button(page, "Next").click();
  await keepCodes(page);
  await page.getByText("The passkey “<img src=x onerror=alert(1)>” is added.").waitFor();
  await page.getByRole("button", { name: /^Rename/ }).click();
  await field(page, "Name").fill("");
  await field(page, "Name").fill("   ");
  await button(page, "Save").click();
  await page.getByText("Name must have at least 1 visible character.").waitFor();
  await field(page, "Name").fill("Laptop ".repeat(14));
  await button(page, "Save").click();
  await page.getByText("The passkey is called").waitFor();
  await assertGood(page, "passkeys");
  await button(page, "Add a passkey").click();
  await button(page, "Next").click();
  // A session without a second factor is asked for the one that it has now.
  await button(page, "Use a passkey").click();
  await page.getByText("This device has a passkey of your account already.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^Remove Laptop/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("The passkey is removed.").waitFor();
});

test("a step-up by the passkey", async (t) => {
  const page = await atSecurity(t, "lise@mail.example");
  await button(page, "Add a passkey").click();
  await button(page, "Next").click();
  await keepCodes(page);
  await button(page, "Make new codes").click();
  await page.getByRole("dialog").getByRole("button", { name: "Make new codes" }).click();
  await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  await button(page, "Use a passkey").click();
  await keepCodes(page);
});

/** Asks for the code that a role needs, and types it; the page that asks for it has a name. */
async function goOnByMail(page, email, name) {
  await button(page, "Send the mail").click();
  await page.getByText("Type its code here.").waitFor();
  await assertGood(page, name);
  const isMeant = ({ to, text }) => to === email && !text.includes("/verify#");
  const mail = await until("the mail", async () => (await mails(service)).findLast(isMeant));
  await field(page, "Code of the mail").fill(mail.text.match(/\b\d{4}[ -]?\d{4}\b/)[0]);
  await button(page, "Go on").click();
}

test("the first factor of an administrator needs a mailed code", async (t) => {
  const page = await atSecurity(t, "root@mail.example");
  await rows(service.db, `INSERT INTO user_university_roles (user_id, role, created_at)
    SELECT id, 'PLATFORM_ADMIN', 0 FROM users WHERE email = 'root@mail.example'`);
  await page.reload();
  await button(page, "Set up an app").click();
  await goOnByMail(page, "root@mail.example", "enrolment-code");
  const secret = (await page.locator(".secret").innerText()).replace(/\s/g, "");
  await field(page, "Code that the app shows").fill(totp(secret));
  await button(page, "Activate the app").click();
  await keepCodes(page);
});

test("a person whose role needs a second factor confirms a suspended one with the code of a mail", async (t) => {
  const page = await atSecurity(t, "hedy@mail.example");
  const ofHedy = "FROM users WHERE email = 'hedy@mail.example'";
  await rows(service.db, `INSERT INTO user_university_roles (user_id, role, created_at) SELECT id, 'PLATFORM_ADMIN', 0 ${ofHedy}`);
  await rows(service.db, `
    INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at, suspended_at)
    SELECT 1, id, 1, '', '', 1, 2 ${ofHedy}`);
  await go(page, "Overview");
  await button(page, "Confirm them").click();
  await goOnByMail(page, "hedy@mail.example", "overview-code");
  await page.getByText("They count again.").waitFor();
  assert.deepEqual(await rows(service.db, `SELECT suspended_at FROM totp_secrets WHERE user_id = (SELECT id ${ofHedy})`), [{ suspended_at: null }]);
  assert.equal(await button(page, "Confirm them").count(), 0);
  assert.equal(await button(page, "Go on").count(), 0);
});

test("an address that is not confirmed has no second factor, and the page says why", async (t) => {
  const user = newUser();
  await signUp(service, user);
  const page = await openAccount(t, service, { expected: [403] });
  await signInOnPage(page, user.email, user.password);
  await atView(page, "Overview");
  await go(page, "Security");
  await page.getByText("Second factors need a confirmed address.").waitFor();
  await button(page, "Set up an app").click();
  assert.equal(await resultOf(page, "error"), "Confirm your address first.");
});

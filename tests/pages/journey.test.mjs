// The life of an account in the pages, from an empty database to its erasure, with the mails in between: of a person, and of
// the administrators. It also makes the pictures of the README, which `make pictures` keeps.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { after, before, test } from "node:test";

import { rows } from "../e2e/support/database.mjs";
import { mailedLink } from "../e2e/support/mailbox.mjs";
import { appoint } from "../e2e/support/roles.mjs";
import { totp } from "../e2e/support/totp.mjs";
import { atView, button, field, fill, forgetSteps, go, keepCodes, link, openAccount, PASSWORD } from "./support/account.mjs";
import { registerOnPage, signInOnPage, startPages, typeMailCode } from "./support/account.mjs";
import { virtualAuthenticator } from "./support/authenticator.mjs";
import { openPage, SHOTS, withBrowser } from "./support/browser.mjs";
import { addEvents, confirm, headed, press, said, visit } from "./support/console.mjs";
import { DESKTOP, resultOf } from "./support/mailed.mjs";

const [ADA, BOSS, GRACE] = ["ada@mail.example", "boss@mail.example", "grace@mail.example"];
const NEW_PASSWORD = "seven green bottles on a wall";
const HOUR_MS = 3_600_000;

let service;

withBrowser();
before(async () => (service = await startPages({ settings: { APP_NAME: "Analytical Engines" } })));
after(() => service?.stop());

/** The virtual authenticator accepts each offer of a passkey in the field of the address at once. */
const withoutOffer = (context) =>
  context.addInitScript(() => (PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false)));

const open = (t, options = {}) => openAccount(t, service, { ...DESKTOP, prepare: withoutOffer, ...options });
const idOf = async (email) => (await rows(service.db, "SELECT id FROM users WHERE email = ?1", email))[0]?.id;

async function signOut(page) {
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
}

/** Opens the link of the mail, and confirms the address with the password. */
async function confirmAddress(t, email) {
  const { path } = await mailedLink(service, email, "verify");
  const page = await openPage(t, service.page, path);
  await page.getByLabel("Password of your account").fill(PASSWORD);
  await button(page, "Confirm address").click();
  await resultOf(page, "done").waitFor();
}

async function picture(page, name) {
  await page.setViewportSize({ width: 1100, height: 760 });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.evaluate(() => scrollTo(0, 0));
  const path = `${SHOTS}/picture-${name}.png`;
  await page.screenshot({ path });
  if (process.env.PICTURES) {
    mkdirSync(process.env.PICTURES, { recursive: true });
    copyFileSync(path, `${process.env.PICTURES}/${name}.png`);
  }
}

test("a person registers, proves the address, enrols two factors, and signs in by each", async (t) => {
  assert.equal((await rows(service.db, "SELECT id FROM users")).length, 0);
  const page = await open(t, { expected: [401] });
  await virtualAuthenticator(page);
  await registerOnPage(page, ADA, { name: "Ada Lovelace" });
  await atView(page, "Overview");
  await confirmAddress(t, ADA);
  await page.reload();
  await go(page, "Security");
  await button(page, "Add a passkey").click();
  await field(page, "Name").fill("Laptop");
  await button(page, "Next").click();
  await keepCodes(page);
  await page.getByText("The passkey “Laptop” is added.").waitFor();
  const { secret, codes } = await setUpSecondFactor(page);
  await page.reload();
  await atView(page, "Security");
  await page.getByText("10 codes left").waitFor();
  await picture(page, "account");
  await signOut(page);

  await signInOnPage(page, ADA);
  await field(page, "Code of the authenticator app").fill(totp(secret));
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  await signOut(page);
  await button(page, "Sign in with a passkey").click();
  await atView(page, "Overview");
  await signOut(page);
  await signInOnPage(page, ADA);
  await button(page, "Use a recovery code").click();
  await field(page, "Recovery code").fill(codes[0]);
  await button(page, "Sign in").click();
  await atView(page, "Overview");
});

/** Sets up an app beside the passkey, which is asked for in between. Brings new recovery codes. */
async function setUpSecondFactor(page) {
  await button(page, "Set up an app").click();
  await button(page, "Use a passkey").click();
  const secret = (await page.locator(".secret").innerText()).replace(/\s/g, "");
  await field(page, "Code that the app shows").fill(totp(secret));
  await button(page, "Activate the app").click();
  const codes = await keepCodes(page);
  await forgetSteps(service);
  return { secret, codes };
}

test("a forgotten password is replaced by mail, and a session on another device ends", async (t) => {
  const [page, other] = [await open(t), await open(t)];
  await registerOnPage(page, GRACE);
  await atView(page, "Overview");
  await confirmAddress(t, GRACE);
  await signOut(page);
  await link(page, "Forgot the password?").click();
  await atView(page, "Choose a new password");
  await field(page, "E-mail address").fill(GRACE);
  await button(page, "Send the mail").click();
  await field(page, "New password").fill(NEW_PASSWORD);
  await typeMailCode(page, service, GRACE, "Save the new password", { kind: "reset" });
  await atView(page, "The password is changed");
  await link(page, "Sign in with the new password").click();
  await signInOnPage(page, GRACE, NEW_PASSWORD);
  await atView(page, "Overview");

  await signInOnPage(other, GRACE, NEW_PASSWORD);
  await atView(other, "Overview");
  await go(page, "Sessions");
  await page.getByRole("button", { name: /^End/ }).click();
  await page.getByText("The session has ended.").waitFor();
  const left = await rows(service.db, "SELECT id FROM sessions WHERE user_id = ?1", await idOf(GRACE));
  assert.equal(left.length, 1);
});

test("an administrator invites, disables and erases; the invited person accepts by the mail's link", async (t) => {
  const page = await open(t);
  await registerOnPage(page, BOSS, { name: "Charles Babbage" });
  await atView(page, "Overview");
  await confirmAddress(t, BOSS);
  await appoint(service, { id: await idOf(BOSS) });
  await addTraffic();
  await page.goto(`${service.page.origin}/console`);
  await headed(page, "Overview");
  await page.locator(".chart").first().waitFor();
  await picture(page, "console");

  await visit(page, "Universities");
  await page.getByLabel("Name", { exact: true }).fill("University of London");
  await page.getByLabel("Short name").fill("london");
  await press(page, "Add a university");
  await page.getByRole("link", { name: "University of London" }).click();
  await page.getByLabel("E-mail address or user id").fill("mary@mail.example");
  await page.getByLabel("Role", { exact: true }).selectOption("Instructor");
  await press(page, "Grant the role");
  await page.getByText("mary@mail.example is invited").waitFor();
  await accept(t);

  await visit(page, "Users");
  await page.getByRole("link", { name: "mary@mail.example" }).click();
  await press(page, "Disable the account");
  await confirm(page, "Disable");
  await said(page, "The account is disabled.");
  await press(page, "Erase the account");
  await confirm(page, "Erase for good", "mary@mail.example");
  await headed(page, "Users");
  assert.equal(await idOf("mary@mail.example"), undefined);
});

/** The invited person makes an account on the page of the mail's link. */
async function accept(t) {
  const { path } = await mailedLink(service, "mary@mail.example", "invite");
  const page = await openPage(t, service.page, path);
  await page.getByLabel("a new account").check();
  await page.getByLabel("E-mail address").fill("mary@mail.example");
  await page.getByRole("textbox", { name: "New password" }).fill(PASSWORD);
  await button(page, "Create the account and accept").click();
  await resultOf(page, "done").waitFor();
}

/** A day of a university, for the picture. */
async function addTraffic() {
  const hours = Array.from({ length: 23 }, (_, index) => Date.now() - (index + 1) * HOUR_MS);
  const wave = (at) => Math.round(30 + 25 * Math.sin((new Date(at).getUTCHours() - 8) / 3.8));
  await addEvents(service, hours.flatMap((at) => [
    { at, type: "signed_in", count: wave(at) },
    { at, type: "sign_in_refused", count: Math.round(wave(at) / 6) },
  ]));
}

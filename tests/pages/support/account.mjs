// Shared by the tests of /account: a service with mailbox and passkeys at localhost, its pages, and the steps of a person there.
import assert from "node:assert/strict";

import { mailedLink, withMailbox } from "../../e2e/support/mailbox.mjs";
import { startService } from "../../e2e/support/service.mjs";
import { totp } from "../../e2e/support/totp.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { freePort } from "./authenticator.mjs";
import { assertAccessible } from "./axe.mjs";
import { assertFits, openPage, SHOTS } from "./browser.mjs";
import { assertReadable } from "./contrast.mjs";
import { DESKTOP, PHONE, refusals } from "./mailed.mjs";

export const PASSWORD = "correct horse battery staple";

/** The line of Chromium about an answer that a test has lost. */
const LOST = /^console: Failed to load resource: net::ERR_/;

/** A service whose pages are opened at localhost: browsers take no IP address as RP ID. */
export async function startPages({ settings = {}, port: wanted, ...options } = {}) {
  const port = wanted ?? (await freePort());
  const origin = `http://localhost:${port}`;
  const passkeys = { WEBAUTHN_RP_ID: "localhost", WEBAUTHN_ORIGINS: JSON.stringify([origin]), PASSWORD_ITERATIONS: "1" };
  const service = await startService(withMailbox({ port, settings: { APP_NAME: "University login", ...passkeys, ...settings }, ...options }));
  return Object.assign(service, { page: { origin } });
}

/**
 * Opens /account, and waits until it shows a view. Colours that change slowly would disturb the measured contrasts. `allowed` are
 * further lines that the test expects.
 */
export async function openAccount(t, service, { hash = "", expected = [], path = "/account", prepare, allowed, ...options } = {}) {
  const sources = [...(expected.length > 0 ? [refusals(...expected), LOST] : []), ...(allowed ? [allowed] : [])];
  const lines = sources.length === 0 ? undefined : new RegExp(sources.map(({ source }) => source).join("|"));
  const page = await openPage(t, service.page, path + hash, { reducedMotion: "reduce", ...options }, lines, prepare);
  await page.locator("h1").waitFor();
  return page;
}

export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const field = (page, label) => page.getByLabel(label, { exact: true });
export const notice = (page, kind) => page.locator(`.notice[data-kind=${kind}]`);
export const link = (page, name) => page.getByRole("link", { name, exact: true });
export const headingOf = (page) => page.locator("h1").textContent();

/** Waits for a view by its heading. */
export async function atView(page, title) {
  await page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
}

/** Waits for a result, and returns its text. */
export async function resultOf(page, kind) {
  await notice(page, kind).first().waitFor();
  return (await notice(page, kind).first().innerText()).trim();
}

export async function fill(page, values) {
  for (const [label, value] of Object.entries(values)) {
    await field(page, label).fill(value);
  }
}

/** Registers on the page; the overview appears. */
export async function registerOnPage(page, email, { name = "", password = PASSWORD } = {}) {
  await link(page, "Create an account").click();
  await atView(page, "Create an account");
  await fill(page, { "E-mail address": email, Password: password, "Name (optional)": name });
  await button(page, "Create the account").click();
}

/** Types the code of the newest mail. */
export async function typeMailCode(page, service, email, submit, { kind = "verify", count = 1 } = {}) {
  const { code } = await mailedLink(service, email, kind, count);
  await field(page, "Code of the mail").fill(code);
  await button(page, submit).click();
}

/** A user with a proven address, signed in on the page. */
export async function signedUp(page, service, email, options) {
  await registerOnPage(page, email, options);
  await atView(page, "Overview");
  await rows(service.db, "UPDATE users SET email_verified_at = created_at WHERE email = ?1", email);
  await page.reload();
  await atView(page, "Overview");
}

export async function signInOnPage(page, email, password = PASSWORD) {
  await fill(page, { "E-mail address": email, Password: password });
  await button(page, "Sign in").click();
}

export async function go(page, title) {
  await link(page, title).click();
  await atView(page, title);
}

/** Sets up an authenticator app in the security view; returns `{secret, codes}`. */
export async function setUpApp(page, service) {
  await button(page, "Set up an app").click();
  const secret = (await page.locator(".secret").innerText()).replace(/\s/g, "");
  await field(page, "Code that the app shows").fill(totp(secret));
  await button(page, "Activate the app").click();
  const codes = await keepCodes(page);
  await page.getByText("The app is active. All other sessions have ended.").waitFor();
  await forgetSteps(service);
  return { secret, codes };
}

/** Closes the dialog of recovery codes, and returns them. */
export async function keepCodes(page) {
  await page.locator(".codes li").first().waitFor();
  const codes = await page.locator(".codes li").allInnerTexts();
  assert.equal(codes.length, 10);
  await page.getByLabel("I have kept the codes").check();
  await button(page, "Done").click();
  return codes;
}

/** Codes count from now on as if none had been used: a test cannot wait for the next step. */
export const forgetSteps = (service) => rows(service.db, "UPDATE totp_secrets SET used_step = NULL WHERE is_confirmed = 1");

/** Fails if the page does not fit, cannot be read or is not accessible, on a phone or a desktop, light or dark. Keeps screenshots. */
export async function assertGood(page, name) {
  for (const { viewport } of [PHONE, DESKTOP]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await assertFits(page);
      await assertReadable(page);
      await assertAccessible(page);
      await page.screenshot({ path: `${SHOTS}/account-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true });
    }
  }
}

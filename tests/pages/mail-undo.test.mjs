// The pages behind the links of notices: the undo of a change of address, and "it was not me". In headless Chromium, against the
// bundle on workerd, with a mailbox in place of the sender.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, changePassword, login, me, newUser, post } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { mailedLink, withMailbox } from "../e2e/support/mailbox.mjs";
import { startService } from "../e2e/support/service.mjs";
import { openPage, requestsOf, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { assertFitsEverywhere, button, DESKTOP, PHONE, postsOf, refusals, resultOf } from "./support/mailed.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
const refused = refusals(401);

let service;

withBrowser();
before(async () => (service = await startService(withMailbox())));
after(() => service?.stop());

/** A user with a proven address, and the access token. */
async function proven(at = service, base = "") {
  const user = newUser();
  const { status, body, text } = await post(at, `${base}/auth/register`, user);
  assert.equal(status, 201, text);
  await rows(at.db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email);
  return { ...user, access: body.access_token };
}

/** The same after a change of address, with the notice to the former one. */
async function moved(at = service, base = "") {
  const user = await proven(at, base);
  const next = newUser().email;
  const asked = await asUser(at, user.access, "PUT", `${base}/users/me/email`, { new_email: next });
  assert.equal(asked.status, 202, asked.text);
  const { code } = await mailedLink(at, next, "verify");
  const proof = { flow: asked.body.flow, code };
  const { status, text } = await post(at, `${base}/auth/email/verify`, proof);
  assert.equal(status, 200, text);
  return { ...user, next, ...(await mailedLink(at, user.email, "undo")) };
}

/** A user whose password was changed, with the notice of it. */
async function noticed() {
  const user = await proven();
  const { status, text } = await changePassword(service, user.access, user.password, NEW_PASSWORD);
  assert.equal(status, 200, text);
  return { ...user, ...(await mailedLink(service, user.email, "not-me")) };
}

for (const [name, prepare, label, operation] of [
  ["undo", moved, "Undo the change", "/auth/email/undo"],
  ["not-me", noticed, "It was not me", "/auth/email/not-me"],
]) {
  test(`/${name}: opening the link sends nothing, and one click takes the account back`, async (t) => {
    const { email, password, access, next, path, token } = await prepare();
    const page = await openPage(t, service, path, PHONE, refused);
    await button(page, label).waitFor();
    assert.equal(page.url(), `${service.origin}/${name}`, "the address bar has no token");
    await page.reload();
    await button(page, label).waitFor();
    assert.deepEqual(postsOf(page), []);
    assert.ok(requestsOf(page).every(({ path }) => !path.includes(token)), "no server sees the token");
    assert.equal((await me(service, access)).status, 200, "nothing has changed yet");
    assert.equal(await page.getByRole("link", { name: "Choose a new password" }).isVisible(), false);
    await button(page, label).click();
    await resultOf(page, "done").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "result");
    assert.equal(await page.locator("form:visible").count(), 0);
    assert.deepEqual(postsOf(page), [operation]);
    assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), ["{}"], "the tab has forgotten the token");
    assert.equal((await me(service, access)).status, 401);
    for (const [address, attempt] of [[email, password], [email, NEW_PASSWORD], [next ?? email, password]]) {
      assert.equal((await login(service, { email: address, password: attempt })).status, 401);
    }
    await page.getByRole("link", { name: "Choose a new password" }).click();
    await page.waitForURL(`${service.origin}/reset`);
    await page.getByLabel("E-mail address").fill(email);
    await button(page, "Send the mail").click();
    const { code } = await mailedLink(service, email, "reset");
    await page.getByLabel("Code of the mail").fill(code);
    await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
    await button(page, "Set the password").click();
    await resultOf(page, "done").waitFor();
    assert.equal((await login(service, { email, password: NEW_PASSWORD })).status, 200);
  });

  test(`/${name}: a used link says so, and leads to a new password`, async (t) => {
    const { path, token } = await prepare();
    assert.equal((await post(service, operation, { token })).status, 200);
    const page = await openPage(t, service, path, DESKTOP, refused);
    await button(page, label).click();
    await resultOf(page, "error").waitFor();
    assert.match(await page.locator("#result").innerText(), /was used or has expired[\s\S]*request, for support: \w+/);
    assert.equal(await page.locator("form:visible").count(), 0);
    assert.ok(await page.getByRole("link", { name: "Choose a new password" }).isVisible());
  });

  test(`/${name}: a failure keeps the link`, async (t) => {
    const { path } = await prepare();
    const page = await openPage(t, service, path, DESKTOP, /^console: Failed to load resource/);
    await page.route(`**${operation}`, (route) => route.abort(), { times: 1 });
    await button(page, label).click();
    await resultOf(page, "error").getByText("Check the connection").waitFor();
    await button(page, label).click();
    await resultOf(page, "done").waitFor();
  });

  test(`/${name} without a link, and without JavaScript, says how to go on`, async (t) => {
    const page = await openPage(t, service, `/${name}`, PHONE);
    await resultOf(page, "note").getByText("Open the link of the mail").waitFor();
    const plain = await openPage(t, service, `/${name}/`, { ...PHONE, javaScriptEnabled: false });
    assert.match(await plain.locator("main").innerText(), /needs JavaScript[\s\S]*open the link again/i);
    for (const each of [page, plain]) {
      assert.equal(await each.locator("form:visible").count(), 0);
      assert.equal(await each.getByRole("link").count(), 0);
    }
  });
}

test("below a base path", async (t) => {
  const base = "/api/v1";
  const below = await startService(withMailbox({ settings: { BASE_PATH: base } }));
  stopAtEnd(t, below);
  const { path } = await moved(below, base);
  const page = await openPage(t, below, path);
  await button(page, "Undo the change").click();
  await resultOf(page, "done").waitFor();
  await page.getByRole("link", { name: "Choose a new password" }).click();
  await page.waitForURL(`${below.origin}${base}/reset`);
});

const REFUSAL = { error: { code: "AUTH_INVALID_CREDENTIALS", message: "", details: {} }, request_id: "0123456789abcdef" };

for (const name of ["undo", "not-me"]) {
  for (const [state, hash, answer] of [
    ["no-link", "", undefined],
    ["link", "#token=1.0", undefined],
    ["done", "#token=1.0", { status: 200, json: { message: "" } }],
    ["spent", "#token=1.0", { status: 401, json: REFUSAL }],
  ]) {
    test(`fits a phone and a desktop and can be read, light and dark: ${name}-${state}`, async (t) => {
      const page = await openPage(t, service, `/${name}${hash}`, DESKTOP, refused);
      if (hash) {
        await page.locator("form:visible").waitFor();
      }
      if (answer) {
        await page.route("**/auth/**", (route) => route.fulfill(answer));
        await page.locator("form button").click();
        await page.locator("#next").waitFor();
      }
      await assertFitsEverywhere(page, `${name}-${state}`);
    });
  }
}

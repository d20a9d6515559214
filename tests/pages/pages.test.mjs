// The API pages as a user sees them: in headless Chromium, against the bundle on workerd. Every request that a
// page makes, every message on its console and every violation of its policy is checked.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startService } from "../e2e/support/service.mjs";
import { assertFits, openPage, SHOTS, withBrowser } from "./support/browser.mjs";

let service;

withBrowser();
before(async () => (service = await startService({ settings: { APP_NAME: "University login" } })));
after(() => service?.stop());

/** Executes an operation unchanged and returns its answer. */
async function execute(page, operationId) {
  const operation = page.locator(`[id$="-${operationId}"]`);
  await operation.locator(".opblock-summary").click();
  const answered = page.waitForResponse((response) => response.request().resourceType() === "fetch");
  await operation.locator("button.execute").click();
  const response = await answered;
  await operation.locator(".live-responses-table .response-col_status").first().waitFor();
  return { status: response.status(), body: await response.json() };
}

test("Swagger UI: every example succeeds unchanged, and a token is taken over automatically", async (t) => {
  const page = await openPage(t, service, "/");
  assert.equal(new URL(page.url()).pathname, "/docs");
  await page.locator(".opblock").first().waitFor();
  assert.equal(await page.title(), "University login");
  assert.equal((await execute(page, "register")).status, 201);
  const me = await execute(page, "getCurrentUser");
  assert.deepEqual([me.status, me.body.email], [200, "ada@example.com"], "authorised by the registration");
  assert.equal((await execute(page, "login")).status, 200);
  assert.equal((await execute(page, "refresh")).status, 200, "the example stands for the newest refresh token");
  assert.equal((await execute(page, "getHealth")).status, 200);
  await page.screenshot({ path: `${SHOTS}/docs.png` });
  assert.equal((await execute(page, "logout")).status, 200);
});

test("Swagger UI: a token can be typed into Authorize", async (t) => {
  const registered = await fetch(`${service.origin}/auth/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email: "grace@example.com", password: "correct horse battery staple" }),
  });
  const { access_token: accessToken } = await registered.json();
  const page = await openPage(t, service, "/docs");
  await page.locator(".btn.authorize").click();
  const dialog = page.locator(".modal-ux");
  const field = dialog.locator(".auth-container", { hasText: "accessToken" });
  await field.locator("input").fill(accessToken);
  await field.locator("button[type=submit]").click();
  await dialog.locator(".btn-done").first().click();
  const me = await execute(page, "getCurrentUser");
  assert.deepEqual([me.status, me.body.email], [200, "grace@example.com"]);
});

test("ReDoc shows every operation", async (t) => {
  const page = await openPage(t, service, "/redoc");
  await page.getByRole("heading", { name: "Register a user and sign them in" }).first().waitFor();
  await page.waitForFunction(() => document.title === "University login");
  const description = await (await fetch(`${service.origin}/openapi.json`)).json();
  const summaries = Object.values(description.paths).flatMap((item) => Object.values(item).map(({ summary }) => summary));
  const text = await page.locator("#redoc").innerText();
  for (const summary of summaries) {
    assert.ok(text.includes(summary), summary);
  }
  await page.screenshot({ path: `${SHOTS}/redoc.png` });
});

for (const path of ["/docs", "/redoc"]) {
  test(`${path} fits a phone, in dark mode`, async (t) => {
    const page = await openPage(t, service, path, { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
    await page.locator(path === "/docs" ? ".opblock" : "h1").first().waitFor();
    await assertFits(page);
    const brightness = await page.evaluate(() => {
      const style = getComputedStyle(document.documentElement).backgroundColor;
      return Math.max(...style.match(/\d+/g).slice(0, 3).map(Number));
    });
    assert.ok(brightness < 100, "the background is dark");
    await page.screenshot({ path: `${SHOTS}${path}-phone-dark.png` });
  });
}

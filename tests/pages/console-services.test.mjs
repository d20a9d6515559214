// Service accounts in /console, as an administrator of the platform works with them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { send } from "../e2e/support/client.mjs";
import { platformAdmin } from "../e2e/support/roles.mjs";
import { withBrowser } from "./support/browser.mjs";
import { confirm, factOf, headed, keep, openConsole, press, said, start, tableOf, visit } from "./support/console.mjs";
import { refusals } from "./support/mailed.mjs";

let service;
let boss;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
});
after(() => service?.stop());

/** The status of a read of users with a key of a service account. */
const statusWith = async (key) => (await send(service, "/admin/users", { headers: { Authorization: `Bearer ${key}` } })).status;

test("an account from its first key to its end", async (t) => {
  const page = await openConsole(t, service, boss, "", { expected: refusals(409) });
  await visit(page, "Service accounts");
  await page.getByText("No service accounts yet.").waitFor();
  await page.getByLabel("Name", { exact: true }).fill("Gateway");
  await page.getByLabel("users:read").check();
  await page.getByLabel("introspect").check();
  await press(page, "Add a service account");
  const first = await keep(page);
  await said(page, "Gateway is added. Its client id is sa_");
  assert.equal(await statusWith(first), 200);
  assert.deepEqual((await tableOf(page, "Service accounts")).map(([name, , scopes, state]) => [name, scopes, state]), [
    ["Gateway", "introspect, users:read", "Active"],
  ]);
  assert.ok(!(await page.content()).includes(first));

  await page.getByRole("link", { name: "Gateway" }).click();
  await headed(page, "Gateway");
  const second = await makeKey(page, "Next");
  assert.equal(await statusWith(second), 200);
  assert.equal((await tableOf(page, "Keys")).length, 2);
  await press(page, "Make a key");
  await said(page, "The account has two keys", "error");
  await page.getByRole("button", { name: /^Withdraw: Key \d+/ }).click();
  await confirm(page, "Withdraw");
  await said(page, "The key is withdrawn.");
  assert.deepEqual([await statusWith(first), await statusWith(second)], [401, 200]);

  await press(page, "Disable");
  await confirm(page, "Disable");
  await said(page, "The service account is disabled.");
  assert.equal(await statusWith(second), 403);
  await press(page, "Enable");
  await said(page, "The service account is enabled.");
  assert.equal(await statusWith(second), 200);

  await page.getByLabel("users:read").uncheck();
  await press(page, "Save");
  await said(page, "Saved.");
  assert.equal(await factOf(page, "Scopes").innerText(), "introspect");
  assert.equal(await statusWith(second), 403);

  await press(page, "Delete");
  await confirm(page, "Delete", "Gateway");
  await headed(page, "Service accounts");
  await page.getByText("Gateway is deleted.").waitFor();
  assert.equal(await statusWith(second), 401);
});

/** Makes a key that ends on a day, and returns it. */
async function makeKey(page, name) {
  const form = page.locator("#add-key");
  await form.getByLabel("Name (optional)").fill(name);
  await form.getByLabel("Last day").fill("2031-05-31");
  await press(page, "Make a key");
  const key = await keep(page);
  await said(page, "The key is made.");
  const [row] = (await tableOf(page, "Keys")).filter(([label]) => label === name);
  assert.match(row[2], /May 31, 2031|Jun 1, 2031/);
  return key;
}

test("a name that is refused is marked at its field", async (t) => {
  const page = await openConsole(t, service, boss, "#/services", { expected: refusals(422) });
  await page.getByLabel("Name", { exact: true }).fill("\u2800");
  await press(page, "Add a service account");
  await page.locator("#add .fault").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "name");
});

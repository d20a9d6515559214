// Names, user agents, labels and addresses that are attacks: /account and /console show them as texts, and keep their layout.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { newUser, register } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { appoint } from "../e2e/support/roles.mjs";
import { atView, openAccount, signInOnPage } from "./support/account.mjs";
import { SHOTS, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { assertInert, HOSTILE, plant, plantPasskeys } from "./support/hostile.mjs";
import { startAtSite } from "./support/sites.mjs";

let service;
let user;
let id;
withBrowser();
before(async () => {
  service = await startAtSite();
  user = newUser();
  ({ id } = (await register(service, user)).body);
  await appoint(service, { id });
  await plant(service, id);
});
after(() => service?.stop());

const rename = (name) => rows(service.db, "UPDATE users SET full_name = ?2 WHERE id = ?1", id, name);

/** Signs in at a page. */
async function signedIn(t, path) {
  const page = await openAccount(t, service, { path });
  await signInOnPage(page, user.email, user.password);
  await atView(page, "Overview");
  return page;
}

const show = (page, fragment) => page.evaluate((hash) => (location.hash = hash), fragment);

/** Waits until a view has each of these texts so many times, looks for effects of theirs, and keeps screenshots. */
async function assertView(page, label, texts, times = 1) {
  await page.waitForFunction(([texts, times]) => {
    const fields = [...document.querySelectorAll("input")].map(({ value }) => value);
    const shown = [document.body.textContent, ...fields].join("\n");
    return texts.every((text) => shown.split(text).length > times) && !shown.includes("Loading…");
  }, [texts, times]);
  await assertInert(page, label, `${SHOTS}/hostile-${label.replaceAll(" ", "-")}`);
}

describe("/account", () => {
  for (const [index, name] of HOSTILE.entries()) {
    test(`with the name ${index + 1} of its user`, async (t) => {
      await rename(name);
      const page = await signedIn(t, "/account");
      // In the bar and in the field.
      await assertView(page, `account name ${index + 1}`, [name], 2);
    });
  }

  test("with sessions, keys, passkeys and roles", async (t) => {
    await rename("Ada");
    const page = await signedIn(t, "/account");
    t.after(() => rows(service.db, "DELETE FROM passkeys"));
    await plantPasskeys(service, id);
    for (const view of ["overview", "sessions", "keys", "security"]) {
      await show(page, `#/${view}`);
      await assertView(page, `account ${view}`, HOSTILE);
    }
  });

  test("with the questions before a key is withdrawn", async (t) => {
    const page = await signedIn(t, "/account");
    await show(page, "#/keys");
    for (const [index, text] of HOSTILE.entries()) {
      await page.getByRole("button", { name: /^Withdraw/ }).nth(index).click();
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      assert.ok((await dialog.textContent()).includes(text));
      await assertInert(page, `account question ${index + 1}`);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    }
  });
});

describe("/console", () => {
  test("with lists", async (t) => {
    const page = await signedIn(t, "/console");
    for (const view of ["users", "events", "universities", "services"]) {
      await show(page, `#/${view}`);
      await assertView(page, `console ${view}`, HOSTILE);
    }
  });

  /** With the number of the places in which each text stands. */
  const ONES = [["users", 2], ["universities", 4], ["services", 2]];
  for (const [index, text] of HOSTILE.entries()) {
    test(`with one of each, with the text ${index + 1}`, async (t) => {
      const page = await signedIn(t, "/console");
      for (const [view, times] of ONES) {
        await show(page, `#/${view}/${view === "users" ? id + index + 1 : index + 1}`);
        await assertView(page, `console ${view} ${index + 1}`, [text], times);
      }
    });
  }

  test("with a user of many roles and sessions", async (t) => {
    const page = await signedIn(t, "/console");
    await show(page, `#/users/${id}`);
    await assertView(page, "console the user", HOSTILE, 3);
  });
});

test("the name of the application is a text, too", async (t) => {
  const name = HOSTILE.slice(0, 2).join(" ${1} {{1}} ");
  const named = await startAtSite({ settings: { APP_NAME: name } });
  stopAtEnd(t, named);
  for (const path of ["/account", "/console"]) {
    const page = await openAccount(t, named, { path });
    await assertView(page, `app name ${path.slice(1)}`, [name]);
    assert.ok((await page.title()).endsWith(name));
  }
});

// A secret that the service shows an administrator once is shown also if the view is left before the answer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, newUser, send, signUp } from "../e2e/support/client.mjs";
import { createUniversity, made, platformAdmin } from "../e2e/support/roles.mjs";
import { withBrowser } from "./support/browser.mjs";
import { confirm, headed, keep, openConsole, press, said, start, visit } from "./support/console.mjs";
import { hold, pressEscape } from "./support/held.mjs";

let service;
let boss;

withBrowser();
before(async () => {
  service = await start();
  boss = await platformAdmin(service);
});
after(() => service?.stop());

const newAccount = (name) => made(asUser(service, boss.access, "POST", "/admin/service-accounts", { name, scopes: ["users:read"] }));

/** The status of a read of users with a key of a service account. */
const statusWith = async (key) => (await send(service, "/admin/users", { headers: { Authorization: `Bearer ${key}` } })).status;

const assertKey = async (key) => assert.equal(await statusWith(key), 200);

/** Views with a secret: the fragment and the request, the act on the page, and the proof that the secret is the one. */
const SECRETS = {
  "the first key of a service account": async () => ({
    fragment: "#/services",
    path: "admin/service-accounts",
    act: async (page) => {
      await page.getByLabel("Name", { exact: true }).fill("Gateway");
      await page.getByLabel("users:read").check();
      await press(page, "Add a service account");
    },
    prove: assertKey,
    says: "Gateway is added.",
  }),
  "another key of a service account": async () => {
    const { id } = await newAccount("Backend");
    return {
      fragment: `#/services/${id}`,
      path: `admin/service-accounts/${id}/keys`,
      act: (page) => press(page, "Make a key"),
      prove: assertKey,
      says: "The key is made.",
    };
  },
  "the link to a new password": async () => {
    const { id } = await signUp(service);
    return {
      fragment: `#/users/${id}`,
      path: `admin/users/${id}/password-reset`,
      act: async (page) => {
        await press(page, "Link to a new password");
        await confirm(page, "Make the link");
      },
      prove: async (link) => {
        const body = { token: link.split("reset#token=")[1], new_password: newUser().password };
        await made(asUser(service, "", "POST", "/auth/password/reset", body));
      },
      says: "The link is made.",
    };
  },
  "the link of an invitation": async () => {
    const { id } = await made(createUniversity(service, boss));
    const user = newUser();
    return {
      fragment: `#/universities/${id}`,
      path: `universities/${id}/roles`,
      act: async (page) => {
        await page.getByLabel("E-mail address or user id").fill(user.email);
        await press(page, "Grant the role");
      },
      prove: async (link) => {
        const body = { ...user, invitation: link.split("invite#token=")[1] };
        await made(asUser(service, "", "POST", "/auth/register", body));
      },
      says: `${user.email} is invited.`,
    };
  },
};

for (const [name, prepare] of Object.entries(SECRETS)) {
  describe(name, () => {
    test("is shown although the view is left, and works", async (t) => {
      const { fragment, path, act, prove } = await prepare();
      const page = await openConsole(t, service, boss, fragment);
      const answer = await hold(page, "POST", path);
      await act(page);
      await answer.isDue;
      await visit(page, "Events");
      answer.release();
      const secret = await keep(page);
      await headed(page, "Events");
      assert.ok(!(await page.content()).includes(secret));
      await prove(secret);
    });

    test("stays under Escape, and is gone after the person has kept it", async (t) => {
      const { fragment, act, says } = await prepare();
      const page = await openConsole(t, service, boss, fragment);
      await act(page);
      await page.getByRole("dialog").locator(".secret").waitFor();
      await pressEscape(page, { times: 3 });
      const secret = await keep(page);
      await said(page, says);
      assert.ok(!(await page.content()).includes(secret));
    });
  });
}

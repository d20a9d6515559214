// A sign-in with others where it meets two isolates, two secrets, a base path, or registration by invitation. At this level,
// because each isolate has caches of its own, and a restart has none.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { post, send } from "./support/client.mjs";
import { liveSessions } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { accountOf, arrive, exchange, federated, newPerson, profileOf, refusal } from "./support/federation.mjs";
import { RETURN_URL, returned, signInAt, start, started, visit } from "./support/federation.mjs";
import { mailedLink, PUBLIC_URL, withMailbox } from "./support/mailbox.mjs";
import { startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { createUniversity, grantByAddress, made, platformAdmin } from "./support/roles.mjs";
import { SECRET_KEY } from "./support/service.mjs";
import { restarting, startFor } from "./support/start.mjs";

const MANY = 20;
const NEW_KEY = "e2e-6a3c9d02e4f75b8ac1d2e3f4a5b6c7d8";

test("start, callback and exchange may meet different isolates; of twenty exchanges at both one opens a session", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  const service = await startFor(t, { isolates: 2, settings: federated({ acme: { issuer: mock.issuer } }) });
  const [one, other] = service.isolates;
  mock.claims = newPerson();
  const { flow, authorize_url: url } = await started(one, "acme");
  const { code } = returned(await arrive(other, await mock.authorize(url)));
  const use = (_, index) => exchange([one, other][index % 2], { flow, code });
  const answers = await Promise.all(Array.from({ length: MANY }, use));
  const [{ body }, ...others] = answers.toSorted((first, second) => first.status - second.status);
  others.forEach(({ status }) => assert.ok([401, 409].includes(status), String(status)));
  const { id } = await profileOf(one, body.access_token);
  assert.equal((await liveSessions(service.db, id)).length, 1);
});

test("a flow that began before SECRET_KEY changes ends after it; with another key alone it does not", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  mock.claims = newPerson();
  const start = restarting(t);
  const settings = (more) => federated({ acme: { issuer: mock.issuer } }, more);
  const before = await start(settings());
  const [away, back] = [await started(before, "acme"), await started(before, "acme")];
  const { code } = returned(await arrive(before, await mock.authorize(back.authorize_url)));
  const after = await start(settings({ SECRET_KEY: NEW_KEY, SECRET_KEY_PREVIOUS: SECRET_KEY }));
  const { id } = await accountOf(await exchange(after, { flow: back.flow, code }));
  const late = returned(await arrive(after, await mock.authorize(away.authorize_url)));
  assert.equal((await accountOf(await exchange(after, { flow: away.flow, ...late }))).id, id);
  const another = await started(after, "acme");
  const callback = await mock.authorize(another.authorize_url);
  const alone = await start(settings({ SECRET_KEY }));
  assertEnvelope(await arrive(alone, callback), 401, "AUTH_INVALID_CREDENTIALS");
  assert.equal(refusal(await exchange(alone, { flow: another.flow, code })), "401 AUTH_INVALID_CREDENTIALS");
});

test("below a base path the redirect URI has it, and the flow ends there", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  const base = { BASE_PATH: "/login", PUBLIC_URL: `${PUBLIC_URL}/login` };
  const service = await startFor(t, { settings: federated({ acme: { issuer: mock.issuer } }, base) });
  mock.claims = newPerson();
  const begun = await post(service, "/login/auth/federated/acme", { return_url: RETURN_URL });
  assertSuccess(begun, 200);
  const { flow, authorize_url: url } = begun.body;
  const callback = await mock.authorize(url);
  assert.ok(callback.startsWith(`${PUBLIC_URL}/login/auth/federated/acme/callback?`));
  const found = { flow, ...returned(await arrive(service, callback)) };
  assertSuccess(await post(service, "/login/auth/federated/exchange", found), 200);
  const own = await post(service, "/login/auth/federated/acme", { return_url: `${PUBLIC_URL}/login/account` });
  assertSuccess(own, 200);
});

for (const PAGES of ["on", "off"]) {
  test(`with PAGES ${PAGES}, ${PAGES === "on" ? "only" : "not even"} /account and /console of the service are return URLs`, async (t) => {
    const mock = await startMockIssuer(t, "ES256");
    const service = await startFor(t, { settings: federated({ acme: { issuer: mock.issuer } }, { PAGES }) });
    const status = async (page) => (await start(service, "acme", { return_url: `${PUBLIC_URL}${page}` })).status;
    for (const page of ["/account", "/console"]) {
      assert.equal(await status(page), PAGES === "on" ? 200 : 422, page);
    }
    for (const page of ["", "/", "/account/", "/console/", "/account?x", "/console#/users", "/verify", "/docs"]) {
      assert.equal(await status(page), 422, page);
    }
  });
}

test("the pages learn the providers by their names, and none where there are none", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  const providers = { acme: { issuer: mock.issuer, name: "Acme & Co" }, google: {}, github: {} };
  const service = await startFor(t, { settings: federated(providers) });
  const shown = JSON.parse((await send(service, "/pages/settings.json")).text).providers;
  assert.deepEqual(shown, [
    { id: "acme", name: "Acme & Co", steps_up: true },
    { id: "google", name: "Google", steps_up: false },
    { id: "github", name: "GitHub", steps_up: false },
  ]);
  const plain = await startFor(t, { settings: { PUBLIC_URL } });
  assert.deepEqual(JSON.parse((await send(plain, "/pages/settings.json")).text).providers, []);
  const body = { return_url: RETURN_URL, flow: "x", code: "y", id_token: "z" };
  for (const path of ["acme", "exchange", "confirm", "acme/id-token"]) {
    assertEnvelope(await post(plain, `/auth/federated/${path}`, body), 404, "NOT_FOUND");
  }
  assertEnvelope(await send(plain, "/auth/federated/acme/callback?state=x"), 404, "NOT_FOUND");
});

describe("where registration needs an invitation", () => {
  test("the invitation of the address gives account and role; that of another address gives neither", async (t) => {
    const mock = await startMockIssuer(t, "ES256");
    const settings = federated({ acme: { issuer: mock.issuer } });
    const service = await startFor(t, withMailbox({ settings }));
    const boss = await platformAdmin(service);
    const { id: university } = await made(createUniversity(service, boss));
    const invited = async () => {
      const person = newPerson();
      assertSuccess(await grantByAddress(service, boss, university, person.email, "STUDENT"), 202);
      return { person, ...(await mailedLink(service, person.email, "invite")) };
    };
    const [one, other] = [await invited(), await invited()];
    const use = async (person, invitation) => {
      mock.claims = person;
      return exchange(service, await visit(service, "acme", (url) => mock.authorize(url)), {}, { invitation });
    };
    assert.match(refusal(await use(one.person, other.token)), /^40[13]/);
    const { access, id } = await accountOf(await use(one.person, one.token));
    const profile = await profileOf(service, access);
    assert.deepEqual([profile.email_verified, profile.roles.map(({ role }) => role)], [true, ["STUDENT"]]);
    mock.claims = one.person;
    assert.equal((await accountOf(await signInAt(service, "acme", (url) => mock.authorize(url)))).id, id);
  });
});

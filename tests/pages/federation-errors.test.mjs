// Refusals and failures of a sign-in with another provider on /account: each names the next step, which works.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rows } from "../e2e/support/database.mjs";
import { startMockIssuer } from "../e2e/support/providers/mock-issuer.mjs";
import { createUniversity, grantByAddress, made, platformAdmin } from "../e2e/support/roles.mjs";
import { startService } from "../e2e/support/service.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import {
  assertGood, atView, button, field, go, link, openAccount, registerOnPage, resultOf, signInOnPage, startPages,
} from "./support/account.mjs";
import { freePort } from "./support/authenticator.mjs";
import { stopAtEnd, withBrowser } from "./support/browser.mjs";
import {
  credentialsAt, identitiesOf, mailedCode, newPerson, open, refuseThere, signOut, signUpBy, startFederation, visit,
} from "./support/federation.mjs";

const NO_MAIL = { MAIL: "none", MAIL_FROM: undefined };

let place;
let service;

withBrowser();
before(async () => {
  place = await startFederation();
  ({ service } = place);
});
after(() => place?.stop());

test("a person that refuses begins again, or chooses another way", async (t) => {
  const page = await open(t, place);
  await button(page, "Continue with Acme").click();
  await refuseThere(page);
  assert.match(await resultOf(page, "error"), /^You refused at Acme, or left its page/);
  await assertGood(page, "federation-refused");
  await button(page, "Begin again").click();
  await refuseThere(page);
  await resultOf(page, "error");
  await link(page, "Other ways to sign in").click();
  await atView(page, "Sign in");
});

test("an address that is not confirmed at the provider makes no account", async (t) => {
  const page = await open(t, place);
  await visit(page, "Continue with Acme", newPerson(place.acme, { email_verified: false }));
  assert.match(await resultOf(page, "error"), /^Acme has no confirmed address of yours. Confirm one there, and begin again/);
});

test("a disabled account says so, with the request id", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place, { expected: [401, 403] });
  await signUpBy(page, "Acme", person);
  await signOut(page);
  await rows(service.db, "UPDATE users SET is_active = 0 WHERE email = ?1", person.email);
  await button(page, "Continue with Acme").click();
  assert.match(await resultOf(page, "error"), /This account is disabled[\s\S]*Request id for support: /);
});

test("twenty linked accounts are enough", async (t) => {
  const page = await open(t, place, { expected: [409] });
  await registerOnPage(page, "twenty@mail.example");
  await atView(page, "Overview");
  await rows(service.db, "UPDATE users SET email_verified_at = created_at WHERE email = 'twenty@mail.example'");
  await rows(service.db, `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20)
    INSERT INTO identities (user_id, provider, issuer, subject, created_at)
    SELECT (SELECT id FROM users WHERE email = 'twenty@mail.example'), 'acme', 'https://many.example', n, 0 FROM numbers`);
  await page.reload();
  await go(page, "Security");
  await visit(page, "Link Acme", newPerson(place.acme));
  assert.equal(await resultOf(page, "error"), "Your account has 20 linked accounts. Unlink one first.");
});

test("without mail, the owner of the address signs in and links the provider", async (t) => {
  const silent = await startFederation({ settings: NO_MAIL });
  stopAtEnd(t, silent);
  const person = newPerson(silent.acme);
  const page = await open(t, silent);
  await registerOnPage(page, person.email);
  await atView(page, "Overview");
  await signOut(page);
  await visit(page, "Continue with Acme", person);
  assert.match(await resultOf(page, "error"), /An account here has your address at Acme. Sign in with its password or passkey, and link Acme/);
  await assertGood(page, "federation-account-exists");
  await link(page, "Other ways to sign in").click();
  await signInOnPage(page, person.email);
  await atView(page, "Overview");
  await go(page, "Security");
  await button(page, "Link Acme").click();
  await page.getByText("Your account at Acme is linked.").waitFor();
  assert.deepEqual(await identitiesOf(silent.service, person.email), [`acme ${person.sub}`]);
});

test("where registration is closed, an unknown person hears of the other ways", async (t) => {
  const closed = await startFederation({ settings: { REGISTRATION: "closed" } });
  stopAtEnd(t, closed);
  const page = await open(t, closed, { expected: [403] });
  await visit(page, "Continue with Acme", newPerson(closed.acme));
  const text = await resultOf(page, "error");
  assert.match(text, /Your account at Acme is linked to none here/);
  assert.match(text, /This service admits no new accounts/);
  await assertGood(page, "federation-closed");
});

test("where an invitation is needed, the page asks for it", async (t) => {
  const state = stateFolder();
  const earlier = await startService({ state, settings: { PASSWORD_ITERATIONS: "1" } });
  const boss = await platformAdmin(earlier);
  const { id } = await made(createUniversity(earlier, boss));
  const { invitation } = (await grantByAddress(earlier, boss, id, "invited@mail.example", "STUDENT")).body;
  await earlier.stop();
  const inviting = await startFederation({ state, settings: { ...NO_MAIL, REGISTRATION: "invitation" } });
  stopAtEnd(t, inviting);
  const page = await open(t, inviting, { expected: [401, 403] });
  await link(page, "Create an account").click();
  await visit(page, "Continue with Acme", newPerson(inviting.acme, { email: "invited@mail.example" }));
  await field(page, "Invitation").waitFor();
  await assertGood(page, "federation-invitation");
  await field(page, "Invitation").fill("no-invitation");
  await button(page, "Sign in").click();
  assert.match(await resultOf(page, "error"), /The invitation was used or withdrawn/);
  await field(page, "Invitation").fill(invitation.token);
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  await page.getByText("Student").waitFor();
});

test("where addresses are proven first, a new account begins with the code of a mail", async (t) => {
  const strict = await startFederation({ settings: { EMAIL_VERIFICATION: "required" } });
  stopAtEnd(t, strict);
  const person = newPerson(strict.acme);
  const page = await open(t, strict, { expected: [401] });
  await visit(page, "Continue with Acme", person);
  await field(page, "Code of the mail").fill(await mailedCode(strict.service, person.email));
  await button(page, "Sign in").click();
  await atView(page, "Overview");
  await page.getByText("Confirmed", { exact: true }).waitFor();
});

test("below a base path, everything is there", async (t) => {
  const based = await startFederation({ base: "/id/v1" });
  stopAtEnd(t, based);
  const person = newPerson(based.acme);
  const page = await open(t, based);
  await signUpBy(page, "Acme", person);
  assert.equal(page.url(), `${based.service.page.origin}/id/v1/account#/`);
  await rows(based.service.db, "UPDATE users SET email_verified_at = created_at");
  await page.reload();
  await go(page, "Security");
  await visit(page, "Link Zenith", newPerson(based.zenith));
  await page.getByText("Your account at Zenith is linked.").waitFor();
  await signOut(page);
  await page.goto(`${based.service.page.origin}/id/v1/console`);
  await button(page, "Continue with Zenith").click();
  await atView(page, "No administrator's role");
});

describe("a provider that fails", () => {
  let mock;
  let faulty;
  const stops = [];

  before(async () => {
    mock = await startMockIssuer({ after: (stop) => stops.push(stop) });
    mock.metadata = (metadata) => ({ ...metadata, authorization_response_iss_parameter_supported: false });
    const port = await freePort();
    const FEDERATION = JSON.stringify([{ id: "mock", issuer: mock.issuer, name: "Mock" }]);
    const own = { FEDERATION, FEDERATION_ALLOW_PRIVATE: "on", PUBLIC_URL: `http://localhost:${port}` };
    faulty = await startPages({ port, settings: { ...own, ...credentialsAt("MOCK") } });
  });
  after(async () => {
    await faulty?.stop();
    await Promise.all(stops.map((stop) => stop()));
  });

  const openFaulty = (t, expected = []) =>
    openAccount(t, faulty, { expected: [404, ...expected], allowed: new RegExp(`^request: ${mock.issuer.replaceAll(".", "\\.")}/`) });

  test("is told before the page is left, with the time to wait", async (t) => {
    mock.fail("discovery", "500");
    const page = await openFaulty(t, [503]);
    await button(page, "Continue with Mock").click();
    assert.match(await resultOf(page, "error"), /^Mock cannot be reached at the moment. Try again in \d+ (seconds|minutes?), or choose another way/);
    await assertGood(page, "federation-down");
    mock.heal();
    await button(page, "Continue with Mock").click();
    await atView(page, "Overview");
  });

  for (const [name, breaks, expected] of [
    ["an answer that does not come", () => mock.fail("token", "500"), /^Mock cannot be reached at the moment. Begin again in a minute/],
    ["an ID token for another client", () => (mock.claims = { ...mock.claims, aud: "another" }), /^The answer of Mock could not be used/],
    ["a code that it takes back", () => (mock.tokenAnswer = refuseCode), /^The answer of Mock was used before, or is not valid/],
  ]) {
    test(`is told after the return: ${name}`, async (t) => {
      const { claims } = mock;
      t.after(() => {
        mock.heal();
        Object.assign(mock, { claims, tokenAnswer: () => {} });
      });
      breaks();
      const page = await openFaulty(t);
      await button(page, "Continue with Mock").click();
      assert.match(await resultOf(page, "error"), expected);
      mock.heal();
      Object.assign(mock, { claims, tokenAnswer: () => {} });
      await button(page, "Begin again").click();
      await atView(page, "Overview");
    });
  }

  function refuseCode(answer) {
    answer.statusCode = 400;
    answer.body = { error: "invalid_grant" };
  }
});

test("an address that is not confirmed links nothing, and the page says why", async (t) => {
  const page = await open(t, place, { expected: [403] });
  await registerOnPage(page, "unconfirmed@mail.example");
  await atView(page, "Overview");
  await go(page, "Security");
  await button(page, "Link Acme").click();
  assert.equal(await resultOf(page, "error"), "Confirm your address first.");
});

test("a page at another address than the service's own says so before it leaves", async (t) => {
  const elsewhere = { page: { origin: service.page.origin.replace("localhost", "127.0.0.1") } };
  const page = await openAccount(t, elsewhere, { expected: [422] });
  await button(page, "Continue with Acme").click();
  assert.match(await resultOf(page, "error"), /Open this page at the service's own address/);
});

test("a browser that keeps nothing for the page does not leave it", async (t) => {
  const prepare = (context) =>
    context.addInitScript(() => Object.defineProperty(window, "sessionStorage", { get: () => undefined }));
  const page = await open(t, place, { prepare });
  await button(page, "Continue with Acme").click();
  assert.match(await resultOf(page, "error"), /^This browser keeps no data for this page/);
});

test("a service that fails at the exchange is asked again with the same code", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place, { expected: [503] });
  const body = JSON.stringify({ error: { code: "SERVICE_UNAVAILABLE", message: "", details: {} }, request_id: "0123456789abcdef" });
  const busy = { status: 503, headers: { "Content-Type": "application/json", "Retry-After": "30" }, body };
  const answers = [(route) => route.fulfill(busy), (route) => route.abort("connectionreset")];
  await page.route("**/auth/federated/exchange", (route) => (answers.shift() ?? ((other) => other.continue()))(route));
  await visit(page, "Continue with Acme", person);
  assert.match(await resultOf(page, "error"), /busy. Try again in 30 seconds[\s\S]*Request id for support: 0123456789abcdef/);
  await assertGood(page, "federation-busy");
  await button(page, "Try again").click();
  await page.getByText("No answer from the service.").waitFor();
  await button(page, "Try again").click();
  await atView(page, "Overview");
});

// Attacks on the return from other providers to /account: codes and flows of strangers, in both directions; texts of providers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rows } from "../e2e/support/database.mjs";
import { Browser } from "../e2e/support/providers/oidc-provider.mjs";
import { atView, button, go, headingOf, link, openAccount, resultOf, signedUp } from "./support/account.mjs";
import { requestsOf, SHOTS, stopAtEnd, withBrowser } from "./support/browser.mjs";
import { accountField, identitiesOf, newPerson, open, signInThere, signUpBy, startFederation } from "./support/federation.mjs";
import { assertInert, HOSTILE } from "./support/hostile.mjs";

const FOREIGN = "This sign-in was begun in another tab or browser. It has changed nothing here.";

let place;
let service;

withBrowser();
before(async () => {
  place = await startFederation();
  ({ service } = place);
});
after(() => place?.stop());

/** The start of a flow outside the browser of the victim: `{flow, authorize_url}`. */
async function begunElsewhere() {
  const { origin } = service.page;
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ return_url: `${origin}/account` });
  const response = await fetch(`${origin}/auth/federated/acme`, { method: "POST", headers, body });
  assert.equal(response.status, 200);
  return response.json();
}

/** The return URL of a visit of this person outside the browser of the victim, with its code. */
async function returnOf(person) {
  const { authorize_url: url } = await begunElsewhere();
  const callback = await place.acme.authorize(url, { account: person.email, browser: new Browser() });
  const response = await fetch(callback, { redirect: "manual" });
  const location = response.headers.get("location");
  assert.match(location, /^http:\/\/localhost:\d+\/account#code=./);
  return location;
}

const exchanges = (page) => requestsOf(page).filter(({ method, path }) => method === "POST" && path.startsWith("/auth/federated/"));
const sessions = () => rows(service.db, "SELECT count(*) AS count FROM sessions");

/** The page has taken nothing from the fragment, and does not show it. */
async function assertIgnored(page) {
  await page.getByText(FOREIGN).waitFor();
  assert.equal(new URL(page.url()).hash, "#/federated");
  assert.deepEqual(exchanges(page), []);
}

describe("a code of an attacker", () => {
  test("signs a visitor in to nothing, and goes from the address bar and the history", async (t) => {
    const url = new URL(await returnOf(newPerson(place.acme)));
    const before = await sessions();
    const page = await open(t, place, { hash: url.hash });
    await assertIgnored(page);
    assert.ok(!(await page.content()).includes(url.hash.slice(6)));
    await link(page, "Begin again").click();
    await atView(page, "Sign in");
    await page.goBack();
    await atView(page, "Sign in");
    assert.deepEqual(exchanges(page), []);
    assert.deepEqual(await sessions(), before);
  });

  test("links nothing to the account of a signed-in visitor, also in a page that is open", async (t) => {
    const [first, second] = [await returnOf(newPerson(place.acme)), await returnOf(newPerson(place.acme))];
    const page = await open(t, place);
    await signedUp(page, service, "visitor@mail.example");
    for (const url of [first, second]) {
      await page.goto(url);
      await assertIgnored(page);
      await link(page, "Begin again").click();
      await atView(page, "Security");
    }
    assert.deepEqual(await identitiesOf(service, "visitor@mail.example"), []);
  });

  test("does not count for the flow that the visitor has begun", async (t) => {
    const url = await returnOf(newPerson(place.acme));
    const page = await open(t, place, { expected: [401] });
    await button(page, "Continue with Acme").click();
    await accountField(page).waitFor();
    await page.goto(url);
    assert.match(await resultOf(page, "error"), /Not done/);
    assert.equal(await headingOf(page), "Continue with Acme");
    await page.reload();
    await atView(page, "Sign in");
  });
});

test("a strange error for the flow of this tab is told in words of the page", async (t) => {
  const page = await open(t, place);
  for (const error of ["__proto__", "toString", HOSTILE[0]]) {
    await button(page, "Continue with Acme").click();
    await accountField(page).waitFor();
    await page.goto(`${service.page.origin}/account#error=${encodeURIComponent(error)}`);
    assert.match(await resultOf(page, "error"), /^The answer of Acme could not be used/);
    await link(page, "Other ways to sign in").click();
  }
});

describe("a flow of an attacker", () => {
  test("brings the code of a victim to no other browser, and signs the victim in nowhere", async (t) => {
    const victim = newPerson(place.acme);
    const { authorize_url: url } = await begunElsewhere();
    const page = await open(t, place);
    await page.goto(url);
    await signInThere(page, victim);
    await assertIgnored(page);
    assert.equal((await rows(service.db, "SELECT id FROM users WHERE email = ?1", victim.email)).length, 0);
  });

  test("in another tab of the same browser is none of this tab", async (t) => {
    const page = await open(t, place);
    await button(page, "Continue with Acme").click();
    await accountField(page).waitFor();
    const other = await page.context().newPage();
    await other.goto(await returnOf(newPerson(place.acme)));
    await other.getByText(FOREIGN).waitFor();
    await signInThere(page, newPerson(place.acme));
    await atView(page, "Overview");
  });
});

test("an error without a flow is not shown as one, whatever it says", async (t) => {
  for (const error of ["access_denied", HOSTILE[0]]) {
    const page = await open(t, place, { hash: `#error=${encodeURIComponent(error)}` });
    await assertIgnored(page);
    await assertInert(page, error);
  }
});

test("a used return is of no more use", async (t) => {
  const person = newPerson(place.acme);
  const page = await open(t, place);
  const returns = [];
  page.on("response", (response) => response.status() === 303 && returns.push(response.headers().location));
  await signUpBy(page, "Acme", person);
  const url = returns.find((location) => location?.includes("/account#code="));
  await page.goto("about:blank");
  await page.goto(url);
  await page.getByText(FOREIGN).waitFor();
});

test("names of providers, and addresses and names of people there, are texts", async (t) => {
  const [name] = HOSTILE;
  const hostile = await startFederation({ settings: (own) => ({ FEDERATION: renamed(own, name) }) });
  stopAtEnd(t, hostile);
  const person = newPerson(hostile.acme, { name: HOSTILE[1] });
  const page = await open(t, hostile, { expected: [401] });
  await assertInert(page, "sign-in", `${SHOTS}/hostile-federation-sign-in`);
  await signUpBy(page, name, person);
  await rows(hostile.service.db, "UPDATE users SET email_verified_at = created_at");
  await plantIdentities(hostile.service);
  await page.reload();
  await go(page, "Security");
  for (const text of HOSTILE) {
    await page.getByText(text, { exact: false }).first().waitFor();
  }
  await assertInert(page, "security", `${SHOTS}/hostile-federation-security`);
  await page.getByRole("button", { name: /^Unlink/ }).nth(3).click();
  await page.getByRole("dialog").waitFor();
  await assertInert(page, "question");
});

/** The providers with another name of the first one. */
function renamed(own, name) {
  const [acme, ...others] = JSON.parse(own.FEDERATION);
  return JSON.stringify([{ ...acme, name }, ...others]);
}

const plantIdentities = ({ db }) => rows(db, `
  INSERT INTO identities (user_id, provider, issuer, subject, email, created_at)
  SELECT (SELECT min(id) FROM users), 'acme', 'https://hostile.example', key, value, ?2 FROM json_each(?1)`,
  JSON.stringify(HOSTILE), Date.now());

// An identity whose address has an account: only a code that is mailed to the address, or a provider that is authoritative for
// it, joins them. At this level, because the mail is sent behind the response, and the batch that joins runs on a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, me, newIp, newUser, post, refresh, signUp } from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, enrolled } from "./support/factors.mjs";
import { accountOf, bearer, confirmByCode, exchange, identitiesOf, link, presentIdToken } from "./support/federation.mjs";
import { profileOf, refusal, signInAt, started, stored, tired, unlink, visit } from "./support/federation.mjs";
import { forgot, mailedLink, mails, reset, untilSettled, verify, withMailbox } from "./support/mailbox.mjs";
import { APP, startProvided } from "./support/provided.mjs";
import { idTokenOfApp } from "./support/providers/oidc-provider.mjs";
import { appoint } from "./support/roles.mjs";
import { totp } from "./support/totp.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
const REFUSED = "401 AUTH_INVALID_CREDENTIALS";
/** `owner` speaks for the domain of all addresses here. */
const KINDS = { acme: {}, owner: { entry: { authoritative_domains: ["people.example"] } } };

let scene;
let service;
let person;
before(async () => {
  scene = await startProvided({ kinds: KINDS, ...withMailbox({ settings: {} }) });
  ({ service, person } = scene);
});
after(() => scene?.stop());

const mailsTo = async (email) => (await mails(service)).filter(({ to }) => to === email);
let addresses = 0;
const newAddress = () => `member-${(addresses += 1)}@people.example`;

/** A user with a password; the address is proven, unless `isProven` is false. */
async function member({ isProven = true } = {}) {
  const account = await signUp(service, { ...newUser(), email: newAddress() });
  if (isProven) {
    const { token } = await mailedLink(service, account.user.email, "verify");
    assertSuccess(await asUser(service, account.access, "POST", "/auth/email/verify", { token }), 200);
  }
  return account;
}

/** A person whose address at the providers is this one, and an exchange that mails a code: `{flow, code, at}`. */
async function asked(email, id = "acme") {
  const { at } = person({ email });
  const refused = await signInAt(service, id, at(id), { "CF-Connecting-IP": newIp() });
  assert.match(refusal(refused), /^401 AUTH_INVALID_CREDENTIALS \S+$/);
  const { flow } = refused.body.error.details;
  await untilSettled(service);
  const { text } = (await mailsTo(email)).at(-1);
  return { flow, code: text.match(/^\d{8}$/m)[0], at };
}

const wrong = (code) => (code === "00000000" ? "00000001" : "00000000");

describe("a mailed code", () => {
  test("joins identity and account, once; then the provider signs in alone", async () => {
    const account = await member();
    const { flow, code, at } = await asked(account.user.email);
    assert.deepEqual(await identitiesOf(service, account.access), []);
    assert.equal(refusal(await confirmByCode(service, flow, wrong(code))), REFUSED);
    const joined = await accountOf(await confirmByCode(service, flow, code));
    assert.equal(joined.id, account.id);
    assert.deepEqual(joined.claims.amr, ["fed"]);
    assert.equal(refusal(await confirmByCode(service, flow, code)), REFUSED);
    assert.equal((await accountOf(await signInAt(service, "acme", at("acme")))).id, account.id);
    assertSuccess(await login(service, account.user), 200);
    const events = inShort(await eventsOf(service.db, account.id));
    assert.equal(events.filter((event) => event.startsWith("identity_linked")).length, 1);
  });

  test("bears five guesses, and belongs to its flow", async () => {
    const [one, other] = [await asked((await member()).user.email), await asked((await member()).user.email)];
    assert.equal(refusal(await confirmByCode(service, other.flow, one.code)), REFUSED);
    for (let guess = 0; guess < 5; guess += 1) {
      assert.equal(refusal(await confirmByCode(service, one.flow, wrong(one.code))), REFUSED);
    }
    assert.equal(refusal(await confirmByCode(service, one.flow, one.code)), REFUSED);
    assert.equal(refusal(await exchange(service, other)), REFUSED, "it is no code of an exchange");
    await accountOf(await confirmByCode(service, other.flow, other.code));
  });

  test("does not pass a second factor", async () => {
    const account = await member();
    const { secret } = await enrolled(service, account);
    const { flow, code } = await asked(account.user.email);
    const { mfa_token } = assertEnvelope(await confirmByCode(service, flow, code), 401, "AUTH_MFA_REQUIRED");
    assert.deepEqual(await rows(service.db, "SELECT id FROM identities WHERE user_id = ?1", account.id), []);
    const { id } = await accountOf(await complete(service, { mfa_token, code: totp(secret) }));
    assert.equal(id, account.id);
    assert.equal((await rows(service.db, "SELECT id FROM identities WHERE user_id = ?1", account.id)).length, 1);
  });

  test("empties an account whose address was not proven: its password and sessions were perhaps a stranger's", async () => {
    const squatter = await member({ isProven: false });
    const { flow, code } = await asked(squatter.user.email);
    const { id, access } = await accountOf(await confirmByCode(service, flow, code));
    assert.equal(id, squatter.id);
    assertEnvelope(await login(service, squatter.user), 401, "AUTH_INVALID_CREDENTIALS");
    assert.match(refusal(await refresh(service, squatter.refresh)), /^401/);
    assert.match(refusal(await me(service, squatter.access)), /^401/);
    const profile = await profileOf(service, access);
    assert.deepEqual([profile.email_verified, profile.has_password], [true, false]);
    assert.equal((await liveSessions(service.db, id)).length, 1);
  });

  test("takes the account also from a provider's identity that came first with an address that it did not prove", async () => {
    const email = newAddress();
    const squatter = await accountOf(await signInAt(service, "acme", person({ email }).at("acme")));
    const { flow, code } = await asked(email);
    const owner = await accountOf(await confirmByCode(service, flow, code));
    assert.equal(owner.id, squatter.id);
    assert.match(refusal(await me(service, squatter.access)), /^401/);
    assert.equal((await identitiesOf(service, owner.access)).length, 1, "the squatter's identity is gone");
  });
});

describe("a provider that is authoritative for the domain", () => {
  test("makes an account with a proven address", async () => {
    const { at } = person({ email: newAddress() });
    const { access } = await accountOf(await signInAt(service, "owner", at("owner")));
    assert.equal((await profileOf(service, access)).email_verified, true);
  });

  test("joins an account at once, and its owner is told", async () => {
    const account = await member();
    const { at } = person({ email: account.user.email });
    assert.equal((await accountOf(await signInAt(service, "owner", at("owner")))).id, account.id);
    await untilSettled(service);
    const notices = (await mailsTo(account.user.email)).filter(({ text }) => text.includes("/not-me#token="));
    assert.ok(notices.length >= 1);
    assertSuccess(await login(service, account.user), 200);
  });

  test("does not join the account of an administrator without a mailed code", async () => {
    const account = await member();
    await appoint(service, account);
    const { flow, code } = await asked(account.user.email, "owner");
    assert.deepEqual(await identitiesOf(service, account.access), []);
    assert.equal((await accountOf(await confirmByCode(service, flow, code))).id, account.id);
  });

  test("does not speak for other domains, nor for subdomains", async () => {
    for (const domain of ["sub.people.example", "people.example.evil.example", "notpeople.example", "PEOPLE.EXAMPLE.evil"]) {
      const email = `ada@${domain}`;
      const { access } = await accountOf(await signInAt(service, "owner", person({ email }).at("owner")));
      assert.equal((await profileOf(service, access)).email_verified, false, email);
    }
  });

  test("that says the address is not verified joins nothing", async () => {
    const account = await member();
    const liar = person({ email: account.user.email, email_verified: false });
    assert.equal((await visit(service, "owner", liar.at("owner"))).error, "verified_email_required");
  });
});

describe("a new account whose address the provider does not speak for", () => {
  const signsUp = {
    "by a browser": ({ at }) => signInAt(service, "acme", at("acme")),
    async "by an app"({ sub }) {
      const { flow, nonce } = await started(service, "acme", { native: true });
      const token = await idTokenOfApp(scene.providers.acme, APP, { nonce, account: sub });
      return presentIdToken(service, "acme", flow, token);
    },
  };
  for (const [way, signUpBy] of Object.entries(signsUp)) {
    test(`${way}: the answer has the flow of the mail, whose code proves the address`, async () => {
      const visitor = person({ email: newAddress() });
      const answer = await signUpBy(visitor);
      const { id, access } = await accountOf(answer);
      assert.equal((await profileOf(service, access)).email_verified, false);
      const { code } = await mailedLink(service, visitor.email, "verify");
      const { flow } = answer.body;
      assert.match(refusal(await verify(service, { flow, code: wrong(code) })), /^401 AUTH_INVALID_CREDENTIALS/);
      assertSuccess(await verify(service, { flow, code }), 200);
      assert.equal((await profileOf(service, access)).email_verified, true);
      assert.match(refusal(await verify(service, { flow, code })), /^401/);
      const again = await signInAt(service, "acme", visitor.at("acme"));
      assert.deepEqual([(await accountOf(again)).id, again.body.flow], [id, undefined]);
    });
  }

  test("gets no flow at a later sign-in, and an account with a proven address none at all", async () => {
    const [unproven, proven] = [person({ email: newAddress() }), person({ email: newAddress() })];
    assert.match((await signInAt(service, "acme", unproven.at("acme"))).body.flow, /^\S{8,}$/);
    for (const [id, { at }] of [["acme", unproven], ["owner", proven]]) {
      const answer = await signInAt(service, id, at(id));
      await accountOf(answer);
      assert.ok(!("flow" in answer.body), id);
    }
  });
});

describe("an account without a password", () => {
  test("renews its sign-in by a mailed code, if its address is proven", async () => {
    const [proven, unproven] = [await scene.account("owner"), await scene.account("acme")];
    const stale = (account) => asUser(service, tired(account.access), "DELETE", "/users/me", {});
    const ways = async (account) => assertEnvelope(await stale(account), 401, "AUTH_STEP_UP_REQUIRED");
    assert.deepEqual((await ways(proven)).methods.toSorted(), ["email_code", "federated"]);
    assert.deepEqual((await ways(unproven)).methods, ["federated"]);
    const sent = await asUser(service, tired(proven.access), "POST", "/auth/step-up/email-code");
    assertSuccess(sent, 202);
    await untilSettled(service);
    const code = (await mailsTo(proven.email)).at(-1).text.match(/^\d{8}$/m)[0];
    const evidence = { flow: sent.body.flow, code };
    const fresh = await asUser(service, tired(proven.access), "POST", "/auth/step-up", evidence);
    assertSuccess(fresh, 200);
    assert.match(refusal(await asUser(service, tired(proven.access), "POST", "/auth/step-up", evidence)), /^401/);
    assert.equal((await asUser(service, fresh.body.access_token, "DELETE", "/users/me", {})).status, 204);
  });

  test("gets a password by a reset, which suspends a young identity until its owner confirms it", async () => {
    const account = await scene.account("owner");
    assertSuccess(await forgot(service, account.email), 202);
    const { token } = await mailedLink(service, account.email, "reset");
    const done = await reset(service, { token, new_password: NEW_PASSWORD });
    assertSuccess(done, 200);
    const [{ provider, suspended: isSuspended }] = done.body.review.identities;
    assert.deepEqual([provider, isSuspended], ["owner", true]);
    assert.equal(refusal(await signInAt(service, "owner", account.at("owner"))), REFUSED);
    const { body: { access_token: access } } = await login(service, { email: account.email, password: NEW_PASSWORD });
    assertSuccess(await asUser(service, access, "POST", "/users/me/factors/confirm", {}), 200);
    assert.equal((await accountOf(await signInAt(service, "owner", account.at("owner")))).id, account.id);
  });
});

test("a link and its end are told to a proven address, and a link needs one", async () => {
  const [account, unproven] = [await member(), await member({ isProven: false })];
  const refused = await post(service, "/auth/federated/acme", { return_url: "x", link: true }, bearer(unproven.access));
  assert.match(refusal(refused), /^(403 AUTH_EMAIL_NOT_VERIFIED|422)/);
  assertSuccess(await link(service, "acme", person().at("acme"), account.access), 200);
  const [{ id }] = await identitiesOf(service, account.access);
  assert.equal((await unlink(service, account.access, id)).status, 204);
  await untilSettled(service);
  const told = (await mailsTo(account.user.email)).filter(({ text }) => text.includes("/not-me#token="));
  assert.ok(told.length >= 1, `${told.length} notices`);
});

test("where addresses must be proven first, a new person gets a code, and the account with it", async (t) => {
  const strict = await startProvided({ kinds: KINDS, ...withMailbox({ settings: { EMAIL_VERIFICATION: "required" } }) });
  t.after(() => strict.stop());
  const before = await stored(strict.service.db);
  const { at, email } = strict.person();
  const refused = await signInAt(strict.service, "acme", at("acme"));
  const { flow } = refused.body.error.details;
  assert.equal((await stored(strict.service.db)).users, before.users);
  await untilSettled(strict.service);
  const { text } = (await mails(strict.service)).findLast(({ to }) => to === email);
  const account = await accountOf(await confirmByCode(strict.service, flow, text.match(/^\d{8}$/m)[0]));
  const profile = await profileOf(strict.service, account.access);
  assert.deepEqual([profile.email, profile.email_verified], [email, true]);
  await accountOf(await signInAt(strict.service, "owner", strict.person().at("owner")));
});

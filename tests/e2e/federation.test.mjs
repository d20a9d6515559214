// Signing in with others, against a certified OpenID provider: from the first sign-in to the last unlinking. At this level,
// because only workerd calls a provider by its own fetch, verifies by its own WebCrypto, and is called back by a browser.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, me, refresh, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { accountOf, bearer, exchange, identitiesOf, link, profileOf, refusal } from "./support/federation.mjs";
import { signInAt, start, started, tired, unlink, visit } from "./support/federation.mjs";
import { startProvided } from "./support/provided.mjs";
import { decode } from "./support/tokens.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
/** It differs from its encoded form (RFC 6749, section 2.3.1 and appendix B). */
const ODD_SECRET = "s+e-c%2F:r/e=t&?~";
const KINDS = {
  acme: { client: { algorithm: "RS256", auth: "basic", secret: ODD_SECRET } },
  "other-one": { client: { algorithm: "ES256", auth: "post", secret: ODD_SECRET } },
  third: { client: { algorithm: "EdDSA", auth: "none", secret: undefined } },
};

let service;
let providers;
let person;
let scene;
before(async () => {
  scene = await startProvided({ kinds: KINDS });
  ({ service, providers, person } = scene);
});
after(() => scene?.stop());

describe("each kind of provider", () => {
  for (const [id, { client: { algorithm, auth } }] of Object.entries(KINDS)) {
    test(`${algorithm}, client authentication ${auth}: a sign-in makes an account, the next one opens it again`, async () => {
      const { at, email, name } = person();
      const first = await accountOf(await signInAt(service, id, at(id)));
      assert.deepEqual(first.claims.amr, ["fed"]);
      const profile = await profileOf(service, first.access);
      assert.deepEqual([profile.email, profile.full_name, profile.has_password], [email, name, false]);
      assert.equal(profile.email_verified, false, "this provider is not authoritative for the domain");
      const second = await accountOf(await signInAt(service, id, at(id)));
      assert.equal(second.id, first.id);
      assert.notEqual(second.claims.sid, first.claims.sid);
      assertSuccess(await refresh(service, second.refresh), 200);
      const events = inShort(await eventsOf(service.db, first.id));
      assert.deepEqual(events.filter((event) => event.startsWith("signed_in")), ["signed_in federated"]);
    });
  }
});

test("two issuers at once: one subject at both is two accounts, and neither state fits the other", async () => {
  const [one, other] = [person({ sub: "the-same" }, ["acme"]), person({ sub: "the-same" }, ["third"])];
  const visits = await Promise.all([visit(service, "acme", one.at("acme")), visit(service, "third", other.at("third"))]);
  const accounts = await Promise.all(visits.map(async (found) => accountOf(await exchange(service, found))));
  assert.notEqual(accounts[0].id, accounts[1].id);
  const issuers = await Promise.all(accounts.map(({ access }) => identitiesOf(service, access)));
  assert.deepEqual(issuers.flat().map(({ issuer, subject }) => [issuer, subject]), [
    [providers.acme.issuer, "the-same"],
    [providers.third.issuer, "the-same"],
  ]);
});

test("an identity follows its subject: another address at the provider opens the same account, whose address stays", async () => {
  const { at, email, account } = person();
  const { id } = await accountOf(await signInAt(service, "acme", at("acme")));
  const { user: { email: taken } } = await signUp(service);
  const renamed = [{ email: "renamed@people.example" }, { email: taken }, { email_verified: false }, { email: undefined }];
  for (const changes of renamed) {
    Object.assign(account, changes);
    const again = await accountOf(await signInAt(service, "acme", at("acme")));
    assert.deepEqual([again.id, (await profileOf(service, again.access)).email], [id, email]);
  }
});

test("a person without a verified address gets no account", async () => {
  for (const changes of [{ email_verified: false }, { email_verified: undefined }, { email: undefined }, { email: "none" }]) {
    const { error } = await visit(service, "acme", person(changes).at("acme"));
    assert.equal(error, "verified_email_required", JSON.stringify(changes));
  }
});

test("the service suggests the address that its page has asked for", async () => {
  const { authorize_url: url } = await started(service, "acme", { login_hint: "ada+1@people.example" });
  assert.equal(new URL(url).searchParams.get("login_hint"), "ada+1@people.example");
});

test("a person that refuses comes back with access_denied, and may begin again", async () => {
  const { at, sub } = person();
  const refuse = (url) => providers.acme.authorize(url, { account: sub, isRefusing: true });
  assert.equal((await visit(service, "acme", refuse)).error, "access_denied");
  await accountOf(await signInAt(service, "acme", at("acme")));
});

describe("linking", () => {
  test("an account with a password gets a second way in, and loses it with all sessions of it", async () => {
    const [{ at, sub, email }, account] = [person(), await signUp(service)];
    const linked = await link(service, "acme", at("acme"), account.access);
    assertSuccess(linked, 200);
    const { id, created_at, ...identity } = linked.body;
    const { issuer } = providers.acme;
    assert.deepEqual(identity, { provider: "acme", issuer, subject: sub, email, suspended: false });
    assert.deepEqual(await identitiesOf(service, account.access), [linked.body]);
    const federated = await accountOf(await signInAt(service, "acme", at("acme")));
    assert.equal(federated.id, account.id);
    assert.equal((await unlink(service, account.access, id)).status, 204);
    assertEnvelope(await me(service, federated.access), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await identitiesOf(service, account.access), []);
    assertEnvelope(await unlink(service, account.access, id), 404, "NOT_FOUND");
    const another = await accountOf(await signInAt(service, "acme", at("acme")));
    assert.notEqual(another.id, account.id, "an identity without an owner is a stranger");
    const sql = "SELECT type, session_id, object_id, actor_id FROM audit_events WHERE user_id = ?1 AND type GLOB 'identity_*'";
    const event = { session_id: Number(decode(account.access).claims.sid), object_id: id, actor_id: null };
    assert.deepEqual(await rows(service.db, sql, account.id), [
      { type: "identity_linked", ...event },
      { type: "identity_unlinked", ...event },
    ]);
  });

  test("an address that the provider has not verified is not kept with the identity", async () => {
    const account = await signUp(service);
    const linked = await link(service, "acme", person({ email_verified: false }).at("acme"), account.access);
    assertSuccess(linked, 200);
    assert.equal(linked.body.email, null);
  });

  test("needs a fresh sign-in, at the start and at the exchange, of one user", async () => {
    const [{ at }, account, other] = [person(), await signUp(service), await signUp(service)];
    const begin = (access) => start(service, "acme", { link: true }, bearer(access));
    assert.equal(refusal(await begin()), "401 AUTH_TOKEN_INVALID");
    assertEnvelope(await begin(tired(account.access)), 401, "AUTH_STEP_UP_REQUIRED");
    const refusedFor = async (access) => {
      const headers = bearer(account.access);
      return exchange(service, await visit(service, "acme", at("acme"), { body: { link: true }, headers }), bearer(access));
    };
    assertEnvelope(await refusedFor(tired(account.access)), 401, "AUTH_STEP_UP_REQUIRED");
    assert.match(refusal(await refusedFor(undefined)), /^401 AUTH_TOKEN_INVALID/);
    assert.equal(refusal(await refusedFor(other.access)), "401 AUTH_INVALID_CREDENTIALS");
    assert.deepEqual(await identitiesOf(service, account.access), []);
    assert.deepEqual(await identitiesOf(service, other.access), []);
  });

  test("an identity has one owner", async () => {
    const [{ at }, owner, other] = [person(), await signUp(service), await signUp(service)];
    assertSuccess(await link(service, "acme", at("acme"), owner.access), 200);
    assert.equal(refusal(await link(service, "acme", at("acme"), other.access)), "409 CONFLICT linked_to_other");
    assertSuccess(await link(service, "acme", at("acme"), owner.access), 200);
    assert.equal((await identitiesOf(service, owner.access)).length, 1);
  });

  test("the last way in stays, until there is a password", async () => {
    const account = await scene.account("acme");
    const [{ id }] = await identitiesOf(service, account.access);
    assertEnvelope(await unlink(service, account.access, id), 409, "CONFLICT");
    const change = await asUser(service, account.access, "PUT", "/users/me/password", { new_password: NEW_PASSWORD });
    assertSuccess(change, 200);
    assert.equal((await unlink(service, account.access, id)).status, 204);
    assertSuccess(await login(service, { email: account.email, password: NEW_PASSWORD }), 200);
  });
});

// A sign-in with a certified OpenID provider where it is more than a new session: step-up, apps, second factors, cookies,
// disabled accounts and closed registrations. At this level, because each is a story over several requests to two servers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, signUp } from "./support/client.mjs";
import { cookieOf, OWN_PAGE, REFRESH, refreshByCookie, valueOf } from "./support/cookies.mjs";
import { liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, enrolled } from "./support/factors.mjs";
import { accountOf, arrive, bearer, exchange, link, NATIVE_ID, presentIdToken } from "./support/federation.mjs";
import { profileOf, refusal, returned, signInAt, start, started, stored, tired, visit } from "./support/federation.mjs";
import { accessLines } from "./support/logs.mjs";
import { APP, providedFor, startProvided } from "./support/provided.mjs";
import { idTokenOfApp } from "./support/providers/oidc-provider.mjs";
import { platformAdmin } from "./support/roles.mjs";
import { startFor, stateFolder } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";
import { totp } from "./support/totp.mjs";

let scene;
let service;
let person;
before(async () => {
  scene = await startProvided({ settings: { BACKEND_CORS_ORIGINS: '["https://app.example.com"]' } });
  ({ service, person } = scene);
});
after(() => scene?.stop());

/** A step-up at the provider: the response of the exchange. */
async function stepUpAt(access, authorize, presented = access) {
  const found = await visit(service, "acme", authorize, { body: { step_up: true }, headers: bearer(access) });
  return found.error ? found : exchange(service, found, bearer(presented));
}

describe("step-up", () => {
  const removal = (access) => asUser(service, access, "DELETE", "/users/me", {});

  test("an account without a password renews its sign-in at its provider, which asks the person again", async () => {
    const account = await scene.account("acme");
    const old = tired(account.access);
    const refused = assertEnvelope(await removal(old), 401, "AUTH_STEP_UP_REQUIRED");
    assert.deepEqual(refused, { max_age: 600, methods: ["federated"], providers: ["acme"] });
    const response = await stepUpAt(old, account.at("acme"));
    assertSuccess(response, 200);
    const { access_token: fresh, ...others } = response.body;
    assert.deepEqual(Object.keys(others).sort(), ["expires_in", "token_type"]);
    const [before, now] = [decode(old).claims, decode(fresh).claims];
    assert.deepEqual([now.sid, now.sub], [before.sid, before.sub]);
    assert.ok(now.auth_time > before.auth_time);
    assert.equal((await liveSessions(service.db, account.id)).length, 1);
    assert.equal((await removal(fresh)).status, 204);
  });

  test("is asked for with prompt=login and a maximum age", async () => {
    const account = await scene.account("acme");
    const { authorize_url: url } = await started(service, "acme", { step_up: true }, bearer(account.access));
    const { searchParams: asked } = new URL(url);
    assert.deepEqual([asked.get("prompt"), asked.get("max_age")], ["login", "0"]);
  });

  test("by another account at the provider renews nothing", async () => {
    const [account, other, stranger] = [await scene.account("acme"), await scene.account("acme"), person()];
    for (const { at } of [other, stranger]) {
      assert.match(refusal(await stepUpAt(account.access, at("acme"))), /^401 AUTH_INVALID_CREDENTIALS/);
    }
    const [old, olds] = [tired(account.access), tired(other.access)];
    assert.match(refusal(await stepUpAt(old, account.at("acme"), olds)), /^401 AUTH_INVALID_CREDENTIALS/);
    assert.match(refusal(await stepUpAt(old, account.at("acme"), null)), /^401 AUTH_TOKEN_INVALID/);
  });

  test("is not for an account with a password", async () => {
    const [{ at }, account] = [person(), await signUp(service)];
    assertSuccess(await link(service, "acme", at("acme"), account.access), 200);
    const { methods } = assertEnvelope(await removal(tired(account.access)), 401, "AUTH_STEP_UP_REQUIRED");
    assert.deepEqual(methods, ["password"]);
    const answer = await start(service, "acme", { step_up: true }, bearer(account.access));
    const ended = answer.status === 200 ? await stepUpAt(account.access, at("acme")) : answer;
    assert.equal(ended.status, 401, ended.text);
  });

  test("a start without a token, with link besides, or for an app is refused", async () => {
    const { access } = await scene.account("acme");
    assert.match(refusal(await start(service, "acme", { step_up: true })), /^401 AUTH_TOKEN_INVALID/);
    assert.match(refusal(await start(service, "acme", { step_up: true, link: true }, bearer(access))), /^422/);
  });
});

describe("an app", () => {
  const appToken = ({ sub }, nonce) => idTokenOfApp(scene.providers.acme, APP, { nonce, account: sub });

  test("presents the ID token of its SDK, and signs in to the account of the browser", async () => {
    const visitor = person();
    const browser = await accountOf(await signInAt(service, "acme", visitor.at("acme")));
    const { flow, nonce, ...others } = await started(service, "acme", { native: true, return_url: undefined });
    assert.deepEqual(others, {});
    const token = await appToken(visitor, nonce);
    const { aud, azp = NATIVE_ID } = decode(token).claims;
    assert.deepEqual([[aud].flat(), azp], [[NATIVE_ID], NATIVE_ID]);
    const account = await accountOf(await presentIdToken(service, "acme", flow, token));
    assert.deepEqual([account.id, account.claims.amr], [browser.id, ["fed"]]);
  });

  test("cannot present a token twice, with another flow, or one of a browser's", async () => {
    const visitor = person();
    const [one, other] = [await started(service, "acme", { native: true }), await started(service, "acme", { native: true })];
    const token = await appToken(visitor, one.nonce);
    assert.equal(refusal(await presentIdToken(service, "acme", other.flow, token)), "401 AUTH_INVALID_CREDENTIALS");
    assertSuccess(await presentIdToken(service, "acme", one.flow, token), 200);
    for (const { flow } of [one, other]) {
      assert.equal(refusal(await presentIdToken(service, "acme", flow, token)), "401 AUTH_INVALID_CREDENTIALS");
    }
    const { flow } = await started(service, "acme");
    assert.equal(refusal(await presentIdToken(service, "acme", flow, token)), "401 AUTH_INVALID_CREDENTIALS");
    const unused = await started(service, "acme", { native: true });
    const visited = await visit(service, "acme", visitor.at("acme"));
    const mixed = { flow: unused.flow, code: visited.code };
    assert.equal(refusal(await exchange(service, mixed)), "401 AUTH_INVALID_CREDENTIALS");
  });

  test("is told if the person has no verified address", async () => {
    const before = await stored(service.db);
    const { flow, nonce } = await started(service, "acme", { native: true });
    const token = await appToken(person({ email_verified: false }), nonce);
    assert.equal(refusal(await presentIdToken(service, "acme", flow, token)), "403 FORBIDDEN verified_email_required");
    assert.deepEqual(await stored(service.db), before);
  });
});

describe("an account that has more to say", () => {
  test("a second factor is due after the provider", async () => {
    const [{ at }, account] = [person(), await signUp(service)];
    assertSuccess(await link(service, "acme", at("acme"), account.access), 200);
    const { secret } = await enrolled(service, account);
    const refused = await signInAt(service, "acme", at("acme"));
    const { mfa_token } = assertEnvelope(refused, 401, "AUTH_MFA_REQUIRED");
    const { claims } = await accountOf(await complete(service, { mfa_token, code: totp(secret) }));
    assert.deepEqual([claims.sub, claims.amr.toSorted()], [String(account.id), ["fed", "mfa", "otp"]]);
  });

  test("a disabled account is told so, at the exchange only", async () => {
    const [account, admin] = [await scene.account("acme"), await platformAdmin(service)];
    assertSuccess(await asUser(service, admin.access, "PATCH", `/admin/users/${account.id}`, { is_active: false }), 200);
    assertEnvelope(await signInAt(service, "acme", account.at("acme")), 403, "AUTH_INACTIVE_USER");
    assert.deepEqual(await liveSessions(service.db, account.id), []);
  });

  test("an erased account leaves no identity", async () => {
    const account = await scene.account("acme");
    assert.equal((await asUser(service, account.access, "DELETE", "/users/me", {})).status, 204);
    const sql = "SELECT count(*) AS count FROM identities WHERE subject = ?1";
    assert.deepEqual(await rows(service.db, sql, account.sub), [{ count: 0 }]);
    const next = await accountOf(await signInAt(service, "acme", account.at("acme")));
    assert.notEqual(next.id, account.id);
  });
});

test("in cookie mode the refresh token comes as a cookie only, to a page of the service", async () => {
  const found = await visit(service, "acme", person().at("acme"));
  const ask = (headers) => exchange(service, found, headers, { token_delivery: "cookie" });
  assertEnvelope(await ask({ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" }), 403, "FORBIDDEN");
  const response = await ask(OWN_PAGE);
  assertSuccess(response, 200);
  assert.equal(response.body.refresh_token, undefined);
  const cookie = valueOf(response, REFRESH);
  assertSuccess(await refreshByCookie(service, cookieOf(cookie)), 200);
  assert.ok((await profileOf(service, response.body.access_token)).id > 0);
});

for (const REGISTRATION of ["invitation", "closed"]) {
  test(`where registration is ${REGISTRATION}, a provider makes no account, and opens one that is there`, async (t) => {
    const state = stateFolder();
    const own = await providedFor(t, { state });
    const known = await own.account("acme");
    await own.service.stop();
    const closed = await startFor(t, { state, settings: { ...own.settings, REGISTRATION } });
    const before = await stored(closed.db);
    assert.match(refusal(await signInAt(closed, "acme", own.person().at("acme"))), /^403 FORBIDDEN/);
    assert.deepEqual(await stored(closed.db), before);
    assert.equal((await accountOf(await signInAt(closed, "acme", known.at("acme")))).id, known.id);
  });
}

test("a start costs no call of D1, a callback two, an exchange two", async () => {
  const { at } = person();
  for (const round of ["the first sign-in", "the second"]) {
    const begun = await start(service, "acme");
    const callback = await at("acme")(begun.body.authorize_url);
    const arrived = await arrive(service, callback);
    const done = await exchange(service, { flow: begun.body.flow, ...returned(arrived) });
    assertSuccess(done, 200);
    const costs = (await accessLines(service, [begun, arrived, done])).map(({ d1_calls: calls }) => calls);
    assert.deepEqual(costs, [0, 2, 2], round);
  }
});

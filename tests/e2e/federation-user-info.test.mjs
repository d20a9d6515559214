// Providers that tell address and name at their UserInfo endpoint only, as OpenID Connect Core 5.4 has it: a certified one, and
// one that breaks the rules. At this level, because the runtime's fetch decides about redirects, sizes, connections and time.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { send, signUp } from "./support/client.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { CLOSED, inspect, OPERATOR_KEY } from "./support/faults.mjs";
import { accountOf, CLIENT_ID, federated, link, newPerson, presentIdToken, profileOf } from "./support/federation.mjs";
import { refusal, signInAt, start, started, stored, visit } from "./support/federation.mjs";
import { accessLines, loggedOf } from "./support/logs.mjs";
import { APP, startProvided } from "./support/provided.mjs";
import { MockIssuer, startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { idTokenOfApp } from "./support/providers/oidc-provider.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";

/** The service gives a provider five seconds; a busy machine may take some more to say so. */
const LIMIT_MS = 8000;

describe("a certified provider with lean ID tokens", () => {
  let scene;
  let service;
  let person;
  before(async () => {
    const entry = { authoritative_domains: ["people.example"] };
    scene = await startProvided({ kinds: { acme: { claimsInIdToken: false }, owner: { claimsInIdToken: false, entry } } });
    ({ service, person } = scene);
  });
  after(() => scene?.stop());

  for (const [id, isProven] of [["acme", false], ["owner", true]]) {
    test(`makes an account, whose address is ${isProven ? "proven where it is authoritative" : "not proven"}`, async () => {
      const { at, email, name } = person();
      const first = await accountOf(await signInAt(service, id, at(id)));
      const profile = await profileOf(service, first.access);
      assert.deepEqual([profile.email, profile.full_name, profile.email_verified], [email, name, isProven]);
      assert.equal((await accountOf(await signInAt(service, id, at(id)))).id, first.id);
    });
  }

  test("links an identity with its address", async () => {
    const [{ at, email }, { access }] = [person(), await signUp(service)];
    const linked = await link(service, "acme", at("acme"), access);
    assertSuccess(linked, 200);
    assert.equal(linked.body.email, email);
  });

  test("makes no account where it says that the address is not verified, or does not say that it is", async () => {
    for (const changes of [{ email_verified: false }, { email_verified: undefined }, { email: undefined }]) {
      const { error } = await visit(service, "acme", person(changes).at("acme"));
      assert.equal(error, "verified_email_required", JSON.stringify(changes));
    }
  });

  test("does not open an account by its address", async () => {
    const { user } = await signUp(service);
    assert.equal((await visit(service, "acme", person({ email: user.email }).at("acme"))).error, "account_exists");
  });

  test("tells an app nothing: only a person that is known signs in with such an ID token", async () => {
    const visitor = person();
    const present = async () => {
      const { flow, nonce } = await started(service, "acme", { native: true });
      const token = await idTokenOfApp(scene.providers.acme, APP, { nonce, account: visitor.sub });
      return presentIdToken(service, "acme", flow, token);
    };
    assert.equal(refusal(await present()), "403 FORBIDDEN verified_email_required");
    const { id } = await accountOf(await signInAt(service, "acme", visitor.at("acme")));
    assert.equal((await accountOf(await present())).id, id);
  });
});

describe("the UserInfo endpoint of a provider that breaks the rules", () => {
  let mock;
  let service;
  before(async () => {
    mock = await MockIssuer.start("ES256");
    service = await startService({ settings: federated({ acme: { issuer: mock.issuer } }, { OPERATOR_KEY }) });
  });
  after(async () => {
    await service?.stop();
    await mock?.stop();
  });

  const authorize = (url) => mock.authorize(url);

  /** The next ID token is about a new person, whose address is at the endpoint. */
  function next() {
    const { sub, ...told } = newPerson();
    mock.claims = { sub };
    mock.userInfo = { sub, ...told };
    return mock.userInfo;
  }

  /** A new person gets no account by the present answer; one that is known signs in, since the subject is enough. */
  async function assertOfNoUse(known) {
    const before = await stored(service.db);
    const found = await visit(service, "acme", authorize);
    assert.equal(found.error, "verified_email_required");
    assert.deepEqual(await stored(service.db), before);
    mock.claims = { sub: known.sub };
    assert.equal((await accountOf(await signInAt(service, "acme", authorize))).id, known.id);
    return found.response;
  }

  /** A person with an account. */
  async function known() {
    const { sub } = next();
    return { sub, ...(await accountOf(await signInAt(service, "acme", authorize))) };
  }

  /** The browser may have changed the request, so the operator need not act. */
  async function assertWarned(response) {
    const causes = (await loggedOf(service, response)).filter(({ name, cause }) => name === "app.federation" && cause);
    assert.equal(causes[0]?.level, "WARNING", JSON.stringify(causes));
    assert.ok(causes.every(({ level }) => level !== "ERROR"));
  }

  test("is not asked where the ID token has the address", async () => {
    mock.claims = newPerson();
    const before = mock.count("userinfo");
    await accountOf(await signInAt(service, "acme", authorize));
    assert.equal(mock.count("userinfo"), before);
  });

  test("is asked once a sign-in, with the access token", async () => {
    const [before, { email, name }] = [mock.count("userinfo"), next()];
    const { access } = await accountOf(await signInAt(service, "acme", authorize));
    const profile = await profileOf(service, access);
    assert.deepEqual([profile.email, profile.full_name, mock.count("userinfo") - before], [email, name, 1]);
  });

  test("does not count if it speaks of another subject, or of none (OpenID Connect Core 5.3.2)", async () => {
    const account = await known();
    for (const sub of [account.sub, "another", undefined, null, 42, ""]) {
      next();
      mock.userInfo = { ...mock.userInfo, sub };
      await assertWarned(await assertOfNoUse(account));
    }
  });

  for (const fault of ["401", "404", "redirect", "huge", "huge in pieces", "no JSON", "no object", "an empty object", "empty"]) {
    test(`does not count if it answers with ${fault}, and the log has a warning`, async () => {
      const account = await known();
      next();
      mock.fail("userinfo", fault);
      await assertWarned(await assertOfNoUse(account));
      assert.equal(mock.count("elsewhere"), 0, "the access token goes to no other address");
      mock.heal();
    });
  }

  test("does not count if its answer is a signed token, which the service did not ask for", async () => {
    const account = await known();
    mock.userInfo = mock.idToken({ aud: CLIENT_ID, ...next() });
    await assertOfNoUse(account);
  });

  test("does not count if its claims are of other types", async () => {
    const account = await known();
    for (const changes of [{ email: 42 }, { email: ["ada@people.example"] }, { email: "none" }, { email_verified: "yes" }]) {
      Object.assign(next(), changes);
      await assertOfNoUse(account);
    }
  });

  for (const fault of ["silence", "half silence", "drip", "500", "429", "hangup", "torn"]) {
    test(`is waited for in vain in case of ${fault}: temporarily_unavailable, in time, and the next sign-in succeeds`, async () => {
      next();
      mock.fail("userinfo", fault);
      const before = await stored(service.db);
      const { response, error } = await visit(service, "acme", authorize);
      assert.equal(error, "temporarily_unavailable");
      const [{ duration_ms: duration }] = await accessLines(service, [response]);
      assert.ok(duration < LIMIT_MS, `${duration} ms`);
      assert.deepEqual(await stored(service.db), before);
      assert.deepEqual(await inspect(service), CLOSED);
      assertSuccess(await send(service, "/health/ready"), 200);
      mock.heal();
      await accountOf(await signInAt(service, "acme", authorize));
    });
  }

  test("gets no request for want of an access token that fits into a header", async () => {
    const account = await known();
    for (const token of [undefined, "", 42, "a\r\nX-Other: b", "ä", "a b"]) {
      next();
      mock.tokenAnswer = ({ body }) => Object.assign(body, { access_token: token });
      const before = mock.count("userinfo");
      await assertOfNoUse(account);
      assert.equal(mock.count("userinfo"), before, String(token));
      mock.tokenAnswer = () => {};
    }
  });
});

test("a provider without a UserInfo endpoint makes no account without an address in the ID token", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  mock.metadata = ({ userinfo_endpoint: _, ...others }) => others;
  const service = await startFor(t, { settings: federated({ acme: { issuer: mock.issuer } }) });
  const authorize = (url) => mock.authorize(url);
  mock.claims = { sub: "lean" };
  assert.equal((await visit(service, "acme", authorize)).error, "verified_email_required");
  assert.equal(mock.count("userinfo"), 0);
  mock.claims = newPerson();
  await accountOf(await signInAt(service, "acme", authorize));
});

test("a provider whose UserInfo endpoint is no address of a server is of no use", async (t) => {
  const mocks = {};
  for (const url of ["javascript:alert(1)", "file:///etc/passwd", "//people.example/userinfo", 42]) {
    const metadata = (others) => ({ ...others, userinfo_endpoint: url });
    mocks[`p${Object.keys(mocks).length}`] = Object.assign(await startMockIssuer(t, "ES256"), { metadata });
  }
  const entries = Object.entries(mocks).map(([id, { issuer }]) => [id, { issuer }]);
  const service = await startFor(t, { settings: federated(Object.fromEntries(entries)) });
  for (const id of Object.keys(mocks)) {
    assertEnvelope(await start(service, id), 503, "SERVICE_UNAVAILABLE");
  }
});

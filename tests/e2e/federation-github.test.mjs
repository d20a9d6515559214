// Signing in with GitHub, which has no ID tokens: the address that is primary and verified, and the numeric id. At this level,
// because GitHub wants headers that the runtime's fetch does not send by itself.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { accountOf, arrive, bearer, CLIENT_ID, CLIENT_SECRET, federated, identitiesOf } from "./support/federation.mjs";
import { link, profileOf, redirectUri, refusal, returned, signInAt, start, started } from "./support/federation.mjs";
import { stored, visit } from "./support/federation.mjs";
import { GitHub, gitHubUser, startGitHub } from "./support/providers/github.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";

const CLIENT = { id: CLIENT_ID, secret: CLIENT_SECRET, redirectUri: redirectUri("github") };
const address = (email, changes = {}) => ({ email, primary: true, verified: true, visibility: "private", ...changes });

let github;
let service;
before(async () => {
  github = await GitHub.start(CLIENT);
  service = await startService({ settings: federated({ github: { url: github.url } }) });
});
after(async () => {
  await service?.stop();
  await github?.stop();
});

let users = 0;

/** The person that signs in next: another one each time. */
function nextUser(changes = {}) {
  users += 1;
  const [id, login] = [9_000_000 + users, `octocat-${users}`];
  github.user = gitHubUser({ id, login, email: `${login}@people.example`, ...changes });
  return github.user;
}

const authorize = (url) => github.authorize(url);
const errorOf = async () => (await visit(service, "github", authorize)).error;

test("the first sign-in makes an account, with the primary address; a new login name and address open it again", async () => {
  const { id, emails } = nextUser();
  const first = await accountOf(await signInAt(service, "github", authorize));
  assert.equal((await profileOf(service, first.access)).email, emails[0].email);
  const [{ issuer, subject, provider }] = await identitiesOf(service, first.access);
  assert.deepEqual([issuer, subject, provider], [github.url, String(id), "github"]);
  nextUser({ id, login: "renamed", email: "renamed@people.example" });
  assert.equal((await accountOf(await signInAt(service, "github", authorize))).id, first.id);
  // The login name that was given up is another person's now.
  nextUser({ login: "octocat-1" });
  assert.notEqual((await accountOf(await signInAt(service, "github", authorize))).id, first.id);
});

describe("addresses", () => {
  const cases = {
    "primary, and not verified": [address("a@people.example", { verified: false })],
    "verified, and not primary": [address("b@people.example", { primary: false })],
    "verified and primary, but not the same": [
      address("c@people.example", { verified: false }),
      address("d@people.example", { primary: false }),
    ],
    none: [],
  };
  for (const [name, emails] of Object.entries(cases)) {
    test(`${name}: no account`, async () => {
      nextUser({ emails, publicEmail: "public@people.example" });
      const before = await stored(service.db);
      assert.equal(await errorOf(), "verified_email_required");
      assert.deepEqual(await stored(service.db), before);
    });
  }

  test("the primary one is found among forty, and the public one of the profile does not count", async () => {
    const others = Array.from({ length: 40 }, (_, index) => address(`alias-${index}@people.example`, { primary: false }));
    nextUser({ emails: [...others, address("main@people.example")], publicEmail: "public@people.example" });
    const { access } = await accountOf(await signInAt(service, "github", authorize));
    assert.equal((await profileOf(service, access)).email, "main@people.example");
  });

  test("a linked identity signs in without any", async () => {
    const account = await signUp(service);
    nextUser({ emails: [] });
    const linked = await link(service, "github", authorize, account.access);
    assertSuccess(linked, 200);
    assert.equal(linked.body.email, null);
    assert.equal((await accountOf(await signInAt(service, "github", authorize))).id, account.id);
  });
});

describe("refusals", () => {
  const errors = { bad_verification_code: "invalid_request", incorrect_client_credentials: "server_error" };
  for (const [refused, error] of Object.entries({ ...errors, redirect_uri_mismatch: "server_error" })) {
    test(`${refused} with the status 200 is ${error}`, async (t) => {
      nextUser();
      t.after(() => (github.refusal = undefined));
      github.refusal = refused;
      assert.equal(await errorOf(), error);
    });
  }

  test("a person that cancels comes back with access_denied", async () => {
    nextUser();
    const { error } = await visit(service, "github", (url) => github.authorize(url, { isRefusing: true }));
    assert.equal(error, "access_denied");
  });

  test("a code is good once, and for the verifier of its flow", async () => {
    nextUser();
    const [one, other] = [await started(service, "github"), await started(service, "github")];
    const [callback, second] = [await authorize(one.authorize_url), await authorize(other.authorize_url)];
    const stolen = new URL(second);
    stolen.searchParams.set("code", new URL(callback).searchParams.get("code"));
    assert.deepEqual(returned(await arrive(service, stolen.href)), { error: "invalid_request" });
  });

  test("without the scope for addresses there is no verified address", async (t) => {
    nextUser();
    t.after(() => (github.scope = undefined));
    github.scope = "read:org";
    assert.match(await errorOf(), /^(verified_email_required|server_error)$/);
  });
});

describe("faults", { concurrency: true }, () => {
  const temporarily = ["500", "429", "hangup", "torn", "silence", "drip"];
  const broken = ["huge", "redirect", "no JSON", "no object", "an empty object"];
  for (const endpoint of ["token", "user", "emails"]) {
    test(`of the endpoint ${endpoint} are told, and the next sign-in succeeds`, async (t) => {
      const own = await startGitHub(t, CLIENT);
      own.user = gitHubUser();
      const alone = await startFor(t, { settings: federated({ github: { url: own.url } }) });
      const found = {};
      for (const fault of [...temporarily, ...broken]) {
        own.fail(endpoint, fault);
        found[fault] = (await visit(alone, "github", (url) => own.authorize(url))).error;
        own.heal();
        await accountOf(await signInAt(alone, "github", (url) => own.authorize(url)));
      }
      const expected = [...temporarily.map(() => "temporarily_unavailable"), ...broken.map(() => "server_error")];
      assert.deepEqual(Object.values(found), expected, JSON.stringify(found));
      assert.equal(own.count("elsewhere"), 0);
    });
  }
});

test("neither apps nor step-up: there are no ID tokens", async () => {
  const { access } = await signUp(service);
  for (const body of [{ native: true }, { step_up: true }]) {
    assert.match(refusal(await start(service, "github", body, bearer(access))), /^422 VALIDATION_ERROR/);
  }
});

test("a start asks GitHub nothing", async () => {
  const before = ["token", "user", "emails", "other"].map(github.count);
  const { authorize_url: url } = await started(service, "github");
  assert.ok(url.startsWith(`${github.url}/login/oauth/authorize?`));
  const asked = new URL(url).searchParams;
  assert.deepEqual([asked.get("client_id"), asked.get("redirect_uri")], [CLIENT.id, CLIENT.redirectUri]);
  assert.match(asked.get("scope"), /user:email/);
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.deepEqual(["token", "user", "emails", "other"].map(github.count), before);
});

// Requests of a sign-in with others that overtake each other: one of them has an effect, or none. At this level, because only
// workerd interleaves requests over a real D1. A wrapper of the database holds answers back, so that every write comes after
// all reads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, signUp } from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { accountOf, arrive, bearer, CLIENT_ID, exchange, federated, identitiesOf, link } from "./support/federation.mjs";
import { newPerson, presentIdToken, refusal, returned, signInAt, started, unlink, visit } from "./support/federation.mjs";
import { HELD, holder, orders } from "./support/held.mjs";
import { MockIssuer } from "./support/providers/mock-issuer.mjs";
import { startService } from "./support/service.mjs";

const MANY = 20;
const REFUSED = "401 AUTH_INVALID_CREDENTIALS";
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));

let mock;
let service;
let hold;
let inOrder;
before(async () => {
  mock = await MockIssuer.start("ES256");
  const settings = { ...HELD.settings, PASSWORD_ITERATIONS: "1" };
  service = await startService({ ...HELD, settings: federated({ acme: { issuer: mock.issuer } }, settings) });
  hold = holder(service);
  inOrder = orders(hold);
});
after(async () => {
  await service?.stop();
  await mock?.stop();
});

const authorize = (url) => mock.authorize(url);

/** The next ID tokens are about a new person. */
function nextPerson() {
  mock.claims = newPerson();
  return mock.claims;
}

/** A person that signs in with an account already. */
async function known() {
  const claims = nextPerson();
  return { claims, ...(await accountOf(await signInAt(service, "acme", authorize))) };
}

const owners = (sub) => rows(service.db, "SELECT user_id FROM identities WHERE subject = ?1", sub);
const accountsWith = (email) => rows(service.db, "SELECT id FROM users WHERE email = ?1", email);

/** One of them succeeded, and the others were refused. */
function oneOf(answers) {
  const [success, ...others] = answers.toSorted((one, other) => one.status - other.status);
  assertSuccess(success, 200);
  others.forEach((other) => assert.equal(refusal(other), REFUSED));
  return success;
}

for (const order of ["every write after all reads", "in one burst"]) {
  const together = (...starts) => inOrder[order](...starts);
  describe(`concurrently, ${order}:`, () => {
    test("of twenty callbacks of one flow one goes on, and the provider is asked once", async () => {
      nextPerson();
      const { flow, authorize_url: url } = await started(service, "acme");
      const [callback, before] = [await authorize(url), mock.count("token")];
      const answers = await together(times(MANY, () => (headers) => arrive(service, callback, headers)));
      const found = answers.map(returned);
      assert.equal(found.filter(({ error }) => error === "invalid_request").length, MANY - 1);
      assert.equal(mock.count("token") - before, 1);
      await accountOf(await exchange(service, { flow, ...found.find(({ code }) => code) }));
    });

    test("of twenty exchanges of one flow one makes the account and its session", async () => {
      const { sub, email } = nextPerson();
      const found = await visit(service, "acme", authorize);
      const answers = await together(times(MANY, () => (headers) => exchange(service, found, headers)));
      const { id } = await accountOf(oneOf(answers));
      assert.deepEqual([await owners(sub), await accountsWith(email)], [[{ user_id: id }], [{ id }]]);
      assert.equal((await liveSessions(service.db, id)).length, 1);
    });

    test("of twenty exchanges of one flow one opens a session of the account that is there", async () => {
      const { id } = await known();
      const found = await visit(service, "acme", authorize);
      oneOf(await together(times(MANY, () => (headers) => exchange(service, found, headers))));
      assert.equal((await liveSessions(service.db, id)).length, 2);
      const events = inShort(await eventsOf(service.db, id));
      assert.equal(events.filter((event) => event === "signed_in federated").length, 1);
    });

    test("of twenty presentations of one ID token one opens a session", async () => {
      const { id } = await known();
      const { flow, nonce } = await started(service, "acme", { native: true });
      const token = mock.idToken({ aud: CLIENT_ID, nonce });
      oneOf(await together(times(MANY, () => (headers) => presentIdToken(service, "acme", flow, token, headers))));
      assert.equal((await liveSessions(service.db, id)).length, 2);
    });

    test("of a new person's first sign-ins in five browsers all are of one account, or are told to begin again", async () => {
      const { sub, email } = nextPerson();
      const visits = await Promise.all(times(5, () => visit(service, "acme", authorize)));
      const answers = await together(visits.map((found) => (headers) => exchange(service, found, headers)));
      assert.ok(answers.some(({ status }) => status === 200));
      assert.ok(answers.every(({ status }) => [200, 401, 409].includes(status)), answers.map(({ text }) => text).join());
      const [{ id }, ...others] = await accountsWith(email);
      assert.deepEqual([others, await owners(sub)], [[], [{ user_id: id }]]);
      const opened = answers.filter(({ status }) => status === 200).length;
      assert.equal((await liveSessions(service.db, id)).length, opened);
    });

    test("one identity that two users link at once has one owner", async () => {
      const { sub } = nextPerson();
      const users = await Promise.all(times(2, () => signUp(service)));
      const visits = [];
      for (const { access } of users) {
        visits.push(await visit(service, "acme", authorize, { body: { link: true }, headers: bearer(access) }));
      }
      const use = (found, index) => (headers) => exchange(service, found, { ...bearer(users[index].access), ...headers });
      const answers = await together(visits.map(use));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 409]);
      assert.equal((await owners(sub)).length, 1);
    });

    test("the last two ways in cannot be given up at once", async () => {
      const account = await known();
      nextPerson();
      assertSuccess(await link(service, "acme", authorize, account.access), 200);
      const ids = (await identitiesOf(service, account.access)).map(({ id }) => id);
      const remove = (id) => (headers) => asUser(service, account.access, "DELETE", `/users/me/identities/${id}`, {}, headers);
      const answers = await together(ids.map(remove));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [204, 409]);
      assert.equal((await identitiesOf(service, account.access)).length, 1);
    });
  });
}

describe("an exchange that has read the facts, and is overtaken", () => {
  test("by the unlinking of its identity opens nothing", async () => {
    const account = await signUp(service);
    nextPerson();
    assertSuccess(await link(service, "acme", authorize, account.access), 200);
    const [{ id }] = await identitiesOf(service, account.access);
    const found = await visit(service, "acme", authorize);
    const answer = await hold.overtake((at) => exchange(service, found, at), () => unlink(service, account.access, id));
    assert.match(refusal(answer), /^401/);
    assert.equal((await liveSessions(service.db, account.id)).length, 1);
  });

  test("by a registration of its address makes no second account, and does not open that one", async () => {
    const { email, sub } = nextPerson();
    const found = await visit(service, "acme", authorize);
    const late = (at) => exchange(service, found, at);
    let registered;
    const early = async () => {
      registered = await signUp(service, { email, password: "correct horse battery staple" });
      return { status: 201 };
    };
    const answer = await hold.overtake(late, early);
    assert.match(refusal(answer), /^(401|409)/);
    assert.deepEqual([await accountsWith(email), await owners(sub)], [[{ id: registered.id }], []]);
    assert.equal((await liveSessions(service.db, registered.id)).length, 1);
  });

  test("by the erasure of its account opens nothing", async () => {
    const account = await known();
    const found = await visit(service, "acme", authorize);
    const erase = () => asUser(service, account.access, "DELETE", "/users/me", {});
    const answer = await hold.overtake((at) => exchange(service, found, at), erase);
    assert.match(refusal(answer), /^401/);
    assert.deepEqual(await owners(account.claims.sub), []);
  });
});

// Attacks on a sign-in with others, most of them from RFC 9700: mix-up, injected codes, fixed flows, replays, and providers that
// lie. Each test has an attacker and a victim. At this level, because a browser, two providers and the service take part.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, post, send, signUp } from "./support/client.mjs";
import { liveSessions, userRow } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess, said } from "./support/envelope.mjs";
import { accountOf, arrive, bearer, exchange, identitiesOf, profileOf } from "./support/federation.mjs";
import { refusal, returned, RETURN_URL, start, started, stored, tired, visit } from "./support/federation.mjs";
import { accessLines } from "./support/logs.mjs";
import { startProvided } from "./support/provided.mjs";
import { platformAdmin } from "./support/roles.mjs";
import { startWatched } from "./support/watched.mjs";

const REFUSED = "401 AUTH_INVALID_CREDENTIALS";
/** Below the limit of a shared cache or a proxy, and unlike anything that is signed. */
const NONSENSE = ["", "x", "A".repeat(55), "AAAA.BBBB", "ä", "%00", "null"];

let scene;
let service;
let person;
before(async () => {
  const kinds = { acme: {}, evil: {} };
  scene = await startProvided({ kinds, begin: startWatched });
  ({ service, person } = scene);
});
after(() => scene?.stop());

/** The URL of a callback with other parameters; one that is undefined is left out. */
function changed(callback, changes, id) {
  const url = new URL(callback);
  for (const [name, value] of Object.entries(changes)) {
    value === undefined ? url.searchParams.delete(name) : url.searchParams.set(name, value);
  }
  if (id) {
    url.pathname = url.pathname.replace(/[^/]+(?=\/callback$)/, id);
  }
  return url.href;
}

const costsOf = async (...responses) => (await accessLines(service, responses)).map(({ d1_calls: calls }) => calls);
const errorOf = async (callback) => returned(await arrive(service, callback)).error;
const paramOf = (url, name) => new URL(url).searchParams.get(name);

/** A started flow and the callback to which its provider sends the browser. */
async function authorized(visitor, id = "acme") {
  const { flow, authorize_url: url } = await started(service, id);
  return { flow, callback: await visitor.at(id)(url) };
}

describe("mix-up", () => {
  test("the issuer of another provider, or a changed one, in the answer is refused, before the code goes anywhere", async () => {
    for (const iss of [scene.providers.evil.issuer, `${scene.providers.acme.issuer}/`, "", undefined]) {
      const { flow, callback } = await authorized(person());
      assert.equal(await errorOf(changed(callback, { iss })), "invalid_request", String(iss));
      const code = paramOf(callback, "code");
      assert.equal(refusal(await exchange(service, { flow, code })), REFUSED);
    }
  });

  test("the state of one provider is none at the callback of another", async () => {
    const { callback } = await authorized(person());
    const answer = await arrive(service, changed(callback, {}, "evil"));
    assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
    assert.equal(answer.headers.location, undefined);
    assert.ok(returned(await arrive(service, callback)).code, "the flow was not used up by it");
  });

  test("the honest provider's code is worth nothing in a flow at the attacker's provider", async () => {
    const [victim, attacker] = [person(), person()];
    const { callback } = await authorized(victim);
    const evil = await authorized(attacker, "evil");
    const injected = changed(evil.callback, { code: paramOf(callback, "code") });
    assert.equal(await errorOf(injected), "invalid_request");
  });
});

describe("injected codes and fixed flows", () => {
  test("a code of the provider that belongs to another flow is refused: verifier and nonce do not fit", async () => {
    const [victim, attacker] = [await authorized(person()), await authorized(person())];
    const injected = changed(attacker.callback, { code: paramOf(victim.callback, "code") });
    assert.equal(await errorOf(injected), "invalid_request");
  });

  test("an attacker with the flow, but not the code, gets nothing from a victim that follows its link", async () => {
    const victim = person();
    const attacker = await started(service, "acme");
    const callback = await victim.at("acme")(attacker.authorize_url);
    const { code } = returned(await arrive(service, callback));
    // The code is at the victim's page, whose flow is another one, or none.
    const own = await started(service, "acme");
    assert.equal(refusal(await exchange(service, { flow: own.flow, code })), REFUSED);
    for (const guess of [attacker.flow, paramOf(callback, "state"), paramOf(callback, "code"), ...NONSENSE]) {
      assert.equal(refusal(await exchange(service, { flow: attacker.flow, code: guess })), REFUSED);
    }
  });

  test("a victim at whose page an attacker's code arrives is not signed in as the attacker", async () => {
    const attacker = await visit(service, "acme", person().at("acme"));
    const victim = await started(service, "acme");
    assert.equal(refusal(await exchange(service, { flow: victim.flow, code: attacker.code })), REFUSED);
    const known = paramOf(victim.authorize_url, "state");
    assert.equal(refusal(await exchange(service, { flow: known, code: attacker.code })), REFUSED);
    await accountOf(await exchange(service, attacker));
  });

  test("a victim with a session that follows an attacker's link is linked to nothing", async () => {
    const [victim, attacker, stranger] = [await signUp(service), await signUp(service), person()];
    const headers = bearer(attacker.access);
    const { flow, authorize_url: url } = await started(service, "acme", { link: true }, headers);
    // The victim signs in at its provider, through the attacker's start: the code comes to the victim's page.
    const { code } = returned(await arrive(service, await stranger.at("acme")(url)));
    assert.equal(refusal(await exchange(service, { flow, code }, bearer(victim.access))), REFUSED);
    assert.deepEqual(await identitiesOf(service, victim.access), []);
  });

  test("a flow that links is no sign-in, and a flow that signs in links nothing", async () => {
    const [account, visitor] = [await signUp(service), person()];
    const headers = bearer(account.access);
    const linking = await visit(service, "acme", visitor.at("acme"), { body: { link: true }, headers });
    assert.match(refusal(await exchange(service, linking)), /^401/);
    const signing = await visit(service, "acme", visitor.at("acme"));
    const { id } = await accountOf(await exchange(service, signing, headers));
    assert.notEqual(id, account.id);
    assert.deepEqual(await identitiesOf(service, account.access), []);
  });
});

describe("replays", () => {
  test("a callback is good once: a second visit leads back with invalid_request, and the first code stays good", async () => {
    const { flow, callback } = await authorized(person());
    const { code } = returned(await arrive(service, callback));
    assert.equal(await errorOf(callback), "invalid_request");
    await accountOf(await exchange(service, { flow, code }));
    assert.equal(await errorOf(callback), "invalid_request");
  });

  test("flow and code are good once", async () => {
    const found = await visit(service, "acme", person().at("acme"));
    const { id } = await accountOf(await exchange(service, found));
    assert.equal(refusal(await exchange(service, found)), REFUSED);
    assert.equal((await liveSessions(service.db, id)).length, 1);
  });

  test("a refused exchange with a wrong code does not use the flow up", async () => {
    const found = await visit(service, "acme", person().at("acme"));
    assert.equal(refusal(await exchange(service, { ...found, code: "wrong" })), REFUSED);
    await accountOf(await exchange(service, found));
  });

  test("unknown, changed and truncated states are 401 without a redirect, whatever else is in the query", async () => {
    const { callback } = await authorized(person());
    const state = paramOf(callback, "state");
    const flipped = state.slice(0, -1) + (state.endsWith("A") ? "B" : "A");
    for (const bad of [...NONSENSE, flipped, state.slice(0, -1), `${state}A`, undefined]) {
      for (const error of [undefined, "access_denied"]) {
        const answer = await arrive(service, changed(callback, { state: bad, error }));
        assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
        assert.equal(answer.headers.location, undefined);
      }
    }
    assert.ok(returned(await arrive(service, callback)).code);
  });
});

test("a program that looks at a link with HEAD uses no state up, and a form that is posted to the callback is none", async () => {
  const { flow, callback } = await authorized(person());
  const { pathname, search } = new URL(callback);
  for (const method of ["HEAD", "POST", "OPTIONS"]) {
    const { status, headers } = await send(service, pathname + search, { method });
    assert.ok(status >= 400, `${method}: ${status}`);
    assert.equal(headers.location, undefined);
  }
  await accountOf(await exchange(service, { flow, ...returned(await arrive(service, callback)) }));
});

test("a parameter that is given twice is refused, an unknown one is not", async () => {
  const { callback } = await authorized(person());
  for (const name of ["state", "code", "iss", "error"]) {
    const twice = `${callback}&${name}=x&${name}=y`;
    assertFaults(await arrive(service, twice), `query.${name}: value_error`);
  }
  assert.ok(returned(await arrive(service, `${callback}&session_state=1&session_state=2&scope=openid`)).code);
});

test("only listed return URLs are taken, letter by letter", async () => {
  const { origin, pathname } = new URL(RETURN_URL);
  const near = [`${RETURN_URL}&x=1`, RETURN_URL.toUpperCase(), origin + pathname, `${RETURN_URL}#x`, ` ${RETURN_URL}`];
  for (const url of [...near, "https://app.example.com.evil.example/signed-in", "javascript:alert(1)", "", 1, null]) {
    const answer = await start(service, "acme", { return_url: url });
    assert.match(refusal(answer), /^422 VALIDATION_ERROR/, String(url));
    assert.equal(answer.body.error.details.errors[0].loc.at(-1), "return_url");
  }
});

test("an address at a provider opens no account that is there, whatever the provider says of it", async () => {
  const [victim, admin] = [await signUp(service), await platformAdmin(service)];
  for (const { user, id } of [victim, admin]) {
    const before = await userRow(service.db, id);
    for (const email of [user.email, user.email.toUpperCase(), ` ${user.email} `]) {
      const liar = person({ email, email_verified: true });
      const { error } = await visit(service, "evil", liar.at("evil"));
      assert.match(error, /^(account_exists|verified_email_required)$/);
    }
    assert.deepEqual(await userRow(service.db, id), before);
    assertSuccess(await login(service, user), 200);
  }
});

test("an address that a provider asserts first is not proven: its owner registers over it, or takes it back", async () => {
  const attacker = await scene.account("evil", { email: "victim-to-be@people.example" });
  assert.equal((await profileOf(service, attacker.access)).email_verified, false);
  const other = person({ email: "victim-to-be@people.example" });
  assert.equal((await visit(service, "acme", other.at("acme"))).error, "account_exists");
});

test("an account without a password answers a login and a step-up by password as a wrong one, with the same work", async () => {
  const [account, other] = [await scene.account("acme"), await signUp(service)];
  const password = "an entirely wrong passphrase";
  const answers = [];
  for (const { email, access } of [account, { ...other, email: other.user.email }]) {
    const signIn = await login(service, { email, password });
    const stepUp = await asUser(service, access, "POST", "/auth/step-up", { password });
    answers.push({ said: [said(signIn), said(stepUp)], costs: await costsOf(signIn, stepUp) });
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.deepEqual(answers[0].said.map(({ status }) => status), [401, 401]);
  const deletion = await asUser(service, tired(account.access), "DELETE", "/users/me", { password });
  assert.match(refusal(deletion), /^401/);
});

test("an unknown provider is 404", async () => {
  const bodies = { "": { return_url: RETURN_URL }, "/id-token": { flow: "x", id_token: "y" } };
  for (const [path, body] of Object.entries(bodies)) {
    assertEnvelope(await post(service, `/auth/federated/unknown${path}`, body), 404, "NOT_FOUND");
  }
  assertEnvelope(await send(service, "/auth/federated/unknown/callback?state=x"), 404, "NOT_FOUND");
});

test("none of these attacks made an account or a session for an attacker by chance", async () => {
  const before = await stored(service.db);
  const { callback, flow } = await authorized(person());
  await arrive(service, changed(callback, { iss: "https://evil.example" }));
  await exchange(service, { flow, code: "x" });
  assert.deepEqual(await stored(service.db), before);
});

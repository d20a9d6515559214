// A sign-in with others tells nothing: no log line has an address, code, token, subject or secret, and nothing that can be
// presented is stored. At this level, because only the bundle has all of it: console, queries of real URLs, and a provider.
import assert from "node:assert/strict";
import { test } from "node:test";

import { signUp } from "./support/client.mjs";
import { dump } from "./support/database.mjs";
import { accountOf, arrive, bearer, CLIENT_ID, CLIENT_SECRET, exchange, federated, link } from "./support/federation.mjs";
import { newPerson, presentIdToken, redirectUri, returned, signInAt, start, started, visit } from "./support/federation.mjs";
import { accessLines, assertLogLine, loggedText } from "./support/logs.mjs";
import { ID_TOKEN_FAULTS } from "./support/providers/forged.mjs";
import { gitHubUser, startGitHub } from "./support/providers/github.mjs";
import { startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { watchedFor } from "./support/watched.mjs";

/** Every value of a URL's query, and its whole. */
const valuesOf = (url) => [...new URL(url).searchParams.values()].filter((value) => value.length >= 7);
/** Values of these queries that are no secret: they stand in settings and documents. */
const PUBLIC = ["code", "openid email profile", "edge-auth"];

test("no address, subject, code, token or secret is in the log, and none that can be presented is stored", async (t) => {
  const mock = await startMockIssuer(t);
  const github = await startGitHub(t, { id: CLIENT_ID, secret: CLIENT_SECRET, redirectUri: redirectUri("github") });
  const settings = federated({ acme: { issuer: mock.issuer }, github: { url: github.url } }, { LOG_LEVEL: "DEBUG" });
  const service = await watchedFor(t, { settings });
  const [logged, stored] = [new Set([CLIENT_SECRET]), new Set([CLIENT_SECRET])];
  const tokens = [];
  mock.tokenAnswer = ({ body }) => tokens.push(body.id_token, body.access_token);
  const follow = async (url) => {
    const callback = await mock.authorize(url);
    for (const value of [...valuesOf(url), ...valuesOf(callback)].filter((value) => isSecret(value, mock))) {
      logged.add(value);
      stored.add(value);
    }
    return callback;
  };
  const note = ({ flow, code }) => [flow, code].filter(Boolean).forEach((text) => (logged.add(text), stored.add(text)));
  const next = () => {
    mock.claims = newPerson({ sub: `subject-${crypto.randomUUID()}` });
    [mock.claims.sub, mock.claims.email, mock.claims.name].forEach((text) => logged.add(text));
  };
  for (const forge of [undefined, ...Object.values(ID_TOKEN_FAULTS)]) {
    next();
    mock.forge = forge;
    const found = await visit(service, "acme", follow);
    note(found);
    await arrive(service, found.callback);
    if (found.code) {
      await accountOf(await exchange(service, found));
      await exchange(service, found);
    }
  }
  mock.forge = undefined;
  for (const fault of ["500", "no JSON", "hangup"]) {
    next();
    mock.fail("token", fault);
    note(await visit(service, "acme", follow));
    mock.heal();
  }
  next();
  [mock.claims, mock.userInfo] = [{ sub: mock.claims.sub }, mock.claims];
  await accountOf(await signInAt(service, "acme", follow));
  for (const [fault, answer] of [["401"], ["no JSON"], ["500"], [undefined, { ...mock.userInfo, sub: "another-subject" }]]) {
    next();
    [mock.claims, mock.userInfo] = [{ sub: mock.claims.sub }, answer ?? mock.claims];
    mock.fail("userinfo", fault);
    note(await visit(service, "acme", follow));
  }
  mock.heal();
  next();
  const native = await started(service, "acme", { native: true });
  const token = mock.idToken({ aud: CLIENT_ID, nonce: native.nonce });
  await accountOf(await presentIdToken(service, "acme", native.flow, token));
  await presentIdToken(service, "acme", native.flow, `${token}x`);
  note(native);
  const { access } = await signUp(service);
  next();
  assert.equal((await link(service, "acme", follow, access)).status, 200);
  github.user = gitHubUser({ login: "login-name-of-the-octocat", email: "octocat-secret@people.example" });
  await accountOf(await signInAt(service, "github", (url) => github.authorize(url)));
  ["login-name-of-the-octocat", "octocat-secret@people.example"].forEach((text) => logged.add(text));
  const texts = await loggedText(service);
  texts.forEach(assertLogLine);
  const log = texts.join("\n");
  const parts = [...tokens, token].filter(Boolean).flatMap((text) => text.split(".").slice(1).filter((part) => part.length > 10));
  for (const text of [...logged, ...parts]) {
    assert.ok(!log.includes(text), `logged: ${text}`);
  }
  const all = await dump(service.db);
  for (const text of [...stored, ...parts]) {
    assert.ok(!all.includes(text), `stored: ${text}`);
  }
  assert.ok(logged.size > 150, String(logged.size));
  assert.ok(log.includes("app.federation"), "failures of providers are logged");
});

/** The issuer and the URL of the callback are told to each visitor. */
function isSecret(value, { issuer }) {
  return !PUBLIC.includes(value) && !value.includes("/callback") && value !== issuer && value !== CLIENT_ID && value !== "S256";
}

test("failures of a provider are logged with its id and a cause, at the level of their meaning", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  const service = await watchedFor(t, { settings: federated({ acme: { issuer: mock.issuer } }) });
  mock.claims = newPerson();
  await signInAt(service, "acme", (url) => mock.authorize(url));
  mock.fail("token", "500");
  const slow = await visit(service, "acme", (url) => mock.authorize(url));
  mock.fail("token", "no JSON");
  const broken = await visit(service, "acme", (url) => mock.authorize(url));
  mock.heal();
  mock.tokenAnswer = (answer) => Object.assign(answer, { statusCode: 401, body: { error: "invalid_client" } });
  const refused = await visit(service, "acme", (url) => mock.authorize(url));
  const lines = (await loggedText(service)).map((line) => JSON.parse(line)).filter(({ name }) => name === "app.federation");
  const of = ({ response }) => lines.filter(({ request_id: id }) => id === response.headers["x-request-id"]);
  const found = [slow, broken, refused].map((visited) => of(visited)[0]).map(({ level, provider }) => [level, provider]);
  // Only the operator can mend the last one; a changed request may cause the others.
  assert.deepEqual(found, [["WARNING", "acme"], ["WARNING", "acme"], ["ERROR", "acme"]]);
});

test("D1 is called as often as each step needs", async (t) => {
  const mock = await startMockIssuer(t, "ES256");
  const service = await watchedFor(t, { settings: federated({ acme: { issuer: mock.issuer } }) });
  const costs = async (...responses) => (await accessLines(service, responses)).map(({ d1_calls: calls }) => calls);
  mock.claims = newPerson();
  const account = await signUp(service);
  const begun = await start(service, "acme");
  const callback = await mock.authorize(begun.body.authorize_url);
  const [arrived, again] = [await arrive(service, callback), await arrive(service, callback)];
  const found = { flow: begun.body.flow, ...returned(arrived) };
  const [done, replayed] = [await exchange(service, found), await exchange(service, found)];
  assert.deepEqual(await costs(begun, arrived, done), [0, 2, 2]);
  assert.ok((await costs(again, replayed)).every((calls) => calls <= 2));
  const [noState, noFlow] = [callback.replace("state=", "state=x"), { flow: "x", code: "y" }];
  assert.deepEqual(await costs(await arrive(service, noState), await exchange(service, noFlow)), [0, 0]);
  const native = await start(service, "acme", { native: true });
  const token = mock.idToken({ aud: CLIENT_ID, nonce: native.body.nonce });
  const presented = await presentIdToken(service, "acme", native.body.flow, token);
  assert.deepEqual(await costs(native, presented), [0, 2]);
  mock.claims = newPerson();
  const linking = await start(service, "acme", { link: true }, bearer(account.access));
  const linkedBack = await arrive(service, await mock.authorize(linking.body.authorize_url));
  const linked = await exchange(service, { flow: linking.body.flow, ...returned(linkedBack) }, bearer(account.access));
  assert.deepEqual(await costs(linking, linkedBack, linked), [1, 1, 2]);
});

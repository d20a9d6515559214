// The resource servers of `examples/` while edge-auth is silent, refuses them, or answers nonsense: a stand-in takes its
// place. A token that cannot be judged is 503, never 401, since a client would sign its user out; and never 200.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { send, signUp } from "../e2e/support/client.mjs";
import { startService } from "../e2e/support/service.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { otherKeys, signedBy } from "./support/keys.mjs";
import { NAMES, settingsFor, startServers } from "./support/servers.mjs";
import { profile, transfer } from "./support/world.mjs";

const ACCOUNT = { client_id: "sa_1", key: "ea_sk_of_the_stand-in" };
const JSON_TYPE = { "Content-Type": "application/json" };
const INVALID = 'Bearer error="invalid_token"';
const started = [];
const asked = [];
let standIn;
let person;
/** The answers of the stand-in, by path: a status, headers and a text; `undefined` closes the connection. */
const answers = {};

before(async () => {
  const service = await startService({ settings: { ALGORITHM: "EdDSA" } });
  started.push(service);
  person = await signUp(service);
  answers["/good-keys"] = [200, JSON_TYPE, (await send(service, "/.well-known/jwks.json")).text];
  answers["/active"] = [200, JSON_TYPE, '{"active":true}'];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    asked.push({ url: request.url, method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
    const answer = answers[request.url];
    return answer ? response.writeHead(answer[0], answer[1]).end(answer[2]) : request.socket.destroy();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  started.push({ stop: () => (server.closeAllConnections(), server.close()) });
  standIn = { origin: `http://127.0.0.1:${server.address().port}` };
});
after(() => Promise.all(started.map((each) => each.stop())));

/** The examples, with a key set and an introspection of the stand-in. */
const serversWith = (keys, introspection = "/introspection") =>
  startServers(
    { ...settingsFor(standIn, ACCOUNT), JWKS_URL: standIn.origin + keys, INTROSPECTION_URL: standIn.origin + introspection },
    started,
  );

test("introspection is form-encoded, authenticated, and obeyed only if it says true", async () => {
  const servers = await serversWith("/good-keys");
  const unsure = {
    "another status": [500, JSON_TYPE, '{"active":true}'],
    "refused credentials": [401, JSON_TYPE, '{"active":true}'],
    "a missing scope": [403, JSON_TYPE, '{"error":"insufficient_scope"}'],
    "a redirect": [302, { Location: `${standIn.origin}/active` }, ""],
    "another format": [200, { "Content-Type": "text/html" }, "<p>active</p>"],
    "no answer": undefined,
  };
  const untrue = ['{"active":"true"}', '{"active":1}', "{}", "null"];
  for (const name of NAMES) {
    asked.length = 0;
    answers["/introspection"] = [200, JSON_TYPE, '{"active":true,"sub":"1","client_id":null}'];
    assert.equal((await transfer(servers[name], person.access)).status, 200, name);
    const { method, headers, body } = asked.find(({ url }) => url === "/introspection");
    assert.equal(method, "POST");
    assert.match(headers["content-type"], /^application\/x-www-form-urlencoded(;charset=utf-8)?$/i);
    assert.equal(headers.authorization, `Basic ${btoa(`${ACCOUNT.client_id}:${ACCOUNT.key}`)}`);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), { token: person.access });

    answers["/introspection"] = [200, JSON_TYPE, '{"active":false}'];
    const refused = await transfer(servers[name], person.access);
    assert.deepEqual([refused.status, refused.challenge], [401, INVALID], name);
    for (const [fault, answer] of Object.entries(unsure)) {
      answers["/introspection"] = answer;
      const { status, retryAfter, challenge } = await transfer(servers[name], person.access);
      assert.deepEqual([status, retryAfter, challenge], [503, "5", undefined], `${name}: ${fault}`);
    }
    for (const text of untrue) {
      answers["/introspection"] = [200, JSON_TYPE, text];
      const { status } = await transfer(servers[name], person.access);
      assert.ok(status === 401 || status === 503, `${name}: ${text} is ${status}`);
    }
    assert.equal((await profile(servers[name], person.access)).status, 200, name);
  }
});

test("a key set that cannot be read is no fault of the token, and is read again", async () => {
  const faults = { "another status": [500, JSON_TYPE, "{}"], "another format": [200, JSON_TYPE, "<p>"], "no answer": undefined };
  const servers = await serversWith("/keys");
  for (const [fault, answer] of Object.entries(faults)) {
    answers["/keys"] = answer;
    for (const name of NAMES) {
      const { status, retryAfter, challenge } = await profile(servers[name], person.access);
      assert.deepEqual([status, retryAfter, challenge], [503, "5", undefined], `${name}: ${fault}`);
    }
  }
  answers["/keys"] = answers["/good-keys"];
  // The example with axum pauses for a second after a failure.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  for (const name of NAMES) {
    assert.equal((await profile(servers[name], person.access)).status, 200, name);
  }
});

test("a key of another algorithm in the key set verifies nothing", async () => {
  const others = otherKeys();
  const { keys } = JSON.parse(answers["/good-keys"][2]);
  answers["/more-keys"] = [200, JSON_TYPE, JSON.stringify({ keys: [...keys, ...others.map(({ jwk }) => jwk)] })];
  const servers = await serversWith("/more-keys");
  const { header, claims } = decode(person.access);
  for (const name of NAMES) {
    assert.equal((await profile(servers[name], person.access)).status, 200, name);
    for (const { jwk, sign } of others) {
      const token = signedBy(sign, { ...header, alg: jwk.alg, kid: jwk.kid }, claims);
      const { status, challenge } = await profile(servers[name], token);
      assert.deepEqual([status, challenge], [401, INVALID], `${name}: ${jwk.alg}`);
    }
  }
});

// The resource servers of `examples/` against the deployed Worker: each accepts and refuses the same tokens, follows the
// rotation of keys, and asks for the state of the session where its route is sensitive.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { logout, refresh, send, signUp } from "../e2e/support/client.mjs";
import { made } from "../e2e/support/roles.mjs";
import { decode } from "../e2e/support/tokens.mjs";
import { cases } from "./support/cases.mjs";
import { currentKey, signed } from "./support/keys.mjs";
import { profile, rotate, SERVERS, serviceToken, startWorld, transfer } from "./support/world.mjs";

const INVALID = 'Bearer error="invalid_token"';
/** Longer than the time for which an example does not read the key set again. */
const COOLDOWN_MS = 10_500;
const isKeySet = ({ path, message }) => path === "/.well-known/jwks.json" && message === "Request finished";

/** Uses a resource server until told to stop, with a new token each round. Collects the kids of accepted tokens. */
async function use(service, server, flow) {
  const person = await signUp(service);
  while (!flow.isOver) {
    const pair = await made(refresh(service, person.refresh));
    const before = person.access;
    Object.assign(person, { access: pair.access_token, refresh: pair.refresh_token });
    for (const token of [before, person.access]) {
      const answer = await profile(server, token);
      assert.equal(answer.status, 200, JSON.stringify(answer));
      assert.equal(answer.body.user_id, person.id);
      flow.kids.add(decode(token).header.kid);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function until(condition) {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const algorithm of ["EdDSA", "ES256"]) {
  describe(algorithm, () => {
    let world;
    let person;
    let tokens;
    const started = [];

    before(async () => {
      world = await startWorld(algorithm, started);
      person = await signUp(world.service);
      const stranger = await signUp(world.foreign);
      const key = await currentKey(world.service);
      const published = JSON.parse((await send(world.service, "/.well-known/jwks.json")).text).keys;
      tokens = cases({ person, stranger, machine: await serviceToken(world), key, published });
    });
    after(() => Promise.all(started.map((each) => each.stop())));

    for (const name of SERVERS) {
      test(`${name}: tokens of users are accepted, all others are refused`, async () => {
        const server = world.servers[name];
        const expected = { user_id: person.id, session_id: decode(person.access).claims.sid };
        for (const [reason, token] of Object.entries(tokens.accepted)) {
          const { status, body } = await profile(server, token);
          assert.deepEqual([status, body], [200, expected], reason);
        }
        for (const [reason, token] of Object.entries(tokens.refused)) {
          for (const call of [profile, transfer]) {
            const { status, challenge } = await call(server, token);
            assert.deepEqual([status, challenge], [401, INVALID], reason);
          }
        }
      });

      test(`${name}: a request without a token gets a challenge without an error`, async () => {
        for (const headers of [{}, { Authorization: "Bearer" }, { Authorization: `Basic ${person.access}` }]) {
          const { status, challenge } = await profile(world.servers[name], undefined, headers);
          assert.deepEqual([status, challenge], [401, "Bearer"], JSON.stringify(headers));
        }
        const { status } = await profile(world.servers[name], undefined, { Authorization: `bearer ${person.access}` });
        assert.equal(status, 200);
      });

      test(`${name}: a sensitive route refuses the token of an ended session`, async () => {
        const server = world.servers[name];
        const leaving = await signUp(world.service);
        const { status, body } = await transfer(server, leaving.access);
        assert.deepEqual([status, body], [200, { user_id: leaving.id, transferred: true }]);
        await made(logout(world.service, leaving.refresh));
        assert.equal((await profile(server, leaving.access)).status, 200);
        const refused = await transfer(server, leaving.access);
        assert.deepEqual([refused.status, refused.challenge], [401, INVALID]);
      });

      test(`${name}: unknown kids do not become requests for the key set`, async () => {
        const key = await currentKey(world.service);
        const { header, claims } = decode(person.access);
        const before = world.service.logs(isKeySet).length;
        for (let index = 0; index < 40; index += 1) {
          const token = signed(key, { ...header, kid: `unknown-${index}` }, claims);
          assert.equal((await profile(world.servers[name], token)).status, 401);
        }
        const count = world.service.logs(isKeySet).length - before;
        assert.ok(count <= 1, `${count} requests`);
      });
    }

    test("rotations of the signing keys refuse no request", async () => {
      const flows = Object.fromEntries(SERVERS.map((name) => [name, { isOver: false, kids: new Set() }]));
      const uses = SERVERS.map((name) => use(world.service, world.servers[name], flows[name]));
      const all = Promise.all(uses);
      const everywhere = (count) => Promise.race([all, until(() => Object.values(flows).every(({ kids }) => kids.size >= count))]);
      await everywhere(1);
      // The next key is in every cached key set already.
      await rotate(world.service);
      await everywhere(2);
      // The one after it is not: its kid is unknown, and the key set is read again.
      await Promise.race([all, new Promise((resolve) => setTimeout(resolve, COOLDOWN_MS))]);
      await rotate(world.service);
      await everywhere(3);
      Object.values(flows).forEach((each) => (each.isOver = true));
      await all;
    });
  });
}

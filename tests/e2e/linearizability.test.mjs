// Concurrent requests are answered as if they had come one after another, in some order: bursts of
// parallel requests against a sequential model. At this level, because D1 and workerd make the interleavings.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, logout, me, refresh, signUp } from "./support/client.mjs";
import { tokensOf } from "./support/database.mjs";
import { explain, newSession, REVOKED } from "./support/model.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";

const SEEDS = [1, 7, 42, 1729, 271828];
const BURSTS = 60;
const SESSIONS = 3;

/** Mulberry32: numbers in [0, 1) that depend on the seed only. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Several sessions, the knowledge about them, and the possible requests. The draws depend on the
 * seed and on the outcome of the races so far.
 */
class World {
  constructor(service, seed, isStrict) {
    Object.assign(this, { service, isStrict, random: generator(seed), access: [], users: [] });
  }

  async open() {
    const people = await Promise.all(Array.from({ length: SESSIONS }, () => signUp(this.service)));
    this.users = people.map(({ user }) => user);
    this.access = people.map(({ access }) => [access]);
    this.states = [people.map((person) => newSession(person.refresh))];
  }

  below(limit) {
    return Math.floor(this.random() * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** Signs in again where a session is over, since a dead one reveals little. Some stay dead for a while. */
  async reopen() {
    for (const index of this.users.keys()) {
      if (this.states.every((state) => state[index].ended) && this.random() < 0.6) {
        const { status, body } = await login(this.service, this.users[index]);
        assert.equal(status, 200);
        this.access[index] = [body.access_token];
        this.states = this.states.map((state) => state.with(index, newSession(body.refresh_token)));
      }
    }
  }

  /** Two to four operations, mostly on one session, mostly with its newest token. */
  draw() {
    const favourite = this.below(SESSIONS);
    return Array.from({ length: 2 + this.below(3) }, () => {
      const session = this.random() < 0.75 ? favourite : this.below(SESSIONS);
      const tokens = Object.keys(this.states[0][session].successors);
      const kind = this.pick(["refresh", "refresh", "refresh", "refresh", "refresh", "me", "me", "me", "logout"]);
      if (kind === "me") {
        return { session, kind, access: this.pick(this.access[session]) };
      }
      return { session, kind, token: this.random() < 0.7 ? tokens.at(-1) : this.pick(tokens) };
    });
  }

  async perform({ session, kind, token, access }) {
    const requests = { refresh: () => refresh(this.service, token), logout: () => logout(this.service, token) };
    const { status, body } = await (requests[kind] ?? (() => me(this.service, access)))();
    if (status === 200 && kind === "refresh") {
      this.access[session].push(body.access_token);
      return body.refresh_token;
    }
    return status === 200 ? "OK" : `${status === 401 ? "" : status}${body.error.code}`;
  }

  async burst() {
    await this.reopen();
    const operations = this.draw();
    const answers = await Promise.all(operations.map((operation) => this.perform(operation)));
    const observed = operations.map((operation, index) => ({ ...operation, answer: answers[index] }));
    const next = explain(this.states, observed, this.isStrict);
    assert.notEqual(next.length, 0, `no order explains ${JSON.stringify({ observed, before: this.states }, null, 1)}`);
    this.states = next;
  }

  /** The stored state is one of those that are possible. */
  async assertStored() {
    const stored = await Promise.all(this.access.map(([access]) => storedSession(this.service.db, access)));
    const asStored = ({ ended, successors }) => (ended ? {} : newestOf(Object.keys(successors)));
    const possible = this.states.map((state) => JSON.stringify(state.map(asStored)));
    assert.ok(possible.includes(JSON.stringify(stored)), JSON.stringify({ possible, stored }));
  }
}

const idOf = (token) => token && decode(token).claims.jti;
/** The current token of a session and the one before it, from all its tokens in the order of their issue. */
const newestOf = (tokens) => ({ current: idOf(tokens.at(-1)), previous: idOf(tokens.at(-2)) ?? null });

function storedSession(db, access) {
  return tokensOf(db, Number(decode(access).claims.sid));
}

for (const [name, interval] of [["strict rotation", "0"], ["an interval for retries", "3600"]]) {
  describe(`with ${name}`, () => {
    let service;
    before(async () => (service = await startService({ settings: { REFRESH_REUSE_INTERVAL_SECONDS: interval } })));
    after(() => service.stop());

    for (const seed of SEEDS) {
      test(`${BURSTS} bursts of parallel requests have a sequential explanation (seed ${seed})`, async () => {
        const world = new World(service, seed, interval === "0");
        await world.open();
        for (let count = 0; count < BURSTS; count += 1) {
          await world.burst();
        }
        await world.assertStored();
      });
    }
  });
}

test("the model refuses answers that no order explains", () => {
  const start = [[newSession("a")]];
  const refreshOf = (token, answer) => ({ session: 0, kind: "refresh", token, answer });
  const seen = (answer) => ({ session: 0, kind: "me", answer });
  const count = (isStrict, ...burst) => explain(start, burst, isStrict).length;
  for (const isStrict of [true, false]) {
    assert.equal(count(isStrict, refreshOf("a", "b"), refreshOf("a", "c")), 0, "two winners");
    assert.equal(count(isStrict, refreshOf("a", REVOKED)), 0, "refused for no reason");
    assert.equal(count(isStrict, seen(REVOKED)), 0, "ended by no request");
    assert.equal(count(isStrict, seen("OK"), seen("500INTERNAL_ERROR")), 0, "an error");
    assert.equal(count(isStrict, refreshOf("a", "a")), 0, "its own successor");
    assert.equal(count(isStrict, refreshOf("a", REVOKED), { session: 0, kind: "logout", answer: "OK" }), 1);
  }
  assert.equal(count(true, refreshOf("a", "b"), refreshOf("a", "b")), 0, "a retry, but strict");
  assert.equal(count(false, refreshOf("a", "b"), refreshOf("a", "b")), 1);
  assert.equal(count(true, refreshOf("a", "b"), refreshOf("a", REVOKED), seen("OK")), 1);
  assert.equal(count(false, refreshOf("a", "b"), refreshOf("a", REVOKED), seen("OK")), 0, "a theft, but in time");
  const chain = [refreshOf("a", "b"), refreshOf("b", "c")];
  const [afterTwo] = explain(start, chain, false);
  assert.equal(explain([afterTwo], [refreshOf("a", "b")], false).length, 0, "a retry, but its successor was used");
  assert.equal(explain([afterTwo], [refreshOf("a", REVOKED), seen(REVOKED)], false).length, 1);
  assert.equal(explain([afterTwo], [refreshOf("b", "c"), refreshOf("c", "d")], false).length, 1);
  assert.equal(count(false, ...chain, refreshOf("a", "b")), 1, "the retry came between");
  const [afterTheft] = explain(start, [refreshOf("a", "b"), refreshOf("a", REVOKED)], true);
  assert.equal(explain([afterTheft], [refreshOf("b", "c")], true).length, 0, "the newest token survived a theft");
});

// Floods of sign-ins, with hashes at full cost: an isolate that hashes for seconds must neither take the database for
// dead nor delay requests that hash nothing. At this level, because it is about the event loop.
import assert from "node:assert/strict";
import { test } from "node:test";

import { from, login, me, newIp, newUser, signUp } from "./support/client.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { CLOSED, inspect, OPERATOR_KEY } from "./support/faults.mjs";
import { logged } from "./support/logs.mjs";
import { watchedFor } from "./support/watched.mjs";

/** As deployed: the real cost of a hash, the real D1 timeout. */
const AS_DEPLOYED = { OPERATOR_KEY, PASSWORD_ITERATIONS: undefined, D1_TIMEOUT_MS: undefined };
/** With the default hash these take longer than the D1 timeout. */
const FLOOD = 60;
/** `domain/password/queue.rs` lets a hundred requests wait. */
const CROWD = 300;
const WAITING = 100;

/**
 * This many concurrent sign-ins of unknown users, each from a network of its own by default;
 * `answered` counts them, and `hashed` those that had their turn in the hash queue.
 */
function flood(service, count, ip = newIp) {
  const state = { answered: 0, hashed: 0 };
  const one = async () => {
    const response = await login(service, newUser(), from(ip()));
    state.answered += 1;
    state.hashed += response.status === 401 ? 1 : 0;
    return response;
  };
  state.answers = Promise.all(Array.from({ length: count }, one));
  return state;
}

const isError = (line) => line.level === "ERROR";

test("a flood of sign-ins is answered, and does not open the breaker of a healthy database", async (t) => {
  const service = await watchedFor(t, { settings: AS_DEPLOYED });
  const answers = await flood(service, FLOOD).answers;
  answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  assert.deepEqual(await inspect(service), CLOSED);
  assert.deepEqual(await logged(service, isError), []);
});

test("a request that hashes nothing is answered between the hashes of others", async (t) => {
  const service = await watchedFor(t, { settings: AS_DEPLOYED });
  const { access } = await signUp(service);
  const strangers = flood(service, FLOOD);
  const between = [];
  while (strangers.answered < FLOOD - 1) {
    const before = strangers.answered;
    assertSuccess(await me(service, access), 200);
    between.push(strangers.answered - before);
  }
  t.diagnostic(`sign-ins answered during one request to /users/me: ${between.join(" ")}`);
  assert.ok(Math.max(...between) <= FLOOD / 4, `${between}`);
  await strangers.answers;
});

test("a flood from one network delays the sign-ins of others by few hashes, and only its own are refused", async (t) => {
  const service = await watchedFor(t, { settings: { OPERATOR_KEY, PASSWORD_ITERATIONS: "60000" } });
  const { user } = await signUp(service);
  const one = newIp();
  const attackers = flood(service, CROWD, () => one);
  const hashes = [];
  while (attackers.hashed < WAITING / 2) {
    const before = attackers.hashed;
    assertSuccess(await login(service, user, from(newIp())), 200);
    hashes.push(attackers.hashed - before);
  }
  t.diagnostic(`hashes of the flood during each sign-in of others: ${hashes.join(" ")}`);
  const answers = await attackers.answers;
  assert.ok(answers.filter(({ status }) => status === 503).length > 0, "the queue was full");
  assert.ok(hashes.length >= 3 && Math.max(...hashes) <= WAITING / 4, `${hashes}`);
});

test("requests beyond the hash queue get a 503 with Retry-After, and the others are answered", async (t) => {
  const service = await watchedFor(t, { settings: { OPERATOR_KEY, PASSWORD_ITERATIONS: "60000" } });
  const { user } = await signUp(service);
  const answers = await flood(service, CROWD).answers;
  const refused = answers.filter(({ status }) => status === 503);
  t.diagnostic(`${refused.length} of ${CROWD} were told to come again`);
  refused.forEach((answer) => {
    assertEnvelope(answer, 503, "SERVICE_UNAVAILABLE");
    assert.equal(answer.headers["retry-after"], "10");
  });
  const others = answers.filter(({ status }) => status !== 503);
  others.forEach((answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS"));
  assert.ok(refused.length > 0 && others.length > WAITING, `${refused.length} and ${others.length}`);
  assert.deepEqual(await inspect(service), CLOSED, "the database is not at fault");
  assert.ok((await logged(service, isError)).every(({ cause }) => cause.includes("too many wait")));
  assertSuccess(await login(service, user), 200);
});

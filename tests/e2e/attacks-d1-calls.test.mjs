// How often one address, one site or one user reaches D1: floods of the operations that cost the sender least, and the
// allowance of a user over many addresses. At this level, because the platform's own limiters count.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { changePassword, from, login, logout, me, newIp, newUser, send, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { burst, DOORS, sorted, withinOneMinute, withinOneWindow } from "./support/limits.mjs";
import { accessLines } from "./support/logs.mjs";
import { startWatched } from "./support/watched.mjs";

const WRONG = "an entirely wrong passphrase";

let service;
before(async () => (service = await startWatched({ settings: { RATE_LIMITING: "on", PASSWORD_ITERATIONS: "1" } })));
after(() => service.end());

const outcome = ({ status, body }) => `${status} ${body.error?.code}`;

/** The D1 calls of these answers' requests together. */
async function d1Calls(answers) {
  return (await accessLines(service, answers)).reduce((sum, line) => sum + line.d1_calls, 0);
}

test("300 lists of courses from one address ask D1 a hundred times", async (t) => {
  const answers = await withinOneWindow(service, 10, (ip) => {
    return burst(300, () => send(service, "/courses?limit=100", { headers: from(ip) }));
  });
  const calls = await d1Calls(answers);
  t.diagnostic(`D1 calls of 300 requests: ${calls}`);
  assert.equal(calls, DOORS.publicRead.limit);
});

test("200 sign-outs with one dead token ask D1 as often as the limit allows", async (t) => {
  const answers = await withinOneMinute(service, async (ip) => {
    const person = await signUp(service, newUser(), from(newIp()));
    assertSuccess(await logout(service, person.refresh, from(newIp())), 200);
    return burst(200, () => logout(service, person.refresh, from(ip)));
  });
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 429]);
  const calls = await d1Calls(answers);
  t.diagnostic(`D1 calls of 200 requests: ${calls}`);
  assert.equal(calls, DOORS.signOut.limit);
});

test("a user has one allowance, whatever addresses the requests come from, and dead tokens do not use it up", async () => {
  const LIMIT = 10;
  const statuses = await withinOneMinute(service, async () => {
    const person = await signUp(service, newUser(), from(newIp()));
    const guess = () => changePassword(service, person.access, WRONG, "a new passphrase of the thief", from(newIp()));
    const other = await login(service, person.user, from(newIp()));
    assertSuccess(await logout(service, other.body.refresh_token, from(newIp())), 200);
    const dead = await burst(LIMIT, () => {
      return changePassword(service, other.body.access_token, WRONG, "a new passphrase", from(newIp()));
    });
    const guesses = await burst(LIMIT + 5, guess);
    const elsewhere = await me(service, person.access, from(newIp()));
    return { dead: dead.map(outcome), guesses: guesses.map(outcome), elsewhere: outcome(elsewhere) };
  });
  assert.deepEqual(statuses.dead, Array(LIMIT).fill("401 AUTH_TOKEN_REVOKED"));
  const refused = statuses.guesses.filter((text) => text === "429 RATE_LIMITED");
  assert.deepEqual([refused.length, statuses.elsewhere], [5, "200 undefined"]);
});

test("the networks of one /48 have ten times the allowance together, of which one /64 uses up a tenth", async () => {
  const { limit } = DOORS.account;
  const { first, others, site } = await withinOneMinute(service, async (ip) => {
    const [, , third, fourth] = ip.split(".");
    const site = `2001:db8:${(Number(third) * 256 + Number(fourth)).toString(16)}`;
    const inNetwork = (count) => (index) => DOORS.account.knock(service, from(`${site}:${Math.floor(index / count)}::${index}`));
    const first = await burst(3 * limit, inNetwork(3 * limit));
    const others = await burst(11 * limit, (index) => inNetwork(limit)(index + limit));
    return { first, others, site };
  });
  assert.equal(sorted(first).admitted, limit, site);
  assert.equal(sorted(others).admitted, 9 * limit, site);
});

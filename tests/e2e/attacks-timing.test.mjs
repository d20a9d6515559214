// What a stopwatch tells an attacker: whether an address has an account, whether it is throttled or disabled, whether
// a guess was right although it was refused. At this level, because what is measured is the whole way: HTTP, Wasm, two
// calls of D1. Each try has an account of its own, so that no try changes what the next one finds. How it is judged,
// and why that holds on a busy machine, says support/timing.mjs. Controls that do differ show that it would be seen.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { login, post } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { phc } from "./support/hashes.mjs";
import { DIFFERENT, distance, measure, table } from "./support/timing.mjs";
import { startWatched } from "./support/watched.mjs";

const ROUNDS = 250;
const WARM_UP = 30;
/** What one measurement finds by chance, a second one does not find again; a busy machine may need a third. */
const MEASUREMENTS = { alike: 2, different: 3 };
/** About four milliseconds: most of a request, and still hundreds of them in seconds. */
const ITERATIONS = 15_000;
const RIGHT = "the right passphrase of all of them";
const WRONG = "an entirely wrong passphrase";

const LATER = Date.now() + 86_400_000;
const THROTTLED = { failed_sign_ins: 6, blocked_until: LATER };

/** Accounts of each kind, `undefined`: none; and what is tried on them. */
const KINDS = {
  "wrong password": [{}, WRONG],
  "unknown address": [undefined, WRONG],
  "throttled, wrong password": [THROTTLED, WRONG],
  "throttled, right password": [THROTTLED, RIGHT],
  "disabled, wrong password": [{ is_active: 0 }, WRONG],
  "old hash, wrong password": [{ rounds: ITERATIONS / 2 }, WRONG],
  "old hash, throttled, wrong password": [{ ...THROTTLED, rounds: ITERATIONS / 2 }, WRONG],
  "old hash, throttled, right password": [{ ...THROTTLED, rounds: ITERATIONS / 2 }, RIGHT],
  // To be told apart.
  "control: a hash of half as many rounds again": [{ rounds: ITERATIONS * 1.5 }, WRONG],
};
const NO_BODY = "control: no password in the body";

let service;
before(async () => {
  service = await startWatched({ settings: { PASSWORD_ITERATIONS: String(ITERATIONS) } });
  await Promise.all(Object.values(KINDS).map(([account], index) => account && addAccounts(index, account)));
  await measurement(0);
});
after(() => service.end());

const measurements = [];
/** The times of the nth measurement, which is made when it is asked for first, with accounts of its own. */
function measurement(number) {
  const first = number * (WARM_UP + ROUNDS);
  const kinds = Object.fromEntries(
    Object.entries(KINDS).map(([name, [, password]], index) => [
      name,
      async (round) => {
        assert.equal((await login(service, { email: address(index, first + round), password })).status, 401);
      },
    ]),
  );
  kinds[NO_BODY] = async (round) => {
    assert.equal((await post(service, "/auth/login", { email: address(0, first + round) })).status, 422);
  };
  measurements[number] ??= measure(kinds, { rounds: ROUNDS, warmUp: WARM_UP });
  return measurements[number];
}

/** Does one of so many measurements find that these two are as `isFound` says? Gives what each found, if none does. */
async function findings(one, other, count, isFound) {
  const found = [];
  for (let number = 0; number < count; number += 1) {
    const times = await measurement(number);
    const z = distance(times[one], times[other]);
    if (isFound(z)) {
      return [];
    }
    found.push(z.toFixed(2));
  }
  return found;
}

const address = (kind, round) => `kind-${kind}-round-${round}@mail.example`;

/** One account for each round of each measurement. */
function addAccounts(kind, { rounds = ITERATIONS, is_active = 1, failed_sign_ins = 0, blocked_until = 0 }) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
    INSERT INTO users (email, password_hash, created_at, is_active, failed_sign_ins, blocked_until)
    SELECT 'kind-' || ?2 || '-round-' || i || '@mail.example', ?3, 1, ?4, ?5, ?6 FROM n`;
  const state = [is_active, failed_sign_ins, blocked_until];
  const count = MEASUREMENTS.different * (WARM_UP + ROUNDS);
  return rows(service.db, sql, count, String(kind), phc(RIGHT, rounds), ...state);
}

async function assertAlike(one, other) {
  const found = await findings(one, other, MEASUREMENTS.alike, (z) => Math.abs(z) < DIFFERENT);
  assert.deepEqual(found, [], `${one} and ${other} differ, whenever it is measured`);
}

test("the measurement", async (t) => {
  const times = await measurement(0);
  table(times).forEach((line) => t.diagnostic(line));
  assert.ok(Object.values(times).every((list) => list.length === ROUNDS));
});

describe("the clock tells a control apart, so it would tell the others apart, too:", () => {
  for (const control of ["control: a hash of half as many rounds again", NO_BODY]) {
    test(control.replace("control: ", ""), async () => {
      const { different } = MEASUREMENTS;
      const found = await findings(control, "wrong password", different, (z) => Math.abs(z) > DIFFERENT);
      assert.deepEqual(found, [], "this machine is too busy to measure anything");
    });
  }
});

describe("the clock does not tell apart", () => {
  const alike = ["wrong password", "unknown address", "throttled, wrong password", "disabled, wrong password"];
  for (const [index, one] of alike.entries()) {
    for (const other of alike.slice(index + 1)) {
      test(`${one} – ${other}`, () => assertAlike(one, other));
    }
  }

  test("the right password from a wrong one during a wait", async () => {
    await assertAlike("throttled, right password", "throttled, wrong password");
  });

  test("an account whose hash is of fewer rounds than today's from an address without an account", async () => {
    await assertAlike("old hash, wrong password", "unknown address");
    await assertAlike("old hash, throttled, wrong password", "unknown address");
  });

  test("the right password from a wrong one during a wait, if the hash is of fewer rounds than today's", async () => {
    await assertAlike("old hash, throttled, right password", "old hash, throttled, wrong password");
  });
});

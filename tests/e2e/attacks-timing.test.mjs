// What a stopwatch tells an attacker: whether an address has an account, whether it is throttled or disabled, whether
// a guess was right although it was refused. At this level, because what is measured is the whole way: HTTP, Wasm, two
// calls of D1. How it is judged, and why that holds on a busy machine, says support/timing.mjs. Controls that do differ
// show that it would be seen.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { phc } from "./support/hashes.mjs";
import { table } from "./support/timing.mjs";
import { NO_BODY, THROTTLED, Tries } from "./support/tried.mjs";
import { startWatched } from "./support/watched.mjs";

const ROUNDS = 250;
const WARM_UP = 30;
/** About four milliseconds: most of a request, and still hundreds of them in seconds. */
const ITERATIONS = 15_000;
const RIGHT = "the right passphrase of all of them";
const WRONG = "an entirely wrong passphrase";

const OLD = { hash: phc(RIGHT, ITERATIONS / 2) };

/** Accounts of each kind, `undefined`: none; and what is tried on them. */
const KINDS = {
  "wrong password": [{}, WRONG],
  "unknown address": [undefined, WRONG],
  "throttled, wrong password": [THROTTLED, WRONG],
  "throttled, right password": [THROTTLED, RIGHT],
  "disabled, wrong password": [{ is_active: 0 }, WRONG],
  "old hash, wrong password": [OLD, WRONG],
  "old hash, throttled, wrong password": [{ ...THROTTLED, ...OLD }, WRONG],
  "old hash, throttled, right password": [{ ...THROTTLED, ...OLD }, RIGHT],
  // To be told apart.
  "control: a hash of half as many rounds again": [{ hash: phc(RIGHT, ITERATIONS * 1.5) }, WRONG],
};

let service;
let tries;
before(async () => {
  service = await startWatched({ settings: { PASSWORD_ITERATIONS: String(ITERATIONS) } });
  tries = new Tries(service, KINDS, { rounds: ROUNDS, warmUp: WARM_UP });
  await tries.prepare(phc(RIGHT, ITERATIONS));
});
after(() => service.end());

test("the measurement", async (t) => {
  const times = await tries.measurement(0);
  table(times).forEach((line) => t.diagnostic(line));
  assert.ok(Object.values(times).every((list) => list.length === ROUNDS));
});

describe("the clock tells a control apart, so it would tell the others apart, too:", () => {
  for (const control of ["control: a hash of half as many rounds again", NO_BODY]) {
    test(control.replace("control: ", ""), () => tries.assertDifferent(control, "wrong password"));
  }
});

describe("the clock does not tell apart", () => {
  const alike = ["wrong password", "unknown address", "throttled, wrong password", "disabled, wrong password"];
  for (const [index, one] of alike.entries()) {
    for (const other of alike.slice(index + 1)) {
      test(`${one} – ${other}`, () => tries.assertAlike(one, other));
    }
  }

  test("the right password from a wrong one during a wait", async () => {
    await tries.assertAlike("throttled, right password", "throttled, wrong password");
  });

  test("an account whose hash is of fewer rounds than today's from an address without an account", async () => {
    await tries.assertAlike("old hash, wrong password", "unknown address");
    await tries.assertAlike("old hash, throttled, wrong password", "unknown address");
  });

  test("the right password from a wrong one during a wait, where the hash is of fewer rounds than today's", async () => {
    await tries.assertAlike("old hash, throttled, right password", "old hash, throttled, wrong password");
  });
});

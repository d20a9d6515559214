// Timing side channels: whether an address has an account, whether it is throttled or disabled, whether
// a refused guess was right. At this level, because the whole path is measured: HTTP, Wasm, two
// calls of D1. support/timing.mjs explains the statistics, and why they hold on a busy machine. Controls that do
// differ show that a difference would be detected.
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

/** Accounts of each kind (`undefined`: none), and the passwords tried on them. */
const KINDS = {
  "wrong password": [{}, WRONG],
  "unknown address": [undefined, WRONG],
  "throttled, wrong password": [THROTTLED, WRONG],
  "throttled, right password": [THROTTLED, RIGHT],
  "disabled, wrong password": [{ is_active: 0 }, WRONG],
  "no password, any password": [{ has_password: 0 }, WRONG],
  "old hash, wrong password": [OLD, WRONG],
  "old hash, throttled, wrong password": [{ ...THROTTLED, ...OLD }, WRONG],
  "old hash, throttled, right password": [{ ...THROTTLED, ...OLD }, RIGHT],
  // Controls: these must differ.
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

describe("the clock distinguishes a control, so it would distinguish the others, too:", () => {
  for (const control of ["control: a hash of half as many rounds again", NO_BODY]) {
    test(control.replace("control: ", ""), () => tries.assertDifferent(control, "wrong password"));
  }
});

describe("the clock does not distinguish", () => {
  const refused = ["wrong password", "unknown address", "throttled, wrong password", "disabled, wrong password"];
  const alike = [...refused, "no password, any password"];
  for (const [index, one] of alike.entries()) {
    for (const other of alike.slice(index + 1)) {
      test(`${one} – ${other}`, () => tries.assertAlike(one, other));
    }
  }

  test("the right password from a wrong one during a wait", async () => {
    await tries.assertAlike("throttled, right password", "throttled, wrong password");
  });

  test("an account whose hash has fewer rounds than today's from an address without an account", async () => {
    await tries.assertAlike("old hash, wrong password", "unknown address");
    await tries.assertAlike("old hash, throttled, wrong password", "unknown address");
  });

  test("the right password from a wrong one during a wait, where the hash has fewer rounds than today's", async () => {
    await tries.assertAlike("old hash, throttled, right password", "old hash, throttled, wrong password");
  });
});

// Timing side channels where new hashes are Argon2id: as attacks-timing.test.mjs, with hashes of the
// other function among the stored ones. Fewer attempts, since each takes the 19 MiB and the time of a real login.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { phc } from "./support/hashes.mjs";
import { table } from "./support/timing.mjs";
import { NO_BODY, THROTTLED, Tries } from "./support/tried.mjs";
import { startWatched } from "./support/watched.mjs";

const ROUNDS = 100;
const WARM_UP = 10;
const RIGHT = "the right passphrase of all of them";
const WRONG = "an entirely wrong passphrase";

/** A hash from before the setting was changed: a hundredth of the work of today's. */
const OLD = { hash: phc(RIGHT, 1000) };
const COSTLIER = "control: a stored hash of twice the memory";

let service;
let tries;
before(async () => {
  service = await startWatched({ settings: { PASSWORD_HASH: "argon2id" } });
  await signUp(service, { email: "model@mail.example", password: RIGHT });
  const [{ password_hash: hash }] = await rows(service.db, "SELECT password_hash FROM users");
  const kinds = {
    "wrong password": [{}, WRONG],
    "unknown address": [undefined, WRONG],
    "throttled, wrong password": [THROTTLED, WRONG],
    "throttled, right password": [THROTTLED, RIGHT],
    "disabled, wrong password": [{ is_active: 0 }, WRONG],
    "PBKDF2, wrong password": [OLD, WRONG],
    "PBKDF2, throttled, right password": [{ ...THROTTLED, ...OLD }, RIGHT],
    [COSTLIER]: [{ hash: hash.replace("m=19456", "m=38912") }, WRONG],
  };
  tries = new Tries(service, kinds, { rounds: ROUNDS, warmUp: WARM_UP });
  await tries.prepare(hash);
});
after(() => service.end());

test("the measurement", async (t) => {
  const times = await tries.measurement(0);
  table(times).forEach((line) => t.diagnostic(line));
  assert.ok(Object.values(times).every((list) => list.length === ROUNDS));
});

describe("the clock distinguishes a control, so it would distinguish the others, too:", () => {
  for (const control of [COSTLIER, NO_BODY]) {
    test(control.replace("control: ", ""), () => tries.assertDifferent(control, "wrong password"));
  }
});

describe("the clock does not distinguish an address without an account from one with", () => {
  for (const kind of ["wrong password", "throttled, wrong password", "disabled, wrong password"]) {
    test(`a current hash: ${kind}`, () => tries.assertAlike(kind, "unknown address"));
  }

  test("a PBKDF2 hash with less work than today's", async () => {
    await tries.assertAlike("PBKDF2, wrong password", "unknown address");
  });
});

describe("the clock does not distinguish the right password from a wrong one during a wait", () => {
  for (const kind of ["throttled, right password", "PBKDF2, throttled, right password"]) {
    test(kind, () => tries.assertAlike(kind, "throttled, wrong password"));
  }
});

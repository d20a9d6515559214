// Passwords tried on accounts of several kinds, with timing. Each attempt has an account of its own, so that none
// changes the state for the next. A real difference is found in every measurement, and one made by chance is
// not found again: so an unexpected measurement is repeated, with other accounts.
import assert from "node:assert/strict";

import { login, post } from "./client.mjs";
import { rows } from "./database.mjs";
import { DIFFERENT, distance, measure } from "./timing.mjs";

const LATER = Date.now() + 86_400_000;
/** An account in the middle of a wait. */
export const THROTTLED = { failures: 6, blocked_until: LATER };
export const NO_BODY = "control: no password in the body";

/** A second measurement does not repeat a finding by chance; a busy machine may need a third. */
const MEASUREMENTS = { alike: 2, different: 3 };

const address = (kind, round) => `kind-${kind}-round-${round}@mail.example`;

/** Milliseconds of each kind in each round, and of a request without a password; measured on demand. */
export class Tries {
  #measurements = [];

  /**
   * @param {Record<string, [object|undefined, string]>} kinds the account, `undefined` for none, and the password
   */
  constructor(service, kinds, { rounds, warmUp }) {
    Object.assign(this, { service, kinds: Object.entries(kinds), rounds, warmUp });
  }

  /** Makes all accounts that may be needed, with this hash unless their kind has another. */
  async prepare(hash) {
    const count = MEASUREMENTS.different * (this.warmUp + this.rounds);
    const add = ([, [account]], index) => account && addAccounts(this.service, index, count, { hash, ...account });
    await Promise.all(this.kinds.map(add));
    await this.measurement(0);
  }

  /** The times of the nth measurement. */
  measurement(number) {
    const { service, rounds, warmUp } = this;
    const first = number * (warmUp + rounds);
    const tries = Object.fromEntries(
      this.kinds.map(([name, [, password]], index) => [
        name,
        async (round) => {
          assert.equal((await login(service, { email: address(index, first + round), password })).status, 401);
        },
      ]),
    );
    tries[NO_BODY] = async (round) => {
      assert.equal((await post(service, "/auth/login", { email: address(0, first + round) })).status, 422);
    };
    this.#measurements[number] ??= measure(tries, { rounds, warmUp });
    return this.#measurements[number];
  }

  /** The clock does not distinguish these two. */
  async assertAlike(one, other) {
    const found = await this.#findings(one, other, MEASUREMENTS.alike, (z) => Math.abs(z) < DIFFERENT);
    assert.deepEqual(found, [], `${one} and ${other} differ, whenever it is measured`);
  }

  /** The clock distinguishes these two, so it would distinguish others, too. */
  async assertDifferent(one, other) {
    const found = await this.#findings(one, other, MEASUREMENTS.different, (z) => Math.abs(z) > DIFFERENT);
    assert.deepEqual(found, [], "this machine is too busy to measure anything");
  }

  /** Nothing, if one of `count` measurements satisfies `isFound` for these two; else the result of each. */
  async #findings(one, other, count, isFound) {
    const found = [];
    for (let number = 0; number < count; number += 1) {
      const times = await this.measurement(number);
      const z = distance(times[one], times[other]);
      if (isFound(z)) {
        return [];
      }
      found.push(z.toFixed(2));
    }
    return found;
  }
}

/** One account for each round. */
async function addAccounts(service, kind, count, { hash, is_active = 1, has_password = 1, failures = 0, blocked_until = 0 }) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
    INSERT INTO users (email, password_hash, created_at, is_active, has_password)
    SELECT 'kind-' || ?2 || '-round-' || i || '@mail.example', ?3, 1, ?4, ?5 FROM n RETURNING id`;
  const accounts = await rows(service.db, sql, count, String(kind), hash, is_active, has_password);
  if (failures > 0) {
    const throttle = `
      INSERT INTO throttles (key, failures, blocked_until, closed_until)
      SELECT 'user/' || value || '/unknown/00', ?2, ?3, ?3 FROM json_each(?1)`;
    await rows(service.db, throttle, JSON.stringify(accounts.map(({ id }) => id)), failures, blocked_until);
  }
}

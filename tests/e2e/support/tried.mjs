// Passwords tried on accounts of several kinds, against the clock. Each try has an account of its own, so that no try
// changes what the next one finds.
import assert from "node:assert/strict";

import { login, post } from "./client.mjs";
import { rows } from "./database.mjs";
import { DIFFERENT, distance, measure } from "./timing.mjs";

const LATER = Date.now() + 86_400_000;
/** An account in the middle of a wait. */
export const THROTTLED = { failed_sign_ins: 6, blocked_until: LATER };
export const NO_BODY = "control: no password in the body";

/** What one measurement finds by chance, a second one does not find again; a busy machine may need a third. */
const MEASUREMENTS = { alike: 2, different: 3 };

const address = (kind, round) => `kind-${kind}-round-${round}@mail.example`;

/** Tries of several kinds, and of a request without a password: measured once, and again where that is in doubt. */
export class Tries {
  #measurements = [];

  /**
   * @param {Record<string, [object|undefined, string]>} kinds the account, `undefined` for none, and what is tried
   * @param {string} hash of accounts that have none of their own
   */
  constructor(service, kinds, hash, { rounds, warmUp }) {
    Object.assign(this, { service, kinds: Object.entries(kinds), hash, rounds, warmUp });
  }

  /** Adds the accounts, and measures: milliseconds of each kind in each round. */
  async begin() {
    const count = MEASUREMENTS.different * (this.warmUp + this.rounds);
    await Promise.all(this.kinds.map(([, [account]], index) => account && this.#addAccounts(index, count, account)));
    return this.#measurement(0);
  }

  /** The clock does not tell these two apart. */
  async assertAlike(one, other) {
    const found = await this.#findings(one, other, MEASUREMENTS.alike, (z) => Math.abs(z) < DIFFERENT);
    assert.deepEqual(found, [], `${one} and ${other} differ, whenever it is measured`);
  }

  /** The clock does, so it would tell others apart, too. */
  async assertDifferent(one, other) {
    const found = await this.#findings(one, other, MEASUREMENTS.different, (z) => Math.abs(z) > DIFFERENT);
    assert.deepEqual(found, [], "this machine is too busy to measure anything");
  }

  /** Does one of so many measurements find these two as `isFound` says? What each found instead, if none does. */
  async #findings(one, other, count, isFound) {
    const found = [];
    for (let number = 0; number < count; number += 1) {
      const times = await this.#measurement(number);
      const z = distance(times[one], times[other]);
      if (isFound(z)) {
        return [];
      }
      found.push(z.toFixed(2));
    }
    return found;
  }

  /** The times of the nth measurement, which is made when it is asked for first. */
  #measurement(number) {
    const first = number * (this.warmUp + this.rounds);
    const refused = async (status, attempt) => assert.equal((await attempt).status, status);
    const tries = this.kinds.map(([name, [, password]], index) => {
      const email = (round) => address(index, first + round);
      return [name, (round) => refused(401, login(this.service, { email: email(round), password }))];
    });
    const bodiless = (round) => post(this.service, "/auth/login", { email: address(0, first + round) });
    tries.push([NO_BODY, (round) => refused(422, bodiless(round))]);
    this.#measurements[number] ??= measure(Object.fromEntries(tries), this);
    return this.#measurements[number];
  }

  /** One account for each round of each measurement. */
  #addAccounts(kind, count, { hash = this.hash, is_active = 1, failed_sign_ins = 0, blocked_until = 0 }) {
    const sql = `
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
      INSERT INTO users (email, password_hash, created_at, is_active, failed_sign_ins, blocked_until)
      SELECT 'kind-' || ?2 || '-round-' || i || '@mail.example', ?3, 1, ?4, ?5, ?6 FROM n`;
    return rows(this.service.db, sql, count, String(kind), hash, is_active, failed_sign_ins, blocked_until);
  }
}

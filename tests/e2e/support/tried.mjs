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

const address = (kind, round) => `kind-${kind}-round-${round}@mail.example`;

/**
 * Milliseconds of each kind in each round; and of a request without a password.
 * @param {Record<string, [object|undefined, string]>} kinds the account, `undefined` for none, and what is tried on it
 */
export async function measureTries(service, kinds, hash, { rounds, warmUp }) {
  const entries = Object.entries(kinds);
  const add = ([, [account]], index) => account && addAccounts(service, index, warmUp + rounds, { hash, ...account });
  await Promise.all(entries.map(add));
  const tries = Object.fromEntries(
    entries.map(([name, [, password]], index) => [
      name,
      async (round) => assert.equal((await login(service, { email: address(index, round), password })).status, 401),
    ]),
  );
  tries[NO_BODY] = async (round) => {
    assert.equal((await post(service, "/auth/login", { email: address(0, round) })).status, 422);
  };
  return measure(tries, { rounds, warmUp });
}

/** One account for each round. */
function addAccounts(service, kind, count, { hash, is_active = 1, failed_sign_ins = 0, blocked_until = 0 }) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
    INSERT INTO users (email, password_hash, created_at, is_active, failed_sign_ins, blocked_until)
    SELECT 'kind-' || ?2 || '-round-' || i || '@mail.example', ?3, 1, ?4, ?5, ?6 FROM n`;
  return rows(service.db, sql, count, String(kind), hash, is_active, failed_sign_ins, blocked_until);
}

/** The clock does not tell these two apart. */
export function assertAlike(times, one, other) {
  const z = distance(times[one], times[other]);
  assert.ok(Math.abs(z) < DIFFERENT, `${one} and ${other} differ: z = ${z.toFixed(2)}`);
}

/** The clock does, so it would tell others apart, too. */
export function assertDifferent(times, one, other) {
  const z = distance(times[one], times[other]);
  assert.ok(Math.abs(z) > DIFFERENT, `z = ${z.toFixed(2)}: this machine is too busy to measure anything`);
}

// The costs of operations in the database, as counted by wrappers/counted-db.mjs.
import assert from "node:assert/strict";

import { send } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";

export const WRAPPER = "tests/growth/wrappers/counted-db.mjs";

/** The counts since the last call: `[{handler, ms, statements: [{sql, read, written}]}]`. */
export async function takeBatches(service) {
  const { status, text } = await send(service, "/__batches");
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

/** Waits until no mail is on its way behind a response. Those of the filled database wait for a later attempt. */
async function untilSent(service) {
  const sql = "SELECT count(*) AS number FROM mails WHERE attempts = 1";
  await until("every mail is sent", async () => (await rows(service.db, sql))[0].number === 0);
}

/**
 * Refusals of one hour share buckets of twenty rows. As chance has it, those of operations before would be read as well. The events
 * of the filled database have lower ids.
 */
const forgetRefusals = ({ db }) => rows(db, "DELETE FROM audit_events WHERE id > 1e9 AND refusal_tag IS NOT NULL");

/** Runs one operation alone, after its preparation, with the work behind its response: `{trips, read, written, ms, batches}`. */
export async function measure(service, { prepare, perform, status }, person) {
  await forgetRefusals(service);
  await prepare?.(service, person);
  await untilSent(service);
  await takeBatches(service);
  const begun = performance.now();
  const response = await perform(service, person);
  const ms = performance.now() - begun;
  assert.equal(response.status, status, response.text);
  await untilSent(service);
  const batches = await takeBatches(service);
  return { trips: batches.length, read: total(batches, "read"), written: total(batches, "written"), ms, batches };
}

/** The sum of `read` or `written` over all statements. */
export function total(batches, member) {
  return batches.flatMap(({ statements }) => statements).reduce((sum, statement) => sum + statement[member], 0);
}

/** The number that this share of them does not exceed. */
export function quantile(numbers, share) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

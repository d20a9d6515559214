// Verifies that the floor matches the product. Each operation must run the same batches of the same statements, with
// values of the same types, and return a body of the same size. Otherwise a change of the product's SQL could outdate
// the floor unnoticed.
import assert from "node:assert/strict";

import { OPERATIONS } from "./operations.mjs";

/** Request ids and tokens have the same length in both; the ids of users and sessions may differ by a digit or two. */
const BODY_SLACK = 16;

const takeBatches = async ({ origin }) => (await fetch(`${origin}/__batches`)).json();

async function traced(target, operation) {
  const { origin, world } = target;
  const { path, ...init } = operation.request(world, 0);
  const response = await fetch(origin + path, init);
  const body = await response.text();
  assert.equal(response.status, operation.status, `${operation.title}: ${body}`);
  operation.answered?.(world, 0, body);
  return { batches: await takeBatches(target), size: body.length };
}

/** Both targets must run behind `recorded-db.mjs`. */
export async function assertFaithful(product, floor) {
  // Discard the batches of the set-up.
  await Promise.all([product, floor].map(takeBatches));
  for (const operation of OPERATIONS) {
    const [real, least] = [await traced(product, operation), await traced(floor, operation)];
    const difference = `The floor differs from the product for ${operation.title}: see floor-worker.mjs`;
    assert.deepEqual(least.batches, real.batches, difference);
    assert.ok(Math.abs(least.size - real.size) <= BODY_SLACK, `${difference} (${least.size} bytes, not ${real.size})`);
  }
}

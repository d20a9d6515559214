// Verifies that the floor matches the product. Each operation must run the same batches of the same statements, with
// values of the same meaning, and return a body of the same size. The floor replays recorded statements, so this shows
// that it takes each value from the right place.
import assert from "node:assert/strict";

/** Request ids and tokens have the same length in both; the ids of users and sessions may differ by a digit or two. */
const BODY_SLACK = 16;

/** Compares the recordings (`recording.mjs`) of these operations on both targets. */
export function assertFaithful(operations, product, floor) {
  for (const { id, title } of operations) {
    const [real, least] = [product[id], floor[id]];
    const difference = `The floor differs from the product for ${title}: see floor-worker.mjs`;
    assert.deepEqual(least.batches, real.batches, difference);
    assert.ok(Math.abs(least.size - real.size) <= BODY_SLACK, `${difference} (${least.size} bytes, not ${real.size})`);
  }
}

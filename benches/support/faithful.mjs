// Verifies that the floor and the plain service match the product. Each operation must run the same batches of the same
// statements, with values of the same meaning, and return a body of the same size. Both replay recorded statements, so
// this shows that they take each value from the right place. The plain service must also send the same headers, log the
// same lines, and refuse the same requests.
import assert from "node:assert/strict";

import { probe } from "./probes.mjs";

/** Request ids and tokens have the same length in both; the ids of users and sessions may differ by a digit or two. */
const BODY_SLACK = 16;

/** Compares the recordings (`recording.mjs`) of these operations on the product and on another target. */
export function assertFaithful(name, operations, product, other) {
  for (const { id, title } of operations) {
    const [real, copy] = [product[id], other[id]];
    const difference = `The ${name} differs from the product for ${title}`;
    assert.deepEqual(copy.batches, real.batches, difference);
    assert.ok(Math.abs(copy.size - real.size) <= BODY_SLACK, `${difference} (${copy.size} bytes, not ${real.size})`);
  }
}

/** Compares the promises that only the plain service keeps too, recorded and probed. */
export function assertSamePromises(operations, product, plain) {
  for (const { id, title } of operations) {
    const difference = `The plain service differs from the product for ${title}`;
    assert.deepEqual(plain[id].headers, product[id].headers, difference);
    assert.deepEqual(plain[id].lines, product[id].lines, difference);
  }
  assert.deepEqual(plain.refusals, product.refusals, "The plain service refuses other requests than the product");
}

/** The record of a target for `assertSamePromises`, in addition to that of its operations. */
export async function withRefusals(target, recording) {
  return { ...recording, refusals: await probe(target) };
}

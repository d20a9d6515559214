// One request that overtakes another (wrappers/overtaken-db.mjs): the order of two that chance brings about least often.
import assert from "node:assert/strict";

import { send } from "./client.mjs";
import { assertIntact, made } from "./roles.mjs";

export const WRAPPER = "tests/e2e/wrappers/overtaken-db.mjs";

const isHeld = (line) => line.message === "Answer held back";

/**
 * Begins `late`, performs `early` when `late` has read who its caller is, what they may and what the path names, and
 * lets it go on then. Gives the answer of `late`; that of `early` must be a success.
 * @param {(headers: Record<string, string>) => Promise<object>} late sends one request, with these headers
 */
export async function overtaken(service, late, early) {
  const heldBefore = service.logs(isHeld).length;
  const answer = late({ "X-Test-Hold": "yes" });
  let isHeldBack = false;
  const held = service.logged(isHeld, heldBefore + 1).then(() => (isHeldBack = true));
  const response = answer.then((response) => {
    assert.ok(isHeldBack, `answered before it was held back: ${response.status} ${response.text}`);
    return response;
  });
  await Promise.race([held, response]);
  await made(early());
  await send(service, "/__release");
  await response;
  await assertIntact(service.db);
  return response;
}

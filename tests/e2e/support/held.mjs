// Requests that are stopped in the middle, between a question to the database and what they do with its answer, so
// that a test decides what happens meanwhile. For services behind wrappers/held-db.mjs.
import assert from "node:assert/strict";

import { send } from "./client.mjs";

/** Settings under which an answer can be kept back for as long as a test takes. */
export const HELD = { wrapper: "tests/e2e/wrappers/held-db.mjs", settings: { D1_TIMEOUT_MS: "60000" } };

const isHeld = (line) => line.message === "Answer held back";
/** Headers that keep back the answer to the nth question of a request. */
const at = (question) => ({ "X-Test-Hold": "1", "X-Test-Hold-Only": String(question) });

/** `{stop, release}` for one service. */
export function holder(service) {
  let held = 0;
  return {
    /** Starts requests and waits until each has been stopped; a start gets `at`. Gives their answers to come. */
    async stop(...starts) {
      const answers = starts.map((start) => start(at));
      held += starts.length;
      let isStopped = false;
      const stopped = service.logged(isHeld, held).then(() => (isStopped = true));
      const tooSoon = answers.map(async (answer) => {
        const { status, text } = await answer;
        assert.ok(isStopped, `answered before it was stopped: ${status} ${text}`);
      });
      await Promise.race([stopped, ...tooSoon]);
      return answers;
    },

    /** Lets all of them go on. */
    async release() {
      await send(service, "/health", { headers: { "X-Test-Release": "1" } });
    },

    /**
     * Begins `late`, performs `early` when `late` has read who its caller is, what they may and what the path names,
     * and lets it go on then. Gives the answer of `late`; that of `early` must be a success.
     */
    async overtake(late, early) {
      const [answer] = await this.stop((at) => late(at(1)));
      const { status, text } = await early();
      assert.ok(status < 300, `${status} ${text}`);
      await this.release();
      return answer;
    },

    /** Starts all, and lets them go on when each has its answer: what they write comes after what all have read. */
    async allAtOnce(...starts) {
      const answers = await this.stop(...starts);
      await this.release();
      return Promise.all(answers);
    },
  };
}

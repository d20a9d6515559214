// Requests that are stopped between a query and the use of its answer, so
// that a test decides the concurrent events. For services behind wrappers/held-db.mjs.
import assert from "node:assert/strict";

import { send } from "./client.mjs";

/** Settings under which an answer can be held back for as long as a test takes. */
export const HELD = { wrapper: "tests/e2e/wrappers/held-db.mjs", settings: { D1_TIMEOUT_MS: "60000" } };

const isHeld = (line) => line.message === "Answer held back";
/** Headers that hold back the answer to the nth query of a request. */
const at = (question) => ({ "X-Test-Hold": "1", "X-Test-Hold-Only": String(question) });

/** `{stop, release}` for one service. */
export function holder(service) {
  let held = 0;
  return {
    /** Starts requests and waits until each has been stopped; a start gets `at`. Returns their future answers. */
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

    /** Lets all stopped requests continue. */
    async release() {
      await send(service, "/health", { headers: { "X-Test-Release": "1" } });
    },

    /**
     * Begins `late`, performs `early` when `late` has read its caller, the caller's rights and the path's resource,
     * and then lets it continue. Returns the answer of `late`; that of `early` must be a success.
     */
    async overtake(late, early) {
      const [answer] = await this.stop((at) => late(at(1)));
      const { status, text } = await early();
      assert.ok(status < 300, `${status} ${text}`);
      await this.release();
      return answer;
    },

    /** Starts all, and lets them continue when each has its answer: every write comes after all reads. */
    async allAtOnce(...starts) {
      const answers = await this.stop(...starts);
      await this.release();
      return Promise.all(answers);
    },
  };
}

/** The two extremes of concurrency, as `together(starts, question)`: each has read before any has written, and as they come. */
export const orders = (hold) => ({
  "every write after all reads": (starts, question = 1) =>
    hold.allAtOnce(...starts.map((start) => (at) => start(at(question)))),
  "in one burst": (starts) => Promise.all(starts.map((start) => start({}))),
});

// Requests that are stopped in the middle, between a question to the database and what they do with its answer, so
// that a test decides what happens meanwhile. For services behind wrappers/held-db.mjs.
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
      await service.logged(isHeld, held);
      return answers;
    },

    /** Lets all of them go on. */
    async release() {
      await send(service, "/health", { headers: { "X-Test-Release": "1" } });
    },

    /** Starts all, and lets them go on when each has its answer: what they write comes after what all have read. */
    async allAtOnce(...starts) {
      const answers = await this.stop(...starts);
      await this.release();
      return Promise.all(answers);
    },
  };
}

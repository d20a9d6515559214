// Tests whose story needs things to happen in time: a breaker is looked at while it is still open, an answer is held
// back for less than its deadline. A machine that was too slow for that has proved nothing, neither way, so the story
// is told again, on fresh services and with more time. What fails although everything was in time has failed.
import { test } from "node:test";

import { counters, startFaulty } from "./faults.mjs";

const TRIES = 4;
/** The service, which began to wait a moment before, gives up waiting for its breaker's object then. */
const OBJECT_TIMEOUT_MS = 450;
const D1_TIMEOUT_MS = 60_000;
/** So late no timer is on a machine that is quick enough. */
const LATE_MS = 100;

/**
 * A test of services with faults.
 * @param {(story: Story) => Promise<void>} tell
 * @param {number} seconds what the story is given when it is told first; each time after it gets twice as much
 */
export function testInTime(name, tell, seconds = 2) {
  test(name, async (t) => {
    for (let tries = 1; ; tries += 1) {
      const story = new Story(t, seconds * 2 ** (tries - 1));
      try {
        return await tell(story);
      } catch (error) {
        if (tries === TRIES || !(await story.wasTooSlow())) {
          throw error;
        }
        t.diagnostic(`this machine was too slow, once more: ${error.message}`);
      }
    }
  });
}

class Story {
  #isLate = false;
  #services = [];

  /** @param {number} seconds how long something lasts in this telling, as the test likes to use it */
  constructor(t, seconds) {
    Object.assign(this, { t, seconds, ms: seconds * 1000 });
  }

  /** A service of this story, as `startFaulty` starts it. */
  async start(options = {}) {
    const service = await startFaulty(this.t, options);
    this.observe(service, options.settings);
    return service;
  }

  /** The same of a service that was started otherwise, behind the same wrapper. */
  observe(service, settings = {}) {
    this.#services.push({ service, deadline: Number(settings.D1_TIMEOUT_MS ?? D1_TIMEOUT_MS) });
    return service;
  }

  /** Gives what `act` gives. If it takes so long, or longer, whatever fails now or later may be for that reason. */
  async inTime(ms, act) {
    const begun = performance.now();
    try {
      return await act();
    } finally {
      this.#isLate ||= performance.now() - begun >= ms;
    }
  }

  /** Was something late, or has a service given up on an answer that was only slow, with no fault in its way? */
  async wasTooSlow() {
    const looks = this.#services.flatMap(({ service, deadline }) =>
      service.isolates.map(async (isolate) => {
        const { slowest } = await counters(isolate);
        return slowest.batch >= deadline || slowest.fetch >= OBJECT_TIMEOUT_MS || slowest.timer >= LATE_MS;
      }),
    );
    const found = await Promise.allSettled(looks);
    return this.#isLate || found.some(({ value }) => value);
  }
}

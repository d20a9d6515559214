// Tests with stories that depend on timing: a breaker is inspected while it is still open, an answer is held
// back for less than its deadline. A machine that was too slow for that has proved nothing, so the story
// is repeated, on fresh services and with more time. A failure although everything was in time is a failure.
import { test } from "node:test";

import { counters, startFaulty } from "./faults.mjs";

const TRIES = 4;
/** Slightly less than the service's timeout for its breaker's object, since the service starts to wait earlier. */
const OBJECT_TIMEOUT_MS = 450;
const D1_TIMEOUT_MS = 60_000;
/** No timer is as late as this on a machine that is fast enough. */
const LATE_MS = 100;

/**
 * A test of services with faults.
 * @param {(story: Story) => Promise<void>} tell
 * @param {number} seconds the time of the story's first run; each later run gets twice as much
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

  /** @param {number} seconds the length of one step of the story in this run, as the test likes to use it */
  constructor(t, seconds) {
    Object.assign(this, { t, seconds, ms: seconds * 1000 });
  }

  /** A service of this story, as `startFaulty` starts it. */
  async start(options = {}) {
    const service = await startFaulty(this.t, options);
    this.observe(service, options.settings);
    return service;
  }

  /** The same for a service that was started otherwise, behind the same wrapper. */
  observe(service, settings = {}) {
    this.#services.push({ service, deadline: Number(settings.D1_TIMEOUT_MS ?? D1_TIMEOUT_MS) });
    return service;
  }

  /** Returns the result of `act`. If it takes this long, or longer, it may be the cause of any failure now or later. */
  async inTime(ms, act) {
    const begun = performance.now();
    try {
      return await act();
    } finally {
      this.#isLate ||= performance.now() - begun >= ms;
    }
  }

  /** Whether a step was late, or a service gave up on an answer that was only slow, without a fault in its way. */
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

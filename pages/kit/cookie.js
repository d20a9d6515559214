// The cookie of the session, which no script sees: requests that set or remove it run one at a time in all tabs, so that no
// late answer of one removes the cookie that another has set.
import { BASE, exchange } from "./transport.js";

const LOCK = `edge-auth refresh ${BASE}`;
/** A browser may freeze a tab that holds the lock. The others wait for so long, and then go on without it. */
const LOCK_MS = 15_000;
/** The service takes the same cookie again within ten seconds, so a lost answer costs no session. No attempt begins later. */
const RETRIES_MS = [500, 1000, 2000, 4000];
const LAST_RETRY_MS = 9000;
/** An answer that takes so long is asked for again, while that is still possible: longer than the service waits for its database. */
const SILENCE_MS = 6000;

/** Runs an act when no other one runs, in this tab or another. */
export async function exclusively(act) {
  let isBegun = false;
  const begin = () => {
    isBegun = true;
    return act();
  };
  try {
    return await navigator.locks.request(LOCK, { signal: AbortSignal.timeout(LOCK_MS) }, begin);
  } catch (error) {
    if (isBegun) {
      throw error;
    }
    return act();
  }
}

/** Runs an act if no other one runs; otherwise the result is null. */
export const ifNoneRuns = (act) => navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => lock && act());

/** Exchanges the cookie for a new access token. Only for an act that runs alone. */
export async function exchangeCookie() {
  // The time of the day goes on while a computer sleeps; that of `performance` may not.
  const begun = Date.now();
  const elapsed = () => Date.now() - begun;
  const attempt = (patience) => exchange("POST", "auth/refresh", { patience });
  let answer = await attempt(SILENCE_MS);
  for (const pause of RETRIES_MS) {
    if (answer.status !== 0) {
      break;
    }
    await new Promise((done) => setTimeout(done, pause));
    // A pause may take minutes in a tab that sleeps. The service would take the old cookie for a stolen one then.
    if (elapsed() > LAST_RETRY_MS) {
      break;
    }
    answer = await attempt(elapsed() + SILENCE_MS > LAST_RETRY_MS ? undefined : SILENCE_MS);
  }
  return answer;
}

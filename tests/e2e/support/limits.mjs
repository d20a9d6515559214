// Limits per client address, as wrangler.toml sets them, and how to meet them in a test.
import { newIp, newUser, login, refresh, register, send } from "./client.mjs";
import { forge } from "./tokens.mjs";

/** Requests per minute that each door lets through from one network, and a request that knocks at it. */
export const DOORS = {
  register: { limit: 10, knock: (service, headers) => register(service, newUser(), headers) },
  login: { limit: 30, knock: (service, headers) => login(service, newUser(), headers) },
  refresh: { limit: 120, knock: (service, headers) => refresh(service, forge("refresh"), headers) },
  readiness: { limit: 60, knock: (service, headers) => send(service, "/health/ready", { headers }) },
};

const minute = () => Math.floor(Date.now() / 60_000);

/**
 * What `observe` sees within one minute of the clock. The platform's counters begin anew with each: what happened in
 * two of them says nothing about a limit, so it is done once more, from another address.
 */
export async function withinOneMinute(observe) {
  for (;;) {
    const begun = minute();
    const seen = await observe(newIp());
    if (minute() === begun) {
      return seen;
    }
  }
}

/** So many requests at the same time. */
export const burst = (count, request) => Promise.all(Array.from({ length: count }, (_, index) => request(index)));

/** How many were let through, and those that were not. */
export function sorted(answers) {
  const refused = answers.filter((answer) => answer.status === 429);
  return { admitted: answers.length - refused.length, refused };
}

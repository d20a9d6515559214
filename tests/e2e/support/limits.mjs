// Limits per client address, as wrangler.toml sets them, and how to reach them in a test.
import assert from "node:assert/strict";

import { asUser, login, logout, me, newIp, newUser, refresh, register, send, updateProfile } from "./client.mjs";
import { importUsers } from "./imports.mjs";
import { logged } from "./logs.mjs";
import { forge } from "./tokens.mjs";

/** An invalid token: a limit refuses a request whatever its token is worth. */
const NO_TOKEN = "no.jwt.this";
const ROLES = "/universities/1/roles";

/** Requests that each limit admits from one network in its period of seconds, and a request that counts at it. */
export const DOORS = {
  register: { limit: 10, period: 60, knock: (service, headers) => register(service, newUser(), headers) },
  login: { limit: 30, period: 60, knock: (service, headers) => login(service, newUser(), headers) },
  refresh: { limit: 120, period: 60, knock: (service, headers) => refresh(service, forge("refresh"), headers) },
  signOut: { limit: 120, period: 60, knock: (service, headers) => logout(service, forge("refresh"), headers) },
  account: { limit: 30, period: 60, knock: (service, headers) => updateProfile(service, NO_TOKEN, {}, headers) },
  grant: { limit: 60, period: 60, knock: (service, headers) => asUser(service, NO_TOKEN, "POST", ROLES, {}, headers) },
  readiness: { limit: 60, period: 60, knock: (service, headers) => send(service, "/health/ready", { headers }) },
  publicRead: { limit: 100, period: 10, knock: (service, headers) => send(service, "/courses?limit=100", { headers }) },
  read: { limit: 300, period: 10, knock: (service, headers) => me(service, NO_TOKEN, headers) },
  change: { limit: 300, period: 60, knock: (service, headers) => changeUniversity(service, headers) },
  import: { limit: 120, period: 60, knock: (service, headers) => importNothing(service, headers) },
};

/** A change behind a token, at the limit of all changes without one of their own. */
const changeUniversity = (service, headers) => asUser(service, NO_TOKEN, "POST", "/universities", {}, headers);

const importNothing = (service, headers) => importUsers(service, NO_TOKEN, "{}", { headers });

const TRIES = 5;
/** This many requests of a burst are concurrent: a limiter is asked for all of them, and must answer in time. */
const TOGETHER = 10;

const isUnlimited = (line) => line.message === "Rate limiter does not answer";

/** As `withinOneWindow`, for the limits whose period is a minute. */
export const withinOneMinute = (service, observe) => withinOneWindow(service, 60, observe);

/**
 * The result of `observe` within one period of the clock. The platform's counters are reset at the end of each: a result
 * from two of them says nothing about a limit. Nor does it if a limiter was too slow and therefore admitted a request.
 * Then the observation is repeated, from another address.
 */
export async function withinOneWindow(service, seconds, observe) {
  const window = () => Math.floor(Date.now() / 1000 / seconds);
  for (let tries = 1; ; tries += 1) {
    const [begun, { length: unlimited }] = [window(), await logged(service, isUnlimited)];
    const seen = await observe(newIp());
    if (window() === begun && (await logged(service, isUnlimited)).length === unlimited) {
      return seen;
    }
    assert.ok(tries < TRIES, `this machine does not get it done within ${seconds} seconds`);
  }
}

/** This many requests, as fast as they are answered; their answers in the order of the requests. */
export async function burst(count, request) {
  const answers = [];
  let next = 0;
  const client = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      answers[index] = await request(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, TOGETHER) }, client));
  return answers;
}

/** The number of admitted requests, and the refused ones. */
export function sorted(answers) {
  const refused = answers.filter((answer) => answer.status === 429);
  return { admitted: answers.length - refused.length, refused };
}

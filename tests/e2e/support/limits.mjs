// Limits per client address, as wrangler.toml sets them, and how to reach them in a test.
import assert from "node:assert/strict";

import { asUser, newIp, newUser, login, refresh, register, send, updateProfile } from "./client.mjs";
import { logged } from "./logs.mjs";
import { forge } from "./tokens.mjs";

/** An invalid token: a limit refuses a request whatever its token is worth. */
const NO_TOKEN = "no.jwt.this";
const ROLES = "/universities/1/roles";

/** Requests per minute that each limit admits from one network, and a request that counts at it. */
export const DOORS = {
  register: { limit: 10, knock: (service, headers) => register(service, newUser(), headers) },
  login: { limit: 30, knock: (service, headers) => login(service, newUser(), headers) },
  refresh: { limit: 120, knock: (service, headers) => refresh(service, forge("refresh"), headers) },
  account: { limit: 30, knock: (service, headers) => updateProfile(service, NO_TOKEN, {}, headers) },
  grant: { limit: 60, knock: (service, headers) => asUser(service, NO_TOKEN, "POST", ROLES, {}, headers) },
  readiness: { limit: 60, knock: (service, headers) => send(service, "/health/ready", { headers }) },
};

const TRIES = 5;
/** This many requests of a burst are concurrent: a limiter is asked for all of them, and must answer in time. */
const TOGETHER = 10;

const minute = () => Math.floor(Date.now() / 60_000);
const isUnlimited = (line) => line.message === "Rate limiter does not answer";

/**
 * The result of `observe` within one minute of the clock. The platform's counters are reset every minute: a result from
 * two of them says nothing about a limit. Nor does it if a limiter was too slow and therefore admitted a request. Then
 * the observation is repeated, from another address.
 */
export async function withinOneMinute(service, observe) {
  for (let tries = 1; ; tries += 1) {
    const [begun, { length: unlimited }] = [minute(), await logged(service, isUnlimited)];
    const seen = await observe(newIp());
    if (minute() === begun && (await logged(service, isUnlimited)).length === unlimited) {
      return seen;
    }
    assert.ok(tries < TRIES, "this machine does not get it done within a minute");
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

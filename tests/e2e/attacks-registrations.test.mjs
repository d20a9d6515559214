// Attackers that want many accounts, or access to any of many: registrations of one network within an hour, and one
// password tried on hundreds of accounts. At this level, because the platform's limiters and the count in D1 work
// together here, and the count must be exact under truly parallel requests.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { from, login, newIp, newPrefix, newUser, register, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows, throttleKey, throttleOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, said } from "./support/envelope.mjs";
import { burst, DOORS, sorted, withinOneMinute } from "./support/limits.mjs";
import { decode } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

/** Below the limit per minute, so that the tests reach the limit per hour first. */
const PER_HOUR = 4;
const HOUR = 3_600_000;

let service;
before(async () => {
  const settings = { RATE_LIMITING: "on", REGISTRATIONS_PER_HOUR: String(PER_HOUR), PASSWORD_ITERATIONS: "1" };
  service = await startWatched({ settings });
});
after(() => service.end());

const countOf = async (network) => {
  return (await rows(service.db, "SELECT * FROM registration_counts WHERE network = ?1", network))[0];
};
const usersOf = (people) => {
  const emails = JSON.stringify(people.map(({ email }) => email));
  return rows(service.db, "SELECT * FROM users WHERE email IN (SELECT value FROM json_each(?1)) ORDER BY id", emails);
};

/** Refused for the hour; returns the seconds to wait. */
function assertTooMany(answer) {
  assertEnvelope(answer, 429, "RATE_LIMITED");
  assert.match(answer.headers["retry-after"], /^[1-9]\d*$/);
  return Number(answer.headers["retry-after"]);
}

test("of nine concurrent registrations from one /64 exactly as many succeed as the hourly limit allows", async () => {
  const prefix = newPrefix();
  const people = Array.from({ length: 9 }, newUser);
  const answers = await burst(9, (index) => register(service, people[index], from(`${prefix}::${index + 1}`)));
  const { admitted, refused } = sorted(answers);
  assert.equal(admitted, PER_HOUR);
  refused.forEach((answer) => {
    const seconds = assertTooMany(answer);
    assert.ok(seconds > 3000 && seconds <= 3600, `${seconds} s`);
  });
  const winners = answers.filter((answer) => answer.status === 201);
  winners.forEach((answer) => assertSuccess(answer, 201));
  const ids = winners.map(({ body }) => body.id).sort((one, other) => one - other);
  assert.deepEqual((await usersOf(people)).map((user) => user.id), ids, "the refused ones left no account");
  const sql = "SELECT user_id, refresh_id, previous_refresh_id FROM sessions ORDER BY user_id";
  const opened = (await rows(service.db, sql)).filter(({ user_id: id }) => ids.includes(id));
  const tokens = new Map(winners.map(({ body }) => [body.id, decode(body.refresh_token).claims.jti]));
  const expected = ids.map((id) => ({ user_id: id, refresh_id: tokens.get(id), previous_refresh_id: null }));
  assert.deepEqual(opened, expected, "one session each, with the token of the answer");
  const { attempts } = await countOf(`${prefix}::/64`);
  assert.equal(attempts, 9);
  const noted = (await eventsOf(service.db)).filter((event) => event.ip?.startsWith(`${prefix}::`));
  assert.deepEqual(inShort(noted), Array(5).fill("registration_refused rate_limited"));
});

test("a client over the limit waits for the rest of the hour, and begins a new one after it", async () => {
  const prefix = newPrefix();
  const attempt = (number) => register(service, newUser(), from(`${prefix}::${number}`));
  (await burst(PER_HOUR, attempt)).forEach((answer) => assertSuccess(answer, 201));
  assertTooMany(await attempt(5));
  const moveWindow = (milliseconds) => {
    const sql = "UPDATE registration_counts SET window_started_at = window_started_at - ?2 WHERE network = ?1";
    return rows(service.db, sql, `${prefix}::/64`, milliseconds);
  };
  await moveWindow(HOUR - 120_000);
  const seconds = assertTooMany(await attempt(6));
  assert.ok(seconds > 0 && seconds <= 120, `${seconds} s of the hour are left`);
  assert.equal((await countOf(`${prefix}::/64`)).attempts, PER_HOUR + 2, "trying again does not begin a new hour");
  await moveWindow(120_000);
  const before = Date.now();
  assertSuccess(await attempt(7), 201);
  const { attempts, window_started_at: begun } = await countOf(`${prefix}::/64`);
  assert.equal(attempts, 1);
  assert.ok(begun >= before && begun <= Date.now());
});

test("a client over the limit does not learn which addresses have accounts", async () => {
  const { user } = await signUp(service, newUser(), from(newIp()));
  const ip = newIp();
  await burst(PER_HOUR, () => register(service, newUser(), from(ip)));
  const answers = [await register(service, user, from(ip)), await register(service, newUser(), from(ip))];
  answers.forEach(assertTooMany);
  // Time passes between the two requests.
  const [taken, free] = answers.map((answer) => {
    const { headers: { "retry-after": _, ...headers }, ...rest } = said(answer);
    return { ...rest, headers };
  });
  assert.deepEqual(taken, free);
});

test("requests for taken addresses use the limit up: accounts cannot be enumerated", async () => {
  const { user } = await signUp(service, newUser(), from(newIp()));
  const ip = newIp();
  const answers = await burst(PER_HOUR, () => register(service, user, from(ip)));
  answers.forEach((answer) => assertEnvelope(answer, 409, "CONFLICT"));
  assertTooMany(await register(service, newUser(), from(ip)));
  assertSuccess(await register(service, newUser(), from(newIp())), 201);
});

test("a client with forged addresses registers no more often, and uses up no other client's limit", async () => {
  const [ip, victim] = [newIp(), newIp()];
  const forged = { "X-Forwarded-For": victim, Forwarded: `for=${victim}`, "X-Real-IP": victim };
  const answers = await burst(9, () => register(service, newUser(), { ...from(ip), ...forged }));
  assert.equal(sorted(answers).admitted, PER_HOUR);
  assert.equal(await countOf(victim), undefined);
  assertSuccess(await register(service, newUser(), from(victim)), 201);
});

test("a client that tries one password on five hundred accounts is stopped before the one that has it", async () => {
  const password = "the password of the season 2026";
  const [hasAnother, hasIt] = await Promise.all([
    signUp(service, newUser(), from(newIp())),
    signUp(service, { ...newUser(), password }, from(newIp())),
  ]);
  const hashOf = async ({ user }) => (await usersOf([user]))[0].password_hash;
  const insert = `
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO users (email, password_hash, created_at)
    SELECT 'sprayed-' || ?1 || '-' || i || '@mail.example', CASE WHEN i = 400 THEN ?2 ELSE ?3 END, 1 FROM n`;
  const hashes = [await hashOf(hasIt), await hashOf(hasAnother)];
  let tries = 0;
  const { answers, addresses } = await withinOneMinute(service, async (ip) => {
    tries += 1;
    await rows(service.db, insert, String(tries), ...hashes);
    const addresses = Array.from({ length: 500 }, (_, index) => `sprayed-${tries}-${index + 1}@mail.example`);
    const spray = [];
    for (const email of addresses) {
      spray.push(await login(service, { email, password }, from(ip)));
    }
    return { answers: spray, addresses };
  });
  const statuses = answers.map((answer) => answer.status);
  assert.deepEqual(statuses, [...Array(DOORS.login.limit).fill(401), ...Array(500 - DOORS.login.limit).fill(429)]);
  const sprayed = await usersOf(addresses.map((email) => ({ email })));
  const counted = await Promise.all(sprayed.map((user) => throttleOf(service.db, throttleKey(user.id))));
  const tried = sprayed.filter((_, index) => counted[index].failures > 0).map((user) => user.email);
  assert.deepEqual(tried.sort(), addresses.slice(0, DOORS.login.limit).sort());
  const ids = JSON.stringify(sprayed.map((user) => user.id));
  const sql = "SELECT id FROM sessions WHERE user_id IN (SELECT value FROM json_each(?1))";
  assert.deepEqual(await rows(service.db, sql, ids), []);
  assertSuccess(await login(service, { email: addresses[399], password }, from(newIp())), 200);
});

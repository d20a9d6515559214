// The log of a refusal names network, user, session and key, as far as they are known, and every line the edge's ray. At
// this level, because the headers come from the runtime, and lines of the Durable Object from another instance.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, login, me, newUser, post, refresh, register, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { until } from "./support/faults.mjs";
import { burst, DOORS } from "./support/limits.mjs";
import { assertLogLine, logged, loggedOf, loggedText } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";
import { decode, expired, forge, keyId } from "./support/tokens.mjs";

const OPERATOR_KEY = "attribution-operator-4d1c7a90b2e86f35";
const RAY = "230b030023ae2822-SJC";
const FROM = { "CF-Connecting-IP": "203.0.113.77", "CF-Ray": RAY };
const NETWORK = "203.0.113.0/24";
const WRONG = "an entirely wrong passphrase";

let service;
before(async () => {
  service = await startService({ settings: { RATE_LIMITING: "on", PASSWORD_ITERATIONS: "1", OPERATOR_KEY } });
});
after(() => service.stop());

const sessionOf = (token) => Number(decode(token).claims.sid);

/** Exactly one refusal in the log of the answer, with this attribution; every line has the ray. */
async function attributed(response, status, expected) {
  assert.equal(response.status, status, response.text);
  const lines = await loggedOf(service, response);
  lines.forEach((line) => assert.equal(line.ray, RAY, JSON.stringify(line)));
  const [refusal, ...others] = lines.filter((line) => line.message === "Request refused");
  assert.deepEqual(others, []);
  assert.equal(refusal.level, "WARNING");
  const { network, user_id, session_id, kid } = refusal;
  assert.deepEqual(JSON.parse(JSON.stringify({ network, user_id, session_id, kid })), expected);
  for (const line of lines.filter(({ level }) => level === "INFO")) {
    assert.equal(line.network, undefined, "the access log of a request names no network");
  }
}

test("every kind of refusal is attributed", async () => {
  const { user, id, access, refresh: token } = await signUp(service, newUser(), FROM);
  const whole = { network: NETWORK, user_id: id, session_id: sessionOf(token), kid: keyId() };
  await attributed(await login(service, { ...user, password: WRONG }, FROM), 401, { network: NETWORK, user_id: id });
  await attributed(await login(service, newUser(), FROM), 401, { network: NETWORK });
  await attributed(await asUser(service, access, "GET", "/admin/users", undefined, FROM), 403, whole);
  await attributed(await asUser(service, access, "GET", "/courses/1/enrollments", undefined, FROM), 404, whole);
  await attributed(await send(service, "/nowhere", { headers: FROM }), 404, { network: NETWORK });
  await attributed(await me(service, expired(access), FROM), 401, whole);
  await attributed(await refresh(service, expired(token), FROM), 401, whole);
  const known = { network: NETWORK, kid: keyId() };
  const forged = forge("access", {}, { secret: "another secret of the same length" });
  await attributed(await me(service, forged, FROM), 401, known);
  const foreign = forge("refresh", { header: { kid: "ffffffffffffffff" } });
  await attributed(await refresh(service, foreign, FROM), 401, { network: NETWORK });
  await attributed(await register(service, user, FROM), 409, { network: NETWORK });
  assert.equal((await refresh(service, token, FROM)).status, 200);
  await attributed(await refresh(service, token, FROM), 401, whole);
  await attributed(await refresh(service, token, FROM), 401, whole);
  await attributed(await me(service, access, FROM), 401, whole);
});

test("a client over a rate limit is named by its network, an IPv6 one by its /48", async () => {
  const ip = (host) => ({ "CF-Ray": RAY, "CF-Connecting-IP": `2001:db8:77:8::${host}` });
  const { limit, knock } = DOORS.login;
  let answers = [];
  // The platform's counters are reset every minute.
  while (!answers.some(({ status }) => status === 429)) {
    answers = await burst(limit + 5, (index) => knock(service, ip(index + 1)));
  }
  const refused = answers.find(({ status }) => status === 429);
  await attributed(refused, 429, { network: "2001:db8:77::/48" });
});

test("a ray that no edge has made is not logged", async () => {
  const response = await send(service, "/nowhere", { headers: { "CF-Ray": '230b030023ae2822-SJC","admin":"true' } });
  const lines = await loggedOf(service, response);
  assert.deepEqual(lines.map((line) => [line.ray, line.admin]), Array(3).fill([undefined, undefined]));
});

test("a command of the operator is in the log of the Worker and of the object, and in the audit log", async () => {
  const headers = { ...FROM, Authorization: `Bearer ${OPERATOR_KEY}` };
  for (const state of ["open", "closed", "automatic"]) {
    const response = await post(service, "/operator/circuit-breaker", { state }, headers);
    assert.equal(response.status, 200, response.text);
    const id = response.headers["x-request-id"];
    await service.logged((line) => line.request_id === id && line.message === "Request finished");
    const lines = await logged(service, (line) => line.request_id === id);
    const commanded = lines.find((line) => line.message === "Operator commands the circuit breaker");
    assert.deepEqual([commanded.level, commanded.command, commanded.network], ["WARNING", state, NETWORK]);
    // The first line of the object about this command: its span has both ids.
    const changed = lines.find((line) => line.message === "Circuit breaker changed");
    assert.equal(changed.ray, RAY);
    const sql = "SELECT type, reason, user_id, actor_id, ip, ray FROM audit_events WHERE request_id = ?1";
    const events = await until("the event is written", async () => {
      const found = await rows(service.db, sql, id);
      return found.length > 0 && found;
    });
    const expected = { type: "breaker_commanded", reason: state, user_id: null, actor_id: null, ip: "203.0.113.77", ray: RAY };
    assert.deepEqual(events, [expected]);
  }
});

test("no line is malformed, and none contains a secret of these tests", async () => {
  const text = await loggedText(service);
  text.forEach(assertLogLine);
  for (const secret of [WRONG, OPERATOR_KEY, "eyJ", "@mail.example", "203.0.113.77", "2001:db8:77:8"]) {
    assert.equal(text.find((line) => line.includes(secret)), undefined, secret);
  }
});

// Rate limits per client address: the requests of a kind that one network may send in a minute, and attempts
// to evade them. At this level, because the platform's own limiters count, by a header that the runtime sets.
// Each test has addresses of its own, so the limits of the other tests do not interfere.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import {
  changePassword,
  deleteAccount,
  from,
  listSessions,
  login,
  logout,
  me,
  newIp,
  newUser,
  post,
  refresh,
  register,
  send,
  signUp,
} from "./support/client.mjs";
import { userRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { burst, DOORS, sorted, withinOneMinute, withinOneWindow } from "./support/limits.mjs";
import { accessLines, loggedOf } from "./support/logs.mjs";
import { startWatched, watchedFor } from "./support/watched.mjs";

const ON = { RATE_LIMITING: "on", PASSWORD_ITERATIONS: "1" };
const WRONG = "an entirely wrong passphrase";

let service;
before(async () => (service = await startWatched({ settings: ON })));
after(() => service.end());

/** Refused with Retry-After, without a hint about tokens, and without a call of the database. */
async function assertTurnedAway(at, answers, period = 60) {
  for (const answer of answers) {
    assertEnvelope(answer, 429, "RATE_LIMITED");
    assert.equal(answer.headers["retry-after"], String(period));
    assert.equal(answer.headers["www-authenticate"], undefined);
  }
  for (const line of await accessLines(at, answers)) {
    assert.deepEqual([line.status_code, line.d1_calls, line.do_calls], [429, 0, 0]);
  }
}

/** Sends requests to a door until its limit refuses this address. */
async function shut(door, ip) {
  const { limit, knock } = DOORS[door];
  return sorted(await burst(limit, () => knock(service, from(ip))));
}

const knock = (door, headers) => DOORS[door].knock(service, headers);

for (const [door, { limit, period }] of Object.entries(DOORS)) {
  test(`a flood at ${door} is admitted ${limit} times in ${period} s, and the rest does not reach D1`, async () => {
    const answers = await withinOneWindow(service, period, (ip) => burst(limit + 15, () => knock(door, from(ip))));
    const { admitted, refused } = sorted(answers);
    assert.equal(admitted, limit);
    await assertTurnedAway(service, refused, period);
  });
}

test("a request refused for its body counts as well: there are no free attempts", async () => {
  const next = await withinOneMinute(service, async (ip) => {
    const faulty = [{}, "no json", { email: "nobody", password: 1 }];
    await burst(DOORS.login.limit, (index) => post(service, "/auth/login", faulty[index % 3], from(ip)));
    return knock("login", from(ip));
  });
  await assertTurnedAway(service, [next]);
});

test("another spelling of the method or the path counts at the same limit", async () => {
  const statuses = await withinOneMinute(service, async (ip) => {
    const ask = (path, method) => send(service, path, { method, headers: from(ip) });
    await shut("readiness", ip);
    await shut("login", ip);
    const readiness = [["/health/ready", "HEAD"], ["/health/ready?fresh", "GET"], ["/x/../health/ready", "GET"]];
    const signIn = [["/auth/login?again", "POST"], ["/auth/./login", "POST"], ["/auth/register/../login", "POST"]];
    const answers = await Promise.all([...readiness, ...signIn].map(([path, method]) => ask(path, method)));
    return answers.map((answer) => answer.status);
  });
  assert.deepEqual(statuses, Array(6).fill(429));
});

test("a client refused by one limit is admitted by all the others", async () => {
  const seen = await withinOneMinute(service, async (ip) => {
    const person = await signUp(service, newUser(), from(ip));
    const { refused } = await shut("login", ip);
    const turnedAway = [
      await login(service, person.user, from(ip)),
      // These take a password too: each may be a guess.
      await changePassword(service, person.access, WRONG, "a new passphrase of the thief", from(ip)),
      await deleteAccount(service, person.access, person.user.password, from(ip)),
    ];
    const goesOn = [
      await register(service, newUser(), from(ip)),
      await refresh(service, person.refresh, from(ip)),
      await me(service, person.access, from(ip)),
      await listSessions(service, person.access, from(ip)),
      await send(service, "/health/ready", { headers: from(ip) }),
      await send(service, "/health", { headers: from(ip) }),
      await logout(service, person.refresh, from(ip)),
    ];
    return { refused, turnedAway, goesOn, person };
  });
  assert.deepEqual(seen.refused, []);
  await assertTurnedAway(service, seen.turnedAway);
  assert.deepEqual(seen.goesOn.map((answer) => answer.status), [201, 200, 200, 200, 200, 200, 200]);
  const { email, throttles } = await userRow(service.db, seen.person.id);
  assert.deepEqual([email, throttles.password.failures], [seen.person.user.email, 0]);
});

test("a rate-limited answer does not reveal whether the token is valid", async () => {
  const answer = await withinOneMinute(service, async (ip) => {
    await shut("login", ip);
    return changePassword(service, "no.jwt.this", WRONG, "a new passphrase", from(ip));
  });
  await assertTurnedAway(service, [answer]);
});

describe("client addresses", () => {
  /** One address exhausts the limit; returns the statuses that the others then get. */
  const foundBy = (addresses, shutBy = addresses[0]) => {
    return withinOneMinute(service, async (ip) => {
      // A prefix of its own for each attempt: the two parts of an IPv4 address that `newIp` counts up.
      const [, , third, fourth] = ip.split(".");
      const named = (address) => address.replace("$", `${third}:${fourth}`).replace("#", ip);
      await burst(DOORS.login.limit, () => knock("login", from(named(shutBy))));
      const answers = await burst(addresses.length, (index) => knock("login", from(named(addresses[index]))));
      return answers.map((answer) => answer.status);
    });
  };

  test("in one /64 are one client: an IPv6 customer gets a whole /64", async () => {
    const same = ["2001:db8:$::1", "2001:db8:$:8000::", "2001:db8:$:ffff:ffff:ffff:ffff", "2001:DB8:$:0:1:2:3"];
    assert.deepEqual(await foundBy(same), [429, 429, 429, 429]);
  });

  test("in different /64s are different clients: neighbours do not share a limit", async () => {
    const others = ["2001:db8:$::1", "2001:db8:$a::1", "2001:db8:8$::1", "2001:db9:$::1"];
    assert.deepEqual(await foundBy(others), [429, 401, 401, 401]);
  });

  test("spread over a /64 share one limit", async () => {
    const answers = await withinOneMinute(service, (ip) => {
      const [, , third, fourth] = ip.split(".");
      return burst(DOORS.login.limit + 10, (index) => {
        return knock("login", from(`2001:db8:${third}:${fourth}:${(index * 977).toString(16)}::1`));
      });
    });
    assert.equal(sorted(answers).admitted, DOORS.login.limit);
  });

  test("in IPv4-mapped IPv6 notation are the same IPv4 client", async () => {
    assert.deepEqual(await foundBy(["#", "::ffff:#", "::FFFF:#", "0:0:0:0:0:ffff:#"]), [429, 429, 429, 429]);
    assert.deepEqual(await foundBy(["::ffff:#", "#"]), [429, 429]);
  });

  test("that are invalid share one limit", async () => {
    assert.deepEqual(await foundBy(["nobody #", "192.0.2.300", "fe80::1%eth0"]), [429, 429, 429]);
  });
});

describe("a client that names other addresses in headers", () => {
  const HEADERS = {
    "X-Forwarded-For": (ip) => ip,
    Forwarded: (ip) => `for=${ip};proto=https`,
    "X-Real-IP": (ip) => ip,
    "True-Client-IP": (ip) => ip,
    "X-Client-IP": (ip) => ip,
    "X-Cluster-Client-IP": (ip) => ip,
    "CF-Connecting-IPv6": () => "2001:db8::1",
    "CF-Pseudo-IPv4": (ip) => ip,
  };
  const claiming = (ip) => Object.fromEntries(Object.entries(HEADERS).map(([name, value]) => [name, value(ip)]));

  test("is counted by its own address all the same", async () => {
    const answers = await withinOneMinute(service, (ip) => {
      return burst(DOORS.login.limit + 10, () => knock("login", { ...from(ip), ...claiming(newIp()) }));
    });
    assert.equal(sorted(answers).admitted, DOORS.login.limit);
  });

  test("does not use up the limit of the address that it names", async () => {
    const [attacker, victim] = await withinOneMinute(service, async (ip) => {
      const victimIp = newIp();
      const flood = await burst(DOORS.login.limit + 1, () => knock("login", { ...from(ip), ...claiming(victimIp) }));
      return [flood, await burst(DOORS.login.limit, () => knock("login", from(victimIp)))];
    });
    assert.equal(sorted(attacker).refused.length, 1);
    assert.deepEqual(sorted(victim).refused, []);
  });
});

test("with RATE_LIMITING off no limit refuses a request, and the throttle of an account remains", async (t) => {
  const open = await watchedFor(t, { settings: { ...ON, RATE_LIMITING: "off", REGISTRATIONS_PER_HOUR: "2" } });
  const ip = newIp();
  for (const { limit, knock: request } of Object.values(DOORS)) {
    assert.deepEqual(sorted(await burst(limit + 5, () => request(open, from(ip)))).refused, []);
  }
  const { user, id } = await signUp(open, newUser(), from(ip));
  for (let failure = 0; failure < 6; failure += 1) {
    assertEnvelope(await login(open, { ...user, password: WRONG }, from(ip)), 401, "AUTH_INVALID_CREDENTIALS");
  }
  assert.ok((await userRow(open.db, id)).throttles.password.blocked_until > 0);
});

describe("a deployment whose limiters", () => {
  test("are not all bound names the missing ones, and serves nothing that needs its settings", async (t) => {
    const without = ["LOGIN_LIMITER", "READY_LIMITER"];
    const lacking = await watchedFor(t, { settings: ON, without });
    for (const answer of [await login(lacking, newUser()), await me(lacking, "no.jwt.this")]) {
      assertEnvelope(answer, 500, "CONFIGURATION_ERROR");
      const [error, ...more] = (await loggedOf(lacking, answer)).filter((line) => line.level === "ERROR");
      assert.equal(error.cause, `missing or wrong settings: ${without.join(", ")}`);
      assert.deepEqual(more, []);
    }
    assertSuccess(await send(lacking, "/health"), 200);
  });

  test("are not bound serves everything if RATE_LIMITING is off", async (t) => {
    const without = ["REGISTER_LIMITER", "LOGIN_LIMITER", "REFRESH_LIMITER", "READY_LIMITER"];
    const lacking = await watchedFor(t, { settings: { ...ON, RATE_LIMITING: "off" }, without });
    const { user } = await signUp(lacking);
    assertSuccess(await login(lacking, user), 200);
  });

  test("fail admits requests, and logs an error", async (t) => {
    const failing = await watchedFor(t, { settings: ON, wrapper: "tests/e2e/wrappers/failing-limiters.mjs" });
    const { user, access } = await signUp(failing);
    const read = (await loggedOf(failing, await me(failing, access))).filter((line) => line.level === "ERROR");
    assert.deepEqual(read.map((line) => line.limiter), ["READ_LIMITER", "USER_READ_LIMITER"]);
    const answer = await login(failing, user);
    assertSuccess(answer, 200);
    const [error, ...more] = (await loggedOf(failing, answer)).filter((line) => line.level === "ERROR");
    assert.deepEqual([error.name, error.limiter], ["app.errors", "LOGIN_LIMITER"]);
    assert.match(error.cause, /Network connection lost/);
    assert.deepEqual(more, []);
  });

  test("never answer admits requests with and without a body, and logs an error", async (t) => {
    const settings = { ...ON, LIMITERS: "silent" };
    const silent = await watchedFor(t, { settings, wrapper: "tests/e2e/wrappers/failing-limiters.mjs" });
    const { user } = await signUp(silent);
    const answers = [await login(silent, user), await send(silent, "/health/ready")];
    for (const [answer, limiter] of [[answers[0], "LOGIN_LIMITER"], [answers[1], "READY_LIMITER"]]) {
      assertSuccess(answer, 200);
      const errors = (await loggedOf(silent, answer)).filter((line) => line.level === "ERROR");
      assert.deepEqual(errors.map((line) => [line.limiter, line.cause]), [[limiter, "no answer in time"]]);
    }
  });
});

// Bodies that come slowly, or never: such a request is answered as soon as it can be, and holds nothing for longer than
// its deadline. At this level, with real sockets, because the runtime's reader or its connections might hang.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { asUser, from, me, newIp, send, signUp } from "./support/client.mjs";
import { assertSuccess } from "./support/envelope.mjs";
import { burst, DOORS, withinOneMinute } from "./support/limits.mjs";
import { logged } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";
import { CHUNKED, unfinished } from "./support/slow.mjs";

const MEMORY = { "X-Test-Memory": "yes" };
const KIB = 1024;

let service;
before(async () => {
  const settings = { RATE_LIMITING: "on", PASSWORD_ITERATIONS: "1" };
  service = await startService({ settings, wrapper: "tests/e2e/wrappers/wasm-memory.mjs" });
});
after(() => service.stop());

const finished = (ids) => logged(service, (line) => line.message === "Request finished" && ids.has(line.request_id));
const wasmBytes = async () => Number((await send(service, "/", { headers: MEMORY })).text);

/** The memory of workerd's process in KiB, as the kernel counts it. */
function residentKib() {
  const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const isOurs = new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(status) && /^Name:\s+workerd/m.test(status);
      return isOurs ? [Number(/^VmRSS:\s+(\d+)/m.exec(status)[1])] : [];
    } catch {
      return [];
    }
  });
  return children.reduce((sum, kib) => sum + kib, 0);
}

test("a body that is not complete after ten seconds in all is refused, however it comes", async () => {
  const { access } = await signUp(service);
  const own = { Authorization: `Bearer ${access}` };
  const silent = unfinished(service, "/auth/login", { headers: CHUNKED, begin: '3\r\n{"e\r\n' });
  const trickling = unfinished(service, "/auth/login", { headers: CHUNKED, trickle: "1\r\n \r\n" });
  const announced = unfinished(service, "/auth/refresh", { headers: { "Content-Length": "100" }, begin: "{" });
  const signedIn = unfinished(service, "/users/me", { method: "PATCH", headers: { ...CHUNKED, ...own } });
  for (const { status, body, ms } of await Promise.all([silent, trickling, announced, signedIn].map((it) => it.answered))) {
    assert.deepEqual([status, body.error.code], [408, "REQUEST_TIMEOUT"]);
    assert.ok(ms >= 9_900 && ms < 15_000, `${ms} ms`);
    const [line] = await finished(new Set([body.request_id]));
    assert.deepEqual([line.status_code, line.d1_calls], [408, line.path === "/users/me" ? 1 : 0]);
  }
  assert.equal((await me(service, access)).body.full_name, "Person 1", "nothing was changed");
});

test("150 requests with endless bodies to a path that does not exist are answered at once, and logged", async () => {
  const ids = new Set(Array.from({ length: 150 }, (_, index) => `nowhere-${index}`));
  const requests = [...ids].map((id) => {
    return unfinished(service, "/nowhere", { headers: { ...CHUNKED, "X-Request-ID": id }, begin: "4\r\nabcd\r\n" });
  });
  const answers = await Promise.all(requests.map(({ answered }) => answered));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [404]);
  assert.ok(Math.max(...answers.map(({ ms }) => ms)) < 9_000, "no request waited for the deadline of bodies");
  const lines = await finished(ids);
  assert.deepEqual(lines.map((line) => line.status_code), Array(150).fill(404));
});

test("every refusal that comes before the body is answered while the body never comes", async () => {
  const { access } = await signUp(service);
  const asNoAdmin = { ...CHUNKED, Authorization: `Bearer ${access}` };
  const cases = [
    ["PUT", "/auth/login", CHUNKED, 405],
    ["PATCH", "/users/me", CHUNKED, 401],
    ["POST", "/universities", asNoAdmin, 403],
    ["POST", "/auth/login", { ...CHUNKED, "Content-Type": "text/plain" }, 415],
    ["POST", "/auth/login", { ...CHUNKED, "Content-Encoding": "gzip" }, 415],
    ["POST", "/auth/login", { "Content-Length": "1000000" }, 413],
    ["GET", "/users/me", asNoAdmin, 200],
    ["POST", "/auth/logout-all", asNoAdmin, 200],
  ];
  for (const [method, path, headers, expected] of cases) {
    const { status, ms } = await unfinished(service, path, { method, headers, begin: "1\r\n{\r\n" }).answered;
    assert.equal(status, expected, `${method} ${path}`);
    assert.ok(ms < 9_000, `${method} ${path}: ${ms} ms`);
  }
});

test("a body is refused for its size while it is being sent", async () => {
  const begin = `${(20 * KIB).toString(16)}\r\n${" ".repeat(20 * KIB)}\r\n`;
  const { status, ms } = await unfinished(service, "/auth/login", { headers: CHUNKED, begin }).answered;
  assert.equal(status, 413);
  assert.ok(ms < 9_000, `${ms} ms`);
});

test("of 1,000 slow bodies of one address as many wait as its limit admits, and the Wasm memory stays", async (t) => {
  const { limit } = DOORS.login;
  // The first requests of an isolate make it grow once.
  await burst(50, () => send(service, "/auth/login", { method: "POST", headers: from(newIp()), body: "{}" }));
  const [wasm, resident] = [await wasmBytes(), residentKib()];
  let grown = 0;
  const statuses = await withinOneMinute(service, async (ip) => {
    const headers = { ...CHUNKED, ...from(ip) };
    const requests = Array.from({ length: 1_000 }, () => unfinished(service, "/auth/login", { headers, begin: "1\r\n{\r\n" }));
    const refused = [];
    await new Promise((resolve) => {
      requests.forEach(({ answered }) => answered.then(({ status }) => refused.push(status) === 1_000 - limit && resolve()));
    });
    grown = Math.max(grown, residentKib() - resident);
    requests.forEach(({ hangUp }) => hangUp());
    await Promise.all(requests.map(({ answered }) => answered));
    return refused.slice(0, 1_000 - limit);
  });
  t.diagnostic(`workerd grew by ${grown} KiB, the Wasm memory by ${((await wasmBytes()) - wasm) / KIB} KiB`);
  assert.deepEqual([...new Set(statuses)], [429]);
  // workerd's own growth is that of a thousand open connections. The isolate, which has a limit, holds a few bodies.
  assert.ok((await wasmBytes()) - wasm <= 4 * KIB * KIB, "4 KiB for each of the requests at once");
});

test("clients that hang up while they send harm no other request", async () => {
  const { access } = await signUp(service);
  const own = { Authorization: `Bearer ${access}` };
  const bodies = {
    "gone-1": ["PATCH", "/users/me", { ...own, ...CHUNKED }],
    "gone-2": ["PATCH", "/users/me", { ...own, "Content-Length": "50" }],
    "gone-3": ["POST", "/auth/refresh", CHUNKED],
  };
  for (const [id, [method, path, headers]] of Object.entries(bodies)) {
    const { answered, hangUp } = unfinished(service, path, { method, headers: { ...headers, "X-Request-ID": id } });
    await service.logged((line) => line.message === "Request started" && line.request_id === id);
    hangUp();
    assert.equal((await answered).status, undefined);
  }
  assertSuccess(await asUser(service, access, "PATCH", "/users/me", { full_name: "Still here" }), 200);
  assert.deepEqual(await logged(service, (line) => line.level === "ERROR"), []);
});

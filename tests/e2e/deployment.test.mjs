// The tools around a deployment, run here as they will run there: the smoke test, good and bad, and the size budget.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";

import { startFor } from "./support/start.mjs";

/** Runs a script of the project without blocking the service that it talks to. */
function run(...args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args);
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("exit", (code) => done({ code, output }));
  });
}

test("the smoke test passes on a healthy service and writes nothing", async (t) => {
  const service = await startFor(t);
  const { code, output } = await run("scripts/smoke.mjs", `${service.origin}/`);
  assert.equal(code, 0, output);
  const { results } = await service.db.prepare("SELECT count(*) AS users FROM users").all();
  assert.equal(results[0].users, 0);
});

test("the smoke test fails on a service without a secret, without its tables, and without any service", async (t) => {
  const withoutSecret = await startFor(t, { settings: { SECRET_KEY: undefined } });
  assert.equal((await run("scripts/smoke.mjs", withoutSecret.origin)).code, 1);
  const withoutTables = await startFor(t, { migrate: false });
  assert.equal((await run("scripts/smoke.mjs", withoutTables.origin)).code, 1);
  // Hangs up on every client. Listening keeps the port, which another process could take if it were free.
  const none = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  t.after(() => none.close());
  await once(none, "listening");
  assert.equal((await run("scripts/smoke.mjs", `http://127.0.0.1:${none.address().port}`)).code, 1);
  assert.equal((await run("scripts/smoke.mjs")).code, 2);
});

test("the smoke test passes on a service without API pages, and says so", async (t) => {
  const service = await startFor(t, { settings: { API_PAGES: "off" } });
  const { code, output } = await run("scripts/smoke.mjs", service.origin);
  assert.equal(code, 0, output);
  assert.match(output, /^\/openapi\.json .* ok \(API_PAGES is off\)$/m);
});

test("the smoke test fails on another answer than the API description, or the refusal of a service without it", async (t) => {
  const refusal = (code) => ({ error: { code } });
  const answers = {
    "/health": [200, { status: "ok" }],
    "/health/ready": [200, { status: "ready" }],
    "/users/me": [401, refusal("AUTH_TOKEN_INVALID")],
    "/auth/login": [401, refusal("AUTH_INVALID_CREDENTIALS")],
    "/nowhere": [404, refusal("NOT_FOUND")],
  };
  const server = createHttpServer((request, response) => {
    const [status, body] = answers[request.url];
    response.writeHead(status, { "X-Request-ID": "1" }).end(typeof body === "string" ? body : JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const smoke = (status, body) => {
    answers["/openapi.json"] = [status, body];
    return run("scripts/smoke.mjs", `http://127.0.0.1:${server.address().port}`);
  };
  for (const [status, body] of [[200, { openapi: "3.1.0" }], [404, refusal("NOT_FOUND")]]) {
    const { code, output } = await smoke(status, body);
    assert.equal(code, 0, output);
  }
  const faults = [
    [404, refusal("USER_NOT_FOUND")],
    [404, {}],
    [404, "Not found"],
    [500, refusal("NOT_FOUND")],
    [500, refusal("INTERNAL_ERROR")],
    [200, refusal("NOT_FOUND")],
    [200, { openapi: "2.0" }],
  ];
  for (const [status, body] of faults) {
    const { code, output } = await smoke(status, body);
    assert.equal(code, 1, output);
    assert.match(output, /^\/openapi\.json .* FAILED: /m);
  }
});

test("a Wasm over its budget fails the build", () => {
  const over = spawnSync(process.execPath, ["scripts/check-size.mjs", "1000"], { encoding: "utf8" });
  assert.equal(over.status, 1);
  assert.match(over.stderr, /bytes over its budget/);
});

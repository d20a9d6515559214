// What stands behind a deployment, run here as it will run there: the smoke test, good and bad, and the size budget.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";

import { startService } from "./support/service.mjs";

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

test("the smoke test passes on a good service and writes nothing", async () => {
  const service = await startService();
  const { code, output } = await run("scripts/smoke.mjs", `${service.origin}/`);
  assert.equal(code, 0, output);
  const { results } = await service.db.prepare("SELECT count(*) AS users FROM users").all();
  assert.equal(results[0].users, 0);
  await service.stop();
});

test("the smoke test fails on a service without a secret, without its tables, and on none at all", async () => {
  const withoutSecret = await startService({ settings: { SECRET_KEY: undefined } });
  assert.equal((await run("scripts/smoke.mjs", withoutSecret.origin)).code, 1);
  await withoutSecret.stop();
  const withoutTables = await startService({ migrate: false });
  assert.equal((await run("scripts/smoke.mjs", withoutTables.origin)).code, 1);
  await withoutTables.stop();
  assert.equal((await run("scripts/smoke.mjs", withoutTables.origin)).code, 1);
  assert.equal((await run("scripts/smoke.mjs")).code, 2);
});

test("a Wasm over its budget fails the build", () => {
  const over = spawnSync(process.execPath, ["scripts/check-size.mjs", "1000"], { encoding: "utf8" });
  assert.equal(over.status, 1);
  assert.match(over.stderr, /bytes over its budget/);
});

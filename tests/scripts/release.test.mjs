// A release: which failure leaves production alone, and which one puts the noted version back. With a stand-in for
// wrangler that remembers deployments; the smoke test is the real one, against a server of this file.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { cloud, service } from "./support/cloud.mjs";
import { make, ROOT, run } from "./support/make.mjs";
import { stateFolder } from "../e2e/support/start.mjs";

const release = (account, url, ...more) =>
  run(process.execPath, [join(ROOT, "scripts/release.mjs"), "production", url, ...more], {
    env: { ...process.env, PATH: account.PATH, SMOKE_PAUSE_SECONDS: "0" },
  });
const commands = (account) => account.calls().map(({ args }) => args.filter((word) => !word.startsWith("--")).slice(0, -1).join(" "));
const NOTE = "deployments status";
const MIGRATE = "d1 migrations apply DB";
const BROKEN = () => false;

test("a good release notes the version, migrates, deploys, and stays", async (t) => {
  const account = cloud(t, { serving: ["old@100%"] });
  const { code, stdout } = await release(account, await service(t));
  assert.equal(code, 0, stdout);
  assert.deepEqual(commands(account), [NOTE, MIGRATE, "deploy", NOTE]);
  assert.deepEqual(account.serving(), ["new@100%"]);
  for (const { args, ci } of account.calls()) {
    assert.deepEqual([args.slice(-2), ci], [["--env", "production"], "true"]);
  }
  assert.ok(account.calls()[1].args.includes("--remote"));
});

test("a serving version that cannot be read ends the release before anything is changed", async (t) => {
  const account = cloud(t, { serving: ["old@100%"], fails: { [NOTE]: { text: "✘ [ERROR] Authentication error [code: 10000]" } } });
  const { code, stderr } = await release(account, await service(t));
  assert.equal(code, 1);
  assert.match(stderr, /Authentication error/);
  assert.deepEqual(commands(account), [NOTE, NOTE, NOTE]);
});

test("Cloudflare may fail to answer now and then, also between the deployment and the rollback", async (t) => {
  const account = cloud(t, { serving: ["old@100%"], fails: { [NOTE]: { calls: [1, 3, 4, 6] }, "versions deploy": { calls: [1] } } });
  const { code, stderr } = await release(account, await service(t, BROKEN));
  assert.equal(code, 1);
  assert.match(stderr, /Rolled back: old@100% serves again/);
  assert.deepEqual(account.serving(), ["old@100%"]);
});

test("migrations that fail deploy nothing and roll nothing back", async (t) => {
  const account = cloud(t, { serving: ["old@100%"], fails: { [MIGRATE]: {} } });
  const { code, stderr } = await release(account, await service(t, BROKEN));
  assert.equal(code, 1);
  assert.match(stderr, /The migrations failed. Nothing was deployed/);
  assert.deepEqual(commands(account), [NOTE, MIGRATE]);
});

test("a deployment that fails rolls nothing back, even if the service is broken", async (t) => {
  const account = cloud(t, { serving: ["old@100%"], fails: { deploy: {} } });
  const { code, stderr } = await release(account, await service(t, BROKEN));
  assert.equal(code, 1);
  assert.match(stderr, /The version from before still serves/);
  assert.deepEqual(commands(account), [NOTE, MIGRATE, "deploy", NOTE]);
  assert.deepEqual(account.serving(), ["old@100%"]);
});

test("a deployment that serves although wrangler failed is tested all the same", async (t) => {
  const good = cloud(t, { serving: ["old@100%"], fails: { deploy: { late: true } } });
  const passed = await release(good, await service(t));
  assert.equal(passed.code, 1);
  assert.match(passed.stderr, /new@100% serves and passes the smoke test/);
  assert.deepEqual(good.serving(), ["new@100%"]);
  const bad = cloud(t, { serving: ["old@100%"], fails: { deploy: { late: true } } });
  assert.equal((await release(bad, await service(t, BROKEN))).code, 1);
  assert.deepEqual(bad.serving(), ["old@100%"]);
});

test("a deployment that fails its smoke test gives way to exactly the noted version", async (t) => {
  const account = cloud(t, { serving: ["old@100%"] });
  const { code, stderr } = await release(account, await service(t, (path) => path !== "/health/ready"));
  assert.equal(code, 1);
  assert.match(stderr, /Rolled back: old@100% serves again/);
  assert.deepEqual(commands(account), [NOTE, MIGRATE, "deploy", NOTE, NOTE, "versions deploy old@100% The smoke test of the next version failed"]);
  assert.deepEqual(account.serving(), ["old@100%"]);
});

test("a gradual deployment comes back with its percentages", async (t) => {
  const account = cloud(t, { serving: ["a@90%", "b@10%"] });
  assert.equal((await release(account, await service(t, BROKEN))).code, 1);
  assert.deepEqual(account.serving(), ["a@90%", "b@10%"]);
});

test("a passing repetition of the smoke test keeps the deployment", async (t) => {
  const account = cloud(t, { serving: ["old@100%"] });
  let requests = 0;
  const url = await service(t, () => (requests += 1) > 6);
  const { code, stderr } = await release(account, url);
  assert.equal(code, 0, stderr);
  assert.deepEqual(account.serving(), ["new@100%"]);
});

test("secrets that changed since the noted version are not confirmed", async (t) => {
  const account = cloud(t, { serving: ["old@100%"], secretsChanged: true });
  const { code, stderr } = await release(account, await service(t, BROKEN));
  assert.equal(code, 1);
  assert.match(stderr, /Not rolled back: wrangler refused old@100%, as it does if a secret has changed/);
  assert.deepEqual(account.serving(), ["new@100%"]);
  assert.ok(!commands(account).some((command) => command.startsWith("rollback")), "its question would be answered with yes");
});

test("a deployment by another hand during the smoke test is left alone", async (t) => {
  const account = cloud(t, { serving: ["old@100%"] });
  const url = await service(t, () => {
    account.change({ serving: ["new-with-another-secret@100%"] });
    return false;
  });
  const { code, stderr } = await release(account, url);
  assert.equal(code, 1);
  assert.match(stderr, /Not rolled back: new-with-another-secret@100% serves now/);
  assert.deepEqual(account.serving(), ["new-with-another-secret@100%"]);
});

test("after the first deployment ever there is no version to go back to", async (t) => {
  const account = cloud(t);
  const { code, stderr } = await release(account, await service(t, BROKEN));
  assert.equal(code, 1);
  assert.match(stderr, /first deployment: there is no version to go back to/);
  assert.deepEqual(account.serving(), ["new@100%"]);
  const good = cloud(t);
  assert.equal((await release(good, await service(t))).code, 0);
});

test("`make rollback` wants the version, and takes exactly that one", async (t) => {
  const folder = stateFolder(t);
  const account = cloud(t, { serving: ["bad@100%"] });
  const settings = { STATE: folder, PATH: account.PATH };
  const without = await make("rollback", settings, { VERSION: "from-the-shell" });
  assert.notEqual(without.code, 0);
  assert.match(without.stderr, /make rollback VERSION=/);
  assert.deepEqual(account.calls(), []);
  const { code, stderr } = await make("rollback", { ...settings, VERSION: "good" });
  assert.equal(code, 0, stderr);
  assert.deepEqual(account.serving(), ["good@100%"]);
  account.change({ secretsChanged: true });
  assert.notEqual((await make("rollback", { ...settings, VERSION: "older" })).code, 0);
  assert.deepEqual(account.serving(), ["good@100%"]);
});

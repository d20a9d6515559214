// The provider of `make dev PROVIDER=on`: it runs beside a command and ends with it, and the settings that `make dev` adds.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { Browser } from "../e2e/support/providers/browser.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, environment, ROOT, run } from "./support/make.mjs";

const CLIENT = { PROVIDER_CLIENT_ID: "edge-auth", PROVIDER_CLIENT_SECRET: "a secret" };
const SCRIPT = ["scripts/provider.mjs", process.execPath, "-e"];
/** A command that waits for the signal, as wrangler does, and takes some time to end. */
const WAITS = `
  process.on("SIGINT", () => setTimeout(() => { console.log("ended"); process.exit(4); }, 50));
  setInterval(() => {}, 1000);
  console.log("ready");`;

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** The script beside a command that waits: `{child, port, output}`, once both are there. */
async function started(t) {
  const port = await freePort();
  const env = { ...process.env, ...CLIENT, PORT: "8001", PROVIDER_PORT: String(port) };
  const options = { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "inherit"] };
  const child = spawn(process.execPath, [...SCRIPT, WAITS], options);
  t.after(() => child.exitCode === null && process.kill(-child.pid, "SIGKILL"));
  let output = "";
  const read = (chunk) => (output += chunk);
  child.stdout.setEncoding("utf8").on("data", read);
  while (!output.includes("ready")) {
    await once(child.stdout, "data");
  }
  return { child, port, output: () => output };
}

test("the provider runs as long as its command: Ctrl-C ends the command, then the provider", async (t) => {
  const { child, port, output } = await started(t);
  assert.match(output(), new RegExp(`^▸ Provider at http://localhost:${port}, for sign-ins at http://localhost:8001/account`));
  const issuer = `http://127.0.0.1:${port}`;
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  assert.equal(metadata.issuer, `http://localhost:${port}`);
  const closed = once(child, "close");
  process.kill(-child.pid, "SIGINT");
  assert.deepEqual(await closed, [4, null]);
  assert.ok(output().endsWith("ended\n"), output());
  await assert.rejects(fetch(issuer));
});

test("a demo account signs in by the pages, for redirects to this machine only", async (t) => {
  const { port } = await started(t);
  const pkce = { code_challenge: "A".repeat(43), code_challenge_method: "S256" };
  const asked = { client_id: CLIENT.PROVIDER_CLIENT_ID, response_type: "code", scope: "openid email", state: "s", ...pkce };
  const authorize = (redirect_uri, browser) => {
    const url = `http://localhost:${port}/auth?${new URLSearchParams({ ...asked, redirect_uri })}`;
    return browser.leave(url, (page) => {
      assert.doesNotMatch(page, /Refused/);
      return page.includes('value="login"') ? { answer: "login", account: "ada@example.com" } : { answer: "consent" };
    });
  };
  const callback = "http://localhost:8001/api/auth/federated/other/callback";
  const { searchParams } = new URL(await authorize(callback, new Browser()));
  assert.ok(searchParams.get("code") && searchParams.get("state") === "s");
  await assert.rejects(authorize("https://evil.example/callback", new Browser()), /Refused/);
});

test("a port that is in use, and a command that does not exist, are said in one line", async () => {
  const port = await freePort();
  const taken = createServer().listen(port, "127.0.0.1");
  await once(taken, "listening");
  const env = { ...process.env, ...CLIENT, PORT: "8001", PROVIDER_PORT: String(port) };
  const inUse = await run(process.execPath, ["scripts/provider.mjs", "true"], { env });
  assert.deepEqual(inUse, { code: 1, stdout: "", stderr: `Port ${port} is in use: set PROVIDER_PORT= to another one.\n` });
  await new Promise((done) => taken.close(done));
  const { code, stderr } = await run(process.execPath, ["scripts/provider.mjs", "no-such-command"], { env });
  assert.deepEqual([code, stderr], [1, "spawn no-such-command ENOENT\n"]);
});

test("`make dev PROVIDER=on` adds settings of the provider, unless the developer has some", async (t) => {
  const folder = stateFolder(t);
  for (const name of ["Cargo.toml", "Makefile", "src", "pages"]) {
    symlinkSync(join(ROOT, name), join(folder, name));
  }
  writeFileSync(join(folder, "show.mk"), "show:\n\t@echo $(FEDERATION_ARGS)\n\t@echo $(BESIDE_PROVIDER)\n");
  const added = async (secrets, args, ...more) => {
    writeFileSync(join(folder, ".dev.vars"), secrets);
    const show = ["-f", "Makefile", "-f", "show.mk", "show", `ARGS=${args}`, ...more];
    return assertDone(await run("make", show, { cwd: folder, env: environment(folder) }));
  };
  const allowed = "--var FEDERATION_ALLOW_PRIVATE:on";
  const entry = '[{"id":"local","issuer":"http://localhost:9001","name":"Local provider"}]';
  const client = "FEDERATION_LOCAL_CLIENT_ID:edge-auth --var FEDERATION_LOCAL_CLIENT_SECRET:a-secret-of-this-machine-only";
  const all = `${allowed} --var FEDERATION:${entry} --var ${client}`;
  const beside = "node scripts/provider.mjs";
  assert.deepEqual(await added("", ""), [allowed]);
  assert.deepEqual(await added("# FEDERATION=[]\n", "", "PROVIDER=on", "PROVIDER_PORT=9001"), [all, beside]);
  const own = [["FEDERATION=[]\n", ""], ["export FEDERATION_GOOGLE_CLIENT_SECRET=x", ""], ["", "--var FEDERATION:[]"]];
  for (const [secrets, args] of own) {
    assert.deepEqual(await added(secrets, args, "PROVIDER=on"), [allowed, beside], secrets + args);
  }
  for (const [secrets, args] of [["FEDERATION_ALLOW_PRIVATE=off\n", ""], ["", "--env staging"]]) {
    assert.deepEqual(await added(secrets, args, "PROVIDER=on"), ["", beside], secrets + args);
  }
});

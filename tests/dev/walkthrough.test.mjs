// The README and the walk-through of docs/factors.md, word for word, against `make dev` on a fresh machine's terms: fresh
// data, a port of its own.
// Besides provider.test.mjs, it is the only test that goes through wrangler's development server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { freePort, ROOT, startDev, stopDev } from "./support/dev.mjs";

// A path may have a space in it.
const state = mkdtempSync(join(tmpdir(), "edge-auth dev-"));
let server;

const blocksOf = (text, language) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, block]) => block);

/** The commands of a document's walk-through, each with the output that it shows. Its helpers are in blocks of bash. */
function walkthrough(path) {
  const text = readFileSync(join(ROOT, path), "utf8");
  const blocks = blocksOf(text, "console");
  const steps = [];
  for (const line of blocks.join("").trimEnd().split("\n")) {
    if (line.startsWith("$ ")) {
      steps.push({ command: line.slice(2), expected: [] });
    } else {
      steps.at(-1).expected.push(line);
    }
  }
  return { helpers: blocksOf(text, "bash").join(""), steps };
}

const pattern = (line) => new RegExp(`^${line.split("…").map((part) => RegExp.escape?.(part) ?? escape(part)).join('[^"]+')}$`);
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

before(async () => {
  server = await startDev({ state, args: "--var PASSWORD_ITERATIONS:2000", port: await freePort() });
});

after(async () => {
  if (server) {
    await stopDev(server);
  }
  rmSync(state, { recursive: true, force: true });
});

test("starting needs no network, and does not complain about one that is missing", () => {
  assert.doesNotMatch(server.output(), /getaddrinfo|ENOTFOUND|EAI_AGAIN|Request\.cf|^ +at /m);
});

// The README comes first: its user has the id 1. That of docs/factors.md waits for codes of further half minutes.
for (const [path, least] of [["README.md", 15], ["docs/factors.md", 10]]) {
  test(`the walk-through gives the output that ${path} shows`, async () => {
    const { helpers, steps } = walkthrough(path);
    assert.ok(steps.length >= least, "the walk-through was found");
    const mark = "---next---";
    const commands = steps.map(({ command }) => `${command}\necho '${mark}'`).join("\n");
    const script = `${helpers}\n${commands}`.replace("http://127.0.0.1:8787", server.api);
    // By PORT, `make mail` finds this service.
    const env = { ...process.env, PORT: new URL(server.api).port };
    const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: ROOT, env });
    const outputs = stdout.split(`${mark}\n`);
    steps.forEach(({ command, expected }, index) => {
      const lines = outputs[index].split("\n").filter((line) => line !== "");
      assert.equal(lines.length, expected.length, `${command}\n${outputs[index]}`);
      expected.forEach((line, row) => assert.match(lines[row], pattern(line), command));
    });
  });
}

test("data and secret outlive a restart, and ARGS reach wrangler", async () => {
  const post = (api, path, body) =>
    fetch(api + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const credentials = { email: "edsger@example.com", password: "correct horse battery staple" };
  const registered = await post(server.api, "/auth/register", credentials);
  assert.equal(registered.status, 201);
  const { access_token: accessToken } = await registered.json();
  await stopDev(server);
  // The same port: it is part of PUBLIC_URL, and so of the issuer of tokens.
  const args = "--var PASSWORD_ITERATIONS:2000 --var LOG_LEVEL:WARNING";
  server = await startDev({ state, args, port: new URL(server.api).port });
  const me = await fetch(`${server.api}/users/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
  assert.equal(me.status, 200);
  assert.equal((await post(server.api, "/auth/login", credentials)).status, 200);
  assert.ok(!server.output().includes('"level":"INFO"'), "LOG_LEVEL was handed on");
});


// A stand-in for wrangler with a memory: deployments, secrets and refusals of the platform, as far as a release
// depends on them. It records its calls and never leaves this machine.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, join } from "node:path";

import { stateFolder } from "../../e2e/support/start.mjs";

/** The answers of the platform to each command. `state.fails` names commands that end with an error. */
const WRANGLER = `
const { readFileSync, writeFileSync, appendFileSync } = require("node:fs");
const state = JSON.parse(readFileSync(STATE, "utf8"));
const args = process.argv.slice(2);
const words = args.slice(0, args.findIndex((word) => word.startsWith("--")));
appendFileSync(CALLS, JSON.stringify({ args, ci: process.env.CI }) + "\\n");
const end = (code, text) => {
  writeFileSync(STATE, JSON.stringify(state));
  console[code === 0 ? "log" : "error"](text);
  process.exit(code);
};
const command = words.filter((word) => !word.includes("@")).join(" ");
const serve = (...versions) => { state.serving = versions; };
state.counts[command] = (state.counts[command] ?? 0) + 1;
const { calls = [state.counts[command]], ...planned } = state.fails[command] ?? { calls: [] };
const fault = calls.includes(state.counts[command]) ? planned : undefined;
if (fault && !fault.late) end(1, fault.text ?? "✘ [ERROR] refused");
switch (command) {
  case "deployments status": {
    if (!state.serving) end(1, "✘ [ERROR] This Worker does not exist on your account. [code: 10007]");
    const versions = state.serving.map((spec) => spec.split("@"));
    end(0, JSON.stringify({ versions: versions.map(([version_id, share]) => ({ version_id, percentage: parseFloat(share) })) }, null, 2));
  }
  case "d1 migrations apply DB":
    end(0, "applied");
  case "deploy":
    serve(state.next + "@100%");
    end(fault ? 1 : 0, fault ? "✘ [ERROR] a route was refused" : "deployed");
  case "versions deploy":
    if (state.secretsChanged) end(1, "✘ [ERROR] The following secrets have changed: SECRET_KEY [code: 10220]");
    serve(...words.filter((word) => word.includes("@")));
    end(0, "deployed");
  // Outside a terminal the real one answers its own question about changed secrets with yes.
  case "rollback":
    serve("second-newest@100%");
    end(0, "rolled back");
  default:
    end(1, "unknown command: " + command);
}
`;

/**
 * An account at Cloudflare with one Worker. `serving`: the versions before, none if it was never deployed. `next`: the
 * id of the next version. `fails`: commands that fail: at each of their `calls` by number, or always; `late` if they take effect first.
 */
export function cloud(t, { serving, next = "new", fails = {}, secretsChanged = false } = {}) {
  const folder = stateFolder(t);
  const [state, calls, tools] = ["state.json", "calls", "bin"].map((name) => join(folder, name));
  mkdirSync(tools);
  writeFileSync(state, JSON.stringify({ serving, next, fails, secretsChanged, counts: {} }));
  const constants = `const STATE = ${JSON.stringify(state)}, CALLS = ${JSON.stringify(calls)};`;
  writeFileSync(join(tools, "wrangler"), `#!${process.execPath}\n${constants}${WRANGLER}`);
  chmodSync(join(tools, "wrangler"), 0o755);
  const read = () => JSON.parse(readFileSync(state, "utf8"));
  const lines = () => (existsSync(calls) ? readFileSync(calls, "utf8").trimEnd().split("\n") : []);
  return {
    PATH: [tools, process.env.PATH].join(delimiter),
    serving: () => read().serving,
    change: (change) => writeFileSync(state, JSON.stringify({ ...read(), ...change })),
    calls: () => lines().map((line) => JSON.parse(line)),
  };
}

const BODIES = {
  "/health": [200, { status: "ok" }],
  "/health/ready": [200, { status: "ready" }],
  "/openapi.json": [200, { openapi: "3.1.0" }],
  "/users/me": [401, { error: { code: "AUTH_TOKEN_INVALID" } }],
  "/auth/login": [401, { error: { code: "AUTH_INVALID_CREDENTIALS" } }],
  "/nowhere": [404, { error: { code: "NOT_FOUND" } }],
};

/** A service for the smoke test. `isHealthy(path)` decides about each request. Returns its URL. */
export async function service(t, isHealthy = () => true) {
  const server = createServer((request, response) => {
    const [status, body] = isHealthy(request.url) ? BODIES[request.url] : [500, { error: { code: "INTERNAL_ERROR" } }];
    response.writeHead(status, { "Content-Type": "application/json", "X-Request-ID": "1" }).end(JSON.stringify(body));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

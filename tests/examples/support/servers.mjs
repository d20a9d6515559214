// Starts the resource servers of `examples/`, each as its readers would: programs as processes, the Worker on workerd.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

import { NAME as EDGE_AUTH } from "../../e2e/support/service.mjs";

const ROOT = resolve(import.meta.dirname, "../../..");
const BUILT = join(ROOT, "target/examples");
/** The name of the Worker beside edge-auth. */
const BOUND = "bound-resource-server";
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+/;

/** The programs, and the command for each. All of them print their address. */
const PROGRAMS = {
  express: [process.execPath, "examples/express/server.mjs"],
  fastapi: [".tools/fastapi/bin/uvicorn", "main:app", "--app-dir", "examples/fastapi", "--port", "0"],
  axum: [join(BUILT, "debug/edge-auth-axum-example")],
};

/** The examples that are started by `startServers`. The Worker with a service binding starts with edge-auth. */
export const NAMES = ["hono", ...Object.keys(PROGRAMS)];

/** The settings of an example for this service. */
export function settingsFor({ origin }, { client_id: CLIENT_ID, key: CLIENT_KEY }) {
  return {
    ISSUER: "edge-auth",
    AUDIENCE: "edge-auth",
    JWKS_URL: `${origin}/.well-known/jwks.json`,
    INTROSPECTION_URL: `${origin}/oauth/introspect`,
    CLIENT_ID,
    CLIENT_KEY,
  };
}

/** Starts each example with these settings: `{hono: {origin, stop}, …}`. Each goes into `started` too. */
export async function startServers(settings, started) {
  const starts = NAMES.map(async (name) => {
    const server = await (name === "hono" ? startWorker(settings) : startProgram(name, settings));
    started.push(server);
    return [name, server];
  });
  return Object.fromEntries(await Promise.all(starts));
}

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

async function startProgram(name, settings) {
  const [command, ...args] = PROGRAMS[name];
  // Nothing else of this process's environment: the example must work with its documented settings.
  const env = { PATH: process.env.PATH, PORT: "0", PYTHONDONTWRITEBYTECODE: "1", ...settings };
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  const ended = once(child, "exit").then(() => running.delete(child));
  const origin = await new Promise((found, failed) => {
    const read = (chunk) => {
      output += chunk;
      const [address] = ADDRESS.exec(output) ?? [];
      if (address) {
        found(address);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", failed);
    ended.then(() => failed(new Error(`${name} ended: ${output}`)));
  });
  const stop = () => (child.kill("SIGKILL"), ended);
  return { origin, stop };
}

/** The Worker of `examples/hono`, as wrangler bundled it; for one of the environments in its wrangler.toml. */
function worker(environment, settings) {
  const config = join(ROOT, "examples/hono/wrangler.toml");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config, environment);
  const path = join(BUILT, "hono/index.js");
  const modules = [{ type: "ESModule", path, contents: readFileSync(path) }];
  return { ...workerOptions, modulesRoot: join(BUILT, "hono"), modules, bindings: { ...workerOptions.bindings, ...settings } };
}

async function startWorker(settings) {
  const options = { port: 0, host: "127.0.0.1", log: new Log(LogLevel.NONE), cf: false, logRequests: false };
  const miniflare = new Miniflare(convertV4MiniflareOptions({ ...options, handleStructuredLogs() {}, workers: [worker(undefined, settings)] }));
  return { origin: (await miniflare.ready).origin, stop: () => miniflare.dispose() };
}

/** The Worker with a service binding, to be started with edge-auth. Its URLs name a host that does not exist. */
export function boundWorker({ client_id: CLIENT_ID, key: CLIENT_KEY }) {
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  const options = worker("bound", { ISSUER: "edge-auth", CLIENT_ID, CLIENT_KEY });
  return { ...options, name: BOUND, serviceBindings: { ...options.serviceBindings, AUTH: EDGE_AUTH }, unsafeDirectSockets };
}

/** The address of that Worker. */
export async function boundServer({ miniflare }) {
  return { origin: (await miniflare.unsafeGetDirectURL(BOUND)).origin };
}
